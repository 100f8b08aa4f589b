/*
 * jobs: see jobs.h. A job's life: in line, running, done. A finished job leaves the map before its
 * waiters are told, because telling one may bring the same question again. A job still in line that
 * nobody waits for any more is dropped.
 *
 * All waiters of a kind have the same time to wait, so lists in order of arrival are in order of
 * deadline, and one timer serves them all. It does a bounded share at a time: ten thousand
 * deadlines in one millisecond must not stop the loop.
 *
 * Nothing here decides a verdict: that is policy/verdict.c's, asked again at every change.
 */
#include "daemon/jobs.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/fair.h"
#include "base/hostname.h"
#include "base/log.h"

/* Jobs that are told or ended by the clock, and jobs that are started, before others have a turn.
 */
#define CLOCK_SHARE  64
#define START_SHARE  32
#define NEXT_TURN_MS 1
/* Who wants the whole evidence waits until the job's own deadline has surely passed. */
#define WHOLE_SLACK_MS 1000

struct job {
    struct jobs *jobs;
    struct key key;
    struct fair_member member;
    struct domain_lookup *lookup; /* NULL while in line */
    struct finding *early;        /* owned */
    bool forgotten;               /* what it finds is not kept */
    struct list waiters;
    struct list ending; /* in jobs->ending once running */
    int64_t ends_at;
    UT_hash_handle hh;
};

struct jobs {
    const struct config *config;
    struct domain_tools tools;
    struct cache *cache;
    struct fair fair;
    struct job *map;
    struct list due, due_whole; /* waiters by deadline */
    struct list ending;         /* running jobs by ends_at */
    uv_timer_t clock;
    uv_timer_t starter; /* runs outside of any callback chain */
    struct jobs_stats stats;
};

static void on_clock(uv_timer_t *timer);
static void on_starter(uv_timer_t *starter);

/* Somebody in line may have a turn now, or after others had theirs: libuv runs a timer of no time
 * that is set by a timer at once. */
static void start_soon(struct jobs *jobs, uint64_t in_ms)
{
    if (jobs->fair.waiting > 0 && !uv_is_active((uv_handle_t *)&jobs->starter))
        uv_timer_start(&jobs->starter, on_starter, in_ms, 0);
}

void waiter_init(struct waiter *waiter, waiter_deliver deliver)
{
    *waiter = (struct waiter){.deliver = deliver};
    list_init(&waiter->link);
    list_init(&waiter->due);
}

void jobs_leave(struct waiter *waiter)
{
    list_remove(&waiter->link);
    list_remove(&waiter->due);
}

/* ---- a job's end ---- */

/* Out of map and line; the waiters are still there. */
static void job_end(struct job *job)
{
    struct jobs *jobs = job->jobs;

    HASH_DEL(jobs->map, job);
    fair_leave(&jobs->fair, &job->member);
    list_remove(&job->ending);
    start_soon(jobs, NEXT_TURN_MS);
}

static void job_free(struct job *job)
{
    domain_free(job->lookup);
    finding_free(job->early);
    free(job);
}

/* ---- telling ---- */

static void tell(struct list *waiters, const struct finding *finding)
{
    while (!list_empty(waiters)) {
        struct waiter *waiter = LIST_ELEMENT(waiters->next, struct waiter, link);

        jobs_leave(waiter);
        waiter->deliver(waiter, finding);
    }
}

/* What is said when there is no memory for a finding: made once, here. */
static const struct finding *finding_of_last_resort(void)
{
    static const char text[] = "mxcryptd is out of memory for this lookup; try again later";
    static struct finding finding;

    finding.key = "";
    finding.verdict.level = VERDICT_TEMP;
    finding.verdict.reason = REASON_MEMORY;
    for (unsigned form = 0; form < FORM_COUNT; form++)
        finding.answers[form] = (struct answer){ANSWER_TEMP, text, sizeof text - 1};
    return &finding;
}

