/*
 * cache: findings by key, bounded in entries and in octets.
 *
 * Two segments with budgets of their own: findings that say something (three quarters) and those
 * that say "no opinion" or "try later" (a quarter), so that random names cannot push out what
 * protects mail. In each the least recently used goes first.
 *
 * Beside the map it has two orders: by when a finding is due to be renewed, and what was asked for
 * since somebody looked last.
 */
#pragma once

#include "daemon/cache/finding.h"

/* A use is worth noting again after so long: ms. */
#define CACHE_USE_NOTED_MS (INT64_C(600) * 1000)

struct cache;

struct cache_stats {
    size_t entries, octets, negative_entries;
    uint64_t evictions;
};

/* NULL without memory. */
struct cache *cache_new(size_t entries_max, size_t octets_max);
void cache_free(struct cache *cache);

/* The finding for a key, valid or lapsed; NULL. Borrowed until the next cache_put or cache_remove.
 */
struct finding *cache_get(struct cache *cache, const char *key, size_t length);
/* The same for one that is still valid; counts as a use. The hot path: no allocation, no call. */
struct finding *cache_use(struct cache *cache, const char *key, size_t length, int64_t now);
/* Takes the finding; one of the same key is replaced and freed. One that is not `wanted` now is the
 * first to go, at once when there is no room. False, and the finding is freed, without memory. */
bool cache_put(struct cache *cache, struct finding *take, bool wanted);
bool cache_remove(struct cache *cache, const char *key, size_t length);
void cache_flush(struct cache *cache);
void cache_get_stats(const struct cache *cache, struct cache_stats *out);

/* When the finding is due; false without memory: then it never is. */
bool cache_schedule(struct cache *cache, struct finding *finding, int64_t at);
/* The one that is due first, or NULL. */
struct finding *cache_due(const struct cache *cache);
/* Takes the one that was asked for, or marked, longest ago out of the list of these; NULL: none. */
struct finding *cache_next_used(struct cache *cache);
/* True when there is one. */
bool cache_has_used(const struct cache *cache);
/* As if asked for: it comes up in cache_next_used. */
void cache_mark(struct cache *cache, struct finding *finding);

/* Walks all findings, oldest first: the first for NULL, else the one after `finding`; NULL at the
 * end. The walk is spoilt by cache_put and cache_remove. */
struct finding *cache_next(const struct cache *cache, const struct finding *finding);

typedef void (*cache_take)(void *context, const struct finding *finding);
/* A step of a walk that cache_put and cache_remove may come between: hands on one finding, or none,
 * or a few of the same hash, in no order. What stays is met once; no key is met twice, although it
 * be renewed, or leave and come back. True when all have been met. Begin with {0}. */
bool cache_some(const struct cache *cache, struct map_walk *walk, cache_take take, void *context);
