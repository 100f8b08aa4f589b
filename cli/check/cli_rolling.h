/* cli_rolling: a rollover in the hands of one command: its state, and the lock on it. */
#pragma once

#include <sys/resource.h>

#include "base/arena.h"
#include "check/rollover/rollover.h"
#include "cli/cli.h"

struct rolling {
    struct cli *cli;
    struct arena *arena; /* owned */
    const char *path;    /* of the state */
    int lock;
    bool known;                /* there is a rollover */
    struct rlimit descriptors; /* as they were before a look */
    struct rollover rollover;
    struct rollover_sight *sights; /* of each host; NULL: nobody looked */
    struct rollover_advice advice;
};

/* Prints "mxcrypt: WHAT: WHY" and returns `status`. */
int rolling_say(const char *what, const char *why, int status);
/* The exit status, after a message; rolling_close in any case. `lock`: others wait until then, and it
 * waits for them. */
int rolling_open(struct rolling *rolling, struct cli *cli, bool lock);
/* The exit status, after a message. */
int rolling_write(const struct rolling *rolling);
/* Returns `status`. */
int rolling_close(struct rolling *rolling, int status);
