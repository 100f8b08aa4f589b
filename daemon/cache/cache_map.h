/*
 * cache: entries by key, bounded in entries and in octets.
 *
 * Two segments with budgets of their own: entries that say something (three quarters) and those
 * that say "no opinion" or "try later" (a quarter), so that random names cannot push out what
 * protects mail. In each the least recently used goes first.
 *
 * It also orders the entries by when they are due to be refreshed, and marks those that were asked
 * for, so that their use is noted in the store.
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
/* Takes the entry; one of the same key is replaced and freed. One that is not `wanted` now is
 * evicted first, at once if there is no room. NULL if it was not kept, or without memory. */
struct cache_entry *cache_map_put(struct cache_map *map, struct cache_entry *take, bool wanted);
bool cache_map_remove(struct cache_map *map, const char *key, size_t length);
void cache_map_get_stats(const struct cache_map *map, struct cache_map_stats *out);

/* Sets when the entry is due; false without memory: it is then never due. */
bool cache_map_schedule(struct cache_map *map, struct cache_entry *entry, int64_t at);
/* The one that is due first, or NULL. */
struct cache_entry *cache_map_due(const struct cache_map *map);
/* Sets whether cache_map_next_marked gives this entry as one that was asked for. */
void cache_map_mark(struct cache_map *map, struct cache_entry *entry, bool marked);
/* Returns a marked entry and clears its mark; NULL if there is none. Entries come in turn, however
 * often one is marked again. */
struct cache_entry *cache_map_next_marked(struct cache_map *map);

typedef void (*cache_map_take)(void *context, struct cache_entry *entry);
/* One step of a walk through all entries; changes may come between steps. `take` gets a few
 * entries, or none, in no order, and may remove the one it gets. What stays is met once; no key is
 * met twice, even if renewed, or removed and added again. True when all have been met. */
bool cache_map_some(const struct cache_map *map, struct map_walk *walk, cache_map_take take,
                    void *context);
