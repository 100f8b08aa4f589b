/*
 * map: hash maps with a keyed hash, so that strangers who choose the keys cannot make them collide.
 *
 * Most maps use uthash, but without its habit of ending the process when memory is short: after
 * HASH_ADD_KEYPTR look at the handle's table with MAP_ADDED.
 *
 * Maps with very many elements use struct hashmap: its link in each element has 16 octets, where
 * uthash needs 56. The key lies in the element, at a fixed distance from its link. An element is in
 * one map at a time, and its key must not change while it is there. The number of buckets only
 * grows, so a walk can go on after any number of changes. It follows the hashes with their bits
 * reversed: however often the buckets are doubled, each is one stretch of that order. An element
 * that stays is met exactly once, one that comes or goes at most once.
 *
 * BUGS
 *   Doubling the buckets touches every element, in one turn of the loop.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"

#define HASH_FUNCTION(keyptr, keylen, hashv) ((hashv) = (unsigned)hash_bytes((keyptr), (keylen)))
#define HASH_NONFATAL_OOM                    1
#include <uthash.h>

/* True when the last HASH_ADD of `element` found memory (uthash clears the handle otherwise). */
#define MAP_ADDED(element) ((element)->hh.tbl != NULL)

/* ---- hashmap ---- */

struct hashmap_link {
    struct hashmap_link *next; /* in the same bucket */
    uint32_t hash;
    uint32_t key_length;
};

struct hashmap {
    struct hashmap_link **buckets; /* owned; NULL before the first element */
    size_t count;
    uint32_t bucket_count; /* a power of 2, or 0 */
    uint32_t key_at;       /* octets from the link to the key */
    bool of_ids;           /* hashmap_init_ids */
};

#define HASHMAP_ELEMENT(link, type, member)                                                        \
    ((type *)(void *)((char *)(link)-offsetof(type, member)))

/* The position of a walk: the first reversed hash not yet met. Begin with {0}. */
struct map_walk {
    uint64_t at;
};

/* All reversed hashes are less than this. */
#define MAP_HASHES (UINT64_C(1) << 32)

/* `key_at`: octets from the link to the key in each element. No memory is needed yet. */
void hashmap_init(struct hashmap *map, size_t key_at);
/* The same for keys that are keyed hashes already: numbers of 64 bits, which are not hashed again. */
void hashmap_init_ids(struct hashmap *map, size_t key_at);
/* Frees the buckets; the elements are the caller's. */
void hashmap_fini(struct hashmap *map);

/* The position at which a walk meets the element. */
uint32_t hashmap_place(const struct hashmap_link *link);

/* NULL when there is none. */
struct hashmap_link *hashmap_find(const struct hashmap *map, const void *key, size_t length);
/* The key must not be there yet. False without memory; nothing has changed then. */
bool hashmap_add(struct hashmap *map, struct hashmap_link *link, size_t key_length);
void hashmap_remove(struct hashmap *map, struct hashmap_link *link);

/*
 * Steps to the next bucket. False when all have been met; otherwise *chain is the first of its
 * elements, which are linked by `next`, or NULL. Elements may be removed between steps, and during
 * one when `next` was read before.
 */
bool hashmap_step(const struct hashmap *map, struct map_walk *walk, struct hashmap_link **chain);
