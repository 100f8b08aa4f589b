/*
 * enqueue: the domains of a list into the queue of a run, chunk after chunk, while others work on
 * them. Done again it goes on where it ended, also where the queue was lost meanwhile.
 */
#pragma once

#include "survey/queue/queue_chunks.h"

#define ENQUEUE_BACKLOG 1000 /* chunks in the queue that are not done, at most */

/* The plan's domains, size, names and digest are filled from the results file that the list was read
 * into; the rest is the caller's. False on failure of the file. */
bool enqueue_plan(struct plan *plan, struct results *results);
/* Puts all chunks in. False when the queue or the file failed: queue_why. */
bool enqueue_all(struct queue *queue, struct results *results, const struct plan *plan);
