/* exim_config: `mxcrypt exim-config`: the macros of contrib/exim for this system, or with --check what
 * is wrong with the Exim that is here. It changes nothing. See exim.h. */
#include <stdio.h>

#include "cli/cli.h"
#include "cli/mta/exim.h"

#define FACTS_MAX ((size_t)64 * 1024 * 1024)
#define LINES_MAX ((size_t)64 * 1024)

static int failed(struct exim_facts *facts, const char *why)
{
    fprintf(stderr, "mxcrypt: %s\n", why);
    arena_free(facts->arena);
    return CLI_INTERNAL;
}

int do_exim_config(struct cli *cli)
{
    struct exim_facts facts = {
        .arena = arena_new(FACTS_MAX), .config = &cli->config, .program = cli->exim};
    struct doctor_report report;
    struct buf out;
    int status = CLI_OK;

    if (facts.arena == NULL)
        return failed(&facts, "no memory");
    exim_gather(&facts, cli->check_it);
    if (facts.error != NULL)
        return failed(&facts, facts.error);
    if (cli->check_it) {
        exim_judge(&report, &facts);
        if (!arena_failed(facts.arena))
            status = doctor_show(cli, &report);
    } else {
        buf_init(&out, LINES_MAX);
        exim_lines(&out, &facts);
        fputs(buf_text(&out), stdout);
        buf_fini(&out);
    }
    if (arena_failed(facts.arena))
        return failed(&facts, "no memory");
    arena_free(facts.arena);
    return status;
}
