/*
 * jobs_reply: when the waiters of a job get a reply, and which. The verdict is that of
 * policy/decide/verdict.c, asked again whenever the evidence has grown.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "daemon/lookup/jobs_internal.h"

/* What the rules in force say of the key; they are asked again only when they have changed. */
static const struct override *job_override(struct job *job)
{
    const struct ruleset *ruleset = job->jobs->means.ruleset;

    if (job->generation != ruleset_generation(ruleset)) {
        ruleset_find(ruleset, &job->key, &job->override);
        job->generation = ruleset_generation(ruleset);
    }
    return &job->override;
}

static void make_reply(struct reply *out, struct job *job, const struct cache_entry *entry)
{
    out->entry = entry != NULL ? entry : job->jobs->means.no_memory;
    cache_entry_apply(&out->final, job_override(job), out->entry);
}

void job_deliver(struct job *job, struct list *waiters, const struct cache_entry *entry)
{
    struct reply reply;

    make_reply(&reply, job, entry);
    while (!list_empty(waiters)) {
        struct waiter *waiter = LIST_ELEMENT(waiters->next, struct waiter, link);

        jobs_leave(waiter);
        reply_count(job->jobs->means.stats, &reply);
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
        job->jobs->means.stats->withheld_by_level[entry->verdict.level]++;
}

/* The evidence of a job that has not started: only the policy that is remembered. */
static const struct evidence *blank_evidence(const struct job *job, struct arena *arena)
{
    const struct domain_tools *tools = job->jobs->means.tools;
    struct evidence *evidence = arena_alloc(arena, sizeof *evidence);

    if (evidence == NULL)
        return NULL;
    evidence->domain = job->key.name;
    evidence->port = job->key.port;
    evidence->mx_ttl = evidence->sts.ttl = UINT32_MAX;
    if (tools->sts == NULL || job->key.port != tools->smtp_port)
        evidence->sts.state = STS_NOT_ASKED;
    else
        sts_cache_policy(sts_cache_of(tools->sts), arena, job->key.name, clock_monotonic_ms(),
                         &evidence->sts);
    return evidence;
}

/* For a job in line: what is remembered, else that too many are before it. */
static struct cache_entry *unstarted_entry(const struct job *job, int64_t now)
{
    struct arena *arena = arena_new(CACHE_ENTRY_EVIDENCE_MAX);
    const struct evidence *evidence = arena == NULL ? NULL : blank_evidence(job, arena);
    struct cache_entry *entry = NULL;
    struct verdict verdict;

    if (evidence != NULL) {
        verdict_decide(&verdict, evidence, &job->remembered, &job->jobs->means.config->verdict,
                       now);
        if (!verdict_is_remembered(&verdict)) {
            verdict_without_evidence(&verdict, REASON_OVERLOAD, now);
            evidence = NULL;
        }
        entry = cache_entry_new(&job->key, &verdict, evidence, now);
    }
    arena_free(arena);
    return entry;
}

struct cache_entry *job_entry(const struct job *job, int64_t now, bool at_deadline)
{
    const struct evidence *evidence;
    struct verdict verdict;

    if (job->lookup == NULL)
        return unstarted_entry(job, now);
    evidence = domain_evidence(job->lookup);
    if (at_deadline)
        verdict_decide_at_deadline(&verdict, evidence, &job->remembered,
                                   &job->jobs->means.config->verdict, now);
    else
        verdict_decide(&verdict, evidence, &job->remembered, &job->jobs->means.config->verdict,
                       now);
    return cache_entry_new(&job->key, &verdict, evidence, now);
}

void job_select(struct list *out, struct job *job, int64_t now, bool provisional)
{
    struct list rest;

    list_init(out);
    list_init(&rest);
    while (!list_empty(&job->waiters)) {
        struct waiter *waiter = LIST_ELEMENT(job->waiters.next, struct waiter, link);
        bool taken = provisional ? waiter->wants != WANTS_WHOLE : waiter->deadline.at <= now;

        list_remove(&waiter->link);
        list_append(taken ? out : &rest, &waiter->link);
    }
    list_take(&job->waiters, &rest);
}

/* If the store was asked meanwhile, what it knew is in the cache. */
static void catch_up(struct job *job)
{
    const struct cache_entry *known = cache_peek(job->jobs->means.cache, &job->key);

    if (!job->store_pending || known == NULL || known->state == ENTRY_STORE_PENDING)
        return;
    job->remembered = cache_entry_remembered(known);
    job->store_pending = false;
}

void job_finish(struct job *job, const struct cache_entry *entry)
{
    struct list waiters;

    job_set_state(job, JOB_DONE);
    list_take(&waiters, &job->waiters);
    job_deliver(job, &waiters, entry);
    job_free(job);
}

static void save(struct job *job, struct cache_entry *take)
{
    const struct override *override = job_override(job);

    reply_keep(take, override, job->generation);
    cache_save(job->jobs->means.cache, take,
               (struct cache_saving){.by_refresh = !job->wanted,
                                     .store_pending = job->store_pending,
                                     .override = override});
}

void job_complete(struct job *job, int64_t now)
{
    struct cache_entry *entry;

    catch_up(job);
    entry = job_entry(job, now, false);
    job_count_withheld(job, entry);
    if (entry != NULL && job->lookup != NULL && !job->forgotten) {
        /* a waiter may flush the cache, so its reply must not be the cache's own entry */
        struct cache_entry *copy = list_empty(&job->waiters) ? NULL : cache_entry_copy(entry);

        save(job, entry);
        entry = copy;
    }
    job_finish(job, entry);
    cache_entry_free(entry);
}

void job_deliver_provisional(struct job *job, struct cache_entry *take)
{
    struct list waiters;

    cache_entry_free(job->provisional);
    job->provisional = take;
    job_select(&waiters, job, 0, true);
    job_deliver(job, &waiters, take);
}

void job_changed(struct job *job, int64_t now)
{
    struct verdict verdict;

    if (domain_evidence(job->lookup)->complete) {
        job_complete(job, now);
        return;
    }
    if (job->state == JOB_SETTLED)
        return;
    verdict_decide(&verdict, domain_evidence(job->lookup), &job->remembered,
                   &job->jobs->means.config->verdict, now);
    if (!verdict.settled)
        return;
    job_set_state(job, JOB_SETTLED);
    job->jobs->stats.provisional++;
    job_deliver_provisional(job, job_entry(job, now, false));
}
