/*
 * plan: what a survey in a queue is made of: the same for all who work on it, from its first chunk
 * to its end. Pure. It lies in the queue as text, a line for each member:
 *
 *   mxcrypt-survey 1
 *   seed 1
 *   ...
 *   list /srv/domains.txt
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

#define PLAN_FORMAT   1
#define PLAN_LIST_MAX 1024 /* octets of where the names came from; longer is cut */
#define PLAN_TEXT_MAX 2048
#define PLAN_NAME_MAX 64 /* of a run */
#define PLAN_RATE_MAX 1000000

struct plan {
    int64_t seed, sample;     /* sample 0: all */
    int64_t names, lines_bad; /* of the list */
    int64_t domains;          /* that are looked up */
    int64_t size;             /* of a chunk, JOB_NAMES_MIN to JOB_NAMES_MAX */
    int64_t parts;            /* that addresses are in */
    int64_t dnssec, dane;     /* truths: see results_run */
    int64_t probe;            /* mail hosts are connected to */
    int64_t rate;             /* new connections a second, of all machines together; 0: no limit */
    int64_t digest;           /* of the domains and their weights */
    char list[PLAN_LIST_MAX + 1];
};

/* Appends the text. */
void plan_write(struct buf *out, const struct plan *plan);
/* False for anything that plan_write did not write. */
bool plan_read(struct plan *out, const char *text, size_t length);
bool plan_equal(const struct plan *a, const struct plan *b);
/* How many chunks of domains there are. */
int64_t plan_chunks(const struct plan *plan);
/* How many domains one of them has; 0: there is no such chunk. */
int64_t plan_chunk_domains(const struct plan *plan, int64_t number);

/* Whether it can be the name of a run: 1 to PLAN_NAME_MAX letters, digits, dots, dashes and
 * underscores, no dot or dash first. */
bool plan_name_ok(const char *name);
