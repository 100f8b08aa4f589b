/*
 * jobs: see jobs.h. The states of a job are those of jobs_internal.h. A finished job leaves the map
 * before its waiters get their replies, because a waiter may ask for the same key again at once. A
 * job that has no waiters left is dropped when its turn comes, unless it is detached.
 *
 * policy/decide/verdict.c makes the verdicts; jobs_reply.c has the replies and deadlines.
 *
 * At log level debug each change of state logs a line "job".
 *
 * A waiter that joins a hanging lookup waits for the whole of answer-deadline, although other
 * waiters have already been given the answer for that moment.
 */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log/log.h"
#include "base/net/base_domain.h"
#include "daemon/lookup/jobs_internal.h"

/* Jobs that are started before the loop goes on. */
#define START_SHARE 32
/* With more jobs waiting than this, none is started that nobody waits for. */
#define DETACHED_LINE(jobs_max) ((jobs_max) / 4)
/* A waiter for the whole evidence waits until the job's own deadline has surely passed. */
#define WHOLE_SLACK_MS 1000

static void on_starter(uv_timer_t *starter);

static void start_soon(struct jobs *jobs, uint64_t in_ms)
{
    if (jobs->fair.waiting > 0 && !uv_is_active((uv_handle_t *)&jobs->starter))
        uv_timer_start(&jobs->starter, on_starter, in_ms, 0);
}

void waiter_init(struct waiter *waiter, waiter_deliver deliver)
{
    *waiter = (struct waiter){.deliver = deliver};
    list_init(&waiter->link);
    list_init(&waiter->deadline.link);
}

void jobs_leave(struct waiter *waiter)
{
    list_remove(&waiter->link);
    list_remove(&waiter->deadline.link);
}

/* ---- states ---- */

void job_set_state(struct job *job, enum job_state state)
{
    static const char *const names[] = {
#define X(state, name) name,
        JOB_STATES(X)
#undef X
    };
    struct jobs *jobs = job->jobs;

    CHECK(state > job->state);
    log_event(LOG_LEVEL_DEBUG, "job", "domain", job->key.text, "was", names[job->state], "now",
              names[state], NULL);
    jobs->loading += state == JOB_LOADING || state == JOB_PEERS;
    jobs->loading -= job->state == JOB_LOADING || job->state == JOB_PEERS;
    job->state = state;
    jobs->stats.started += state == JOB_RUNNING;
    if (state != JOB_DONE)
        return;
    HASH_DEL(jobs->map, job);
    fair_leave(&jobs->fair, &job->member);
    list_remove(&job->end.link);
    list_remove(&job->stale.link);
    if (job->loading != NULL)
        cache_load_cancel(job->loading);
    job->loading = NULL;
    peers_end(cache_peers(jobs->engine->cache), &job->wait);
    jobs->stats.refreshing -= job->refresh;
    if (!jobs->closing)
        start_soon(jobs, NEXT_TURN_MS);
}

void job_free(struct job *job)
{
    domain_free(job->lookup);
    cache_entry_free(job->provisional);
    free(job);
}

/* ---- starting ---- */

static void job_start(struct job *job, int64_t now)
{
    const struct domain_request request = {
        .name = job->key.name,
        .port = job->key.port,
        .is_host = job->key.kind == KEY_HOST,
        .probed_after = job->probed_after,
    };
    struct jobs *jobs = job->jobs;

    job_set_state(job, JOB_RUNNING);
    jobs_plan(jobs, JOBS_END, &job->end, now, jobs->engine->config->job_deadline_ms);
    if (domain_start(&job->lookup, &jobs->engine->tools, &request, job_changed, job) != 0)
        job->lookup = NULL;
    if (job->lookup == NULL || domain_evidence(job->lookup)->complete)
        job_complete(job, now);
}

static void on_starter(uv_timer_t *starter)
{
    struct jobs *jobs = starter->data;
    int64_t now = clock_monotonic_ms();

    for (int share = START_SHARE; share > 0; share--) {
        struct fair_member *member = fair_next(&jobs->fair);
        struct job *job;

        if (member == NULL)
            return;
        job = LIST_ELEMENT(member, struct job, member);
        if (!list_empty(&job->waiters) || job->detached) {
            job_start(job, now);
        } else {
            job_set_state(job, JOB_DONE);
            job_free(job);
        }
    }
    start_soon(jobs, NEXT_TURN_MS);
}

static bool job_line_up(struct job *job)
{
    const char *base = base_domain(job->key.name);

    if (!fair_join(&job->jobs->fair, &job->member, base, strlen(base)))
        return false;
    job_set_state(job, JOB_QUEUED);
    start_soon(job->jobs, 0);
    return true;
}

/* ---- what is known already ---- */

