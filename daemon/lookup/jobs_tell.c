/*
 * jobs_tell: what a job has found out, for those who wait. A verdict is policy/decide/verdict.c's,
 * asked again at every change; here is only who gets to hear it when.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "daemon/lookup/jobs_internal.h"

void job_tell(const struct jobs *jobs, struct list *waiters, const struct cache_entry *entry)
{
    if (entry == NULL)
        entry = jobs->no_memory;
    while (!list_empty(waiters)) {
        struct waiter *waiter = LIST_ELEMENT(waiters->next, struct waiter, link);

        jobs_leave(waiter);
        waiter->deliver(waiter, entry);
    }
}

void job_tell_nobody(const struct job *job, const struct cache_entry *entry)
{
    const struct jobs *jobs = job->jobs;

    if (job->detached && !job->refresh && entry != NULL && jobs->detached_done != NULL)
        jobs->detached_done(jobs->detached_context, entry);
}

/* The evidence of a job that has not started: nothing, but what is remembered of the policy. */
static const struct evidence *blank_evidence(const struct job *job, struct arena *arena)
{
    const struct domain_tools *tools = &job->jobs->tools;
    struct evidence *evidence = arena_alloc(arena, sizeof *evidence);

    if (evidence == NULL)
        return NULL;
    evidence->domain = job->key.name;
    evidence->port = job->key.port;
    evidence->mx_ttl = evidence->sts.ttl = UINT32_MAX;
    if (tools->sts == NULL || job->key.port != tools->smtp_port)
        evidence->sts.state = STS_NOT_ASKED;
    else
        sts_remembered(tools->sts, arena, job->key.name, &evidence->sts);
    return evidence;
}

/* Of a job in line: what is remembered, else that there are too many before it. */
static struct cache_entry *unstarted_entry(const struct job *job, int64_t now)
{
    struct arena *arena = arena_new(CACHE_ENTRY_EVIDENCE_MAX);
    const struct evidence *evidence = arena == NULL ? NULL : blank_evidence(job, arena);
    struct cache_entry *entry = NULL;
    struct verdict verdict;

    if (evidence != NULL) {
        verdict_decide(&verdict, evidence, &job->remembered, &job->jobs->config->verdict, now);
        if (!verdict_is_remembered(&verdict)) {
            verdict_without_evidence(&verdict, VERDICT_TEMP, REASON_OVERLOAD, now);
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
                                   &job->jobs->config->verdict, now);
    else
        verdict_decide(&verdict, evidence, &job->remembered, &job->jobs->config->verdict, now);
    return cache_entry_new(&job->key, &verdict, evidence, now);
}

void job_select(struct list *out, struct job *job, int64_t now, bool provisional)
{
    struct list rest;

    list_init(out);
    list_init(&rest);
    while (!list_empty(&job->waiters)) {
        struct waiter *waiter = LIST_ELEMENT(job->waiters.next, struct waiter, link);
        bool taken = provisional ? !waiter->whole : waiter->deadline <= now;

        list_remove(&waiter->link);
        list_append(taken ? out : &rest, &waiter->link);
    }
    list_take(&job->waiters, &rest);
}

/* The store was asked meanwhile: what it knew is in the cache. */
static void job_catch_up(struct job *job)
{
    const struct cache_entry *known = cache_peek(job->jobs->cache, &job->key);

    if (!job->store_pending || known == NULL || known->store_pending)
        return;
    job->remembered = known->verdict.remembered;
    job->store_pending = false;
}

void job_complete(struct job *job, int64_t now)
{
    struct jobs *jobs = job->jobs;
    struct cache_entry *entry, *reply = NULL;
    struct cache_saving cache_saving;
    struct list waiters;
    bool saved;

    job_catch_up(job);
    entry = job_entry(job, now, false);
    saved = entry != NULL && job->lookup != NULL && !job->forgotten;
    cache_saving =
        (struct cache_saving){.by_refresh = !job->wanted, .store_pending = job->store_pending};
    job_end(job);
    list_take(&waiters, &job->waiters);
    job_tell_nobody(job, entry);
    /* a waiter may flush the cache, so what is told must not be the cache's own */
    if (!saved)
        reply = entry;
    else if (!list_empty(&waiters))
        reply = cache_entry_copy(entry);
    if (saved)
        cache_save(jobs->cache, entry, cache_saving);
    job_tell(jobs, &waiters, reply);
    cache_entry_free(reply);
    job_free(job);
}

void job_tell_provisional(struct job *job, struct cache_entry *take)
{
    struct list waiters;

    cache_entry_free(job->provisional);
    job->provisional = take;
    job_select(&waiters, job, 0, true);
    job_tell(job->jobs, &waiters, job->provisional);
}

void job_changed(struct job *job, int64_t now)
{
    struct verdict verdict;

    if (domain_evidence(job->lookup)->complete) {
        job_complete(job, now);
        return;
    }
    if (job->settled)
        return;
    verdict_decide(&verdict, domain_evidence(job->lookup), &job->remembered,
                   &job->jobs->config->verdict, now);
    if (!verdict.settled)
        return;
    job->settled = true;
    job->jobs->stats.provisional++;
    job_tell_provisional(job, job_entry(job, now, false));
}
