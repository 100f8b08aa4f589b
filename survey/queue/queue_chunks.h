/*
 * queue_chunks: chunks in the queue of a run.
 *
 *   plan, phase        members of the hash "run": the plan, and how far it is
 *   domains, hosts,    streams, each chunk an entry whose id is its number: nothing is in one twice.
 *   addresses-PART     Entries are read by a consumer group, stay pending until they are taken into
 *                      the results file, and are deleted then; a stream is never trimmed, and no
 *                      consumer is ever deleted, for it would drop what it has pending
 *   parts              a set: the parts that have had a chunk of addresses
 *   lease:NAME         a lease: who may look up a chunk, or the addresses of a part; with an expiry
 *   slots              a sorted set: the slots of all workers, with the moment when each is over
 *   tries              a hash: how often a chunk was begun
 *   aside              a hash: chunks that were set aside, with their names
 *
 * A server that failed over may deliver again what was deleted; the spool directory knows better.
 */
#pragma once

#include "base/buf.h"
#include "survey/queue/chunk_name.h"
#include "survey/queue/plan.h"
#include "survey/queue/queue_uv.h"

#define QUEUE_TRIES_MAX 3

/* The words of `phase`. */
#define QUEUE_PHASE_BEGUN "begun"
#define QUEUE_PHASE_ENDED "ended"

/* What all of these return is false when the queue has failed. */

/* ---- the run ---- */

/* Puts the plan in, unless there is one; *same: the one there is equal. */
bool queue_put_plan(struct queue *queue, const struct plan *plan, bool *same);
struct queue_run {
    bool there; /* there is a plan */
    bool good;  /* and it can be read */
    struct plan plan;
    bool ended;
    char mark[40]; /* of this queue: another one when it was begun anew; "" none */
};
bool queue_get_run(struct queue *queue, struct queue_run *out);
/* The survey is at its end: `phase` says so, all else is deleted. */
bool queue_end_run(struct queue *queue, const struct plan *plan);

/* ---- putting in ---- */

/* Makes the stream of a chunk, and gives the number of the last chunk that was put in, 0 none. */
bool queue_last(struct queue *queue, const struct results_chunk *chunk, int64_t *number);
/* Puts a chunk in, unless it or a later one was. */
bool queue_put(struct queue *queue, const struct results_chunk *chunk, const char *job);
/* Chunks that are not done, of the stream of this one. */
bool queue_length(struct queue *queue, const struct results_chunk *chunk, int64_t *length);
/* A chunk's results are in the results file. */
bool queue_done(struct queue *queue, const struct results_chunk *chunk);

/* ---- taking out ---- */

/* Where one reads: what others have left comes first. */
struct queue_reader {
    const char *consumer;
    int64_t idle_ms; /* what is pending for so long is anybody's */
    char cursor[48]; /* of the stream being claimed; "": from its beginning */
};
/* An entry of a stream: of the kind and part of *chunk, which gets its number; 0: there is none.
 * `claimed`: others had it before. */
bool queue_claim(struct queue *queue, struct queue_reader *reader, struct results_chunk *chunk,
                 struct buf *job);
bool queue_read(struct queue *queue, const struct queue_reader *reader, struct results_chunk *chunk,
                struct buf *job);
/* Lets others have at once what is pending here. */
bool queue_hand_back(struct queue *queue, const struct queue_reader *reader,
                     const struct results_chunk *chunk);
/* Parts with chunks of addresses, at most `max`. */
bool queue_parts(struct queue *queue, unsigned *out, size_t max, size_t *count);

/* ---- tries ---- */

/* Counts a try of a chunk, or takes one back. */
bool queue_try(struct queue *queue, const struct results_chunk *chunk, int by, int64_t *tries);
/* Sets it aside, with its job. */
bool queue_set_aside(struct queue *queue, const struct results_chunk *chunk, const char *job);
bool queue_aside_count(struct queue *queue, int64_t *count);
/* Calls `take` with each that is aside. */
typedef void queue_aside_taker(void *context, const struct results_chunk *chunk, const char *job,
                               size_t length);
bool queue_each_aside(struct queue *queue, queue_aside_taker *take, void *context);

/* ---- workers ---- */

/* Keeps this worker's slots for another `ms`; *all: how many all workers have, 1 at least. */
bool queue_keep_slots(struct queue *queue, const char *token, unsigned slots, int64_t ms,
                      int64_t *all);

/* ---- leases ---- */

/* Takes a lease, or takes it again: *ours. */
bool queue_lease(struct queue *queue, const char *name, const char *token, int64_t ms, bool *ours);
/* *ours: it was, and is for another `ms`. */
bool queue_renew(struct queue *queue, const char *name, const char *token, int64_t ms, bool *ours);
bool queue_release(struct queue *queue, const char *name, const char *token);
