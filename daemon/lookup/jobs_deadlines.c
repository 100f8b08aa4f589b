/*
 * jobs_deadlines: what jobs do when time passes. One timer serves all queues, a bounded share at a
 * time: ten thousand deadlines in one millisecond must not stop the loop.
 */
#include "base/clock.h"
#include "daemon/lookup/jobs_internal.h"

/* A waiter for the whole evidence has no answer-deadline. */
static void count_late(struct jobs *jobs, const struct list *late)
{
    for (const struct list *link = late->next; link != late; link = link->next)
        jobs->stats.answer_deadlines +=
            LIST_ELEMENT(link, const struct waiter, link)->wants != WANTS_WHOLE;
}

/* Replies to waiters whose time has come with what is proven so far. */
static void deliver_late(struct job *job, int64_t now)
{
    bool unstarted = job->lookup == NULL;
    struct cache_entry *entry;
    struct list late;

    if (!unstarted)
        domain_use_remembered(job->lookup);
    entry = job_entry(job, now, true);
    job_select(&late, job, now, false);
    count_late(job->jobs, &late);
    if (unstarted && list_empty(&job->waiters) && !job->detached)
        job_set_state(job, JOB_DONE);
    job_deliver(job, &late, entry);
    cache_entry_free(entry);
    if (job->state == JOB_DONE)
        job_free(job);
}

static void serve_waiter(struct timed *timed, int64_t now)
{
    deliver_late(LIST_ELEMENT(timed, struct waiter, deadline)->job, now);
}

/* Waiters need not wait any longer where what is remembered is an answer. */
static void serve_stale(struct timed *timed, int64_t now)
{
    struct job *job = LIST_ELEMENT(timed, struct job, stale);
    struct cache_entry *entry;
    struct verdict verdict;
    bool remembered;

    list_remove(&timed->link);
    if (job->provisional != NULL)
        return;
    if (job->lookup != NULL)
        domain_use_remembered(job->lookup);
    entry = job_entry(job, now, false);
    if (entry != NULL)
        verdict = cache_entry_verdict(entry);
    remembered = entry != NULL && verdict_is_remembered(&verdict);
    cache_entry_free(entry);
    /* the hosts that have answered may prove more than that */
    entry = remembered ? job_entry(job, now, true) : NULL;
    if (entry == NULL)
        return;
    job->jobs->stats.remembered++;
    job_deliver_provisional(job, entry);
}

static void serve_end(struct timed *timed, int64_t now)
{
    struct job *job = LIST_ELEMENT(timed, struct job, end);

    job->jobs->stats.deadlines++;
    domain_use_remembered(job->lookup);
    domain_finish(job->lookup);
    job_complete(job, now);
}

/* ---- the clock ---- */

static struct timed *first_of(const struct jobs *jobs, int queue)
{
    const struct list *list = &jobs->queues[queue];

    return list_empty(list) ? NULL : LIST_ELEMENT(list->next, struct timed, link);
}

/* Serves what is first among all that is due; false when nothing is. */
static bool serve_one(struct jobs *jobs, int64_t now)
{
    static void (*const serve[JOBS_QUEUES])(struct timed * timed, int64_t now) = {
        [JOBS_END] = serve_end,
        [JOBS_STALE] = serve_stale,
        [JOBS_ANSWER] = serve_waiter,
        [JOBS_WHOLE] = serve_waiter,
    };

    for (int i = 0; i < JOBS_QUEUES; i++) {
        struct timed *first = first_of(jobs, i);

        if (first == NULL || first->at > now)
            continue;
        serve[i](first, now);
        return true;
    }
    return false;
}

static void on_clock(uv_timer_t *timer);

static void set_clock(struct jobs *jobs, int64_t now)
{
    int64_t next = INT64_MAX;

    for (int i = 0; i < JOBS_QUEUES; i++) {
        const struct timed *first = first_of(jobs, i);

        if (first != NULL && first->at < next)
            next = first->at;
    }
    if (next == INT64_MAX)
        uv_timer_stop(&jobs->clock);
    else
        uv_timer_start(&jobs->clock, on_clock, next <= now ? NEXT_TURN_MS : (uint64_t)(next - now),
                       0);
}

static void on_clock(uv_timer_t *timer)
{
    struct jobs *jobs = timer->data;
    int64_t now = clock_monotonic_ms();
    int share = CLOCK_SHARE;

    while (share > 0 && serve_one(jobs, now))
        share--;
    set_clock(jobs, now);
}

void jobs_plan(struct jobs *jobs, enum jobs_queue queue, struct timed *timed, int64_t now,
               int64_t in_ms)
{
    timed->at = now + in_ms;
    list_append(&jobs->queues[queue], &timed->link);
    if (first_of(jobs, queue) == timed)
        set_clock(jobs, now);
}

/* True when a lookup that hangs need not leave anybody waiting. */
static bool may_count(const struct remembered *remembered, int64_t now)
{
    return remembered->secure || remembered->observed != VERDICT_NO_OPINION ||
           remembered->dane_only_until > now;
}

void job_allow_stale(struct job *job, int64_t now)
{
    struct jobs *jobs = job->jobs;

    if (!may_count(&job->remembered, now))
        return;
    jobs_plan(jobs, JOBS_STALE, &job->stale, now, jobs->means.config->stale_deadline_ms);
}