static const struct finding *or_last_resort(const struct finding *finding)
{
    return finding != NULL ? finding : finding_of_last_resort();
}

/* A finding of the job's evidence as it is now; NULL without memory. */
static struct finding *job_finding(const struct job *job, int64_t now)
{
    const struct evidence *evidence = NULL;
    struct verdict verdict;

    if (job->lookup == NULL) {
        verdict_without_evidence(&verdict, VERDICT_TEMP, REASON_OVERLOAD, now);
    } else {
        evidence = domain_evidence(job->lookup);
        verdict_decide(&verdict, evidence, NULL, &job->jobs->config->verdict, now);
    }
    return finding_new(&job->key, &verdict, evidence, now);
}

static void log_verdict(const struct job *job, const struct finding *finding)
{
    const struct finding *before = cache_get(job->jobs->cache, finding->key, finding->key_length);
    const struct verdict *verdict = &finding->verdict;
    /* a name without opinion is no news: random names must not fill the log */
    enum verdict_level was = before == NULL ? VERDICT_NO_OPINION : before->verdict.level;
    bool changed = was != verdict->level;

    log_event(changed ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG, "verdict", "domain", finding->key, "was",
              before == NULL ? NULL : verdict_level_name(before->verdict.level), "now",
              verdict_level_name(verdict->level), "reason", verdict_reason_code(verdict->reason),
              "valid_s", LOG_NUM((verdict->valid_until - finding->made_at) / 1000), NULL);
}

/* The evidence is complete: remember, tell everybody, go. */
static void job_complete(struct job *job, int64_t now)
{
    struct finding *finding = job_finding(job, now);
    struct list waiters;
    bool kept = false;

    job_end(job);
    if (finding != NULL && job->lookup != NULL && !job->forgotten) {
        log_verdict(job, finding);
        kept = cache_put(job->jobs->cache, finding);
        if (!kept)
            finding = NULL;
    }
    list_take(&waiters, &job->waiters);
    /* a waiter may flush the cache, so what is told must not be the cache's own */
    if (kept && !list_empty(&waiters))
        finding = job_finding(job, now);
    if (!list_empty(&waiters)) {
        tell(&waiters, or_last_resort(finding));
        finding_free(finding);
    } else if (!kept) {
        finding_free(finding);
    }
    job_free(job);
}

/* ---- progress ---- */

static void select_waiters(struct list *out, struct job *job, int64_t now, bool early)
{
    struct list rest;

    list_init(out);
    list_init(&rest);
    while (!list_empty(&job->waiters)) {
        struct waiter *waiter = LIST_ELEMENT(job->waiters.next, struct waiter, link);
        bool taken = early ? !waiter->whole : waiter->deadline <= now;

        list_remove(&waiter->link);
        list_append(taken ? out : &rest, &waiter->link);
    }
    list_take(&job->waiters, &rest);
}

static void job_early(struct job *job, int64_t now)
{
    struct list waiters;

    job->early = job_finding(job, now);
    job->jobs->stats.early++;
    select_waiters(&waiters, job, now, true);
    tell(&waiters, or_last_resort(job->early));
}

static void on_changed(void *context)
{
    struct job *job = context;
    const struct evidence *evidence = domain_evidence(job->lookup);
    int64_t now = clock_monotonic_ms();
    struct verdict verdict;

    if (evidence->complete) {
        job_complete(job, now);
        return;
    }
    if (job->early != NULL)
        return;
    verdict_decide(&verdict, evidence, NULL, &job->jobs->config->verdict, now);
    if (verdict.settled)
        job_early(job, now);
}

/* ---- the clock ---- */

static struct waiter *first_due(const struct list *due)
{
    return list_empty(due) ? NULL : LIST_ELEMENT(due->next, struct waiter, due);
}

