/*
 * cache: entries by key, bounded in entries and in octets.
 *
 * Two segments with budgets of their own: entries that say something (three quarters) and those
 * that say "no opinion" or "try later" (a quarter), so that random names cannot push out what
 * protects mail. In each the least recently used goes first.
 *
 * Beside the map it has an order by when an entry is due to be renewed; and entries are marked that
 * are to be noted in the store, because they were asked for.
 */
#pragma once

#include "daemon/cache/cache_entry.h"

/* Uses are noted once in each period of so many ms. */
#define CACHE_USE_NOTED_MS (INT64_C(600) * 1000)

struct cache_map;

struct cache_map_stats {
    size_t entries, octets, negative_entries, marked;
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
 * first to go, at once when there is no room. NULL when it is gone, or there was no memory. */
struct cache_entry *cache_map_put(struct cache_map *map, struct cache_entry *take, bool wanted);
bool cache_map_remove(struct cache_map *map, const char *key, size_t length);
void cache_map_get_stats(const struct cache_map *map, struct cache_map_stats *out);

/* When the entry is due; false without memory: then it never is. */
bool cache_map_schedule(struct cache_map *map, struct cache_entry *entry, int64_t at);
/* The one that is due first, or NULL. */
struct cache_entry *cache_map_due(const struct cache_map *map);
/* Has the entry come up in cache_map_next_marked, as one that was asked for, or not. */
void cache_map_mark(struct cache_map *map, struct cache_entry *entry, bool marked);
/* An entry that is marked, and is no longer; NULL when there is none. They come up in turn, however
 * often one is marked again. */
struct cache_entry *cache_map_next_marked(struct cache_map *map);

typedef void (*cache_map_take)(void *context, struct cache_entry *entry);
/* A step of a walk through all entries, which any change may come between: `take` gets a few
 * entries, or none, in no order, and may remove the one it gets. What stays is met once; no key is
 * met twice, even when it is renewed, or leaves and comes back. True when all have been met. */
bool cache_map_some(const struct cache_map *map, struct map_walk *walk, cache_map_take take,
                    void *context);
