/*
 * cli_rollover: `mxcrypt rollover stage|step|status|abort`: the change of a certificate under TLSA
 * records, in steps that a timer makes. The state is written before a certificate is installed and
 * after; a step that was killed is made again.
 */
#include <errno.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "check/rollover/rollover_state.h"
#include "check/rollover/sight_uv.h"
#include "cli/check/cli_certs.h"
#include "cli/cli.h"

#define STRINGS_MAX ((size_t)64 << 20)

extern char **environ;

struct rolling {
    struct cli *cli;
    struct arena *arena; /* owned */
    const char *path;    /* of the state */
    int lock;
    struct rollover rollover;
    struct rollover_sight *sights;
    struct rollover_advice advice;
};

static int say(const char *what, const char *why, int status)
{
    fprintf(stderr, "mxcrypt: %s: %s\n", what, why);
    return status;
}

/* ---- the state ---- */

/* CLI_OK with *known: whether there is one. */
static int open_state(struct rolling *rolling, struct cli *cli, bool *known)
{
    char why[ROLLOVER_WHY_MAX] = "no memory";
    int read;

    *rolling = (struct rolling){.cli = cli, .path = cli->check.state, .lock = -1};
    if (rolling->path == NULL)
        return say("rollover", "--state FILE is missing", CLI_USAGE);
    rolling->arena = arena_new(STRINGS_MAX);
    rolling->lock = rolling->arena == NULL ? -1 : rollover_state_lock(rolling->path, why);
    if (rolling->lock < 0)
        return say(rolling->path, why, CLI_TEMP);
    read = rollover_state_read(&rolling->rollover, rolling->arena, rolling->path, why);
    *known = read == 1;
    return read < 0 ? say(rolling->path, why, CLI_DATA) : CLI_OK;
}

static int write_state(const struct rolling *rolling)
{
    char why[ROLLOVER_WHY_MAX];

    return rollover_state_write(&rolling->rollover, rolling->path, why)
               ? CLI_OK
               : say(rolling->path, why, CLI_CANNOT_WRITE);
}

static int close_state(struct rolling *rolling, int status)
{
    if (rolling->lock >= 0)
        close(rolling->lock);
    arena_free(rolling->arena);
    return status;
}

/* ---- looking ---- */

/* What is shown now is what will be replaced, where nobody said what that is. */
static void learn_current(struct rollover *rollover, const struct rollover_seen *seen)
{
    for (size_t i = 0; i < rollover->host_count; i++)
        for (size_t j = 0; j < seen[i].address_count; j++) {
            const struct rollover_chain *shown = &seen[i].addresses[j].chain;

            if (rollover->current.shown.count == 0 && shown->shown.count > 0 &&
                strcmp(shown->sha256, rollover->next.sha256) != 0)
                rollover->current = *shown;
        }
}

static int look(struct rolling *rolling)
{
    size_t count = rolling->rollover.host_count;
    struct rollover_seen *seen = arena_array(rolling->arena, count + 1, sizeof *seen);
    char why[SIGHT_WHY_MAX] = "no memory";

    rolling->sights = arena_array(rolling->arena, count + 1, sizeof *rolling->sights);
    if (seen == NULL || rolling->sights == NULL ||
        !sight_now(seen, rolling->arena, &rolling->rollover, &rolling->cli->config.prober, 0, why))
        return say("rollover", why, CLI_INTERNAL);
    learn_current(&rolling->rollover, seen);
    for (size_t i = 0; i < count; i++)
        rollover_look(&rolling->sights[i], rolling->arena, &rolling->rollover, &seen[i]);
    return arena_failed(rolling->arena) ? say("rollover", "no memory", CLI_INTERNAL) : CLI_OK;
}

/* ---- what is told ---- */

static void print_records(const char *owner, const char *verb, const struct tlsa *records,
                          size_t count)
{
    for (size_t i = 0; i < count; i++) {
        printf("%s: %s. IN TLSA %u %u %u ", verb, owner, records[i].usage, records[i].selector,
               records[i].matching_type);
        for (size_t j = 0; j < records[i].length; j++)
            printf("%02x", records[i].data[j]);
        putchar('\n');
    }
}

static int exit_of(const struct rolling *rolling)
{
    if (rolling->advice.broken)
        return CLI_BAD;
    return rolling->rollover.state == ROLLOVER_CLEANED ? CLI_OK : CLI_NO;
}

static int print_status(const struct rolling *rolling)
{
    const struct rollover_advice *advice = &rolling->advice;
    const struct rollover *rollover = &rolling->rollover;

    printf("state: %s\nnext: %s\n", rollover_state_name(rollover->state), rollover->next.sha256);
    for (size_t i = 0; rolling->sights != NULL && i < rollover->host_count; i++) {
        const struct rollover_sight *sight = &rolling->sights[i];

        print_records(sight->owner, "publish", sight->missing, sight->missing_count);
        if (rollover->state == ROLLOVER_CLEANED)
            print_records(sight->owner, "remove", sight->old, sight->old_count);
    }
    if (advice->why != NULL)
        printf("%s: %s%s%s\n", advice->broken ? "BROKEN" : "waits",
               advice->host == NULL ? "" : advice->host, advice->host == NULL ? "" : ": ",
               advice->why);
    if (advice->again_at != 0)
        printf("again_in_s: %" PRId64 "\n", advice->again_at - clock_wall_s());
    return fflush(stdout) == 0 ? exit_of(rolling) : CLI_CANNOT_WRITE;
}