static void clock_set(struct jobs *jobs, int64_t now)
{
    const struct waiter *normal = first_due(&jobs->due), *whole = first_due(&jobs->due_whole);
    int64_t next = INT64_MAX;

    if (normal != NULL)
        next = normal->deadline;
    if (whole != NULL && whole->deadline < next)
        next = whole->deadline;
    if (!list_empty(&jobs->ending)) {
        const struct job *job = LIST_ELEMENT(jobs->ending.next, struct job, ending);

        next = job->ends_at < next ? job->ends_at : next;
    }
    if (next == INT64_MAX)
        uv_timer_stop(&jobs->clock);
    else
        uv_timer_start(&jobs->clock, on_clock, next <= now ? NEXT_TURN_MS : (uint64_t)(next - now),
                       0);
}

/* The waiters of a job whose time has come get what is proven so far. */
static void tell_late(struct job *job, int64_t now)
{
    struct list late;
    struct finding *finding;

    job->jobs->stats.deadlines++;
    if (job->lookup != NULL)
        domain_use_remembered(job->lookup);
    finding = job_finding(job, now);
    select_waiters(&late, job, now, false);
    if (job->lookup == NULL && list_empty(&job->waiters)) {
        job_end(job);
        job_free(job);
    }
    tell(&late, or_last_resort(finding));
    finding_free(finding);
}

/* One late job of `due`; false when there is none. */
static bool clock_tell(const struct list *due, int64_t now)
{
    const struct waiter *waiter = first_due(due);

    if (waiter == NULL || waiter->deadline > now)
        return false;
    tell_late(waiter->job, now);
    return true;
}

/* One job whose time is over; false when there is none. */
static bool clock_end(struct jobs *jobs, int64_t now)
{
    struct job *job;

    if (list_empty(&jobs->ending))
        return false;
    job = LIST_ELEMENT(jobs->ending.next, struct job, ending);
    if (job->ends_at > now)
        return false;
    if (job->lookup != NULL) {
        domain_use_remembered(job->lookup);
        domain_finish(job->lookup);
    }
    job_complete(job, now);
    return true;
}

static void on_clock(uv_timer_t *timer)
{
    struct jobs *jobs = timer->data;
    int64_t now = clock_monotonic_ms();

    /* what ends is complete and goes first: its waiters then get the whole of it */
    for (int share = CLOCK_SHARE; share > 0; share--)
        if (!clock_end(jobs, now) && !clock_tell(&jobs->due, now) &&
            !clock_tell(&jobs->due_whole, now))
            break;
    clock_set(jobs, now);
}

/* ---- starting ---- */

static void job_start(struct job *job)
{
    const struct domain_request request = {
        .name = job->key.name,
        .port = job->key.port,
        .is_host = job->key.kind == KEY_HOST,
    };
    struct jobs *jobs = job->jobs;
    int64_t now = clock_monotonic_ms();

    jobs->stats.started++;
    list_append(&jobs->ending, &job->ending);
    job->ends_at = now + jobs->config->job_deadline_ms;
    if (domain_start(&job->lookup, &jobs->tools, &request, on_changed, job) != 0)
        job->lookup = NULL;
    if (job->lookup == NULL || domain_evidence(job->lookup)->complete)
        job_complete(job, now);
    else if (jobs->ending.next == &job->ending)
        clock_set(jobs, now);
}

static void on_starter(uv_timer_t *starter)
{
    struct jobs *jobs = starter->data;
    struct fair_member *member;

    for (int share = START_SHARE; share > 0; share--) {
        struct job *job;

        member = fair_next(&jobs->fair);
        if (member == NULL)
            return;
        job = LIST_ELEMENT(member, struct job, member);
        if (!list_empty(&job->waiters)) {
            job_start(job);
        } else {
            job_end(job);
            job_free(job);
        }
    }
    start_soon(jobs, NEXT_TURN_MS);
}

static struct job *job_new(struct jobs *jobs, const struct key *key)
{
    struct job *job = calloc(1, sizeof *job);
    const char *base = hostname_base(key->name);

