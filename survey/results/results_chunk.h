/*
 * results_chunk: a survey in chunks, each a small results file that another process, or another
 * machine, fills: its domains, hosts or addresses are named there, are looked up, and come back into
 * the file of the whole.
 *
 * A file of the whole cuts its hosts, when all domains are looked up, and its addresses, when all
 * hosts are, into chunks that are the same whenever that is done. Chunks of addresses have a part:
 * all addresses of a prefix are in chunks of one part, and as far as they fit in one chunk.
 *
 * Glossary
 *   part     of addresses: run.shard - 1 of run.shards; 0 of domains and hosts
 *   number   of a chunk among those of its part, from 1
 */
#pragma once

#include "survey/results/results.h"

struct results_chunk {
    enum unit_kind kind;
    unsigned part;
    int64_t number;
};

/* ---- the small file ---- */

/* Adds a domain (with its weight) or a host to a file of a chunk. */
bool results_chunk_add(struct results *results, enum unit_kind kind, const char *name,
                       int64_t weight);
/* Whether no unit of the kind waits for a result; false on failure as well. */
bool results_chunk_is_done(struct results *results, enum unit_kind kind);
/* Whether another process has a file open for writing. */
bool results_is_written(const char *path);
/* Leaves a file that is not written any more as one file, which may be renamed. */
bool results_one_file(struct results *results);

/* ---- the whole ---- */

/* The domains, by their ids, from one after `after` on, at most `max`. False on failure. */
typedef bool results_domain_taker(void *context, int64_t id, const char *name, int64_t weight);
bool results_each_domain(struct results *results, int64_t after, int64_t max,
                         results_domain_taker *take, void *context);

/* Cuts hosts or addresses into chunks of about `size`, of addresses twice as many at most; `parts`
 * of addresses. The chunks of before are forgotten. */
bool results_chunks_cut(struct results *results, enum unit_kind kind, unsigned parts, int64_t size);
/* The next chunk with a unit that has no result: by number, then by part. *chunk is moved; its
 * number is 0 when there is none, and to begin with. */
bool results_chunk_next(struct results *results, struct results_chunk *chunk);
/* Whether a unit of it has no result; also of a chunk that there is not. */
bool results_chunk_waits(struct results *results, const struct results_chunk *chunk, bool *waits);
/* Forgets a chunk: it is not waited for. */
bool results_chunk_forget(struct results *results, const struct results_chunk *chunk);
/* The hosts of a chunk; id and weight of them are 0. */
bool results_chunk_hosts(struct results *results, const struct results_chunk *chunk,
                         results_domain_taker *take, void *context);
/* Makes the small file of a chunk of addresses, with all hosts that have them; it must not exist.
 * False after a message in `error`; there is no file then. */
bool results_chunk_extract(struct results *results, const struct results_chunk *chunk,
                           const struct results_run *run, const char *path,
                           char error[RESULTS_ERROR_MAX]);

enum results_collected {
    RESULTS_COLLECTED, /* and committed; a second time it changes nothing */
    RESULTS_REFUSED,   /* no results file, or not that of this chunk, or not all of it */
    RESULTS_UNWRITTEN  /* it is the file of the whole that failed */
};
/* Takes the results of a chunk that was filled, in one transaction; unless COLLECTED with a message
 * in `error`. `domains`: how many a chunk of domains has. */
enum results_collected results_collect(struct results *results, const struct results_chunk *chunk,
                                       int64_t domains, const char *path,
                                       char error[RESULTS_ERROR_MAX]);
