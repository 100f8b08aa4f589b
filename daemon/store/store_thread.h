/*
 * store_thread: the thread that the database belongs to, and what is passed between it and the
 * loop. Everything here is called on the loop and returns at once.
 *
 * A disk may hang for ever, and with it the thread. So what the thread uses is owned by it and the
 * loop together, and the loop can leave it alone: the last one frees.
 */
#pragma once

#include <uv.h>

#include "daemon/store/store_db.h"

struct store_thread;

/* `options` and their path are copied. `wake` is sent when there is something to take. 0 or a libuv
 * error. */
int store_thread_start(struct store_thread **out, const struct store_options *options,
                       uv_async_t *wake);
/* Gives it a read to do; it comes back by store_thread_take. */
void store_thread_read(struct store_thread *thread, struct store_job *take);
/* Gives it all that `queue` holds; not while a batch is under way. */
void store_thread_write(struct store_thread *thread, struct store_queue *queue);
/* The batch: while it is under way, only to be looked at; then to be emptied before the next. */
struct store_queue *store_thread_batch(struct store_thread *thread);

struct store_taken {
    struct list jobs; /* done; now the caller's */
    bool batch_done, batch_ok;
    bool ended;
    struct store_news news;
};
void store_thread_take(struct store_thread *thread, struct store_taken *out);

/* Ends when no batch is under way; `ended` tells. */
void store_thread_stop(struct store_thread *thread);
/* After `ended`. */
void store_thread_join(struct store_thread *thread);
/* Never mind what it does: it ends when it can and frees all, or it ends with the process. */
void store_thread_abandon(struct store_thread *thread);
