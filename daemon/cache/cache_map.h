/*
 * cache: entries by key, bounded in entries and in octets.
 *
 * Two segments with budgets of their own: entries that say something (three quarters) and those
 * that say "no opinion" or "try later" (a quarter), so that random names cannot push out what
 * protects mail. In each the least recently used goes first.
 *
 * Beside the map it has two orders: by when an entry is due to be renewed, and what was asked for
 * since somebody looked last.
 */
#pragma once

#include "daemon/cache/cache_entry.h"

/* A use is worth noting again after so long: ms. */
#define CACHE_USE_NOTED_MS (INT64_C(600) * 1000)

struct cache_map;

struct cache_map_stats {
    size_t entries, octets, negative_entries;
    uint64_t evictions;
};

/* NULL without memory. */
struct cache_map *cache_map_new(size_t entries_max, size_t octets_max);
void cache_map_free(struct cache_map *map);

/* The entry for a key, valid or lapsed; NULL. Borrowed until the next cache_map_put or
 * cache_map_remove. */
struct cache_entry *cache_map_get(struct cache_map *map, const char *key, size_t length);
/* The same for one that is still valid; counts as a use. The hot path: no allocation, no call. */
struct cache_entry *cache_map_use(struct cache_map *map, const char *key, size_t length,
                                  int64_t now);
/* Takes the entry; one of the same key is replaced and freed. One that is not `wanted` now is the
 * first to go, at once when there is no room. False, and the entry is freed, without memory. */
bool cache_map_put(struct cache_map *map, struct cache_entry *take, bool wanted);
bool cache_map_remove(struct cache_map *map, const char *key, size_t length);
void cache_map_flush(struct cache_map *map);
void cache_map_get_stats(const struct cache_map *map, struct cache_map_stats *out);

/* When the entry is due; false without memory: then it never is. */
bool cache_map_schedule(struct cache_map *map, struct cache_entry *entry, int64_t at);
/* The one that is due first, or NULL. */
struct cache_entry *cache_map_due(const struct cache_map *map);
/* Takes the one that was asked for, or marked, longest ago out of the list of these; NULL: none. */
struct cache_entry *cache_map_next_used(struct cache_map *map);
/* True when there is one. */
bool cache_map_has_used(const struct cache_map *map);
/* As if asked for: it comes up in cache_map_next_used. */
void cache_map_mark(struct cache_map *map, struct cache_entry *entry);

/* Walks all entries, oldest first: the first for NULL, else the one after `entry`; NULL at the
 * end. The walk is spoilt by cache_map_put and cache_map_remove. */
struct cache_entry *cache_map_next(const struct cache_map *map, const struct cache_entry *entry);

typedef void (*cache_map_take)(void *context, const struct cache_entry *entry);
/* A step of a walk that cache_map_put and cache_map_remove may come between: hands on one entry, or
 * none, or a few of the same hash, in no order. What stays is met once; no key is met twice,
 * although it be renewed, or leave and come back. True when all have been met. Begin with {0}. */
bool cache_map_some(const struct cache_map *map, struct map_walk *walk, cache_map_take take,
                    void *context);
