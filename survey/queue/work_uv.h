/*
 * work_uv: a machine that works on a run: it takes chunks from the queue, several at a time, and has
 * a process of its own look each up, in the chunk's file in the spool. A process that dies takes
 * nothing with it; a worker that is killed takes its processes with it, and what they had written
 * stays.
 *
 * It holds a lease for each chunk, of addresses for their part, so that no two machines connect to
 * one prefix at a time. When a lease cannot be renewed in time its process is killed.
 */
#pragma once

#include "survey/queue/queue_chunks.h"
#include "survey/queue/spool.h"

#define WORK_SLOTS_MAX 64
#define WORK_WORDS_MAX 160 /* of the command, with NULL */

struct work_options {
    struct queue *queue;
    struct spool *spool;
    const struct plan *plan;
    const struct results_run *run; /* of the files that are made */
    const char *token;             /* of this process */
    const char *const *command;    /* a chunk's process; the path of the file follows */
    int status_refused;            /* which it exits with when the file cannot be a chunk's */
    int status_busy;               /* the same while another process has it open */
    unsigned slots;                /* chunks at a time, 1 to WORK_SLOTS_MAX */
    int64_t rate;    /* of each process of addresses, by this machine alone; 0: no limit */
    int64_t idle_ms; /* of a lease, and until what a dead worker had is anybody's */
    int64_t chunks;  /* out: that were looked up */
};

/* Until the survey is finished. False when something failed, or it was stopped: queue_why. */
bool work_all(struct work_options *options);
