/* jobs_internal: what the files of jobs.h share. */
#pragma once

#include "base/fair.h"
#include "daemon/lookup/engine.h"

/* libuv runs a timer of 0 ms at once when another timer's callback sets it: this lets others have
 * their turn first. */
#define NEXT_TURN_MS 1

/* X(STATE, name for the log). A job goes through them in this order, and may leave some out. */
#define JOB_STATES(X)                                                                              \
    X(NEW, "new")         /* in no queue yet */                                                    \
    X(LOADING, "loading") /* the store is asked what it knows of the key */                        \
    X(QUEUED, "queued")   /* waits for its turn */                                                 \
    X(RUNNING, "running") /* the lookup is under way */                                            \
    X(SETTLED, "settled") /* the same; no evidence can change `provisional` any more */            \
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
    struct domain_lookup *lookup;    /* from RUNNING on; NULL before */
    struct remembered remembered;    /* what the lookup begins with */
    int64_t probed_after;            /* of domain_request */
    struct cache_entry *provisional; /* owned; NULL: none */
    /* These say what becomes of the result, in whatever state the job is. */
    bool refresh;       /* renews what is cached before it ends */
    bool detached;      /* goes on though nobody waits */
    bool wanted;        /* somebody has asked for the key since the job began */
    bool store_pending; /* the store could not be asked what it knows */
    bool forgotten;     /* the result is not kept */
    struct list waiters;
    struct timed end;   /* RUNNING and SETTLED */
    struct timed stale; /* while something remembered may count */
    UT_hash_handle hh;
};

/*
 * What is planned, by kind, in the order in which it is served when several are due: a job that
 * ends is complete, so it goes first, and its waiters get the whole of it. All of a kind have the
 * same time to wait, so a queue in order of arrival is in order of time, but for the length of a
 * turn of the loop.
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
/* Ends and frees the job; every waiter gets `entry` (NULL: that there is no memory). */
void job_finish(struct job *job, const struct cache_entry *entry);
/* The evidence has grown: replies if that is enough. Of domain_start, with the job. */
void job_changed(void *context);
/* Counts what the rules withhold of a result that somebody asked for without waiting. */
void job_count_withheld(struct job *job, const struct cache_entry *entry);
/* Puts `timed` into a queue, to be served in `in_ms`. */
void jobs_plan(struct jobs *jobs, enum jobs_queue queue, struct timed *timed, int64_t now,
               int64_t in_ms);
/* Something remembered of the key may count: its waiters get it when its time has come. */
void job_allow_stale(struct job *job, int64_t now);