    if (job == NULL)
        return NULL;
    job->jobs = jobs;
    job->key = *key;
    list_init(&job->waiters);
    list_init(&job->ending);
    HASH_ADD_KEYPTR(hh, jobs->map, job->key.text, (unsigned)job->key.text_length, job);
    if (!MAP_ADDED(job)) {
        free(job);
        return NULL;
    }
    if (!fair_join(&jobs->fair, &job->member, base, strlen(base))) {
        HASH_DEL(jobs->map, job);
        free(job);
        return NULL;
    }
    return job;
}

static struct job *job_find(const struct jobs *jobs, const struct key *key)
{
    struct job *job;

    HASH_FIND(hh, jobs->map, key->text, (unsigned)key->text_length, job);
    return job;
}

const struct finding *jobs_early(const struct jobs *jobs, const struct key *key)
{
    const struct job *job = job_find(jobs, key);

    return job == NULL || job->forgotten ? NULL : job->early;
}

int jobs_join(struct jobs *jobs, const struct key *key, struct waiter *waiter, int64_t now)
{
    struct job *job = job_find(jobs, key);
    struct list *due;

    if (job == NULL) {
        if (jobs->fair.waiting >= (size_t)jobs->config->jobs_max * JOBS_QUEUE_FACTOR) {
            jobs->stats.overloads++;
            return UV_ENOBUFS;
        }
        job = job_new(jobs, key);
        if (job == NULL)
            return UV_ENOMEM;
    }
    start_soon(jobs, 0);
    due = waiter->whole ? &jobs->due_whole : &jobs->due;
    waiter->job = job;
    waiter->deadline = now + (waiter->whole ? jobs->config->job_deadline_ms + WHOLE_SLACK_MS
                                            : jobs->config->answer_deadline_ms);
    list_append(&job->waiters, &waiter->link);
    list_append(due, &waiter->due);
    if (due->next == &waiter->due)
        clock_set(jobs, now);
    return 0;
}

void jobs_forget(struct jobs *jobs, const struct key *key)
{
    struct job *job = key == NULL ? NULL : job_find(jobs, key), *next;

    if (job != NULL)
        job->forgotten = true;
    if (key != NULL)
        return;
    HASH_ITER(hh, jobs->map, job, next)
    {
        job->forgotten = true;
    }
}

/* ---- the whole ---- */

struct jobs *jobs_new(uv_loop_t *loop, const struct config *config,
                      const struct domain_tools *tools, struct cache *cache)
{
    struct jobs *jobs = calloc(1, sizeof *jobs);

    if (jobs == NULL)
        return NULL;
    jobs->config = config;
    jobs->tools = *tools;
    jobs->cache = cache;
    fair_init(&jobs->fair, config->jobs_max, config->jobs_suffix_max);
    list_init(&jobs->due);
    list_init(&jobs->due_whole);
    list_init(&jobs->ending);
    uv_timer_init(loop, &jobs->clock);
    jobs->clock.data = jobs;
    uv_timer_init(loop, &jobs->starter);
    jobs->starter.data = jobs;
    return jobs;
}

void jobs_close(struct jobs *jobs)
{
    struct job *job, *next;

    HASH_ITER(hh, jobs->map, job, next)
    {
        job_end(job);
        while (!list_empty(&job->waiters))
            jobs_leave(LIST_ELEMENT(job->waiters.next, struct waiter, link));
        job_free(job);
    }
    uv_close((uv_handle_t *)&jobs->clock, NULL);
    uv_close((uv_handle_t *)&jobs->starter, NULL);
}

void jobs_free(struct jobs *jobs)
{
    fair_fini(&jobs->fair);
    free(jobs);
}

void jobs_get_stats(const struct jobs *jobs, struct jobs_stats *out)
{
    *out = jobs->stats;
    out->running = jobs->fair.running;
    out->waiting = jobs->fair.waiting;
}
