/*
 * cli_check: `mxcrypt check`: looks at domains of one's own as senders see them, and says what is
 * wrong, worst first. With --state what was found is kept, and the next run says what has come and
 * what has gone.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/page/page_write.h"
#include "check/check_page.h"
#include "check/judge.h"
#include "check/look/look_now.h"
#include "check/watch/metrics.h"
#include "cli/check/check_state.h"
#include "cli/check/domain_list.h"
#include "cli/cli.h"

#define STRINGS_MAX ((size_t)64 * 1024 * 1024) /* of one report */

struct checking {
    struct cli *cli;
    struct domain_list list;
    struct metrics_domain *metrics; /* owned; of each domain */
    int status;                     /* the worst so far */
    size_t printed;                 /* pages */
    bool cannot_write;
};

/* ---- one domain ---- */

/* critical, then unknown, then warning */
static void worse(struct checking *checking, int status)
{
    static const int ranks[] = {0, 1, 3, 2};

    if (ranks[status] > ranks[checking->status])
        checking->status = status;
}

static bool print_page(struct checking *checking, const struct check_page *page)
{
    const struct cli_check *options = &checking->cli->check;

    if (checking->cli->json && checking->printed++ > 0)
        fputs(",\n", stdout);
    if (checking->cli->json)
        return check_json(stdout, page);
    return options->nagios ? check_nagios(stdout, page) : check_text(stdout, page);
}

/* What is amiss with the check itself. A plugin has nothing but its standard output to say so. */
static void complain(const struct checking *checking, const char *domain, const char *why)
{
    char text[HOSTNAME_MAX + LOOK_WHY_MAX + 3];

    snprintf(text, sizeof text, "%s: %s", domain, why);
    if (checking->cli->check.nagios)
        check_nagios_unknown(stdout, text);
    else
        fprintf(stderr, "mxcrypt: %s\n", text);
}

static void report_on(struct checking *checking, size_t index, const struct look_now *now,
                      struct check_report *report, struct check_state *state)
{
    const struct check_page page = {look_now_facts(now), report, checking->cli->check.quiet};
    bool kept;

    check_judge(report, page.facts);
    metrics_count(&checking->metrics[index], checking->list.names[index], report);
    worse(checking, check_exit(report));
    kept = state == NULL || check_state_keep(state, page.facts, report);
    if (!kept && checking->cli->check.nagios && check_exit(report) == 0)
        complain(checking, checking->list.names[index], "the findings cannot be kept");
    else if (!print_page(checking, &page))
        checking->cannot_write = true;
    if (!kept)
        checking->cannot_write = true;
}

static void check_domain(struct checking *checking, size_t index)
{
    const char *domain = checking->list.names[index];
    struct cli *cli = checking->cli;
    struct check_state *state =
        cli->check.state == NULL ? NULL : check_state_open(cli->check.state, domain);
    const struct look_now_request request = {
        .options = &cli->config.prober,
        .verdict = &cli->config.verdict,
        .domain = domain,
        .enforced = cli->check.enforced,
        .before = check_state_before(state),
    };
    struct check_report *report = calloc(1, sizeof *report);
    struct arena *arena = arena_new(STRINGS_MAX);
    struct look_now *now = NULL;
    char why[LOOK_WHY_MAX] = "no memory";

    checking->metrics[index].domain = domain;
    if (report != NULL && arena != NULL && look_now(&now, &request, why) == 0) {
        report->arena = arena;
        report_on(checking, index, now, report, state);
    } else {
        complain(checking, domain, why);
        worse(checking, CLI_UNKNOWN);
    }
    check_state_close(state);
    look_now_free(now);
    arena_free(arena);
    free(report);
}

/* ---- which domains ---- */

static bool find_domains(struct checking *checking)
{
    struct cli *cli = checking->cli;
    struct domain_list *list = &checking->list;

    checking->metrics = calloc(DOMAIN_LIST_MAX, sizeof *checking->metrics);
    if (checking->metrics == NULL || !domain_list_init(list, cli->config.prober.smtp_port)) {
        fputs("mxcrypt: no memory\n", stderr);
        return false;
    }
    if (cli->check.from != NULL && !domain_list_read(list, cli->check.from))
        return false;
    for (char **word = cli->words; *word != NULL; word++)
        if (!domain_list_add(list, *word))
            return false;
    if (list->count == 0)
        fputs("mxcrypt: check needs a domain, or --from FILE\n", stderr);
    if (cli->check.nagios && list->count > 1)
        fputs("mxcrypt: --nagios is for one domain\n", stderr);
    if (list->bad > 0)
        worse(checking, CLI_UNKNOWN);
    return list->count > 0 && (!cli->check.nagios || (list->count == 1 && list->bad == 0));
}

/* ---- the whole ---- */

static void write_metrics(struct checking *checking)
{
    const struct metrics metrics = {checking->metrics, checking->list.count, clock_wall_s()};
    const char *path = checking->cli->audit.prometheus;

    if (path == NULL || page_replace(path, metrics_write, &metrics) == 0)
        return;
    fprintf(stderr, "mxcrypt: cannot write %s: %s\n", path, strerror(errno));
    checking->cannot_write = true;
}

static void check_all(struct checking *checking)
{
    bool list = checking->cli->json && checking->list.count > 1;

    if (list)
        fputs("[\n", stdout);
    for (size_t i = 0; i < checking->list.count; i++)
        check_domain(checking, i);
    if (list)
        fputs("]\n", stdout);
    write_metrics(checking);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "mxcrypt: cannot write standard output: %s\n", strerror(errno));
        checking->cannot_write = true;
    }
}

int do_check(struct cli *cli)
{
    struct checking checking = {.cli = cli};
    int status = CLI_USAGE;

    if (find_domains(&checking) &&
        (cli->check.state == NULL || check_state_folder(cli->check.state))) {
        check_all(&checking);
        status = checking.cannot_write && checking.status == 0 ? CLI_CANNOT_WRITE : checking.status;
    }
    domain_list_fini(&checking.list);
    free(checking.metrics);
    return status;
}
