/*
 * sts_cache: what is known of MTA-STS per policy domain: the last good policy until its max_age,
 * and the last failure with its back-off (RFC 8461 §3.3, §5.1; docs/verdicts.md §4). Pure: the
 * caller passes the time, and nothing is looked up here.
 *
 * When a fetch is due
 *   nothing known, or a new id       at once; but after STS_CACHE_CHANGES_MAX new ids within
 *                                    `retry_ms`, not until that time is over
 *   the id of the policy             at 7/8 of `refresh_ms` or of its max_age, whichever is first:
 *                                    before it ends, so that the policy lasts
 *   the id of the last failure       when its back-off is over: `retry_ms`, doubling to a day
 *   the TXT lookup failed            as for the id of the cached policy; never if there is none
 *
 * With no record, several, or an invalid one: never (RFC 8461 §3.1: policy discovery ends there); a
 * cached policy stays until its max_age.
 *
 * Domains are lower case A-labels. The cache is limited in entries and in octets. The least
 * recently used entry goes first. Entries with a policy to be enforced go last, the large ones of
 * them first, so that a few hundred domains with policies of 64 KB cannot push out the policies of
 * all others.
 */
#pragma once

#include "base/arena.h"
#include "base/map.h"
#include "policy/evidence.h"
#include "base/loaded.h"

#define STS_CACHE_CHANGES_MAX 3        /* new ids fetched at once, hostile 18 */
#define STS_CACHE_BACKOFF_MAX 86400000 /* ms */
#define STS_CACHE_WHY_MAX     239      /* octets of a reason; the rest is cut off */

struct sts_cache_options {
    size_t entries_max;
    size_t octets_max; /* 0: 64 MiB */
    int64_t retry_ms;  /* first back-off after a failure; doubles to a day */
    int64_t refresh_ms;
};

/* What is known of a domain, as it is saved elsewhere and loaded: monotonic ms. Strings belong to
 * its holder. */
struct sts_saved {
    const char *domain;
    const char *id;     /* of the policy; "" without one */
    enum sts_mode mode; /* of the policy; for people, never read back */
    const char *body;   /* the policy's lines, each ended by LF; NULL: none is remembered */
    int64_t fetched_at, valid_until;
    const char *last_id;    /* of the last attempt */
    unsigned failures;      /* in a row with last_id */
    enum sts_state failure; /* STS_FETCH_FAILED or STS_BAD_POLICY; UNKNOWN without failures */
    int64_t retry_at;
    const char *why; /* of the last failure; NULL without one */
};

struct sts_cache;

/* NULL without memory. */
struct sts_cache *sts_cache_new(const struct sts_cache_options *options);
void sts_cache_free(struct sts_cache *cache);
size_t sts_cache_entries(const struct sts_cache *cache);
size_t sts_cache_octets(const struct sts_cache *cache);

/* True if a fetch is due. `id` is the record's, NULL if the TXT lookup failed. */
bool sts_cache_fetch_due(struct sts_cache *cache, const char *domain, const char *id, int64_t now);

/* Fills *out, whose strings are the cache's until it changes; false when nothing is known. */
bool sts_cache_get(const struct sts_cache *cache, const char *domain, struct sts_saved *out);
/* Monotonic ms before which no fetch is tried, 0 when there is no such time. */
int64_t sts_cache_retry_at(const struct sts_cache *cache, const char *domain, int64_t now);

/*
 * Gives the remembered policy if it is within its max_age: fills all of *out but ttl, in `arena`;
 * `why` is that of the last failure. False, with *out untouched, if there is none or no memory.
 */
bool sts_cache_policy(const struct sts_cache *cache, struct arena *arena, const char *domain,
                      int64_t now, struct sts_evidence *out);
/* A policy was fetched for the record with `id`; it is copied. Without memory for it the old
 * policy is dropped all the same: it is no longer what the domain says. */
void sts_cache_store(struct sts_cache *cache, const char *domain, const char *id,
                     const struct sts_policy *policy, int64_t now);
/* A fetch failed: `state` is STS_FETCH_FAILED or STS_BAD_POLICY; `why` is printable ASCII. */
void sts_cache_fail(struct sts_cache *cache, const char *domain, const char *id,
                    enum sts_state state, const char *why, int64_t now);
/* Drops what is known of a domain. */
void sts_cache_forget(struct sts_cache *cache, const char *domain);

typedef void (*sts_cache_take)(void *context, const char *domain);
/* From now on `changed` is called after each sts_cache_store, sts_cache_fail, sts_cache_forget. */
void sts_cache_watch(struct sts_cache *cache, sts_cache_take changed, void *context);

/*
 * Loads what was saved elsewhere and may have been changed there: the body is parsed as a
 * fetched one, times are limited by `now` and the max_age. Does nothing if a policy fetched at that
 * time or later is already known. A policy past its max_age counts for its back-off only, and only
 * when nothing else is known of the domain. LOADED_REFUSED if sts_cache_get could not have
 * produced it, or without memory.
 */
enum loaded sts_cache_load(struct sts_cache *cache, const struct sts_saved *saved, int64_t now);
/* Calls `changed` for some of the domains it knows; true when the walk is over. */
bool sts_cache_walk(const struct sts_cache *cache, struct map_walk *walk);
/* True when a policy or a failure of the domain is known. */
bool sts_cache_knows(const struct sts_cache *cache, const char *domain);
