/*
 * pace: how many domains and hosts are looked up at once, so that the resolver is not asked more
 * than it can answer. Pure. What it loses it would be asked again, and a domain would seem to have
 * failed that has not.
 *
 *   young   lookups that began in this turn or in the one before: their questions may still wait in
 *           the socket buffer of the resolver, which has room for some 150 on this host. There are
 *           PACE_YOUNG_MAX at most. What is in its cache is answered at once, and each result lets
 *           another lookup begin; where answers take long, because they are far away, or a question
 *           was lost, others begin when lookups are no longer young. A turn takes PACE_TURN_MS, and
 *           ends only if there was a result in it: a resolver that is at a standstill is not asked
 *           more.
 *   window  lookups under way. It grows while answers come, and shrinks by a quarter when a
 *           question was not answered in time, at most once in PACE_SHRINK_MS.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define PACE_YOUNG_MAX     48
#define PACE_TURN_MS       20
#define PACE_WINDOW_MIN    32
#define PACE_WINDOW_FIRST  128
#define PACE_GROWS_AFTER   8 /* results in a row */
#define PACE_SHRINK_MS     500
#define PACE_WINDOW_GENTLE 64 /* the most where what failed is looked up again */

struct pace {
    unsigned turn;     /* the number of this one */
    unsigned young[2]; /* begun in a turn, by the last bit of its number */
    unsigned window, most;
    unsigned answered; /* since the window grew */
    bool moves;        /* there was a result in this turn */
    int64_t shrunk_at; /* monotonic ms */
};

/* `most`: the largest window. */
void pace_init(struct pace *pace, unsigned most);
/* How many lookups may begin, with so many under way. */
unsigned pace_room(const struct pace *pace, unsigned under_way);
/* One begins; the number of the turn. */
unsigned pace_began(struct pace *pace);
/* One that began in that turn has ended. `timed_out`: a question of it was not answered in time. */
void pace_ended(struct pace *pace, unsigned turn, bool timed_out, int64_t now_ms);
/* To be called every PACE_TURN_MS. */
void pace_turn(struct pace *pace);
