/* log_limit: a line that may come any number of times, no more often than it helps. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define LOG_LIMIT_MS (INT64_C(60) * 1000)

/* Of one kind of line; zero at the beginning. */
struct log_limit {
    int64_t until;     /* monotonic ms: none before that */
    uint64_t left_out; /* since the last one */
};

/* True when the line is to be written now: the first, and then one in LOG_LIMIT_MS. *left_out is
 * how many were not since the last one that was. */
bool log_limit_passes(struct log_limit *limit, int64_t now, uint64_t *left_out);
