/*
 * jobs: see jobs.h. A job's life: in line, running, done. A finished job leaves the map before its
 * waiters are told, because telling one may bring the same question again.
 *
 * Nothing here decides a verdict: that is policy/verdict.c's, asked again at every change.
 */
#include "daemon/jobs.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/fair.h"
#include "base/log.h"

struct job {
    struct jobs *jobs;
    struct key key;
    struct fair_member member;
    struct domain_lookup *lookup; /* NULL while in line */
    struct finding *early;        /* owned */
    struct list waiters;
    int64_t ends_at;
    int64_t next_due; /* when the timer fires */
    bool ended;
    uv_timer_t timer;
    UT_hash_handle hh;
};

struct jobs {
    uv_loop_t *loop;
    const struct config *config;
    struct domain_tools tools;
    struct cache *cache;
    struct fair fair;
    struct job *map;
    uv_prepare_t starter; /* runs pump() outside of any callback chain */
    struct jobs_stats stats;
};

static void on_timer(uv_timer_t *timer);

/* ---- a job's end ---- */

static void on_timer_closed(uv_handle_t *handle)
{
    struct job *job = handle->data;

    free(job);
}

/* Out of map and line; the waiters are still there. */
static void job_end(struct job *job)
{
    struct jobs *jobs = job->jobs;

    CHECK(!job->ended);
    job->ended = true;
    HASH_DEL(jobs->map, job);
    fair_leave(&jobs->fair, &job->member);
    uv_timer_stop(&job->timer);
}

static void job_free(struct job *job)
{
    domain_free(job->lookup);
    finding_free(job->early);
    uv_close((uv_handle_t *)&job->timer, on_timer_closed);
}

/* ---- telling ---- */

static void tell(struct list *waiters, const struct finding *finding)
{
    while (!list_empty(waiters)) {
        struct waiter *waiter = LIST_ELEMENT(waiters->next, struct waiter, link);

        list_remove(&waiter->link);
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
        verdict_decide(&verdict, evidence, &job->jobs->config->verdict, now);
    }
    return finding_new(&job->key, &verdict, evidence, now);
}

static void log_verdict(const struct job *job, const struct finding *finding)
{
    const struct finding *before = cache_get(job->jobs->cache, finding->key, finding->key_length);
    const struct verdict *verdict = &finding->verdict;
    bool changed = before == NULL || before->verdict.level != verdict->level;

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
    if (finding != NULL && job->lookup != NULL) {
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
    verdict_decide(&verdict, evidence, &job->jobs->config->verdict, now);
    if (verdict.settled)
        job_early(job, now);
}

static void timer_set(struct job *job, int64_t now)
{
    int64_t next = job->ends_at;

    for (struct list *link = job->waiters.next; link != &job->waiters; link = link->next) {
        int64_t deadline = LIST_ELEMENT(link, struct waiter, link)->deadline;

        if (deadline < next)
            next = deadline;
    }
    job->next_due = next;
    uv_timer_start(&job->timer, on_timer, next <= now ? 0 : (uint64_t)(next - now), 0);
}

/* Waiters whose time has come get what is proven so far. */
static void tell_late(struct job *job, int64_t now)
{
    struct list late;
    struct finding *finding;

    select_waiters(&late, job, now, false);
    if (list_empty(&late))
        return;
    job->jobs->stats.deadlines++;
    if (job->lookup != NULL)
        domain_use_remembered(job->lookup);
    finding = job_finding(job, now);
    tell(&late, or_last_resort(finding));
    finding_free(finding);
}

static void on_timer(uv_timer_t *timer)
{
    struct job *job = timer->data;
    int64_t now = clock_monotonic_ms();

    if (now < job->ends_at) {
        tell_late(job, now);
        timer_set(job, now);
        return;
    }
    if (job->lookup != NULL) {
        domain_use_remembered(job->lookup);
        domain_finish(job->lookup);
    }
    job_complete(job, now);
}

/* ---- starting ---- */

static void job_start(struct job *job)
{
    const struct domain_request request = {
        .name = job->key.name,
        .port = job->key.port,
        .is_host = job->key.kind == KEY_HOST,
    };
    int64_t now = clock_monotonic_ms();

    job->ends_at = now + job->jobs->config->job_deadline_ms;
    job->jobs->stats.started++;
    if (domain_start(&job->lookup, &job->jobs->tools, &request, on_changed, job) != 0) {
        job->lookup = NULL;
        job->ends_at = now; /* the timer tells the waiters, later */
    }
    timer_set(job, now);
}

static void pump(struct jobs *jobs)
{
    struct fair_member *member;

    while ((member = fair_next(&jobs->fair)) != NULL)
        job_start(LIST_ELEMENT(member, struct job, member));
}

static void on_starter(uv_prepare_t *starter)
{
    pump(starter->data);
}

/* The base domain a key is counted under: its last two labels. */
static const char *base_domain(const char *name)
{
    const char *base = name, *after = name;

    for (const char *p = name; *p != '\0'; p++)
        if (*p == '.') {
            base = after;
            after = p + 1;
        }
    return base;
}

static struct job *job_new(struct jobs *jobs, const struct key *key, int64_t now)
{
    struct job *job = calloc(1, sizeof *job);
    const char *base = base_domain(key->name);

    if (job == NULL)
        return NULL;
    job->jobs = jobs;
    job->key = *key;
    job->ends_at = now + jobs->config->job_deadline_ms;
    list_init(&job->waiters);
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
    uv_timer_init(jobs->loop, &job->timer);
    job->timer.data = job;
    timer_set(job, now);
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

    return job == NULL ? NULL : job->early;
}

int jobs_join(struct jobs *jobs, const struct key *key, struct waiter *waiter, int64_t now)
{
    struct job *job = job_find(jobs, key);

    if (job == NULL) {
        if (jobs->fair.waiting >= (size_t)jobs->config->jobs_max * JOBS_QUEUE_FACTOR) {
            jobs->stats.overloads++;
            return UV_ENOBUFS;
        }
        job = job_new(jobs, key, now);
        if (job == NULL)
            return UV_ENOMEM;
    }
    waiter->deadline = waiter->whole ? INT64_MAX : now + jobs->config->answer_deadline_ms;
    list_append(&job->waiters, &waiter->link);
    if (waiter->deadline < job->next_due)
        timer_set(job, now);
    return 0;
}

void jobs_leave(struct waiter *waiter)
{
    list_remove(&waiter->link);
}

/* ---- the whole ---- */

struct jobs *jobs_new(uv_loop_t *loop, const struct config *config,
                      const struct domain_tools *tools, struct cache *cache)
{
    struct jobs *jobs = calloc(1, sizeof *jobs);

    if (jobs == NULL)
        return NULL;
    jobs->loop = loop;
    jobs->config = config;
    jobs->tools = *tools;
    jobs->cache = cache;
    fair_init(&jobs->fair, config->jobs_max, config->jobs_suffix_max);
    uv_prepare_init(loop, &jobs->starter);
    jobs->starter.data = jobs;
    uv_prepare_start(&jobs->starter, on_starter);
    uv_unref((uv_handle_t *)&jobs->starter);
    return jobs;
}

void jobs_close(struct jobs *jobs)
{
    struct job *job, *next;

    HASH_ITER(hh, jobs->map, job, next)
    {
        job_end(job);
        job_free(job);
    }
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
