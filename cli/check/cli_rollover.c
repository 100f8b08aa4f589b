/*
 * cli_rollover: `mxcrypt rollover step|status|abort`: the change of a certificate under TLSA records,
 * in steps that a timer makes. The state is written before a certificate is installed and after; a
 * step that was killed is made again.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "check/rollover/rollover_deploy.h"
#include "check/rollover/rollover_text.h"
#include "check/rollover/sight_uv.h"
#include "cli/check/cli_rolling.h"

#define PAGE_MAX ((size_t)16 << 20)

/* ---- looking ---- */

static int look(struct rolling *rolling)
{
    size_t count = rolling->rollover.host_count;
    struct rollover_seen *seen = arena_array(rolling->arena, count + 1, sizeof *seen);
    char why[SIGHT_WHY_MAX] = "no memory";

    rollover_raise_descriptors(&rolling->descriptors);
    rolling->sights = arena_array(rolling->arena, count + 1, sizeof *rolling->sights);
    if (seen == NULL || rolling->sights == NULL ||
        !sight_now(seen, rolling->arena, &rolling->rollover, &rolling->cli->config.prober, 0, why))
        return rolling_say("rollover", why, CLI_INTERNAL);
    rollover_learn(&rolling->rollover, seen);
    for (size_t i = 0; i < count; i++)
        rollover_look(&rolling->sights[i], rolling->arena, &rolling->rollover, &seen[i]);
    return arena_failed(rolling->arena) ? rolling_say("rollover", "no memory", CLI_INTERNAL)
                                        : CLI_OK;
}

static int pass_over(struct rolling *rolling)
{
    const struct cli_own *own = &rolling->cli->own;

    for (size_t i = 0; i < own->without_count; i++)
        if (!rollover_pass_over(&rolling->rollover, own->without[i]))
            return rolling_say(own->without[i], "neither a host name nor an address, or too many",
                               CLI_USAGE);
    for (size_t i = 0; i < own->unseen_count; i++)
        if (!rollover_pass_over_address(&rolling->rollover, own->unseen[i]))
            return rolling_say(own->unseen[i], "not an address, or too many", CLI_USAGE);
    return CLI_OK;
}

/* ---- what is told ---- */

static int exit_of_page(const struct rollover_page *page)
{
    static const int exits[] = {[ROLLOVER_DONE] = CLI_OK,
                                [ROLLOVER_WAITS] = CLI_NO,
                                [ROLLOVER_ACT] = CLI_NEEDED,
                                [ROLLOVER_BROKEN] = CLI_BAD};

    return exits[rollover_page_need(page)];
}

static bool print_page(const struct rolling *rolling, const struct rollover_page *page)
{
    struct buf text;
    bool ok;

    if (rolling->cli->json) {
        json_t *json = rollover_json(page);

        ok = json != NULL && json_dumpf(json, stdout, JSON_INDENT(1)) == 0;
        json_decref(json);
        putchar('\n');
        return ok;
    }
    buf_init(&text, PAGE_MAX);
    rollover_text(&text, page);
    ok = !text.failed;
    fputs(buf_text(&text), stdout);
    buf_fini(&text);
    return ok;
}

/* The exit status: what is needed, or `failed` where nobody is. */
static int tell(const struct rolling *rolling, int failed)
{
    struct rollover_page page = {.now = clock_wall_s()};
    bool ok;

    if (rolling->known)
        page.rollover = &rolling->rollover;
    if (rolling->known && rolling->sights != NULL) {
        page.sights = rolling->sights;
        page.advice = &rolling->advice;
    }
    page.exit = exit_of_page(&page);
    if (failed != CLI_OK && rollover_page_need(&page) < ROLLOVER_ACT)
        page.exit = failed;
    ok = print_page(rolling, &page);
    return fflush(stdout) == 0 && ok ? page.exit : CLI_CANNOT_WRITE;
}

/* ---- commands ---- */

/* Runs the deploy command. True when it ended with 0. */
static bool deploy(const struct rolling *rolling)
{
    const struct rollover_command command = {.argv = rolling->cli->words,
                                             .sha256 = rolling->rollover.next.sha256,
                                             .before = &rolling->descriptors,
                                             .to_stderr = rolling->cli->json != 0}; /* no JSON */
    char why[ROLLOVER_WHY_MAX];

    fflush(stdout);
    if (rollover_deploy(&command, why))
        return true;
    rolling_say(command.argv[0], why, 0);
    return false;
}

static int install(struct rolling *rolling)
{
    struct rollover_advice *advice = &rolling->advice;

    if (!advice->install)
        return CLI_OK;
    if (!rolling->cli->json)
        puts("install: the next certificate may be installed now");
    if (rolling->cli->words[0] == NULL) {
        if (advice->need < ROLLOVER_BROKEN)
            *advice = (struct rollover_advice){.need = ROLLOVER_ACT,
                                               .install = true,
                                               .why = "install the next certificate",
                                               .ends = advice->ends};
        return CLI_OK;
    }
    if (!deploy(rolling))
        return CLI_TEMP;
    rolling->rollover.installed = true;
    return rolling_write(rolling);
}

int do_rollover_step(struct cli *cli)
{
    struct rolling rolling;
    int status = rolling_open(&rolling, cli, true);

    if (status == CLI_OK && rolling.known)
        status = pass_over(&rolling);
    if (status == CLI_OK && rolling.known && !rollover_is_over(&rolling.rollover))
        status = look(&rolling);
    if (status != CLI_OK)
        return rolling_close(&rolling, status);
    if (rolling.sights != NULL) {
        rollover_step(&rolling.rollover, rolling.sights, clock_wall_s(), &rolling.advice);
        status = rolling_write(&rolling);
        if (status == CLI_OK)
            status = install(&rolling);
    }
    return rolling_close(&rolling, tell(&rolling, status));
}

/* As a step would say, but nothing is written or installed. */
int do_rollover_status(struct cli *cli)
{
    struct rolling rolling;
    int status = rolling_open(&rolling, cli, false);

    if (status == CLI_OK && rolling.known && !cli->survey.no_probe)
        status = look(&rolling);
    if (status != CLI_OK)
        return rolling_close(&rolling, status);
    if (rolling.sights != NULL)
        rollover_step(&rolling.rollover, rolling.sights, clock_wall_s(), &rolling.advice);
    return rolling_close(&rolling, tell(&rolling, CLI_OK));
}

static bool may_be_live(const struct rolling *rolling)
{
    for (size_t i = 0; rolling->sights != NULL && i < rolling->rollover.host_count; i++)
        if (rolling->sights[i].next_seen)
            return true;
    return rolling->rollover.released;
}

int do_rollover_abort(struct cli *cli)
{
    struct rolling rolling;
    int status = rolling_open(&rolling, cli, true);

    if (status == CLI_OK && rolling.known && rolling.rollover.state != ROLLOVER_CLEANED) {
        status = look(&rolling);
        if (status == CLI_OK && may_be_live(&rolling))
            status =
                rolling_say(rolling.path,
                            "the next certificate may be in use already; to go back, stage the "
                            "one before it",
                            CLI_BAD);
    }
    if (status == CLI_OK && rolling.known && unlink(rolling.path) != 0)
        status = rolling_say(rolling.path, strerror(errno), CLI_CANNOT_WRITE);
    return rolling_close(&rolling, status);
}
