/*
 * pace: how many domains and hosts are looked up at once, so that the resolver is not asked more
 * than it can answer. Pure. What it loses it would be asked again, and a domain would seem to have
 * failed that has not.
 *
 *   starts  lookups that may begin now. A resolver on this host has room for some 150 questions in
 *           its socket buffer. Each result lets another lookup begin; where answers take long,
 *           because they are far away, PACE_REFILL more may begin every PACE_REFILL_MS in which
 *           there was a result: a resolver that is at a standstill is not asked more.
 *   window  lookups under way. It grows while answers come, and shrinks by a quarter when a
 *           question was not answered in time, at most once in PACE_SHRINK_MS.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define PACE_STARTS_MAX    48
#define PACE_REFILL        32
#define PACE_REFILL_MS     20
#define PACE_WINDOW_MIN    32
#define PACE_WINDOW_FIRST  128
#define PACE_GROWS_AFTER   8 /* results in a row */
#define PACE_SHRINK_MS     500
#define PACE_WINDOW_GENTLE 64 /* the most where what failed is looked up again */

struct pace {
    unsigned starts, window, most;
    unsigned answered; /* since the window grew */
    bool moves;        /* there was a result since the last refill */
    int64_t shrunk_at; /* monotonic ms */
};

/* `most`: the largest window. */
void pace_init(struct pace *pace, unsigned most);
/* How many lookups may begin, with so many under way. */
unsigned pace_room(const struct pace *pace, unsigned under_way);
void pace_began(struct pace *pace);
/* One has ended. `timed_out`: a question of it was not answered in time. */
void pace_ended(struct pace *pace, bool timed_out, int64_t now_ms);
/* To be called every PACE_REFILL_MS. */
void pace_refill(struct pace *pace);
