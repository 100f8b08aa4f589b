/* jobs_internal: declarations shared by the files that implement jobs.h. */
#pragma once

#include "base/fair.h"
#include "daemon/lookup/engine.h"

/* libuv runs a 0 ms timer at once if another timer's callback starts it; this delay lets others
 * have their turn first. */
#define NEXT_TURN_MS 1

/* X(STATE, name for the log). A job passes through them in order and may skip some. */
#define JOB_STATES(X)                                                                              \
    X(NEW, "new")         /* in no queue yet */                                                    \
    X(LOADING, "loading") /* reads what the store knows of the key */                              \
    X(PEERS, "peers")     /* another relay may be looking it up */                                 \
    X(QUEUED, "queued")   /* waits for its turn */                                                 \
    X(RUNNING, "running") /* the lookup is under way */                                            \
    X(SETTLED, "settled") /* running, but no evidence can change `provisional` */                  \
    X(DONE, "done")       /* out of map and queues; its waiters get their replies */

enum job_state {
#define X(state, name) JOB_##state,
    JOB_STATES(X)
#undef X
};

struct job {
    struct jobs *jobs;
    enum job_state state; /* job_set_state sets it */
    struct key key;
    struct override override;        /* of the rules of `generation`, for `key` */
    unsigned generation;             /* 0: the rules have not been asked */
    struct fair_member member;       /* QUEUED to SETTLED */
    struct cache_loading *loading;   /* LOADING */
    struct peers_wait wait;          /* PEERS, and until the result is saved */
    struct domain_lookup *lookup;    /* from RUNNING on; NULL before */
    struct remembered remembered;    /* what the lookup begins with */
    int64_t began_at;                /* monotonic ms */
    int64_t remembered_at;           /* when `remembered` was found out; INT64_MAX: nothing was */
    int64_t known_at;                /* when what is known was found out; INT64_MIN: nothing is */
    int64_t probed_after;            /* of domain_request */
    struct cache_entry *provisional; /* owned; NULL: none */
    unsigned provisional_under;      /* the ruleset's generation then: lists may decide it */
    /* What happens to the result; these apply in every state. */
    bool refresh;       /* renews a cached entry before it expires */
    bool detached;      /* goes on though nobody waits */
    bool wanted;        /* somebody has asked for the key since the job began */
    bool store_pending; /* the store could not be read for the key */
    bool forgotten;     /* the result is not kept */
    struct list waiters;
    struct timed end;   /* RUNNING and SETTLED */
    struct timed stale; /* while something remembered may count */
    UT_hash_handle hh;
};

/*
 * Planned events by kind, in the order in which they are served if several are due. A job that ends
 * comes first, because it is complete and its waiters get the whole evidence. All events of a kind
 * have the same delay, so a queue in order of arrival is in order of time, within one turn of the
 * loop.
 */
enum jobs_queue {
    JOBS_END,    /* job-deadline of running jobs */
    JOBS_STALE,  /* stale-deadline of jobs */
    JOBS_ANSWER, /* answer-deadline of waiters */
    JOBS_WHOLE,  /* deadline of waiters for the whole evidence */
    JOBS_QUEUES
};

struct jobs {
    struct engine *engine;
    struct fair fair;
    struct job *map;
    struct list queues[JOBS_QUEUES];
    uv_timer_t clock;
    uv_timer_t starter; /* runs outside of any callback chain */
    unsigned loading;
    bool closing;
    struct jobs_stats stats;
};

/* jobs.c. JOB_DONE takes the job out of map and queues, and leaves its waiters. */
void job_set_state(struct job *job, enum job_state state);
void job_free(struct job *job);

/* jobs_reply.c */
/* The evidence is complete: keeps it, gives every waiter its reply, frees the job. */
void job_complete(struct job *job, int64_t now);
/* Ends and frees the job; every waiter gets `entry` (NULL: the answer for lack of memory). */
void job_finish(struct job *job, const struct cache_entry *entry);
/* The provisional answer under the lists in force, or NULL. */
const struct cache_entry *job_provisional(struct job *job);
/* Callback of domain_start, called with the job: replies if the new evidence is enough. */
void job_changed(void *context);
/* Counts the withheld answer of a result that was requested without waiting for it. */
void job_count_withheld(struct job *job, const struct cache_entry *entry);
/* Puts `timed` into a queue, to be served in `in_ms`. */
void jobs_plan(struct jobs *jobs, enum jobs_queue queue, struct timed *timed, int64_t now,
               int64_t in_ms);
/* What is remembered of the key may be used: gives it to the waiters at the stale deadline. */
void job_allow_stale(struct job *job, int64_t now);
