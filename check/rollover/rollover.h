/*
 * rollover: the change of a certificate or key under TLSA records without an accident (RFC 7671 §8,
 * RFC 7672 §3). A state machine that a timer drives; this header is its pure part.
 *
 *   STAGED     the next certificate is known and put aside; the records that it needs are told
 *   PUBLISHED  every authoritative server has them; caches may still have the RRset as it was
 *   RIPE       twice the largest TTL that was seen has passed since: install it
 *   DEPLOYED   every address of every host shows it; the old records stay for twice the TTL
 *   CLEANED    that has passed, or the old records are gone: they may go. It is over, and once they
 *              are gone nothing is looked at any more
 *
 * A step goes back where the world does: a record that vanishes from one server makes any state
 * before CLEANED STAGED again. Nothing is installed that is not RIPE.
 *
 * For each group (usage, selector, matching type) of a host's TLSA RRset one record must match what
 * is live, at any moment: digest agility (RFC 7671 §9) and clients that look at one group only. A
 * group counts when it has a usable record. A host without one has nothing that could break.
 *
 * While the clock is before the last step, or before the next certificate is valid, it only goes back.
 *
 * BUGS: what happens between two steps is not seen. A clock that jumps ahead shortens the wait.
 * Resolvers that keep answers beyond their TTL are not waited for.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/net/hostname.h"
#include "base/net/ip.h"
#include "policy/evidence.h"
#include "probe/tls/tls_pem.h"

#define ROLLOVER_HOSTS_MAX   100    /* names of a certificate: Let's Encrypt's limit */
#define ROLLOVER_WITHOUT_MAX 8      /* name servers that may be silent, and as many addresses */
#define ROLLOVER_TTL_MAX     604800 /* seconds: resolvers keep nothing longer than a week or so */
/* Seconds. What is waited for longer than that, and is no TTL, needs somebody to look at it. */
#define ROLLOVER_PATIENCE 86400
/* Seconds. The present certificate ends soon from then on, or from an eighth of its lifetime on. */
#define ROLLOVER_ENDS_SOON 604800

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
    int64_t not_before, not_after; /* of the leaf; seconds since 1970 */
};

/* Reads the certificates of `shown`, which is copied; their octets stay borrowed. False for octets
 * that are no certificate, or without memory. */
bool rollover_chain_make(struct rollover_chain *out, struct arena *arena,
                         const struct tls_shown *shown);
/* Whether a usable record matches the chain: usage 3 its leaf, usage 2 another certificate of it.
 * Names and dates are not looked at. */
bool rollover_matches(const struct tlsa *record, const struct rollover_chain *chain);
/* Whether they are the same certificates in the same order. */
bool rollover_chain_same(const struct rollover_chain *a, const struct rollover_chain *b);

/* ---- what is kept between steps ---- */

/* Times are seconds since 1970. */
struct rollover {
    enum rollover_state state;
    size_t host_count;
    char hosts[ROLLOVER_HOSTS_MAX][HOSTNAME_MAX + 1]; /* mail hosts */
    uint16_t port;
    struct rollover_chain next, current; /* current: what is to be replaced */
    bool released;  /* it was said that `next` may be installed, or every address showed it */
    bool installed; /* the deploy command has succeeded for `next` */
    bool differs;   /* since it was staged, what is live and `next` needed different records */
    size_t without_count;
    char without[ROLLOVER_WITHOUT_MAX][HOSTNAME_MAX + 1]; /* see rollover_pass_over */
    size_t unseen_count;
    char unseen[ROLLOVER_WITHOUT_MAX][IP_TEXT_MAX]; /* see rollover_pass_over_address */
    int64_t since;                                  /* when the state began */
    int64_t published_at; /* when every server had the records; 0: not yet */
    int64_t went_back_at; /* when the state first did; 0: it has not */
    int64_t stepped_at;   /* the last time that anything was done */
    uint32_t ttl; /* seconds: the largest of a TLSA RRset that was seen since it was staged */
};

/* Begins a rollover to `next`, or one beside it: what was released before becomes current, and what
 * was only staged is forgotten, as is what was passed over. False where `next` is staged already and
 * nothing changes; it begins again where the clock is before the last step, as it was ahead then. */
bool rollover_stage(struct rollover *rollover, const struct rollover_chain *next, int64_t now);
/* What is staged is waited for from the beginning, as for hosts that were added. */
void rollover_begin_again(struct rollover *rollover, int64_t now);

/* The operator's word, for this rollover, that a name server, by its name or by one address, need
 * not answer. What it says counts all the same when it answers; another one must answer in any case.
 * False for what is neither, and for more than ROLLOVER_WITHOUT_MAX. */
bool rollover_pass_over(struct rollover *rollover, const char *server);
/* ... for this one and those to come, that the deploy command installs at an address of a mail host
 * too, which cannot be reached from here: it counts as showing `next` once that has succeeded. What
 * it shows counts all the same. False for what is no address, and for more than that many. */
bool rollover_pass_over_address(struct rollover *rollover, const char *address);

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
    bool unreachable;    /* nothing was shown, as there was no connection to it */
    bool proven; /* a record that the resolver gave matches it as senders compare: dates and names
                    too where it is of an issuer */
    struct rollover_chain chain;
};

