/*
 * collect: the one who has the results file of a run: it takes what lies in the spool into it, each
 * chunk in one transaction, tells the queue, and puts in what is to be looked up next: hosts when all
 * domains are looked up, addresses when all hosts are. Whatever is killed or lost, the results file
 * knows what is missing, and that is put in again.
 */
#pragma once

#include "survey/queue/queue_chunks.h"
#include "survey/queue/spool.h"

#define COLLECT_BACKLOG  2000 /* chunks of hosts or addresses in the queue, at most */
#define COLLECT_LEASE    "collector"
#define COLLECT_LEASE_MS 30000

struct collect_options {
    struct queue *queue;
    struct spool *spool;
    struct results *results; /* open for writing */
    const struct plan *plan;
    const char *token;    /* of this process */
    int64_t chunks_aside; /* out: that were set aside */
    int64_t chunks;       /* out: that were taken by this process */
    /* May be NULL; called after some were taken. */
    void (*progress)(void *context, enum unit_kind kind, int64_t chunks);
    void *context;
};

/* Until all is there but verdicts. False when something failed, or it was stopped: queue_why. */
bool collect_all(struct collect_options *options);
