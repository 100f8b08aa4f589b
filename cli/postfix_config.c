/* postfix_config: `mxcrypt postfix-config`: finds out about the Postfix of this host and prints the
 * lines of postfix_lines.h. It changes nothing. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/doctor/doctor_gather.h"
#include "cli/postfix_lines.h"

#define MEMORY_MAX ((size_t)16 * 1024 * 1024)
#define LINES_MAX  ((size_t)1024 * 1024)

/* What is wrong, or NULL. */
static const char *find_out(struct postfix_lines *lines, struct doctor_facts *facts,
                            struct doctor_report *report, struct arena *arena)
{
    const char *now = lines->postfix->values[POSTFIX_POLICY_MAPS];

    if (!postfix_version_parse(&lines->version, lines->postfix->values[POSTFIX_MAIL_VERSION]))
        return "postconf mail_version cannot be understood";
    facts->config = lines->config;
    facts->postfix = lines->postfix;
    if (doctor_clients(facts, arena) != 0)
        return "no memory";
    lines->map = doctor_suggest_map(lines->config, lines->postfix, &lines->version, arena);
    lines->map_present = now == NULL ? "" : now;
    lines->ca_file = doctor_ca_file(lines->config);
    for (size_t i = 0; i < facts->client_count; i++) {
        lines->chrooted = lines->chrooted || facts->clients[i].chrooted;
        lines->asks = lines->asks || (facts->clients[i].main && facts->clients[i].ours >= 0);
    }
    doctor_try_interfaces(facts);
    doctor_compare_probes(report, arena, facts);
    lines->compared = report;
    return arena_failed(arena) ? "no memory" : NULL;
}

int do_postfix_config(struct cli *cli)
{
    struct arena *arena = arena_new(MEMORY_MAX);
    struct postfix *postfix = arena == NULL ? NULL : arena_alloc(arena, sizeof *postfix);
    struct postfix_lines lines = {.config = &cli->config, .postfix = postfix};
    struct doctor_facts facts = {0};
    struct doctor_report report;
    char error[POSTFIX_ERROR_MAX];
    const char *why = NULL;
    struct buf out;

    buf_init(&out, LINES_MAX);
    if (postfix == NULL)
        why = "no memory";
    else if (postfix_load(postfix, arena, cli->postfix_directory, error) != 0)
        why = error;
    else
        why = find_out(&lines, &facts, &report, arena);
    if (why == NULL)
        postfix_lines_write(&out, &lines);
    if (why == NULL && out.failed)
        why = "no memory";
    if (why == NULL)
        fputs(buf_text(&out), stdout);
    else
        fprintf(stderr, "mxcrypt: %s\n", why);
    buf_fini(&out);
    arena_free(arena);
    return why == NULL ? CLI_OK : CLI_INTERNAL;
}
