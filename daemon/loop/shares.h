/*
 * shares: long work on the event loop, done in shares: one in each turn, after which the loop looks
 * at its sockets. Tasks that are there at once take turns.
 */
#pragma once

#include <stdbool.h>
#include <uv.h>

#include "base/list.h"

/* Length of a share: a cached lookup that arrives meanwhile waits no longer. */
#define SHARES_NS (INT64_C(100) * 1000)

struct shares;
struct share_task;

/* A small piece of the work; true when there is more to do now. The task may be removed, and freed,
 * in its step, which then gives false. */
typedef bool (*share_step)(struct share_task *task);

struct share_task {
    share_step step;
    struct list link; /* private */
};

/* NULL without memory. */
struct shares *shares_new(uv_loop_t *loop);
/* When no task is left; frees itself when its handle is closed. */
void shares_close(struct shares *shares);

void share_task_init(struct share_task *task, share_step step);
/* From the next turn of the loop on the task's step is called until it gives false. Harmless when
 * it is there already; not for the task's own step to call. */
void shares_add(struct shares *shares, struct share_task *task);
/* No step comes any more. Harmless when it is not there. */
void shares_remove(struct share_task *task);
