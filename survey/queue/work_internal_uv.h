/* work_internal_uv: a worker, as work_uv.c, which has its processes, and work_find_uv.c, which finds
 * what they do, share it. */
#pragma once

#include <uv.h>

#include "survey/queue/work_uv.h"

struct work;

struct work_slot {
    struct work *work;
    enum { WORK_FREE, WORK_RUNS, WORK_CLOSES, WORK_ENDED } state;
    struct results_chunk chunk;
    char lease[CHUNK_NAME_MAX];
    int64_t renewed_at; /* monotonic ms: the lease */
    bool killed;        /* by us: the lease was lost */
    int status, by_signal;
    uv_process_t process;
};

struct work {
    struct work_options *options;
    struct queue *queue;
    struct work_slot slots[WORK_SLOTS_MAX];
    unsigned connections; /* of the queue, when all leases were renewed last */
    int64_t begin_at;     /* monotonic ms: nothing is begun before */
    unsigned failures;    /* of processes in a row */
    int64_t all_slots;    /* of all workers, as was last heard */
    int64_t slots_at;     /* monotonic ms: when */
    unsigned part_turn;   /* where the parts are begun with */
    char cursors[UNIT_KIND_COUNT][48];
    struct buf job; /* of the chunk that was found */
};

/* ---- work_uv.c ---- */

/* Starts the process of a slot's chunk. */
bool work_spawn(struct work *work, struct work_slot *slot);

/* ---- work_find_uv.c ---- */

/* Finds a chunk for a free slot, and starts it: *found. */
bool work_find(struct work *work, struct work_slot *slot, bool *found);
