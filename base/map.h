/*
 * map: uthash with our keyed hash, and without its habit of ending the process when memory is
 * short: after HASH_ADD_KEYPTR look at the handle's table with MAP_ADDED.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/hash.h"

#define HASH_FUNCTION(keyptr, keylen, hashv) ((hashv) = (unsigned)hash_bytes((keyptr), (keylen)))
#define HASH_NONFATAL_OOM                    1
#include <uthash.h>

/* A walk of a map in shares, which elements may join and leave meanwhile: every element that stays
 * is met at least once. Begin with 0; over when map_walk_over. */
struct map_walk {
    unsigned bucket;
};

/* True when the last HASH_ADD of `element` found memory (uthash clears the handle otherwise). */
#define MAP_ADDED(element) ((element)->hh.tbl != NULL)

static inline bool map_walk_over(const struct map_walk *walk, const UT_hash_table *table)
{
    return table == NULL || walk->bucket >= table->num_buckets;
}

/* The first handle of the next share; the others follow by hh_next. NULL for an empty share. */
static inline UT_hash_handle *map_walk_next(struct map_walk *walk, const UT_hash_table *table)
{
    /* when the map grows, what is met later only moves further back */
    return table->buckets[walk->bucket++].hh_head;
}
