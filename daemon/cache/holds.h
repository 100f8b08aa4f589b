/*
 * holds: which next-hops are held (docs/verdicts.md §4), for listing and for the log. Not what
 * decides: that is the `remembered` of each entry. Bounded; what does not fit is held all the same,
 * but not listed.
 */
#pragma once

#include "base/heap.h"
#include "base/map.h"
#include "policy/decide/verdict.h"

#define HOLDS_MAX 20000

struct hold {
    UT_hash_handle hh;
    enum verdict_level level;
    struct downgrade downgrade; /* monotonic ms; changed by holds_set_downgrade only */
    struct heap_link end;       /* in the order of downgrade.until */
    enum verdict_level sees;
    enum verdict_reason reason; /* of what is seen */
    int64_t seen_at;            /* monotonic ms of the last lookup */
    int64_t reminded_at;        /* monotonic ms of the last log line */
    char key[];
};

struct holds;

/* NULL without memory. */
struct holds *holds_new(void);
void holds_free(struct holds *holds);
size_t holds_count(const struct holds *holds);

struct hold *holds_find(const struct holds *holds, const char *key);
/* A new one, all zero but its key; NULL without memory or room. The key must not be there yet. */
struct hold *holds_add(struct holds *holds, const char *key);
void holds_remove(struct holds *holds, struct hold *hold);
void holds_set_downgrade(struct holds *holds, struct hold *hold, struct downgrade downgrade);
/* The one whose time is over first; NULL when there is none. */
struct hold *holds_first_to_end(const struct holds *holds);
/* Oldest first: the first for NULL, else the one after `hold`; NULL at the end. */
const struct hold *holds_next(const struct holds *holds, const struct hold *hold);