/* Takes over what an earlier entry of the key proved; true when that still is the answer. */
static bool job_begin_with(struct job *job, const struct cache_entry *before, int64_t now)
{
    const struct config *config = job->jobs->engine->config;

    if (before == NULL)
        return false;
    job->remembered = cache_entry_remembered(before);
    job->remembered_at = before->made_at;
    /* a renewal shortly before the end renews all that the entry rests on */
    if (job->refresh)
        job->probed_after = now - config->prober.probes.good_ms / 4 * 3;
    /* a held key is probed anew, but not more often than a hold allows: a held TEMP lapses within a
     * minute */
    if (before->verdict.reason == REASON_HELD) {
        int64_t lately = now - config->verdict.hold_probe_min_ms / 2;

        job->probed_after = before->made_at < lately ? before->made_at : lately;
    }
    return before->verdict.valid_until > now && before->complete && !job->refresh;
}

/* Ends the job with what is known. */
static void job_end_known(struct job *job, const struct cache_entry *known)
{
    /* a waiter may have the key forgotten, so the reply must not be the cache's own entry */
    struct cache_entry *copy = cache_entry_copy(known);

    job_count_withheld(job, copy);
    job_finish(job, copy);
    cache_entry_free(copy);
}

/* What another relay has found out since this job began, if that is the answer; NULL. */
static const struct cache_entry *found_by_peer(const struct job *job)
{
    const struct cache_entry *known = cache_peek(job->jobs->engine->cache, &job->key);

    return known != NULL && known->complete && known->made_at > job->known_at && !job->forgotten &&
                   known->verdict.valid_until > clock_monotonic_ms()
               ? known
               : NULL;
}

static bool is_enough(struct peers_wait *wait)
{
    return found_by_peer(wait->context) != NULL;
}

static void on_go(struct peers_wait *wait)
{
    struct job *job = wait->context;
    const struct cache_entry *known = found_by_peer(job);

    if (known != NULL)
        job_end_known(job, known);
    else if (!job_line_up(job))
        job_finish(job, NULL);
}

/* Lines up, once no other relay looks the key up. */
static int job_ask_peers(struct job *job, int64_t now)
{
    job_allow_stale(job, now);
    job->wait = (struct peers_wait){.enough = is_enough, .go = on_go, .context = job};
    if (peers_begin(cache_peers(job->jobs->engine->cache), &job->wait, PEERS_KEY, job->key.text,
                    NULL)) {
        job_set_state(job, JOB_PEERS);
        return 0;
    }
    return job_line_up(job) ? 0 : UV_ENOMEM;
}

static void on_loaded(void *context, bool sure)
{
    struct job *job = context;
    struct cache *cache = job->jobs->engine->cache;
    const struct cache_entry *known = cache_peek(cache, &job->key), *found = found_by_peer(job);
    int64_t now = clock_monotonic_ms();

    job->loading = NULL;
    job->store_pending = !sure;
    if (found == NULL && job_begin_with(job, known, now) && !job->forgotten)
        found = known;
    if (found != NULL) {
        job_end_known(job, found);
        return;
    }
    if (job->forgotten) /* the store read it before it was forgotten */
        cache_map_remove(cache->map, job->key.text, job->key.text_length);
    if (job_ask_peers(job, now) != 0)
        job_finish(job, NULL);
}

/* Takes what is remembered from the cache, else from the store; then the job lines up. */
static int job_begin(struct job *job, int64_t now)
{
    struct jobs *jobs = job->jobs;
    const struct sts *sts = jobs->engine->tools.sts;
    const struct cache_entry *before = cache_peek(jobs->engine->cache, &job->key);
    /* by the store; also of a policy that was evicted */
    bool more_known = before == NULL || before->state == ENTRY_STORE_PENDING ||
                      (before->verdict.secure && sts != NULL &&
                       !sts_cache_knows(sts_cache_of(sts), job->key.name));

    job->known_at = before == NULL ? INT64_MIN : before->made_at;
    job_begin_with(job, before, now);
    if (more_known || cache_shares(jobs->engine->cache)) {
        int error = cache_load(&job->loading, jobs->engine->cache, &job->key,
                               more_known ? CACHE_ASKS_ALL : CACHE_ASKS_SHARE, on_loaded, job);

        job->store_pending = error != UV_ENOENT;
        if (error == 0) {
            job_set_state(job, JOB_LOADING);
            return 0;
        }
    }
    return job_ask_peers(job, now);
}

/* ---- the map ---- */

static struct job *job_find(const struct jobs *jobs, const struct key *key)
{
    struct job *job;

    HASH_FIND(hh, jobs->map, key->text, (unsigned)key->text_length, job);
    return job;
}

