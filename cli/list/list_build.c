/*
 * list_build: `mxcrypt list build`: a list of the domains that qualify, of those that the operator
 * names; see survey/member/member.h for what that takes.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli/list/list_draft.h"
#include "cli/list/list_look.h"
#include "cli/list/list_names.h"
#include "survey/member/members.h"

#define DAY_S INT64_C(86400)

struct building {
    struct cli *cli;
    long expires_days;
    enum list_mode mode;
    struct list_look look;
    struct list_draft draft;
    struct list_report report;
    size_t seen;
    bool no_memory;
};

/* ---- options ---- */

static size_t sources(const struct cli *cli)
{
    return (cli->check.from != NULL) + (cli->list.from_survey != NULL) +
           (cli->list.from_rules != 0) + (cli->list.from_memory != 0);
}

bool list_read_mode(enum list_mode *mode, const char *text)
{
    *mode = text != NULL && strcmp(text, "enforce") == 0 ? LIST_ENFORCE : LIST_TESTING;
    if (text == NULL || strcmp(text, list_mode_name(*mode)) == 0)
        return true;
    fprintf(stderr, "mxcrypt: --mode must be testing or enforce: %s\n", text);
    return false;
}

static bool read_options(struct building *build)
{
    const struct cli *cli = build->cli;

    if (cli->survey.name == NULL)
        fputs("mxcrypt: list build needs --name, that of its maker\n", stderr);
    else if (cli->list.expires == NULL)
        fputs("mxcrypt: list build needs --expires, a number of days\n", stderr);
    else if (sources(cli) != 1)
        fputs("mxcrypt: list build needs one of --from, --from-survey, --from-rules and "
              "--from-memory\n",
              stderr);
    else
        return cli_number(&build->expires_days, "--expires", cli->list.expires, 1,
                          LIST_EXPIRES_MAX) &&
               list_read_mode(&build->mode, cli->own.mode);
    return false;
}

/* ---- looking ---- */

static int look_up(struct building *build)
{
    struct cli *cli = build->cli;
    size_t names = 1;
    int status;

    if (cli->list.from_survey != NULL)
        return list_look_take(&build->look, cli->list.from_survey);
    status = list_look_begin(&build->look);
    if (status == CLI_OK && cli->list.from_rules)
        status = list_names_of_rules(cli, build->look.names, &names);
    else if (status == CLI_OK && cli->list.from_memory)
        status = list_names_of_memory(cli, build->look.names, &names);
    if (status == CLI_OK && names == 0) {
        fputs("mxcrypt: there is no domain to look up\n", stderr);
        return CLI_NO;
    }
    return status == CLI_OK ? list_look_up(&build->look, cli, cli->check.from) : status;
}

/* ---- the list ---- */

static bool add_member(struct building *build, const char *domain, const struct evidence *evidence)
{
    struct policy_list_entry entry = {.domain = domain, .mode = build->mode};
    struct buf hosts;
    bool added;

    buf_init(&hosts, POLICY_LIST_VALUE_MAX);
    entry.mx_count = member_hosts(&hosts, evidence, build->cli->list.fold != 0);
    entry.mx = hosts.data;
    added = !hosts.failed && list_draft_add(&build->draft, &entry);
    buf_fini(&hosts);
    return added;
}

static bool take_member(void *context, const char *domain, const struct member *member,
                        const struct evidence *evidence)
{
    struct building *build = context;
    struct buf why;

    build->seen++;
    if (member->fault == MEMBER_GOOD) {
        build->no_memory = !add_member(build, domain, evidence);
        return !build->no_memory;
    }
    buf_init(&why, POLICY_LIST_VALUE_MAX);
    member_why(&why, member);
    list_report_add(&build->report, domain, member_fault_name(member->fault), buf_text(&why));
    buf_fini(&why);
    return true;
}

static int write_list(struct building *build, const char *path)
{
    int64_t now_s = clock_wall_s();
    const struct policy_list_header header = {.timestamp_s = now_s,
                                              .expires_s = now_s + build->expires_days * DAY_S,
                                              .author = build->cli->survey.name};

    if (build->draft.count > 0)
        return list_draft_write(&build->draft, &header, path);
    fprintf(stderr, "mxcrypt: none of %zu domains qualifies: no list is written\n", build->seen);
    return CLI_NO;
}

static void print_built(const json_t *json)
{
    printf("%s: %lld of %lld domains\n", string_of(json, "list"), number_of(json, "domains"),
           number_of(json, "seen"));
}

static int build_list(struct building *build)
{
    const char *path = build->cli->words[0];
    int status = look_up(build), report;

    if (status != CLI_OK)
        return status;
    list_report_begin(&build->report, build->cli->list.report);
    if (!members_each(build->look.results, take_member, build)) {
        fprintf(stderr, "mxcrypt: %s\n",
                *results_error(build->look.results) == '\0' ? "no memory"
                                                            : results_error(build->look.results));
        status = CLI_INTERNAL;
    }
    report = list_report_end(&build->report);
    if (status == CLI_OK)
        status = report;
    if (status == CLI_OK)
        status = write_list(build, path);
    if (status != CLI_OK)
        return status;
    return cli_show(build->cli,
                    json_pack("{s:s, s:I, s:I}", "list", path, "domains",
                              (json_int_t)build->draft.count, "seen", (json_int_t)build->seen),
                    print_built, NULL);
}

int list_build(struct cli *cli)
{
    struct building build = {.cli = cli};
    int status = CLI_USAGE;

    if (read_options(&build)) {
        status = CLI_INTERNAL;
        if (list_draft_init(&build.draft))
            status = build_list(&build);
        list_draft_fini(&build.draft);
        list_look_end(&build.look);
    }
    return status;
}
