/*
 * jobs_deadlines: what jobs do when time passes. All waiters of a kind wait equally long, and so do
 * jobs, so a list in order of arrival is in order of deadline, and one timer serves them all. It
 * serves a bounded share at a time: ten thousand deadlines in one millisecond must not stop the
 * loop.
 */
#include "base/clock.h"
#include "daemon/lookup/jobs_internal.h"

static struct waiter *first_due(const struct list *due)
{
    return list_empty(due) ? NULL : LIST_ELEMENT(due->next, struct waiter, due);
}

static struct job *first_stale(const struct jobs *jobs)
{
    return list_empty(&jobs->stale_waiting)
               ? NULL
               : LIST_ELEMENT(jobs->stale_waiting.next, struct job, stale_waiting);
}

static struct job *first_ending(const struct jobs *jobs)
{
    return list_empty(&jobs->ending) ? NULL : LIST_ELEMENT(jobs->ending.next, struct job, ending);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

void jobs_clock_set(struct jobs *jobs, int64_t now)
{
    const struct waiter *normal = first_due(&jobs->due), *whole = first_due(&jobs->due_whole);
    const struct job *stale_waiting = first_stale(jobs), *ending = first_ending(jobs);
    int64_t next = INT64_MAX;

    if (normal != NULL)
        next = earlier(next, normal->deadline);
    if (whole != NULL)
        next = earlier(next, whole->deadline);
    if (stale_waiting != NULL)
        next = earlier(next, stale_waiting->stale_at);
    if (ending != NULL)
        next = earlier(next, ending->ends_at);
    if (next == INT64_MAX)
        uv_timer_stop(&jobs->clock);
    else
        uv_timer_start(&jobs->clock, jobs_clock_fired,
                       next <= now ? NEXT_TURN_MS : (uint64_t)(next - now), 0);
}

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

/* One late job of `due`; false when there is none. */
static bool clock_answer(const struct list *due, int64_t now)
{
    const struct waiter *waiter = first_due(due);

    if (waiter == NULL || waiter->deadline > now)
        return false;
    deliver_late(waiter->job, now);
    return true;
}

/* One job whose waiters need not wait any longer; false when there is none. */
static bool clock_stale(struct jobs *jobs, int64_t now)
{
    struct job *job = first_stale(jobs);
    struct cache_entry *entry;

    if (job == NULL || job->stale_at > now)
        return false;
    list_remove(&job->stale_waiting);
    if (job->provisional != NULL)
        return true;
    if (job->lookup != NULL)
        domain_use_remembered(job->lookup);
    entry = job_entry(job, now, false);
    if (entry == NULL || !verdict_is_remembered(&entry->verdict)) {
        cache_entry_free(entry);
        return true;
    }
    cache_entry_free(entry);
    entry = job_entry(job, now, true); /* what the hosts that answered prove may be more */
    if (entry == NULL)
        return true;
    jobs->stats.remembered++;
    job_deliver_provisional(job, entry);
    return true;
}

/* One job whose time is over; false when there is none. */
static bool clock_end(struct jobs *jobs, int64_t now)
{
    struct job *job = first_ending(jobs);

    if (job == NULL || job->ends_at > now)
        return false;
    jobs->stats.deadlines++;
    domain_use_remembered(job->lookup);
    domain_finish(job->lookup);
    job_complete(job, now);
    return true;
}

void jobs_clock_fired(uv_timer_t *timer)
{
    struct jobs *jobs = timer->data;
    int64_t now = clock_monotonic_ms();

    /* a job that ends is complete: it goes first, so that its waiters get the whole of it */
    for (int share = CLOCK_SHARE; share > 0; share--)
        if (!clock_end(jobs, now) && !clock_stale(jobs, now) && !clock_answer(&jobs->due, now) &&
            !clock_answer(&jobs->due_whole, now))
            break;
    jobs_clock_set(jobs, now);
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
    job->stale_at = now + jobs->means.config->stale_deadline_ms;
    list_append(&jobs->stale_waiting, &job->stale_waiting);
    if (jobs->stale_waiting.next == &job->stale_waiting)
        jobs_clock_set(jobs, now);
}
