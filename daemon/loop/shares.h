/*
 * shares: splits long work on the event loop into shares, one per turn; after each share the loop
 * serves its sockets. Several tasks take turns.
 */
#pragma once

#include <stdbool.h>
#include <uv.h>

#include "base/list.h"

/* Length of a share, which is also how long a cached lookup that arrives meanwhile may wait. */
#define SHARES_NS (INT64_C(100) * 1000)

struct shares;
struct share_task;

/* Does a small piece of the work; true when there is more to do now. A step may remove and free its
 * task, and then returns false. */
typedef bool (*share_step)(struct share_task *task);

struct share_task {
    share_step step;
    struct list link; /* private */
};

/* NULL without memory. */
struct shares *shares_new(uv_loop_t *loop);
/* To be called when no task is left; frees itself when its handle is closed. */
void shares_close(struct shares *shares);

void share_task_init(struct share_task *task, share_step step);
/* Calls the task's step, from the next turn of the loop on, until it returns false. Harmless when
 * the task is there already; the task's own step must not call it. */
void shares_add(struct shares *shares, struct share_task *task);
/* No step is called after this. Harmless if the task is not there. */
void shares_remove(struct share_task *task);
