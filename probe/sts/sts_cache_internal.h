/*
 * sts_cache_internal: what sts_cache.c (what happens to an entry while we look things up) and
 * sts_cache_saved.c (how one gets out and in) share.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/map.h"
#include "base/list.h"
#include "probe/sts/sts_cache.h"

/* In the order in which they go. */
enum sts_rank { STS_RANK_WEAK, STS_RANK_LARGE, STS_RANK_STRONG, STS_RANK_COUNT };

struct sts_entry {
    struct hashmap_link by_domain;
    struct list link; /* in one of the ranks */

    char *text;           /* owned: the strings of struct sts_texts, one after the other; or NULL */
    uint32_t text_octets; /* of text */
    uint16_t failures;    /* in a row with last_id */
    uint16_t changes;     /* of the id since changes_from */
    uint8_t mode;         /* of the policy: enum sts_mode */
    uint8_t failure;      /* enum sts_state */

    int64_t fetched_at; /* last time, whatever came; 0: never */
    int64_t valid_until, retry_at, changes_from;

    char domain[];
};

/* What an entry has in words; "" for what it has not. */
struct sts_texts {
    const char *id;      /* of the policy */
    const char *last_id; /* of the last attempt, good or bad */
    const char *why;     /* it failed */
    const char *body;    /* the policy's lines, parsed when they are needed */
};

struct sts_cache {
    struct sts_cache_options options;
    struct hashmap map;
    sts_cache_take changed; /* NULL: not watched */
    void *context;
    struct list ranks[STS_RANK_COUNT]; /* least recently used first */
    size_t octets;
};

struct sts_entry *sts_entry_find(const struct sts_cache *cache, const char *domain);
/* A new entry is empty, and of the lowest rank; NULL without memory. */
struct sts_entry *sts_entry_find_or_add(struct sts_cache *cache, const char *domain);
void sts_entry_remove(struct sts_cache *cache, struct sts_entry *entry);
/* Used now: puts it where it belongs, then makes room; the entry itself may go. */
void sts_entry_settle(struct sts_cache *cache, struct sts_entry *entry, int64_t now);

/* The entry's, until it is changed. */
struct sts_texts sts_entry_texts(const struct sts_entry *entry);
/* Makes `policy` (NULL: none) the entry's, with all of `texts` but the body. False without memory:
 * then the entry has no strings and no policy any more. */
bool sts_entry_set_policy(struct sts_cache *cache, struct sts_entry *entry, struct sts_texts texts,
                          const struct sts_policy *policy);
