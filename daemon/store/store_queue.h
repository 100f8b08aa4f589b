/*
 * store_queue: what waits to be written: operations in the order they came, one of each identity,
 * the last one; bounded, what is easiest to learn again being dropped first. One allocation and one
 * map operation for each. Not thread-safe: it is handed over as a whole.
 */
#pragma once

#include "base/list.h"
#include "base/map.h"
#include "daemon/store/record.h"

enum store_op {
    STORE_PUT,
    STORE_TOUCH,          /* `at` is the new used_at of `name` */
    STORE_REMOVE,         /* of `kind`, `name` */
    STORE_REMOVE_ADDRESS, /* `name` is the address as text */
    STORE_LAPSE           /* all answers, at `at` */
};

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

struct store_entry {
    UT_hash_handle hh;
    struct list order, siblings; /* in queue.order and queue.classes[class] */
    enum store_op op;
    enum store_class class;
    enum record_kind kind; /* of STORE_REMOVE */
    int64_t at;
    struct record record; /* of STORE_PUT; its strings are behind the map's key */
    const char *name;     /* of the others; within the map's key */
    size_t octets;        /* of this allocation */
    size_t id_length;
    char id[]; /* the map's key */
};

struct store_queue {
    struct store_entry *map; /* owned */
    struct list order, classes[STORE_CLASSES];
    size_t count, max, octets;
    uint64_t sequence; /* of events: each one is an identity of its own */
    uint64_t dropped;  /* for lack of room or memory */
};

void store_queue_init(struct store_queue *queue, size_t max);
void store_queue_fini(struct store_queue *queue);
/* Drops everything. */
void store_queue_clear(struct store_queue *queue);

void store_queue_put(struct store_queue *queue, const struct record *record);
void store_queue_touch(struct store_queue *queue, const char *key, int64_t used_at);
void store_queue_remove(struct store_queue *queue, enum record_kind kind, const char *name);
void store_queue_remove_address(struct store_queue *queue, const struct ip *ip);
void store_queue_lapse(struct store_queue *queue, int64_t now);

/* Moves all to the empty queue `to`. */
void store_queue_hand_over(struct store_queue *queue, struct store_queue *to);
/* Takes back all of `earlier`, which was not written: what came since counts for more. */
void store_queue_take_back(struct store_queue *queue, struct store_queue *earlier);
/* The put or removal of an answer or a policy; NULL when none waits. */
const struct store_entry *store_queue_find(const struct store_queue *queue, enum record_kind kind,
                                           const char *name);
/* What waits for the row of that identity, applied to *record, which may point to the row or be
 * NULL: the record as it will be, a copy in `arena` when it changes; NULL when there is none. */
const struct record *store_queue_overlay(const struct store_queue *queue, struct arena *arena,
                                         enum record_kind kind, const char *name,
                                         const struct record *row);
