/*
 * rollover: the change of a certificate or key under TLSA records without an accident (RFC 7671 §8,
 * RFC 7672 §3). A state machine that a timer drives; this header is its pure part.
 *
 *   STAGED     the next certificate is known and put aside; the records that it needs are told
 *   PUBLISHED  every authoritative server has them; caches may still have the RRset as it was
 *   RIPE       twice the largest TTL that was seen has passed since: install it
 *   DEPLOYED   every address of every host shows it; the old records stay for twice the TTL
 *   CLEANED    that has passed, or the old records are gone: they may go. It is over
 *
 * A step goes back where the world does: a record that vanishes from one server makes any state
 * before CLEANED STAGED again. Nothing is installed that is not RIPE.
 *
 * For each group (usage, selector, matching type) of a host's TLSA RRset one record must match what
 * is live, at any moment: digest agility (RFC 7671 §9) and clients that look at one group only. A
 * group counts when it has a usable record. A host without one has nothing that could break.
 *
 * BUGS: what happens between two steps is not seen. A clock that jumps ahead shortens the wait; one
 * that steps back begins it anew.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/net/hostname.h"
#include "policy/evidence.h"
#include "probe/tls/tls_pem.h"

#define ROLLOVER_HOSTS_MAX 64
#define ROLLOVER_TTL_MAX   604800 /* seconds: resolvers keep nothing longer than a week or so */

/* X(constant, word) */
#define ROLLOVER_STATES(X)                                                                         \
    X(ROLLOVER_STAGED, "staged")                                                                   \
    X(ROLLOVER_PUBLISHED, "published")                                                             \
    X(ROLLOVER_RIPE, "ripe")                                                                       \
    X(ROLLOVER_DEPLOYED, "deployed")                                                               \
    X(ROLLOVER_CLEANED, "cleaned")
enum rollover_state { ROLLOVER_STATES(ENUM_CONSTANT) ROLLOVER_STATE_COUNT };

const char *rollover_state_name(enum rollover_state state);

/* ---- certificates ---- */

/* A chain as TLSA records see it: what data each of its certificates stands for. */
struct rollover_chain {
    struct tls_shown shown;        /* count 0: not known */
    struct tls_associations *made; /* of each certificate */
    char sha256[65];               /* of the leaf; "" when not known */
};

/* Reads the certificates of `shown`, which is copied; their octets stay borrowed. False for octets
 * that are no certificate, or without memory. */
bool rollover_chain_make(struct rollover_chain *out, struct arena *arena,
                         const struct tls_shown *shown);
/* Whether a usable record matches the chain: usage 3 its leaf, usage 2 another certificate of it.
 * Names and dates are not looked at. */
bool rollover_matches(const struct tlsa *record, const struct rollover_chain *chain);

/* ---- what is kept between steps ---- */

/* Times are seconds since 1970. */
struct rollover {
    enum rollover_state state;
    size_t host_count;
    char hosts[ROLLOVER_HOSTS_MAX][HOSTNAME_MAX + 1]; /* mail hosts */
    uint16_t port;
    struct rollover_chain next, current; /* current: what is to be replaced */
    bool installed;                      /* the deploy command has succeeded for `next` */
    int64_t since;                       /* when the state began */
    int64_t published_at;                /* when every server had the records; 0: not yet */
    uint32_t ttl; /* seconds: the largest of a TLSA RRset that was seen since it was staged */
};

/* Begins a rollover to `next`, or one beside it: what was deployed before becomes current, and what
 * was only staged is forgotten. False where `next` is staged already and nothing changes. */
bool rollover_stage(struct rollover *rollover, const struct rollover_chain *next, int64_t now);

/* ---- what is seen ---- */

/* The TLSA RRset that one server gave. */
struct rollover_rrset {
    const char *server;         /* for people */
    const char *name, *address; /* of an authoritative server */
    bool cached;                /* it is a resolver's */
    bool known;
    const char *why; /* !known */
    bool no_route;   /* !known: this machine has no way to the address */
    uint32_t ttl;    /* seconds: of its records and of aliases to them; 0: there are none */
    size_t count;
    const struct tlsa *records;
};

/* What one address of a host showed. */
struct rollover_shown {
    const char *address; /* for people */
    const char *why;     /* nothing was shown */
    struct rollover_chain chain;
};

struct rollover_seen {
    const char *host;
    const char *owner;   /* of the TLSA records, behind all aliases */
    uint32_t alias_ttl;  /* seconds: of an alias to it that only servers gave */
    size_t server_count; /* authoritative servers; 0: none was found */
    const struct rollover_rrset *servers;
    struct rollover_rrset resolver;
    size_t address_count;
    const struct rollover_shown *addresses;
};

enum rollover_live {
    ROLLOVER_LIVE_NEXT,    /* every address shows it */
    ROLLOVER_LIVE_UNKNOWN, /* an address shows nothing, or there is none */
    ROLLOVER_LIVE_OLD,     /* an address shows the current one */
    ROLLOVER_LIVE_OTHER    /* an address shows neither */
};

#define ROLLOVER_RECORDS_MAX 64 /* records that are told of one host */

/* What it means for one host. */
struct rollover_sight {
    const char *host, *owner; /* owner: of the TLSA records */
    bool known;               /* every authoritative server and the resolver answered */
    uint32_t ttl;             /* the largest */
    bool everywhere;   /* every server has, for each group, what `next` and what is live need */
    bool resolver_has; /* the resolver too */
    bool unchanged;    /* the same records match what is live and `next`: the key is the same */
    bool broken;       /* a server has usable records, and none matches what an address shows */
    bool old_gone;     /* no server has a record that matches only the current certificate */
    bool impossible;   /* a 2 x x group, and no issuer in the file of `next` */
    enum rollover_live live;
    const char *why; /* what is amiss first; NULL: nothing */
    size_t missing_count, old_count;
    struct tlsa missing[ROLLOVER_RECORDS_MAX]; /* to publish; data is borrowed from chains */
    struct tlsa old[ROLLOVER_RECORDS_MAX];     /* that may go when it is CLEANED */
};

/* The records that an RRset lacks for a chain: one for each of its groups. Their number, at most
 * `max`; data is the chain's. *impossible is set where the chain has nothing for a group. */
size_t rollover_missing(struct tlsa *out, size_t max, const struct tlsa *records, size_t count,
                        const struct rollover_chain *chain, bool *impossible);
/* `why` is the arena's. */
void rollover_look(struct rollover_sight *out, struct arena *arena, const struct rollover *rollover,
                   const struct rollover_seen *seen);

/* ---- steps ---- */

struct rollover_advice {
    int64_t again_at; /* when the next step may change anything; 0: at the next timer */
    bool install;     /* now; every step says so until it is live */
    bool broken;      /* mail is refused, or soon will be: it needs somebody now */
    const char *why;  /* what it waits for; NULL: nothing */
    const char *host; /* that it waits for; NULL: all */
};

/* One step: changes the state, and says what to do. `sights`: of each host, in order. */
void rollover_step(struct rollover *rollover, const struct rollover_sight *sights, int64_t now,
                   struct rollover_advice *advice);
