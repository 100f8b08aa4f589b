/* cli_rolling: see cli_rolling.h. */
#include "cli/check/cli_rolling.h"

#include <stdio.h>
#include <unistd.h>

#include "check/rollover/rollover_state.h"

#define STRINGS_MAX ((size_t)64 << 20)
#define LOCK_WAIT_S 300 /* a step of a hundred hosts is faster */

int rolling_say(const char *what, const char *why, int status)
{
    fprintf(stderr, "mxcrypt: %s: %s\n", what, why);
    return status;
}

int rolling_open(struct rolling *rolling, struct cli *cli, bool lock)
{
    char why[ROLLOVER_WHY_MAX] = "no memory";
    int read;

    *rolling = (struct rolling){.cli = cli, .path = cli->check.state, .lock = -1};
    if (rolling->path == NULL)
        return rolling_say("rollover", "--state FILE is missing", CLI_USAGE);
    rolling->arena = arena_new(STRINGS_MAX);
    if (rolling->arena == NULL)
        return rolling_say("rollover", why, CLI_INTERNAL);
    if (lock)
        rolling->lock = rollover_state_lock(rolling->path, LOCK_WAIT_S, why);
    if (lock && rolling->lock < 0)
        return rolling_say(rolling->path, why, CLI_TEMP);
    read = rollover_state_read(&rolling->rollover, rolling->arena, rolling->path, why);
    rolling->known = read == 1;
    return read < 0 ? rolling_say(rolling->path, why, CLI_DATA) : CLI_OK;
}

int rolling_write(const struct rolling *rolling)
{
    char why[ROLLOVER_WHY_MAX];

    return rollover_state_write(&rolling->rollover, rolling->path, why)
               ? CLI_OK
               : rolling_say(rolling->path, why, CLI_CANNOT_WRITE);
}

int rolling_close(struct rolling *rolling, int status)
{
    if (rolling->lock >= 0)
        close(rolling->lock);
    arena_free(rolling->arena);
    return status;
}
