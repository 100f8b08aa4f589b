/*
 * fair: decides what starts next when more wants to run than may. Members queue by group; the
 * groups take turns; each group and the whole have a limit.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/list.h"
#include "base/map.h"

#define FAIR_GROUP_MAX 255 /* octets of a group's name */

/* Exists while it has members. */
struct fair_group {
    UT_hash_handle hh;
    struct list turn; /* in fair.ready */
    struct list waiting;
    unsigned running, members;
    unsigned load; /* the owner's, 0 at first: what it counts per group */
    char name[FAIR_GROUP_MAX + 1];
};

/* Embedded in its owner; one member is in one fair queue at most. */
struct fair_member {
    struct list link;
    struct fair_group *group; /* NULL: not in the queue */
    bool running;
};

struct fair {
    struct fair_group *groups; /* map by name; owned */
    struct list ready;         /* groups with a member that waits and room to run, in turn */
    unsigned running, running_max, group_max;
    size_t waiting;
};

void fair_init(struct fair *fair, unsigned running_max, unsigned group_max);
/* All members must have left. */
void fair_fini(struct fair *fair);

/* Queues a member in a group; false without memory. */
bool fair_join(struct fair *fair, struct fair_member *member, const char *group, size_t length);
/* The group of that name; NULL when it has no members. */
struct fair_group *fair_find(const struct fair *fair, const char *group, size_t length);
/* The next member that may run, now counted as running; NULL when none may. */
struct fair_member *fair_next(struct fair *fair);
/* Queues a running member again, in its group; cannot fail. */
void fair_again(struct fair *fair, struct fair_member *member);
/* Takes a member out, waiting or running; harmless for one that is not in. */
void fair_leave(struct fair *fair, struct fair_member *member);
