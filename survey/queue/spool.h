/*
 * spool: the directory of a run's chunks, which all machines share: DIR/RUN, with
 *
 *   NAME.work            a chunk's file while it is filled; what is in it stays when its process dies
 *   NAME.db              the same, when it is whole
 *   NAME.bad             one that was refused, for the operator to look at
 *   collected/NAME       empty: the results are in the results file
 *
 * A file gets its name when it is whole, by a rename. Blocks.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>

#include "survey/queue/chunk_name.h"
#include "survey/results/results.h"

#define SPOOL_WORK  ".work"
#define SPOOL_READY ".db"
#define SPOOL_BAD   ".bad"

struct spool {
    char folder[PATH_MAX];
};

/* Makes the directory where it is missing. False with errno. */
bool spool_open(struct spool *out, const char *dir, const char *run);

enum spool_state { SPOOL_HAS_NONE, SPOOL_HAS_WORK, SPOOL_HAS_READY, SPOOL_HAS_COLLECTED };
enum spool_state spool_state(const struct spool *spool, const struct results_chunk *chunk);

/* The file of a chunk; returns `out`. */
const char *spool_path(const struct spool *spool, const struct results_chunk *chunk,
                       const char *suffix, char out[PATH_MAX]);
/* A name that no other process uses, to make the file under. */
const char *spool_new_path(const struct spool *spool, const struct results_chunk *chunk,
                           char out[PATH_MAX]);
/* Whether the file that was filled is one file: SQLite has left none beside it. */
bool spool_is_one_file(const struct spool *spool, const struct results_chunk *chunk);
/* Another suffix. False with errno. */
bool spool_rename(const struct spool *spool, const struct results_chunk *chunk, const char *from,
                  const char *to);
/* The chunk's results are taken: its file goes. False with errno. */
bool spool_collect(const struct spool *spool, const struct results_chunk *chunk);
/* Forgets that they were. */
void spool_forget(const struct spool *spool, const struct results_chunk *chunk);
/* Whether any chunk was collected. */
bool spool_has_collected(const struct spool *spool);

/* Calls `take` with each chunk whose file is whole; false when it or the directory fails (errno). */
typedef bool spool_taker(void *context, const struct results_chunk *chunk);
bool spool_each_ready(const struct spool *spool, spool_taker *take, void *context);
/* Removes it, but for what was refused. */
void spool_remove(const struct spool *spool);
