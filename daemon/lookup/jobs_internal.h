/* jobs_internal: what the files of jobs.h share. */
#pragma once

#include "base/fair.h"
#include "daemon/lookup/jobs.h"

/* Jobs that are told or ended by the clock, and jobs that are started, before others have a turn.
 */
#define CLOCK_SHARE  64
#define START_SHARE  32
#define NEXT_TURN_MS 1
/* Jobs in line beyond which none is begun that nobody waits for: a part of those that may run. */
#define DETACHED_LINE(jobs_max) ((jobs_max) / 4)
/* Who wants the whole evidence waits until the job's own deadline has surely passed. */
#define WHOLE_SLACK_MS 1000

struct job {
    struct jobs *jobs;
    struct key key;
    struct fair_member member;
    struct cache_loading *loading;   /* while the store is asked */
    struct domain_lookup *lookup;    /* NULL before it runs */
    struct remembered remembered;    /* what it begins with */
    int64_t probed_after;            /* of domain_request */
    struct cache_entry *provisional; /* owned */
    bool settled;                    /* nothing can change `provisional` any more */
    bool refresh;                    /* renews what is known before it ends */
    bool detached;                   /* goes on though nobody waits */
    bool wanted;                     /* somebody wanted to know */
    bool store_pending;              /* the store could not be asked what it knows */
    bool forgotten;                  /* what it finds is not kept */
    struct list waiters;
    struct list ending;        /* in jobs->ending once running */
    struct list stale_waiting; /* in jobs->stale_waiting when something remembered may count */
    int64_t ends_at, stale_at;
    UT_hash_handle hh;
};

struct jobs {
    const struct config *config;
    struct domain_tools tools;
    struct cache *cache;
    struct fair fair;
    struct job *map;
    struct list due, due_whole;    /* waiters by deadline */
    struct list stale_waiting;     /* jobs by hasten_at */
    struct list ending;            /* running jobs by ends_at */
    struct cache_entry *no_memory; /* owned: what is said when there is none for an entry */
    void (*detached_done)(void *context, const struct cache_entry *entry);
    void *detached_context;
    uv_timer_t clock;
    uv_timer_t starter; /* runs outside of any callback chain */
    unsigned loading;
    bool closing;
    struct jobs_stats stats;
};

/* jobs.c: out of map, line and lists; the waiters are still there. */
void job_end(struct job *job);
void job_free(struct job *job);

/* jobs_tell.c */
/* The evidence is complete: remember, tell everybody, go. */
void job_complete(struct job *job, int64_t now);
/* The evidence has grown: is that enough? */
void job_changed(struct job *job, int64_t now);
/* Tells those who do not want the whole, and whoever comes until the job ends. */
void job_tell_provisional(struct job *job, struct cache_entry *take);
/* Tells the waiters; NULL: that there is no memory. */
void job_tell(const struct jobs *jobs, struct list *waiters, const struct cache_entry *entry);
/* The end of a job that somebody asked for without waiting; NULL: there was no memory. */
void job_tell_nobody(const struct job *job, const struct cache_entry *entry);
/* An entry of the job's evidence as it is now; NULL without memory. `at_deadline`: an answer is
 * due and cannot wait for the rest. */
struct cache_entry *job_entry(const struct job *job, int64_t now, bool at_deadline);
/* The waiters that want an provisional answer, or those whose deadline has come, taken out. */
void job_select(struct list *out, struct job *job, int64_t now, bool provisional);

/* jobs_clock.c */
void jobs_clock_fired(uv_timer_t *timer);
void jobs_clock_set(struct jobs *jobs, int64_t now);
/* Something remembered of the job's key may count: told when its time has come. */
void job_allow_stale(struct job *job, int64_t now);
