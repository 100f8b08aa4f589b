/*
 * jobs_reply: decides when the waiters of a job get a reply, and which. policy/decide/verdict.c
 * decides the verdict, again whenever the evidence has grown, and when a deadline comes. One timer
 * serves all deadlines, a bounded share at a time: ten thousand in one millisecond must not stop
 * the loop.
 */
#include "base/clock.h"
#include "daemon/lookup/jobs_internal.h"

/* Deadlines that are served before the loop goes on. */
#define CLOCK_SHARE 64

/* ---- one reply ---- */

struct answer reply_answer(const struct reply *reply, enum answer_form form)
{
    static const enum answer_status statuses[] = {
        [FINAL_POLICY] = ANSWER_OK,
        [FINAL_NOTFOUND] = ANSWER_NOTFOUND,
        [FINAL_TEMP] = ANSWER_TEMP,
    };
    const struct final_answer *final = &reply->final;

    if (final->kind == FINAL_FOUND)
        return cache_entry_answer(reply->entry, form);
    return (struct answer){statuses[final->kind], final->text == NULL ? "" : final->text,
                           final->length, final->kind == FINAL_POLICY};
}

bool waiter_is_served(const struct waiter *waiter, const struct cache_entry *entry)
{
    enum verdict_level level = entry->verdict.level;

    if (entry->evidence_length == 0 || entry->complete)
        return true;
    if (waiter->wants == WANTS_WITHOUT_DANE)
        return level != VERDICT_DANE && level != VERDICT_DANE_ONLY;
    return waiter->wants != WANTS_WHOLE;
}

void reply_count(struct engine_stats *stats, const struct reply *reply)
{
    const struct cached_verdict *found = &reply->entry->verdict;

    stats->by_level[reply->final.level]++;
    stats->by_final_reason[reply->final.reason]++;
    if (reply->final.kind == FINAL_FOUND)
        stats->by_reason[found->reason]++;
    if (reply->final.withheld)
        stats->withheld_by_level[found->level]++;
    stats->list_testing += found->list_decides && found->listed == LIST_TESTING;
}

void reply_keep(struct cache_entry *entry, const struct override *override, unsigned generation)
{
    cache_entry_apply(&entry->final, override, entry);
    entry->unwanted = !override_wants_lookup(override);
    entry->generation = generation;
}

/* What the rules in force say of the key; they are asked again only when they have changed. */
static const struct override *job_override(struct job *job)
{
    const struct ruleset *ruleset = job->jobs->engine->ruleset;

    if (job->generation != ruleset_generation(ruleset)) {
        ruleset_find(ruleset, &job->key, &job->override);
        job->generation = ruleset_generation(ruleset);
    }
    return &job->override;
}

static void make_reply(struct reply *out, struct job *job, const struct cache_entry *entry)
{
    out->entry = entry != NULL ? entry : job->jobs->engine->standing[ENGINE_NO_MEMORY];
    cache_entry_apply(&out->final, job_override(job), out->entry);
}

/* Delivers `waiters`, which are not the job's any more. The job may be in any state. */
static void deliver(struct job *job, struct list *waiters, const struct cache_entry *entry)
{
    struct reply reply;

    make_reply(&reply, job, entry);
    while (!list_empty(waiters)) {
        struct waiter *waiter = LIST_ELEMENT(waiters->next, struct waiter, link);

        jobs_leave(waiter);
        reply_count(&job->jobs->engine->stats, &reply);
        waiter->deliver(waiter, &reply);
    }
}

void job_count_withheld(struct job *job, const struct cache_entry *entry)
{
    struct reply reply;

    if (!job->detached || job->refresh || entry == NULL)
        return;
    make_reply(&reply, job, entry);
    if (reply.final.withheld)
        job->jobs->engine->stats.withheld_by_level[entry->verdict.level]++;
}

/* ---- what is known now ---- */

/* The evidence of a job that has not started: only the policy that is remembered. */
static struct evidence *blank_evidence(const struct job *job, struct arena *arena, int64_t now)
{
    const struct domain_tools *tools = &job->jobs->engine->tools;
    struct evidence *evidence = arena_alloc(arena, sizeof *evidence);

