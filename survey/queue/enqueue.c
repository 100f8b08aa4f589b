/* enqueue: see enqueue.h. */
#include "survey/queue/enqueue.h"

#include <stdlib.h>

#include "base/hash.h"
#include "survey/queue/job.h"

#define WAIT_MS 1000 /* while the queue has enough */

/* ---- the plan ---- */

static bool digest_one(void *context, int64_t id, const char *name, int64_t weight)
{
    struct plan *plan = context;
    const int64_t chain[] = {plan->digest, id, weight};

    (void)name;
    plan->digest = (int64_t)(hash_stable(chain, sizeof chain) >> 1);
    plan->domains++;
    return true;
}

bool enqueue_plan(struct plan *plan, struct results *results)
{
    plan->digest = plan->domains = 0;
    return results_each_domain(results, INT64_MIN, INT64_MAX, digest_one, plan);
}

/* ---- chunks ---- */

struct enqueuing {
    struct queue *queue;
    struct results *results;
    const struct plan *plan;
    struct results_chunk chunk; /* the next one */
    int64_t at, after;          /* the domains of chunk `at` come after this id */
    unsigned connections;
    struct buf job;
};

static bool add_domain(void *context, int64_t id, const char *name, int64_t weight)
{
    struct enqueuing *all = context;

    if (name != NULL)
        job_add(&all->job, UNIT_DOMAIN, name, weight);
    all->after = id;
    return name != NULL && !all->job.failed;
}

/* The job of a chunk: the ones before are passed over. */
static bool make_job(struct enqueuing *all)
{
    if (all->chunk.number < all->at) {
        all->at = 1;
        all->after = INT64_MIN;
    }
    for (; all->at <= all->chunk.number; all->at++) {
        buf_clear(&all->job);
        if (!results_each_domain(all->results, all->after, all->plan->size, add_domain, all))
            return queue_fail(all->queue, "%s", results_error(all->results));
    }
    return true;
}

/* At the beginning, and where the queue may have lost something since: what the last chunk is. */
static bool look_again(struct enqueuing *all)
{
    struct queue_run run;
    bool same;

    all->connections = queue_connections(all->queue);
    if (!queue_put_plan(all->queue, all->plan, &same) || !queue_get_run(all->queue, &run))
        return false;
    if (run.ended)
        return queue_fail(all->queue, "the survey of this name is finished: give another --name");
    if (!same)
        return queue_fail(all->queue, "another list, or other options, are in the queue under "
                                      "this name: give another --name");
    if (!queue_last(all->queue, &all->chunk, &all->chunk.number))
        return false;
    all->chunk.number++;
    return true;
}

/* *go: the queue has room for a chunk. */
static bool has_room(struct enqueuing *all, bool *go)
{
    int64_t length = 0;
    struct queue_run run;

    *go = false;
    if (!queue_length(all->queue, &all->chunk, &length) || !queue_get_run(all->queue, &run))
        return false;
    if (queue_is_stopped(all->queue))
        return queue_fail(all->queue, "stopped");
    if (!run.there || queue_connections(all->queue) != all->connections)
        return look_again(all);
    *go = length < ENQUEUE_BACKLOG;
    if (!*go)
        queue_wait(all->queue, WAIT_MS);
    return true;
}

bool enqueue_all(struct queue *queue, struct results *results, const struct plan *plan)
{
    struct enqueuing all = {.queue = queue,
                            .results = results,
                            .plan = plan,
                            .chunk = {UNIT_DOMAIN, 0, 0},
                            .at = INT64_MAX};
    bool ok, go;

    buf_init(&all.job, JOB_TEXT_MAX);
    ok = look_again(&all);
    while (ok && all.chunk.number <= plan_chunks(plan)) {
        ok = has_room(&all, &go);
        if (!ok || !go || all.chunk.number > plan_chunks(plan))
            continue;
        ok = make_job(&all) && queue_put(queue, &all.chunk, buf_text(&all.job));
        all.chunk.number++;
    }
    buf_fini(&all.job);
    return ok;
}
