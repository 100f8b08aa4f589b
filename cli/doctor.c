/*
 * doctor: `mxcrypt doctor`: gathers the facts, has them judged, and prints one line per finding.
 * See doctor/doctor.h. It changes nothing on this host.
 */
#include "cli/doctor/doctor.h"

#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "cli/cli.h"

#define FACTS_MAX ((size_t)16 * 1024 * 1024)

static const char *const level_names[] = {
    [DOCTOR_WARNING] = "warning",
    [DOCTOR_ERROR] = "error",
};

static const char *joint(const struct doctor_finding *finding)
{
    return *finding->where == '\0' ? "" : ": ";
}

static size_t not_made(const struct doctor_report *report)
{
    size_t count = 0;

    for (size_t i = 0; i < report->check_count; i++)
        count += report->checks[i].why != NULL;
    return count;
}

static void print_text(const struct doctor_report *report)
{
    size_t missing = not_made(report);

    for (size_t i = 0; i < report->finding_count; i++) {
        const struct doctor_finding *finding = &report->findings[i];

        printf("%s %s: %s%s%s; fix: %s\n", level_names[finding->level], finding->check,
               finding->where, joint(finding), finding->what, finding->fix);
    }
    for (size_t i = 0; i < report->check_count; i++)
        if (report->checks[i].why != NULL)
            printf("not checked %s: %s\n", report->checks[i].check, report->checks[i].why);
    if (report->finding_count == 0)
        printf("no fault found in %zu checks%s\n", report->check_count - missing,
               missing > 0 ? "; the others could not be made" : "");
}

static json_t *findings_json(const struct doctor_report *report)
{
    json_t *array = json_array(), *what;

    for (size_t i = 0; i < report->finding_count; i++) {
        const struct doctor_finding *finding = &report->findings[i];

        what = json_sprintf("%s%s%s", finding->where, joint(finding), finding->what);
        json_array_append_new(array, json_pack("{s:s, s:s, s:o, s:s}", "check", finding->check,
                                               "level", level_names[finding->level], "what", what,
                                               "fix", finding->fix));
    }
    return array;
}

static json_t *checks_json(const struct doctor_report *report)
{
    json_t *array = json_array();

    for (size_t i = 0; i < report->check_count; i++) {
        const struct doctor_outcome *outcome = &report->checks[i];

        json_array_append_new(array, json_pack("{s:s, s:b, s:s?}", "check", outcome->check, "made",
                                               outcome->why == NULL, "why", outcome->why));
    }
    return array;
}

static int exit_of(const struct doctor_report *report)
{
    int status = CLI_OK;

    for (size_t i = 0; i < report->finding_count; i++)
        if (report->findings[i].level == DOCTOR_ERROR)
            return CLI_BAD;
        else
            status = CLI_NO;
    return status;
}

static void print_report(const struct cli *cli, const struct doctor_report *report)
{
    json_t *json;

    if (!cli->json) {
        print_text(report);
        return;
    }
    json =
        json_pack("{s:o, s:o}", "findings", findings_json(report), "checks", checks_json(report));
    if (json != NULL)
        print_json(json);
    json_decref(json);
}

int do_doctor(struct cli *cli)
{
    const struct doctor_options options = {.postfix_directory = cli->postfix_directory,
                                           .mail_hosts = cli->mail_hosts,
                                           .mail_host_count = cli->mail_host_count};
    struct arena *arena = arena_new(FACTS_MAX);
    struct doctor_facts facts = {.config_error = cli->config_error};
    struct doctor_report report;
    int status = CLI_INTERNAL;

    hash_init();
    signal(SIGPIPE, SIG_IGN); /* libuv writes without MSG_NOSIGNAL */
    if (arena != NULL && doctor_gather(&facts, arena, &cli->config, &options) == 0) {
        doctor_judge(&report, arena, &facts);
        if (!arena_failed(arena)) {
            print_report(cli, &report);
            status = exit_of(&report);
        }
    }
    if (status == CLI_INTERNAL)
        fputs("mxcrypt: no memory\n", stderr);
    arena_free(arena);
    return status;
}
