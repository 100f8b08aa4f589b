/*
 * manners: which address may be connected to next, so that a survey is a guest and not a burden.
 * Pure: the caller passes the time. One for the whole survey, however many threads connect.
 *
 * It promises
 *   one connection at a time to an address;
 *   at most `prefix_max` at a time to a prefix (IPv4 /24, IPv6 /48), and `connections_max` in all;
 *   at most `rate` new connections a second, in any second; a second one to a server that broke off
 *   the handshake is counted when it has ended;
 *   that a prefix which refuses us rests: MANNERS_REST_MIN_MS after MANNERS_REFUSALS_MAX refusals in
 *   a row, twice as long after each further one, up to MANNERS_REST_MAX_MS; and is left alone when
 *   it still refuses after MANNERS_RESTS_MAX rests.
 *
 * Glossary
 *   refusal   a greeting of 4xx or 5xx, or a connection that is closed before a greeting: what a
 *             server says to a guest it does not want. A port where nobody listens is none.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "survey/unit/unit.h"

#define MANNERS_WAITING_MAX        4096 /* units in memory */
#define MANNERS_WAITING_PREFIX_MAX 64   /* of one prefix */
#define MANNERS_REFUSALS_MAX       5
#define MANNERS_REST_MIN_MS        2000
#define MANNERS_REST_MAX_MS        60000
#define MANNERS_RESTS_MAX          8

struct manners_options {
    unsigned connections_max, prefix_max;
    unsigned rate; /* a second; 0: no limit */
};

struct manners;
/* NULL without memory. */
struct manners *manners_new(const struct manners_options *options);
void manners_free(struct manners *manners);

enum manners_offer {
    MANNERS_TAKEN, /* it waits for its turn; the unit was copied */
    MANNERS_FULL,  /* no room, in all: offer it again when something has ended */
    MANNERS_BUSY,  /* its prefix has enough that wait: offer the next, and this one later */
    MANNERS_KNOWN, /* this very address waits or is connected to: as BUSY */
    MANNERS_LEFT,  /* its prefix is left alone: record it as refused without a connection */
    MANNERS_NO_MEMORY
};
enum manners_offer manners_offer(struct manners *manners, const struct unit *unit);

/*
 * The next unit that may be connected to now: it counts as connected from here on, and is borrowed
 * until manners_ended. NULL: none; *wait_ms is then when to ask again, INT64_MAX: when something has
 * ended or was offered.
 */
const struct unit *manners_next(struct manners *manners, int64_t now_ms, int64_t *wait_ms);
/* What came of a unit. */
struct manners_end {
    bool refused;         /* see above */
    bool answered;        /* it took part in a conversation */
    unsigned connections; /* that were made, one after the other */
};
/* Its connections have ended. */
void manners_ended(struct manners *manners, const struct unit *unit, struct manners_end end,
                   int64_t now_ms);
/* Units of prefixes that are left alone, which waited: give each back once; false when there is
 * none. */
bool manners_take_left(struct manners *manners, struct unit *out);
size_t manners_waiting(const struct manners *manners);
