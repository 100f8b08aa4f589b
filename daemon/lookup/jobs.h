/*
 * jobs: the lookups under way, and the replies to their waiters. There is one job per key, however
 * many clients ask for it. Each waiter has its own deadline. The number of jobs that run at once is
 * limited, and base domains take turns. `now` is monotonic ms.
 *
 * Glossary
 *   job          one lookup of one key, from the first request until its evidence is complete
 *   waiter       a request that is owed a reply
 *   provisional  an answer given before the job is complete, because no further evidence can
 *                change it, or because it is remembered and still valid
 *   refresh      a job that renews a cached entry before it expires; nobody waits for it
 *   detached     a job that runs to its end although nobody waits for it
 */
#pragma once

#include <uv.h>

#include "daemon/cache/cache.h"
#include "daemon/config/config.h"
#include "probe/domain_uv.h"

/* Jobs that may be queued, for each job that may run. Beyond that the answer is TEMP. */
#define JOBS_QUEUE_FACTOR 40

/* The reply to a request: the entry of a lookup, and the answer after the operator's rules. Both
 * are borrowed until the loop runs again. */
struct reply {
    const struct cache_entry *entry;
    struct final_answer final;
};

struct engine_stats {
    uint64_t lookups, cache_hits, not_looked_up, waits, detached;
    /* replies: given as found, by reason; by the effect of the rules; by level */
    uint64_t by_reason[REASON_COUNT];
    uint64_t by_final_reason[FINAL_REASON_COUNT];
    uint64_t by_level[VERDICT_TEMP + 1];
    uint64_t withheld_by_level[VERDICT_TEMP + 1]; /* the level found */
    uint64_t list_testing; /* answers that a policy list in testing mode would have changed */
};

/* The reply in one form; its text belongs to the entry or to the final answer. */
struct answer reply_answer(const struct reply *reply, enum answer_form form);
/* Counts a reply that is sent. */
void reply_count(struct engine_stats *stats, const struct reply *reply);
/* Stores in an entry the answer that the rules of `generation` give for it. */
void reply_keep(struct cache_entry *entry, const struct override *override, unsigned generation);

struct waiter;
struct job;
/* `reply` is borrowed until the callback returns. */
typedef void (*waiter_deliver)(struct waiter *waiter, const struct reply *reply);

enum waiter_wants {
    WANTS_ANSWER, /* the answer for an MTA; immediate where the rules withhold the result */
    /* the same for one without DANE: where DANE decides, only when the rest is known too */
    WANTS_WITHOUT_DANE,
    WANTS_FOUND, /* the result of the lookup, even if the rules withhold it */
    WANTS_WHOLE  /* complete evidence; waits up to the job's deadline */
};

/* An event planned for a time (monotonic ms). Private. */
struct timed {
    struct list link; /* in one of the queues of jobs_internal.h */
    int64_t at;
};

struct waiter {
    waiter_deliver deliver;
    enum waiter_wants wants;
    unsigned *share; /* borrowed: lookups it may begin or join in this turn; NULL: any number */
    /* private */
    struct job *job;
    struct list link; /* in the job's waiters */
    struct timed deadline;
};

/* False when the lookup of an entry goes on, and the waiter wants to know more. */
bool waiter_is_served(const struct waiter *waiter, const struct cache_entry *entry);
/* Makes a waiter that waits for nothing, wants an answer, and has no share. */
void waiter_init(struct waiter *waiter, waiter_deliver deliver);

struct jobs_stats {
    uint64_t started, provisional, remembered, overloads;
    uint64_t deadlines;        /* jobs that job-deadline cut off */
    uint64_t answer_deadlines; /* waiters answered at answer-deadline with what was known */
    unsigned running, refreshing;
    size_t waiting;
};

struct engine;
struct jobs;

/* NULL without memory. The engine is borrowed: complete results are saved in its cache, and replies
 * are counted in its statistics. */
struct jobs *jobs_new(uv_loop_t *loop, struct engine *engine);
/* Ends every job without a reply and closes the handles; jobs_free once the loop is empty. */
void jobs_close(struct jobs *jobs);
void jobs_free(struct jobs *jobs);
void jobs_get_stats(const struct jobs *jobs, struct jobs_stats *out);

/* The provisional answer of the job for this key, or NULL. Borrowed. */
const struct cache_entry *jobs_provisional(const struct jobs *jobs, const struct key *key);
/*
 * Joins the job for `key`, or starts one. `override` is what the rules in force say about the key.
 * The waiter gets its reply exactly once, later, unless jobs_leave comes first. 0, UV_ENOMEM, or
 * UV_ENOBUFS if too many jobs are queued; after an error the waiter gets no reply.
 */
int jobs_join(struct jobs *jobs, const struct key *key, const struct override *override,
              struct waiter *waiter, int64_t now);
void jobs_leave(struct waiter *waiter);
/*
 * Joins or starts a job for a caller that does not wait. The job runs to its end; a withheld answer
 * is counted only then. 0, UV_ENOMEM, or UV_ENOBUFS if the job would delay jobs with waiters.
 */
int jobs_look_up(struct jobs *jobs, const struct key *key, const struct override *override,
                 int64_t now);
/* Starts a job that renews `key`, unless there is a job for it. 0, UV_ENOMEM or UV_ENOBUFS. */
int jobs_refresh(struct jobs *jobs, const struct key *key, int64_t now);
/* Lets the job for `key` go on without what was known until then (monotonic ms): its waiters get the
 * result, but it is not kept if the job had begun. With `only_hold`, when the operator ended a hold,
 * it only drops what probing proved. */
void jobs_forget(struct jobs *jobs, const struct key *key, int64_t until, bool only_hold);
/* The same for every job; with `only_begun`, for those whose lookup has begun and may rest on
 * certificates. A job that is not running yet has used no probe result. */
void jobs_forget_all(struct jobs *jobs, bool only_begun);
