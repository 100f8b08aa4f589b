/*
 * store_queue: what waits to be written: operations in the order they came, one of each identity,
 * the last one; bounded, what is easiest to learn again being dropped first. One allocation and one
 * map operation for each. Not thread-safe: it is handed over as a whole.
 */
#pragma once

#include "base/list.h"
#include "base/map.h"
#include "daemon/store/store.h"

/* Large records are few: this is more than 100,000 of usual size. */
#define STORE_QUEUE_OCTETS_MAX (128u * 1024 * 1024)

/* What goes first when there is no room: the oldest of the lowest class. */
enum store_class {
    STORE_CHEAP,    /* probes, events, touches */
    STORE_PLAIN,    /* answers that prove nothing */
    STORE_PROVEN,   /* answers with dane or something proven */
    STORE_PRECIOUS, /* policies, and what must not be left undone */
    STORE_CLASSES
};

/* A change that waits. */
struct store_entry {
    UT_hash_handle hh;
    struct list order, siblings; /* in queue.order and queue.classes[class] */
    enum store_op op;
    enum store_class class;
    enum record_kind kind;
    int64_t at;
    struct record record; /* of STORE_PUT; its strings are behind the map's key */
    const char *name;     /* of the others; within the map's key */
    size_t octets;        /* of this allocation */
    char id[];            /* the map's key */
};

struct store_queue {
    struct store_entry *map; /* owned */
    struct list order, classes[STORE_CLASSES];
    size_t count, max, octets;
    uint64_t sequence; /* of events: each one is an identity of its own */
    uint64_t dropped;  /* for lack of room or memory */
};

void store_queue_init(struct store_queue *queue, size_t max);
/* Drops everything; nothing is left to be freed. */
void store_queue_clear(struct store_queue *queue);

void store_queue_add(struct store_queue *queue, const struct store_change *change);

/* Moves all to the empty queue `to`. */
void store_queue_hand_over(struct store_queue *queue, struct store_queue *to);
/* Takes back all of `earlier`, which was not written: what came since counts for more. */
void store_queue_take_back(struct store_queue *queue, struct store_queue *earlier);
/* What waits for the answer or the policy of that name, applied to its row (NULL: none): the record
 * as it will be, a copy in `arena` when it changes; NULL when there is none. */
const struct record *store_queue_overlay(const struct store_queue *queue, struct arena *arena,
                                         enum record_kind kind, const char *name,
                                         const struct record *row);
