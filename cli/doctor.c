/*
 * doctor: `mxcrypt doctor`: gathers the facts, has them judged, and prints one line per finding; and
 * `mxcrypt postfix-config`, which prints the lines of main.cf that suit the same facts. They change
 * nothing on this host. See doctor/doctor.h.
 */
#include "cli/doctor/doctor.h"

#include <jansson.h>
#include <signal.h>
#include <stdio.h>

#include "cli/cli.h"

#define FACTS_MAX ((size_t)16 * 1024 * 1024)
#define LINES_MAX ((size_t)1024 * 1024)

static const char *const level_names[] = {
    [DOCTOR_WARNING] = "warning",
    [DOCTOR_ERROR] = "error",
};

static const char *joint(const struct doctor_finding *finding)
{
    return *finding->where == '\0' ? "" : ": ";
}

static void print_text(const struct doctor_report *report)
{
    size_t made = report->check_count;

    for (size_t i = 0; i < report->finding_count; i++) {
        const struct doctor_finding *finding = &report->findings[i];

        printf("%s %s: %s%s%s; fix: %s\n", level_names[finding->level], finding->check,
               finding->where, joint(finding), finding->what, finding->fix);
    }
    for (size_t i = 0; i < report->check_count; i++) {
        if (report->checks[i].why == NULL)
            continue;
        printf("not checked %s: %s\n", report->checks[i].check, report->checks[i].why);
        made--;
    }
    if (report->finding_count == 0)
        printf("no fault found in %zu checks%s\n", made,
               made < report->check_count ? "; the others could not be made" : "");
}

static void print_as_json(const struct doctor_report *report, bool self)
{
    json_t *findings = json_array(), *checks = json_array(), *json, *what;

    for (size_t i = 0; i < report->finding_count; i++) {
        const struct doctor_finding *finding = &report->findings[i];

        what = json_sprintf("%s%s%s", finding->where, joint(finding), finding->what);
        json_array_append_new(findings, json_pack("{s:s, s:s, s:o, s:s}", "check", finding->check,
                                                  "level", level_names[finding->level], "what",
                                                  what, "fix", finding->fix));
    }
    for (size_t i = 0; i < report->check_count; i++) {
        const struct doctor_outcome *outcome = &report->checks[i];

        json_array_append_new(checks, json_pack("{s:s, s:b, s:s?}", "check", outcome->check, "made",
                                                outcome->why == NULL, "why", outcome->why));
    }
    json = json_pack("{s:o, s:o}", "findings", findings, "checks", checks);
    if (self)
        json_object_set_new(json, "healthy", json_boolean(!report->restart_helps));
    if (json != NULL)
        print_json(json);
    json_decref(json);
}

/* Facts to gather; their arena is NULL without memory. */
static struct doctor_facts begin(const struct cli *cli)
{
    return (struct doctor_facts){.arena = arena_new(FACTS_MAX),
                                 .self = cli->self,
                                 .config = &cli->config,
                                 .config_error = cli->config_error,
                                 .config_path = cli->config_path,
                                 .postfix_directory = cli->postfix_directory,
                                 .mail_hosts = cli->mail_hosts,
                                 .mail_host_count = cli->mail_host_count};
}

/* Frees the facts, after a message with what went wrong unless that is NULL. */
static int end(struct doctor_facts *facts, const char *why, int status)
{
    if (why != NULL)
        fprintf(stderr, "mxcrypt: %s\n", why);
    arena_free(facts->arena);
    return why == NULL ? status : CLI_INTERNAL;
}

/* A health check fails only for what a restart may end: who restarts mxcryptd for a resolver that is
 * away loses what it learnt, and gains nothing. */
static int status_of(const struct doctor_report *report, bool self)
{
    int status = CLI_OK;

    if (self)
        return report->restart_helps ? CLI_NO : CLI_OK;
    for (size_t i = 0; i < report->finding_count && status != CLI_BAD; i++)
        status = report->findings[i].level == DOCTOR_ERROR ? CLI_BAD : CLI_NO;
    return status;
}

int doctor_show(const struct cli *cli, const struct doctor_report *report)
{
    if (cli->json)
        print_as_json(report, cli->self);
    else
        print_text(report);
    return status_of(report, cli->self);
}

int do_doctor(struct cli *cli)
{
    struct doctor_facts facts = begin(cli);
    struct doctor_report report;

    signal(SIGPIPE, SIG_IGN); /* libuv writes without MSG_NOSIGNAL */
    if (facts.arena == NULL)
        return end(&facts, "no memory", CLI_INTERNAL);
    if (facts.self && (facts.postfix_directory != NULL || facts.mail_host_count > 0)) {
        fputs("mxcrypt: doctor: --self looks at neither Postfix nor mail hosts\n", stderr);
        return end(&facts, NULL, CLI_USAGE);
    }
    if (facts.mail_host_count > DOCTOR_HOSTS_MAX) {
        fprintf(stderr, "mxcrypt: doctor: at most %d --mail-host\n", DOCTOR_HOSTS_MAX);
        return end(&facts, NULL, CLI_USAGE);
    }
    doctor_gather(&facts);
    if (!arena_failed(facts.arena))
        doctor_judge(&report, &facts, false);
    if (arena_failed(facts.arena))
        return end(&facts, "no memory", CLI_INTERNAL);
    return end(&facts, NULL, doctor_show(cli, &report));
}

/* What is wrong, or NULL. */
static const char *find_lines(struct buf *out, const struct cli *cli, struct doctor_facts *facts)
{
    struct doctor_report compared;

    if (facts->arena == NULL)
        return "no memory";
    doctor_gather_postfix(facts);
    if (arena_failed(facts->arena))
        return "no memory";
    if (facts->postfix == NULL)
        return facts->postfix_error;
    if (!facts->postfix_version_known)
        return "postconf mail_version cannot be understood";
    if (cli->inbound) {
        doctor_lines_inbound(out, facts, cli->enforce);
        return out->failed ? "no memory" : NULL;
    }
    facts->ca_suggestion = doctor_ca_file(facts->config);
    doctor_judge(&compared, facts, true);
    doctor_lines(out, facts, &compared);
    return out->failed || arena_failed(facts->arena) ? "no memory" : NULL;
}

int do_postfix_config(struct cli *cli)
{
    struct doctor_facts facts = begin(cli);
    const char *why;
    struct buf out;

    if (cli->enforce && !cli->inbound) {
        fputs("mxcrypt: --enforce goes with --inbound\n", stderr);
        return end(&facts, NULL, CLI_USAGE);
    }
    buf_init(&out, LINES_MAX);
    why = find_lines(&out, cli, &facts);
    if (why == NULL)
        fputs(buf_text(&out), stdout);
    buf_fini(&out);
    return end(&facts, why, CLI_OK);
}