struct rollover_seen {
    const char *host;
    const char *why;     /* a lookup failed, so that it is not known where its records are; NULL */
    const char *hidden;  /* why it may have an address that is not among these; NULL: it has not */
    const char *owner;   /* of the TLSA records, behind all aliases */
    uint32_t alias_ttl;  /* seconds: of an alias to it that only servers gave */
    size_t server_count; /* authoritative servers; 0: none was found */
    const struct rollover_rrset *servers;
    struct rollover_rrset resolver;
    size_t address_count;
    const struct rollover_shown *addresses;
    /* The records at the name of a host that is an alias; those above are at the name it leads to,
     * which senders ask first (RFC 7672 §2.2.2). Of the same addresses. NULL: it is no alias. */
    const struct rollover_seen *also;
};

enum rollover_live {
    ROLLOVER_LIVE_NEXT,    /* every address shows it */
    ROLLOVER_LIVE_UNKNOWN, /* an address shows nothing, or there is none */
    ROLLOVER_LIVE_OLD,     /* an address shows the current one */
    ROLLOVER_LIVE_OTHER    /* an address shows neither */
};

#define ROLLOVER_RECORDS_MAX 64 /* records that are told of one host */
#define ROLLOVER_PASSED_MAX  16 /* servers that are told of it */

/* What it means for one host. */
struct rollover_sight {
    const char *host, *owner; /* owner: of the TLSA records */
    bool known;               /* the resolver answered, and every server that is not passed over */
    uint32_t ttl;             /* the largest */
    bool everywhere;    /* every server has, for each group, what `next` and what is live need */
    bool somewhere;     /* one of them has */
    bool resolver_has;  /* the resolver too */
    bool unchanged;     /* the same records match what is live and `next`: the key is the same */
    bool old_gone;      /* no server has a record that matches only the current certificate */
    bool impossible;    /* a 2 x x group, and no issuer in the file of `next` */
    bool next_seen;     /* an address shows `next` */
    bool idle;          /* no usable record anywhere, and neither `next` nor the current one shown:
                           nothing could break, and it may be another's certificate */
    const char *broken; /* why mail is refused now: a server has usable records, and none matches
                           what an address shows; NULL: it is not */
    enum rollover_live live;
    const char *behind; /* the first address that does not show `next`, and why; NULL: none */
    bool absent;        /* a server, or the resolver, has no records */
    const char *lacks;  /* what a server lacks first; NULL: nothing */
    const char *why;    /* what is amiss first; NULL: nothing */
    size_t passed_count;
    const char *passed[ROLLOVER_PASSED_MAX]; /* "ns2.example [192.0.2.2]: timeout" */
    size_t missing_count, old_count;
    struct tlsa missing[ROLLOVER_RECORDS_MAX]; /* to publish; data is borrowed from chains */
    struct tlsa old[ROLLOVER_RECORDS_MAX];     /* that may go when it is CLEANED */
    const struct rollover_sight *also; /* of the records at the name of an alias; what is claimed
                                          above is of both; NULL: it is no alias */
};

/* The records that an RRset lacks for a chain: one for each of its groups. Their number, at most
 * `max`; data is the chain's. *impossible is set where the chain has nothing for a group. */
size_t rollover_missing(struct tlsa *out, size_t max, const struct tlsa *records, size_t count,
                        const struct rollover_chain *chain, bool *impossible);
/* What is shown now is what will be replaced, where nobody said what that is; but not what an
 * attacker on the way may show. `seen`: of each host, in order. */
void rollover_learn(struct rollover *rollover, const struct rollover_seen *seen);
/* `why` is the arena's. To publish is told only what `next`, the current certificate and one that is
 * proven need: another may be an attacker's. */
void rollover_look(struct rollover_sight *out, struct arena *arena, const struct rollover *rollover,
                   const struct rollover_seen *seen);

/* ---- steps ---- */

/* What a rollover needs now. X(constant, word) */
#define ROLLOVER_NEEDS(X)                                                                          \
    X(ROLLOVER_DONE, "done")                                                                       \
    X(ROLLOVER_WAITS, "waits")   /* time, or another step */                                       \
    X(ROLLOVER_ACT, "act")       /* the operator */                                                \
    X(ROLLOVER_BROKEN, "broken") /* the same at once: mail is refused, or soon will be */
enum rollover_need { ROLLOVER_NEEDS(ENUM_CONSTANT) ROLLOVER_NEED_COUNT };

const char *rollover_need_name(enum rollover_need need);

struct rollover_advice {
    enum rollover_need need;
    int64_t again_at; /* when the next step may change anything; 0: at the next timer */
    bool install; /* now; said until the command has succeeded, and while another one is shown */
    bool remove;  /* the old records may go: nothing but `next` is shown */
    const char
        *ends;       /* that the present certificate ends, before `next` is shown; NULL: not soon */
    const char *why; /* what it waits for, or is to be done; NULL: nothing */
    const char *host; /* that it is about; NULL: all */
};

/* Whether there is nothing left to look at. */
bool rollover_is_over(const struct rollover *rollover);
/* One step: changes the state, and says what to do. `sights`: of each host, in order. */
void rollover_step(struct rollover *rollover, const struct rollover_sight *sights, int64_t now,
                   struct rollover_advice *advice);
