/*
 * decider_uv: see decider_uv.h. The readers see what had been committed when they began with their
 * domains. No verdict depends on another, so that it does not matter which are there already.
 */
#include "survey/decider_uv.h"

#include <stdio.h>
#include <stdlib.h>

#include "survey/decide.h"

struct decider_thread {
    uv_work_t work;
    struct decider *decider;
    struct results *reader;      /* owned */
    struct decisions *decisions; /* owned */
    bool busy;
    bool ok; /* they could be made */
};

struct decider {
    uv_loop_t *loop;
    struct results *results; /* borrowed */
    struct decider_thread threads[DECIDER_THREADS_MAX];
    unsigned thread_count, busy;
    int64_t after;
    bool ended; /* no more domains are to be given out */
    char error[RESULTS_ERROR_MAX];
};

static void decider_fail(struct decider *decider, const char *why)
{
    if (decider->error[0] == '\0')
        snprintf(decider->error, sizeof decider->error, "%s", why[0] == '\0' ? "no memory" : why);
    decider->ended = true;
}

/* On a thread of the pool. */
static void make_decisions(uv_work_t *work)
{
    struct decider_thread *thread = work->data;

    thread->ok =
        results_read_begin(thread->reader) && decisions_make(thread->decisions, thread->reader);
    results_read_end(thread->reader);
}

static void on_made(uv_work_t *work, int status)
{
    struct decider_thread *thread = work->data;
    struct decider *decider = thread->decider;

    (void)status; /* none is cancelled */
    thread->busy = false;
    decider->busy--;
    if (decider->error[0] != '\0')
        return;
    if (!thread->ok)
        decider_fail(decider, results_error(thread->reader));
    else if (!decisions_put(thread->decisions, decider->results))
        decider_fail(decider, results_error(decider->results));
}

static void give_work(struct decider *decider, struct decider_thread *thread)
{
    if (!decisions_next(thread->decisions, decider->results, &decider->after)) {
        decider_fail(decider, results_error(decider->results));
        return;
    }
    decider->ended = thread->decisions->count < DECIDE_AT_ONCE;
    if (thread->decisions->count == 0)
        return;
    thread->busy = uv_queue_work(decider->loop, &thread->work, make_decisions, on_made) == 0;
    decider->busy += thread->busy;
    if (!thread->busy)
        decider_fail(decider, "");
}

bool decider_feed(struct decider *decider, char error[RESULTS_ERROR_MAX])
{
    for (unsigned i = 0; i < decider->thread_count && !decider->ended; i++)
        if (!decider->threads[i].busy)
            give_work(decider, &decider->threads[i]);
    snprintf(error, RESULTS_ERROR_MAX, "%s", decider->error);
    return error[0] == '\0' && decider->busy > 0;
}

static bool add_thread(struct decider *decider, char error[RESULTS_ERROR_MAX])
{
    struct decider_thread *thread = &decider->threads[decider->thread_count++];

    thread->work.data = thread;
    thread->decider = decider;
    thread->decisions = decisions_new();
    thread->reader = results_reader(decider->results, error);
    if (thread->decisions == NULL)
        snprintf(error, RESULTS_ERROR_MAX, "no memory");
    return thread->decisions != NULL && thread->reader != NULL;
}

struct decider *decider_new(uv_loop_t *loop, struct results *results, unsigned threads,
                            char error[RESULTS_ERROR_MAX])
{
    struct decider *decider = calloc(1, sizeof *decider);

    snprintf(error, RESULTS_ERROR_MAX, "no memory");
    if (decider == NULL)
        return NULL;
    decider->loop = loop;
    decider->results = results;
    decider->after = INT64_MIN;
    for (unsigned i = 0; i < threads && i < DECIDER_THREADS_MAX; i++)
        if (!add_thread(decider, error)) {
            decider_close(decider);
            return NULL;
        }
    return decider;
}

void decider_close(struct decider *decider)
{
    if (decider == NULL)
        return;
    decider_fail(decider, "closed");
    while (decider->busy > 0)
        uv_run(decider->loop, UV_RUN_ONCE);
    for (unsigned i = 0; i < decider->thread_count; i++) {
        results_close(decider->threads[i].reader);
        decisions_free(decider->threads[i].decisions);
    }
    free(decider);
}