    if (evidence == NULL)
        return NULL;
    evidence->domain = job->key.name;
    evidence->port = job->key.port;
    evidence->mx_ttl = evidence->sts.ttl = UINT32_MAX;
    if (tools->sts == NULL || job->key.port != tools->smtp_port)
        evidence->sts.state = STS_NOT_ASKED;
    else
        sts_cache_policy(sts_cache_of(tools->sts), arena, job->key.name, now, &evidence->sts);
    return evidence;
}

/* True for a verdict that an answer can be before the lookup has ended. */
static bool stands_at_once(const struct verdict *verdict)
{
    return verdict_is_remembered(verdict) || verdict->reason == REASON_LIST;
}

/* For a job in line: what is remembered, or a list makes of that, else that too many are before it. */
static struct cache_entry *unstarted_entry(const struct job *job, int64_t now)
{
    struct arena *arena = arena_new(CACHE_ENTRY_EVIDENCE_MAX);
    struct evidence *evidence = arena == NULL ? NULL : blank_evidence(job, arena, now);
    const struct engine *engine = job->jobs->engine;
    struct cache_entry *entry = NULL;
    struct verdict verdict;

    if (evidence != NULL) {
        ruleset_list(&evidence->list, engine->ruleset, &job->key);
        verdict_decide(&verdict, evidence, &job->remembered, &engine->config->verdict, now);
        if (!stands_at_once(&verdict)) {
            verdict_without_evidence(&verdict, REASON_OVERLOAD, now);
            evidence = NULL;
        }
        entry = cache_entry_new(&job->key, &verdict, evidence, now);
    }
    arena_free(arena);
    return entry;
}

/* An entry of the job's evidence as it is now; NULL without memory. `at_deadline`: a reply is due
 * and cannot wait for the rest. */
static struct cache_entry *entry_now(const struct job *job, int64_t now, bool at_deadline)
{
    const struct engine *engine = job->jobs->engine;
    const struct verdict_options *options = &engine->config->verdict;
    struct evidence evidence;
    struct verdict verdict;

    if (job->lookup == NULL)
        return unstarted_entry(job, now);
    ruleset_evidence(&evidence, engine->ruleset, &job->key, domain_evidence(job->lookup));
    if (at_deadline)
        verdict_decide_at_deadline(&verdict, &evidence, &job->remembered, options, now);
    else
        verdict_decide(&verdict, &evidence, &job->remembered, options, now);
    return cache_entry_new(&job->key, &verdict, &evidence, now);
}

/* Takes the waiters out that the provisional answer serves (NULL: no memory), or those whose
 * deadline has come. */
static void take_waiters(struct list *out, struct job *job, int64_t now, bool provisional)
{
    const struct cache_entry *entry = job->provisional;
    struct list *link = job->waiters.next, *next;

    list_init(out);
    for (; link != &job->waiters; link = next) {
        struct waiter *waiter = LIST_ELEMENT(link, struct waiter, link);

        next = link->next;
        if (provisional ? entry != NULL && !waiter_is_served(waiter, entry)
                        : waiter->deadline.at > now)
            continue;
        list_remove(link);
        list_append(out, link);
    }
}

/* ---- the lookup goes on ---- */

void job_finish(struct job *job, const struct cache_entry *entry)
{
    struct list waiters;

    job_set_state(job, JOB_DONE);
    list_take(&waiters, &job->waiters);
    deliver(job, &waiters, entry);
    job_free(job);
}

void job_complete(struct job *job, int64_t now)
{
    struct cache *cache = job->jobs->engine->cache;
    const struct cache_entry *known = cache_peek(cache, &job->key);
    struct cache_entry *entry, *copy;
    struct cache_saving how = {.now = now, .by_refresh = !job->wanted};

    /* if the store was asked meanwhile, what it knew is in the cache */
    if (job->store_pending && known != NULL && known->state != ENTRY_STORE_PENDING) {
        job->remembered = cache_entry_remembered(known);
        job->store_pending = false;
    }
    /* another relay may have proven more since the job began */
    if (cache->share != NULL && known != NULL && !job->forgotten) {
        const struct remembered since = cache_entry_remembered(known);

        job->remembered = remembered_join(&job->remembered, &since);
    }
    entry = entry_now(job, now, false);
    job_count_withheld(job, entry);
    if (entry != NULL && job->lookup != NULL && !job->forgotten) {
        /* a waiter may flush the cache, so its reply must not be the cache's own entry */
        copy = list_empty(&job->waiters) ? NULL : cache_entry_copy(entry);
        how.store_pending = job->store_pending;
        how.override = job_override(job);
        reply_keep(entry, how.override, job->generation);
        cache_save(cache, entry, how);
        entry = copy;
    }
    job_finish(job, entry);
    cache_entry_free(entry);
}

