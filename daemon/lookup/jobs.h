/*
 * jobs: lookups under way. One job per key whoever asks; waiters with deadlines of their own; a cap
 * on jobs at once, fair between base domains.
 *
 * Glossary
 *   job      one lookup of one key, from the first question until its evidence is complete
 *   waiter   somebody who is owed an answer
 *   provisional  an answer that no further evidence can change, or that is remembered and still counts,
 *            before the job is complete
 *   refresh  a job that nobody waits for: what it finds out is for those who will ask
 */
#pragma once

#include <uv.h>

#include "daemon/config/config.h"
#include "daemon/cache/cache.h"
#include "probe/domain_uv.h"

/* Jobs that may wait for their turn, per job that may run. More: TEMP at once. */
#define JOBS_QUEUE_FACTOR 40

struct waiter;
struct job;
/* `entry` is borrowed until the callback returns. */
typedef void (*waiter_deliver)(struct waiter *waiter, const struct cache_entry *entry);

struct waiter {
    waiter_deliver deliver;
    bool whole; /* waits for complete evidence, up to the job's deadline: for explain */
    /* private */
    struct job *job;
    struct list link; /* in the job's waiters */
    struct list due;  /* among all waiters, by deadline */
    int64_t deadline;
};

/* Makes a waiter that is in no line yet. */
void waiter_init(struct waiter *waiter, waiter_deliver deliver);

struct jobs_stats {
    uint64_t started, provisional, remembered, overloads;
    uint64_t deadlines;        /* jobs that job-deadline cut off */
    uint64_t answer_deadlines; /* waiters told at answer-deadline what was known by then */
    unsigned running, refreshing;
    size_t waiting;
};

struct jobs;

/* NULL without memory. Everything is borrowed. Complete entries go into `memory`. */
struct jobs *jobs_new(uv_loop_t *loop, const struct config *config,
                      const struct domain_tools *tools, struct cache *cache);
/* Ends every job without an answer, forgets its waiters, closes the handles; jobs_free once the
 * loop is empty. */
void jobs_close(struct jobs *jobs);
void jobs_free(struct jobs *jobs);
void jobs_get_stats(const struct jobs *jobs, struct jobs_stats *out);

/* The provisional answer of a job under way for this key, or NULL. Borrowed. */
const struct cache_entry *jobs_provisional(const struct jobs *jobs, const struct key *key);
/*
 * Joins the job for `key`, or starts one. The waiter is delivered exactly once, later, unless
 * jobs_leave comes first. 0, or UV_ENOMEM, UV_ENOBUFS when too many wait: then nothing comes.
 */
int jobs_join(struct jobs *jobs, const struct key *key, struct waiter *waiter, int64_t now);
void jobs_leave(struct waiter *waiter);
/* Somebody wants to know of `key`, but does not wait: there is a job for it, which goes on to its
 * end; what it finds is told to jobs_set_detached's callback. 0, UV_ENOMEM, or UV_ENOBUFS when
 * the line is such that those who do wait would wait longer. */
int jobs_look_up(struct jobs *jobs, const struct key *key);
void jobs_set_detached(struct jobs *jobs,
                       void (*done)(void *context, const struct cache_entry *entry), void *context);
/* Starts a job for `key` that nobody waits for, unless there is one. 0, UV_ENOMEM or UV_ENOBUFS. */
int jobs_refresh(struct jobs *jobs, const struct key *key);
/* The operator ended the hold of `key`: its job goes on without what was proven by probing. */
void jobs_release(struct jobs *jobs, const struct key *key);
/* What the job for `key` (NULL: any job) finds is told to those who wait, and not kept. */
void jobs_forget(struct jobs *jobs, const struct key *key);
