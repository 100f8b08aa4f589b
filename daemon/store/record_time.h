/*
 * record_time: between the wall clock of records and the daemon's own, which never jumps.
 *
 * A wall clock may have jumped between writing and reading, either way. So nothing read may live
 * longer than it could when it was written, and what seems to come from the future counts as
 * written now (docs/conformance.md hostile 38, 39). Pure.
 */
#pragma once

#include <stdint.h>

#include "daemon/store/record.h"

/* A clock that is behind what the store saw last, by no more than this, is taken to have jumped
 * back: the store's time counts. By more: one of the two was absurd, the present clock counts. */
#define RECORD_TIME_BACK_MAX (INT64_C(86400) * 1000)

/* The moment of reading: both clocks, and the wall clock at the store's last write (0: unknown). */
struct record_moment {
    int64_t monotonic_ms, wall_ms;
};

struct record_moment record_moment_of(int64_t monotonic_ms, int64_t wall_ms,
                                      int64_t last_written_wall_ms);

/* In place: every time of the record becomes wall (daemon -> record) or the daemon's (record ->
 * daemon), clamped as above. An end that has passed stays in the past. Past times never become
 * 0; on a clock that began later they are negative. */
void record_to_wall(struct record *record, struct record_moment moment);
void record_to_daemon(struct record *record, struct record_moment moment);
