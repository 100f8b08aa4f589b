/*
 * rollover: the change of a certificate or key under TLSA records without an accident (RFC 7671 §8,
 * RFC 7672 §3). A state machine that a timer drives; this header is its pure part.
 *
 *   STAGED     the next certificate is known and put aside; the records that it needs are told
 *   PUBLISHED  every authoritative server has them; caches may still have the RRset as it was
 *   RIPE       twice the largest TTL that was seen has passed since: install it
 *   DEPLOYED   every host shows it; old records are needed until caches and servers are sure
 *   CLEANED    twice the TTL has passed since, or the old records are gone: they may go
 *
 * A step goes back where the world does: a record that vanishes from one server makes RIPE and
 * PUBLISHED STAGED again. Nothing is installed that is not RIPE.
 *
 * For each group (usage, selector, matching type) of a host's TLSA RRset one record must match what
 * is live, at any moment: digest agility (RFC 7671 §9) and clients that look at one group only.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/net/hostname.h"
#include "policy/evidence.h"
#include "probe/tls/tls_chain.h"

#define ROLLOVER_HOSTS_MAX 64

/* X(constant, word) */
#define ROLLOVER_STATES(X)                                                                         \
    X(ROLLOVER_STAGED, "staged")                                                                   \
    X(ROLLOVER_PUBLISHED, "published")                                                             \
    X(ROLLOVER_RIPE, "ripe")                                                                       \
    X(ROLLOVER_DEPLOYED, "deployed")                                                               \
    X(ROLLOVER_CLEANED, "cleaned")
enum rollover_state { ROLLOVER_STATES(ENUM_CONSTANT) ROLLOVER_STATE_COUNT };

/* What is kept between steps. Times are seconds since 1970. */
struct rollover {
    enum rollover_state state;
    size_t host_count;
    char hosts[ROLLOVER_HOSTS_MAX][HOSTNAME_MAX + 1]; /* TLSA base domains */
    uint16_t port;
    char next_sha256[65], current_sha256[65]; /* of the leaves */
    int64_t since;                            /* when the state began */
    uint32_t ttl;         /* seconds: the largest of a TLSA RRset that was seen since it began */
    int64_t published_at; /* 0: never */
};

/* What the world says of one host now. */
struct rollover_sight {
    bool known; /* all servers and the resolver answered */
    uint32_t ttl;
    size_t current_count; /* TLSA records of the resolver's answer */
    const struct tlsa *current;
    bool everywhere; /* every authoritative server has all that `next` needs */
    bool old_gone;   /* no server has a record that matches only the old certificate */
    enum { ROLLOVER_LIVE_UNKNOWN, ROLLOVER_LIVE_OLD, ROLLOVER_LIVE_NEXT, ROLLOVER_LIVE_OTHER } live;
    const char *why; /* !known, or what is amiss */
};

struct rollover_advice {
    enum rollover_state state; /* after this step */
    int64_t again_at;          /* when the next step may change anything; 0: at the next timer */
    bool refuse;               /* installing it would break DANE now */
    const char *why;
};

/* The TLSA records that a host's RRset lacks for `next`: one for each group of `current`, or 3 1 1
 * where there is none. Their number, at most `max`. */
size_t rollover_missing(struct tlsa *out, size_t max, struct arena *arena,
                        const struct tlsa *current, size_t current_count,
                        const struct tls_shown *next, const struct tls_shown *live);
/* One step. Pure. */
void rollover_step(struct rollover *rollover, const struct rollover_sight *sights, int64_t now,
                   struct rollover_advice *advice);
