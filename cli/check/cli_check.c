/* cli_check: `mxcrypt check`: looks at a domain of one's own as senders see it, and says what is
 * wrong, worst first. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check/judge.h"
#include "check/look/look_now.h"
#include "cli/cli.h"
#include "policy/key.h"

static void print_findings(const struct check_report *report)
{
#define X(word, name, status) [CHECK_##word] = (name),
    static const char *const severities[] = {CHECK_SEVERITIES(X)};
#undef X

    for (size_t i = 0; i < report->count; i++) {
        const struct check_finding *finding = &report->findings[i];
        const struct check_kind *kind = &check_kinds[finding->code];

        printf("%s %s: %s%s%s\n    %s\n    fix: %s (%s)\n", severities[finding->severity],
               kind->code, finding->where, *finding->where == '\0' ? "" : ": ", kind->text,
               finding->evidence, finding->fix, kind->rfc);
    }
}

/* Looks at one domain. The exit status. */
static int check_one(struct cli *cli, const char *domain)
{
    const struct look_now_request request = {
        .options = &cli->config.prober,
        .verdict = &cli->config.verdict,
        .domain = domain,
        .enforced = cli->check.enforced,
    };
    struct check_report *report = calloc(1, sizeof *report);
    struct arena *arena = arena_new((size_t)64 * 1024 * 1024);
    struct look_now *now = NULL;
    char why[LOOK_WHY_MAX];
    int status = 3;

    if (report == NULL || arena == NULL || look_now(&now, &request, why) != 0) {
        fprintf(stderr, "mxcrypt: %s\n", now == NULL ? "no memory" : why);
    } else {
        report->arena = arena;
        check_judge(report, look_now_facts(now));
        print_findings(report);
        status = check_exit(report);
    }
    look_now_free(now);
    arena_free(arena);
    free(report);
    return status;
}

int do_check(struct cli *cli)
{
    struct key key;

    key_parse(&key, cli->words[0], strlen(cli->words[0]), cli->config.prober.smtp_port);
    if (key.kind != KEY_DOMAIN) {
        fprintf(stderr, "mxcrypt: not a domain: %s\n", cli->words[0]);
        return CLI_USAGE;
    }
    return check_one(cli, key.name);
}