/* Replies to those who do not want the whole, now and until the job ends. NULL: no memory. */
static void deliver_provisional(struct job *job, struct cache_entry *take)
{
    struct list waiters;

    cache_entry_free(job->provisional);
    job->provisional = take;
    job->provisional_under = ruleset_generation(job->jobs->engine->ruleset);
    take_waiters(&waiters, job, 0, true);
    deliver(job, &waiters, take);
}

/* True when nothing that is still awaited can change the answer. */
static bool is_settled(const struct job *job, int64_t now)
{
    const struct engine *engine = job->jobs->engine;
    struct evidence evidence;
    struct verdict verdict;

    ruleset_evidence(&evidence, engine->ruleset, &job->key, domain_evidence(job->lookup));
    verdict_decide(&verdict, &evidence, &job->remembered, &engine->config->verdict, now);
    return verdict.settled;
}

const struct cache_entry *job_provisional(struct job *job)
{
    unsigned generation = ruleset_generation(job->jobs->engine->ruleset);
    int64_t now = clock_monotonic_ms();
    bool settled = job->state == JOB_SETTLED;

    if (job->provisional == NULL || job->provisional_under == generation)
        return job->provisional;
    cache_entry_free(job->provisional);
    job->provisional = settled && !is_settled(job, now) ? NULL : entry_now(job, now, !settled);
    job->provisional_under = generation;
    return job->provisional;
}

void job_changed(void *context)
{
    struct job *job = context;
    int64_t now = clock_monotonic_ms();

    if (domain_evidence(job->lookup)->complete) {
        job_complete(job, now);
        return;
    }
    /* it may have been settled by a list that is gone */
    if ((job->state == JOB_SETTLED && job->provisional != NULL) || !is_settled(job, now))
        return;
    if (job->state != JOB_SETTLED)
        job_set_state(job, JOB_SETTLED);
    job->jobs->stats.provisional++;
    deliver_provisional(job, entry_now(job, now, false));
}

/* ---- deadlines ---- */

/* Replies to the waiters of a job whose time has come with what is proven so far. */
static void serve_waiter(struct timed *timed, int64_t now)
{
    struct job *job = LIST_ELEMENT(timed, struct waiter, deadline)->job;
    bool unstarted = job->lookup == NULL;
    struct cache_entry *entry;
    struct list late;

    if (!unstarted)
        domain_use_remembered(job->lookup);
    entry = entry_now(job, now, true);
    take_waiters(&late, job, now, false);
    /* a waiter for the whole evidence has no answer-deadline */
    for (const struct list *link = late.next; link != &late; link = link->next)
        job->jobs->stats.answer_deadlines +=
            LIST_ELEMENT(link, const struct waiter, link)->wants != WANTS_WHOLE;
    if (unstarted && list_empty(&job->waiters) && !job->detached)
        job_set_state(job, JOB_DONE);
    deliver(job, &late, entry);
    cache_entry_free(entry);
    if (job->state == JOB_DONE)
        job_free(job);
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
    entry = entry_now(job, now, false);
    if (entry != NULL)
        verdict = cache_entry_verdict(entry);
    remembered = entry != NULL && stands_at_once(&verdict);
    cache_entry_free(entry);
    /* the hosts that have answered may prove more than that */
    entry = remembered ? entry_now(job, now, true) : NULL;
    if (entry == NULL)
        return;
    job->jobs->stats.remembered++;
    deliver_provisional(job, entry);
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

void job_allow_stale(struct job *job, int64_t now)
{
    const struct remembered *remembered = &job->remembered;

    if (remembered->secure || remembered->observed != VERDICT_NO_OPINION ||
        remembered->dane_only_until > now)
        jobs_plan(job->jobs, JOBS_STALE, &job->stale, now,
                  job->jobs->engine->config->stale_deadline_ms);
}