/* The job of a key, or a new one. `override`: NULL when the rules were not asked: a refresh. */
static int job_of(struct job **out, struct jobs *jobs, const struct key *key,
                  const struct override *override, int64_t now)
{
    struct job *job = *out = job_find(jobs, key);

    if (job != NULL)
        return 0;
    if (jobs->fair.waiting + jobs->loading >=
        (size_t)jobs->engine->config->jobs_max * JOBS_QUEUE_FACTOR) {
        jobs->stats.overloads++;
        return UV_ENOBUFS;
    }
    job = calloc(1, sizeof *job);
    if (job == NULL)
        return UV_ENOMEM;
    job->jobs = jobs;
    job->key = *key;
    job->began_at = now;
    job->remembered_at = INT64_MAX;
    if (override != NULL) {
        job->override = *override;
        job->generation = ruleset_generation(jobs->engine->ruleset);
    }
    job->refresh = job->detached = override == NULL;
    list_init(&job->waiters);
    list_init(&job->end.link);
    list_init(&job->stale.link);
    HASH_ADD_KEYPTR(hh, jobs->map, job->key.text, (unsigned)job->key.text_length, job);
    if (!MAP_ADDED(job)) {
        free(job);
        return UV_ENOMEM;
    }
    jobs->stats.refreshing += job->refresh;
    if (job_begin(job, now) != 0) {
        job_set_state(job, JOB_DONE);
        job_free(job);
        return UV_ENOMEM;
    }
    *out = job;
    return 0;
}

const struct cache_entry *jobs_provisional(const struct jobs *jobs, const struct key *key)
{
    struct job *job = job_find(jobs, key);

    return job == NULL || job->forgotten ? NULL : job_provisional(job);
}

int jobs_join(struct jobs *jobs, const struct key *key, const struct override *override,
              struct waiter *waiter, int64_t now)
{
    const struct config *config = jobs->engine->config;
    bool whole = waiter->wants == WANTS_WHOLE;
    struct job *job;
    int error = job_of(&job, jobs, key, override, now);

    if (error != 0)
        return error;
    job->wanted = true;
    waiter->job = job;
    list_append(&job->waiters, &waiter->link);
    jobs_plan(jobs, whole ? JOBS_WHOLE : JOBS_ANSWER, &waiter->deadline, now,
              whole ? config->job_deadline_ms + WHOLE_SLACK_MS : config->answer_deadline_ms);
    return 0;
}

int jobs_look_up(struct jobs *jobs, const struct key *key, const struct override *override,
                 int64_t now)
{
    struct job *job = job_find(jobs, key);
    int error;

    if (job == NULL &&
        jobs->fair.waiting + jobs->loading > DETACHED_LINE(jobs->engine->config->jobs_max))
        return UV_ENOBUFS;
    error = job_of(&job, jobs, key, override, now);
    if (error == 0)
        job->wanted = job->detached = true;
    return error;
}

int jobs_refresh(struct jobs *jobs, const struct key *key, int64_t now)
{
    struct job *job;

    return job_of(&job, jobs, key, NULL, now);
}

/* False when there was none, or it began later. */
static bool job_release(struct job *job, int64_t until)
{
    int64_t since = remembered_held_since(&job->remembered);

    if ((since != 0 ? since : job->remembered_at) > until)
        return false;
    remembered_release(&job->remembered);
    return true;
}

static bool job_forget(struct job *job, int64_t until)
{
    bool known = job->remembered_at <= until, begun = job->began_at <= until;

    job->forgotten |= begun;
    if (known)
        job->remembered = (struct remembered){0};
    return known || begun;
}

void jobs_forget(struct jobs *jobs, const struct key *key, int64_t until, bool only_hold)
{
    struct job *job = job_find(jobs, key);
    bool changed;

    if (job == NULL)
        return;
    changed = job_release(job, until);
    if (!only_hold)
        changed |= job_forget(job, until);
    if (!changed)
        return;
    /* it rests on what is not remembered any more, unless the evidence alone settles it */
    if (job->state != JOB_SETTLED) {
        cache_entry_free(job->provisional);
        job->provisional = NULL;
    }
}

void jobs_forget_all(struct jobs *jobs, bool only_begun)
{
    for (struct job *job = jobs->map; job != NULL; job = job->hh.next)
        job->forgotten |= !only_begun || job->lookup != NULL;
}

/* ---- the whole ---- */

struct jobs *jobs_new(uv_loop_t *loop, struct engine *engine)
{
    struct jobs *jobs = calloc(1, sizeof *jobs);

    if (jobs == NULL)
        return NULL;
    jobs->engine = engine;
    fair_init(&jobs->fair, engine->config->jobs_max, engine->config->jobs_suffix_max);
    for (int i = 0; i < JOBS_QUEUES; i++)
        list_init(&jobs->queues[i]);
    uv_timer_init(loop, &jobs->clock);
    jobs->clock.data = jobs;
    uv_timer_init(loop, &jobs->starter);
    jobs->starter.data = jobs;
    return jobs;
}

void jobs_close(struct jobs *jobs)
{
    struct job *job, *next;

    jobs->closing = true;
    HASH_ITER(hh, jobs->map, job, next)
    {
        job_set_state(job, JOB_DONE);
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
    out->waiting = jobs->fair.waiting + jobs->loading;
}
