/*
 * jobs: lookups under way, and the replies to those who wait for them. There is one job per key,
 * however many ask for it. Each waiter has a deadline of its own. The number of jobs that run at
 * once is limited, and base domains take turns. `now` is monotonic ms.
 *
 * Glossary
 *   job          one lookup of one key, from the first question until its evidence is complete
 *   waiter       somebody who is owed a reply
 *   provisional  an answer given before the job is complete: no further evidence can change it, or
 *                it is remembered and still counts
 *   refresh      a job that renews what is cached before it ends; nobody waits for it
 *   detached     a job that goes on although nobody waits for it
 */
#pragma once

#include <uv.h>

#include "daemon/cache/cache.h"
#include "daemon/config/config.h"
#include "probe/domain_uv.h"

/* Jobs that may wait for their turn, per job that may run. Beyond that the answer is TEMP. */
#define JOBS_QUEUE_FACTOR 40

/* What a question is answered: the entry of a lookup, and what the operator's rules make of its
 * verdict. Both are borrowed until the loop runs again. */
struct reply {
    const struct cache_entry *entry;
    struct final_answer final;
};

struct engine_stats {
    uint64_t lookups, cache_hits, not_looked_up, waits, detached;
    /* replies: as found, by reason; by what the rules made of them; by level */
    uint64_t by_reason[REASON_COUNT];
    uint64_t by_final_reason[FINAL_REASON_COUNT];
    uint64_t by_level[VERDICT_TEMP + 1];
    uint64_t withheld_by_level[VERDICT_TEMP + 1]; /* of what was found */
};

/* The reply in a form; its text is the entry's or the final answer's. */
struct answer reply_answer(const struct reply *reply, enum answer_form form);
/* Counts a reply that is given to somebody. */
void reply_count(struct engine_stats *stats, const struct reply *reply);
/* Keeps in an entry what the rules of `generation` make of it. */
void reply_keep(struct cache_entry *entry, const struct override *override, unsigned generation);

struct waiter;
struct job;
/* `reply` is borrowed until the callback returns. */
typedef void (*waiter_deliver)(struct waiter *waiter, const struct reply *reply);

enum waiter_wants {
    WANTS_ANSWER, /* the answer for Postfix: at once where the rules withhold what is found */
    WANTS_FOUND,  /* what is found, even if the rules withhold it */
    WANTS_WHOLE   /* complete evidence; waits up to the job's deadline */
};

/* Something that is to happen at a time (monotonic ms). Private. */
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

/* Makes a waiter that waits for nothing, wants an answer, and has no share. */
void waiter_init(struct waiter *waiter, waiter_deliver deliver);

struct jobs_stats {
    uint64_t started, provisional, remembered, overloads;
    uint64_t deadlines;        /* jobs that job-deadline cut off */
    uint64_t answer_deadlines; /* waiters that got at answer-deadline what was known by then */
    unsigned running, refreshing;
    size_t waiting;
};

struct engine;
struct jobs;

/* NULL without memory. The engine is borrowed: what is complete is saved in its cache, and replies
 * are counted in its statistics. */
struct jobs *jobs_new(uv_loop_t *loop, struct engine *engine);
/* Ends every job without a reply and closes the handles; jobs_free once the loop is empty. */
void jobs_close(struct jobs *jobs);
void jobs_free(struct jobs *jobs);
void jobs_get_stats(const struct jobs *jobs, struct jobs_stats *out);

/* The provisional answer of the job for this key, or NULL. Borrowed. */
const struct cache_entry *jobs_provisional(const struct jobs *jobs, const struct key *key);
/*
 * Joins the job for `key`, or starts one. `override` is what the rules in force say of the key. The
 * waiter is delivered exactly once, later, unless jobs_leave comes first. 0; or UV_ENOMEM, or
 * UV_ENOBUFS when too many jobs wait: then the waiter is not delivered.
 */
int jobs_join(struct jobs *jobs, const struct key *key, const struct override *override,
              struct waiter *waiter, int64_t now);
void jobs_leave(struct waiter *waiter);
/*
 * Joins or starts a job for somebody who does not wait. The job runs to its end; only then is a
 * withheld answer counted. 0, UV_ENOMEM, or UV_ENOBUFS when the job would delay those who wait.
 */
int jobs_look_up(struct jobs *jobs, const struct key *key, const struct override *override,
                 int64_t now);
/* Starts a job that renews `key`, unless there is a job for it. 0, UV_ENOMEM or UV_ENOBUFS. */
int jobs_refresh(struct jobs *jobs, const struct key *key, int64_t now);
/* The job for `key` goes on without what was known before, and its result goes to its waiters and
 * is not kept. With `only_hold` the operator ended a hold: it goes on without what probing proved. */
void jobs_forget(struct jobs *jobs, const struct key *key, bool only_hold);
/* The same for every job; or for those whose lookup has begun and may rest on certificates. A job
 * that is not running yet has used no probe result. */
void jobs_forget_all(struct jobs *jobs, bool only_begun);