/* ---- commands ---- */

static bool take_hosts(struct rolling *rolling)
{
    struct rollover *rollover = &rolling->rollover;
    struct cli *cli = rolling->cli;

    rollover->host_count = 0;
    rollover->port = cli->config.prober.smtp_port;
    for (size_t i = 0; i < cli->mail_host_count; i++) {
        size_t length = strlen(cli->mail_hosts[i]);

        if (length > HOSTNAME_MAX)
            return false;
        memcpy(rollover->hosts[i], cli->mail_hosts[i], length + 1);
        hostname_fold(rollover->hosts[i], length);
        if (!hostname_canonical(rollover->hosts[i]))
            return false;
        rollover->host_count++;
    }
    return rollover->host_count > 0;
}

/* What the hosts show, or a file says, is what will be replaced. */
static bool take_current(struct rolling *rolling)
{
    const char *path = rolling->cli->own.current;
    struct tls_shown shown;

    return path == NULL ||
           (cli_read_chain(&shown, rolling->arena, path) &&
            rollover_chain_make(&rolling->rollover.current, rolling->arena, &shown));
}

int do_rollover_stage(struct cli *cli)
{
    struct rollover_chain next;
    struct rolling rolling;
    struct tls_shown shown;
    bool known = false;
    int status = open_state(&rolling, cli, &known);

    if (status != CLI_OK)
        return close_state(&rolling, status);
    if (cli->own.cert_count != 1 || (cli->mail_host_count == 0 && !known))
        return close_state(
            &rolling,
            say("rollover stage", "it needs one --cert FILE, and --mail-host HOST", CLI_USAGE));
    if (!cli_read_chain(&shown, rolling.arena, cli->own.certs[0]) ||
        !rollover_chain_make(&next, rolling.arena, &shown) ||
        (cli->own.key != NULL && !cli_check_key(cli->own.key, &shown.certificates[0])))
        return close_state(&rolling, CLI_DATA);
    if (cli->mail_host_count > 0 && !take_hosts(&rolling))
        return close_state(&rolling, say("--mail-host", "not a host name", CLI_USAGE));
    if (!known && !take_current(&rolling))
        return close_state(&rolling, CLI_DATA);
    rollover_stage(&rolling.rollover, &next, clock_wall_s());
    status = write_state(&rolling);
    return close_state(&rolling, status);
}

/* Runs the deploy command, without a shell. True when it ended with 0. */
static bool deploy(const struct rolling *rolling)
{
    char **argv = rolling->cli->words;
    int status = 0, error;
    pid_t child;

    if (argv[0] == NULL || setenv("MXCRYPT_NEXT_SHA256", rolling->rollover.next.sha256, 1) != 0)
        return false;
    fflush(stdout);
    error = posix_spawnp(&child, argv[0], NULL, NULL, argv, environ);
    if (error != 0) {
        say(argv[0], strerror(error), 0);
        return false;
    }
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return false;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    say(argv[0], "it failed: the certificate counts as not installed", 0);
    return false;
}

static int install(struct rolling *rolling)
{
    if (!rolling->advice.install)
        return CLI_OK;
    puts("install: the next certificate may be installed now");
    if (rolling->cli->words[0] == NULL)
        return CLI_OK;
    if (!deploy(rolling))
        return CLI_TEMP;
    rolling->rollover.installed = true;
    return write_state(rolling);
}

int do_rollover_step(struct cli *cli)
{
    struct rolling rolling;
    bool known = false;
    int status = open_state(&rolling, cli, &known), installed;

    if (status != CLI_OK || !known)
        return close_state(&rolling, status);
    status = look(&rolling);
    if (status != CLI_OK)
        return close_state(&rolling, status);
    rollover_step(&rolling.rollover, rolling.sights, clock_wall_s(), &rolling.advice);
    status = write_state(&rolling);
    if (status != CLI_OK)
        return close_state(&rolling, status);
    installed = install(&rolling);
    status = print_status(&rolling);
    return close_state(&rolling, installed != CLI_OK ? installed : status);
}

/* As a step would say, but nothing is written or installed. */
int do_rollover_status(struct cli *cli)
{
    struct rolling rolling;
    bool known = false;
    int status = open_state(&rolling, cli, &known);

    if (status == CLI_OK && known)
        status = look(&rolling);
    else if (status == CLI_OK)
        puts("state: none");
    if (status == CLI_OK && known) {
        rollover_step(&rolling.rollover, rolling.sights, clock_wall_s(), &rolling.advice);
        status = print_status(&rolling);
    }
    return close_state(&rolling, status);
}

int do_rollover_abort(struct cli *cli)
{
    struct rolling rolling;
    bool known = false;
    int status = open_state(&rolling, cli, &known);

    if (status == CLI_OK && known && rolling.rollover.state != ROLLOVER_CLEANED)
        status = look(&rolling);
    for (size_t i = 0;
         status == CLI_OK && rolling.sights != NULL && i < rolling.rollover.host_count; i++)
        if (rolling.sights[i].live == ROLLOVER_LIVE_NEXT || rolling.rollover.installed)
            status = say(rolling.rollover.hosts[i], "the next certificate is installed", CLI_BAD);
    if (status == CLI_OK && known && unlink(rolling.path) != 0)
        status = say(rolling.path, strerror(errno), CLI_CANNOT_WRITE);
    return close_state(&rolling, status);
}
