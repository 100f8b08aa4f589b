/*
 * worker_uv: a thread that looks units up with the probe's own parts, on a loop of its own. Units
 * come in by worker_submit and results go out by a callback on the owner's loop; both sides share
 * nothing else.
 */
#pragma once

#include <uv.h>

#include "probe/options.h"
#include "survey/unit/unit.h"

#define WORKER_TRIES_MAX 3 /* of a unit that our own side failed at */

struct worker;

/* On the owner's loop; the result is the callee's: unit_result_free. */
typedef void worker_done(void *context, struct unit_result *result);

struct worker_options {
    const struct prober_options *prober; /* borrowed for the worker's life */
    worker_done *done;
    void *context;
};

/* Makes its parts, and starts the thread. 0; a libuv error; UV_EINVAL with *why (static). Several
 * workers must be made one after the other, on one thread. */
int worker_new(struct worker **out, uv_loop_t *owner, const struct worker_options *options,
               const char **why);
/* Copies the unit. False without memory. Callable on the owner's thread only. */
bool worker_submit(struct worker *worker, const struct unit *unit);
/* Ends every lookup: QUIT is not waited for. No callback comes any more; the thread is joined as
 * the owner's loop runs, and the worker frees itself. NULL is allowed. */
void worker_close(struct worker *worker);
