/*
 * decider_uv: the verdicts of all domains that have none, on several threads of libuv's pool. Each
 * reads the file through a connection of its own; what they decide is written by the owner's thread.
 */
#pragma once

#include <uv.h>

#include "survey/results/results.h"

#define DECIDER_THREADS_MAX 4 /* as many as libuv's pool has */

struct decider;

/* What was written must have been committed. `results` is borrowed. NULL after a message. */
struct decider *decider_new(uv_loop_t *loop, struct results *results, unsigned threads,
                            char error[RESULTS_ERROR_MAX]);
/* Gives work to those that have none; to be called again whenever the loop has turned. False when
 * all is written or something has failed: then `error` is not "". */
bool decider_feed(struct decider *decider, char error[RESULTS_ERROR_MAX]);
/* Waits for what is under way, and drops it. NULL is allowed. */
void decider_close(struct decider *decider);
