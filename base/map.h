/*
 * map: uthash with our keyed hash, and without its habit of ending the process when memory is
 * short: after HASH_ADD_KEYPTR look at the handle's table with MAP_ADDED.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"

#define HASH_FUNCTION(keyptr, keylen, hashv) ((hashv) = (unsigned)hash_bytes((keyptr), (keylen)))
#define HASH_NONFATAL_OOM                    1
#include <uthash.h>

/*
 * A walk of a map in shares, which elements may join and leave meanwhile. It goes by the hashes,
 * their bits reversed: however often the map doubles its buckets, each is one stretch of that
 * order. What stays is met once, what joins once or not at all. Begin with 0; over when
 * map_walk_over.
 */
struct map_walk {
    uint64_t at; /* the first reversed hash that was not met */
};

#define MAP_HASHES (UINT64_C(1) << 32)

/* True when the last HASH_ADD of `element` found memory (uthash clears the handle otherwise). */
#define MAP_ADDED(element) ((element)->hh.tbl != NULL)

static inline uint32_t map_reversed(uint32_t hash)
{
    hash = (hash & 0x55555555) << 1 | (hash >> 1 & 0x55555555);
    hash = (hash & 0x33333333) << 2 | (hash >> 2 & 0x33333333);
    hash = (hash & 0x0f0f0f0f) << 4 | (hash >> 4 & 0x0f0f0f0f);
    return __builtin_bswap32(hash);
}

static inline bool map_walk_over(const struct map_walk *walk, const UT_hash_table *table)
{
    return table == NULL || walk->at >= MAP_HASHES;
}

/* The first handle of the next bucket; the others follow by hh_next. NULL for an empty one. */
static inline UT_hash_handle *map_walk_next(struct map_walk *walk, const UT_hash_table *table)
{
    uint64_t stretch = MAP_HASHES / table->num_buckets;
    uint32_t bucket = map_reversed((uint32_t)walk->at) & (table->num_buckets - 1);

    walk->at = (walk->at / stretch + 1) * stretch;
    return table->buckets[bucket].hh_head;
}
