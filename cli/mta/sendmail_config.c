/* sendmail_config: `mxcrypt sendmail-config`: lines of sendmail.mc for this system, or with --check
 * what is wrong with the Sendmail that is here. It changes nothing. See sendmail.h. */
#include <signal.h>
#include <stdio.h>

#include "cli/cli.h"
#include "cli/mta/sendmail.h"

#define FACTS_MAX ((size_t)64 * 1024 * 1024)
#define LINES_MAX ((size_t)64 * 1024)

static void print_lines(struct sendmail_facts *facts)
{
    struct buf out;

    buf_init(&out, LINES_MAX);
    sendmail_lines(&out, sendmail_address(facts->arena, facts->config),
                   doctor_ca_file(facts->config), sendmail_timeout(facts->config));
    fputs(buf_text(&out), stdout);
    buf_fini(&out);
}

int do_sendmail_config(struct cli *cli)
{
    struct sendmail_facts facts = {.arena = arena_new(FACTS_MAX),
                                   .config = &cli->config,
                                   .program = cli->sendmail,
                                   .cf = cli->cf == NULL ? SENDMAIL_CF : cli->cf};
    struct doctor_report report = {.arena = facts.arena};
    int status = CLI_OK;

    signal(SIGPIPE, SIG_IGN);
    if (!cli->check_it) {
        print_lines(&facts);
    } else if (facts.arena != NULL) {
        sendmail_gather(&facts);
        sendmail_judge(&report, &facts);
        if (!arena_failed(facts.arena))
            status = doctor_show(cli, &report);
    }
    if (facts.arena == NULL || arena_failed(facts.arena)) {
        fputs("mxcrypt: no memory\n", stderr);
        status = CLI_INTERNAL;
    }
    arena_free(facts.arena);
    return status;
}
