/*
 * chunk_name: how a chunk of a survey is called: in the queue, where it is an entry of a stream, and
 * in the spool directory, where it is a file. Pure. Names come from a queue and a directory that
 * others can write.
 *
 *   domains-17          hosts-4          addresses-31-2: part 31, number 2
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "survey/results/results_chunk.h"

#define CHUNK_NAME_MAX   40 /* with NUL */
#define CHUNK_NUMBER_MAX INT64_C(1000000000000)
#define CHUNK_PARTS_MAX  1024

/* Returns `out`. */
const char *chunk_name(char out[CHUNK_NAME_MAX], const struct results_chunk *chunk);
/* Reads what chunk_name writes, and nothing else. */
bool chunk_name_read(struct results_chunk *out, const char *text, size_t length);

/* The stream that it is in: "domains", "hosts", "addresses-31". Returns `out`. */
const char *chunk_stream(char out[CHUNK_NAME_MAX], const struct results_chunk *chunk);
/* Its entry there: the number before a dash and a zero, so that nothing is put in twice. */
const char *chunk_entry(char out[CHUNK_NAME_MAX], const struct results_chunk *chunk);
/* Reads the number of such an entry. */
bool chunk_entry_read(int64_t *number, const char *text, size_t length);
