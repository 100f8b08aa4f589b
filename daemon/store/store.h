/*
 * store: what must survive a restart. The interface is asynchronous and never waits, so that a
 * store on this disk and one over a network look the same. The only kind so far, store_disk.c,
 * keeps an SQLite file; another would be another struct store_kind.
 *
 * Records are written in batches, in the order they were put, within a flush period, or sooner when
 * many are pending. Of several records with one identity the last one wins. A record that fails
 * record_valid is not written, but counted as rejected. While the store cannot be written (full
 * disk, read-only, locked), records stay in memory, up to a limit, and are written once it can be:
 * the store recovers by itself. A file that cannot be read is renamed and a fresh one is begun.
 *
 * Glossary
 *   pending   put, not yet written
 *   degraded  the last attempt to open or write failed: memory only, for the time being
 */
#pragma once

#include <uv.h>

#include "base/clock.h"
#include "daemon/store/record.h"

#define STORE_FIND_MS  250 /* a find that takes longer finds nothing */
#define STORE_PAGE_MAX 200 /* records of one list answer */
/* Reads under way. A late or cancelled read counts until the disk answers, if it ever does. */
#define STORE_READS_MAX 4096
#define STORE_EVENTS    20 /* events kept of one key */
#define STORE_ERROR_MAX 256

struct store_options {
    const char *path; /* borrowed for the store's life */
    int64_t flush_ms;
    size_t pending_max; /* records; beyond, the oldest probes and events go first, policies last */
    int64_t keep_ms;    /* expired records are kept this much longer: clocks jump */
    size_t answers_max, policies_max, probes_max; /* rows; the least recently used or written go */
};

struct store_stats {
    bool degraded;
    size_t pending;
    uint64_t written, write_failures, dropped; /* records written; failed batches; records lost */
    uint64_t finds, finds_late, rejected;      /* rejected: rows that failed their checks */
    char error[STORE_ERROR_MAX];               /* the last; "" when there was none */
};

/* A kind of store begins its own struct with this one. */
struct store {
    const struct store_kind *kind;
};

/* A read under way. A kind begins its own read struct with this one. */
struct store_read {
    const struct store_kind *kind;
};

/* A fresh store replaced one that was lost: put everything known again. */
typedef void (*store_on_begun)(void *context);

/* `answer` and `policy` are NULL when there is none, borrowed until the callback returns.
 * `last_written` is the wall clock at the last write before this process's first. */
struct store_found {
    const struct record *answer, *policy;
    const struct record *probe; /* of share_find_probe only */
    bool unsure; /* the store could not be read, or not in time: there may be an answer */
    int64_t last_written;
};
typedef void (*store_on_found)(void *context, const struct store_found *found);

struct store_page {
    const struct record *records; /* borrowed until the callback returns */
    size_t count;
    const char *next;  /* cursor of the next page; NULL: this was the last */
    const char *error; /* why there is nothing; else NULL */
    int64_t last_written;
};
typedef void (*store_on_page)(void *context, const struct store_page *page);

struct store_selection {
    enum record_kind kind;
    const char *key;    /* NULL: all; else of this key (answers and events) */
    const char *cursor; /* NULL: from the beginning; else a page's `next` */
    size_t limit;       /* at most STORE_PAGE_MAX */
};

enum store_op {
    STORE_PUT,    /* `record`, which is copied */
    STORE_TOUCH,  /* the answer of the key `name` was asked for, at `at` */
    STORE_REMOVE, /* the record of `kind`, an answer or a policy, whose identity is `name` */
    STORE_REMOVE_ADDRESS, /* probes of the address `name`, whatever port and host */
    STORE_LAPSE,          /* all answers end at `at` */
    STORE_OPS
};

struct store_change {
    enum store_op op;
    enum record_kind kind; /* of the records that it changes */
    const struct record *record;
    const char *name; /* "" of STORE_LAPSE */
    int64_t at;       /* wall clock */
};

/* The operations of a kind of store; the functions below document them. */
struct store_kind {
    void (*close)(struct store *store);
    void (*get_stats)(const struct store *store, struct store_stats *out);
    void (*change)(struct store *store, const struct store_change *change);
    int (*find)(struct store_read **out, struct store *store, const char *key, const char *domain,
                store_on_found done, void *context);
    int (*list)(struct store_read **out, struct store *store,
                const struct store_selection *selection, store_on_page done, void *context);
    void (*read_cancel)(struct store_read *read);
};

/* Opens options->path in the background; `begun` may be NULL. 0 even if the file proves unusable;
 * else UV_ENOMEM or a libuv error. */
int store_new(struct store **out, uv_loop_t *loop, const struct store_options *options,
              store_on_begun begun, void *context);

/* Writes what is pending, as far as possible within five seconds, and frees itself. Reads under way
 * get no answer. */
static inline void store_close(struct store *store)
{
    store->kind->close(store);
}

static inline void store_get_stats(const struct store *store, struct store_stats *out)
{
    store->kind->get_stats(store, out);
}

/* Copies the record. */
static inline void store_put(struct store *store, const struct record *record)
{
    const struct store_change change = {STORE_PUT, record->kind, .record = record};

    store->kind->change(store, &change);
}

/* Notes that a key was asked for: changes used_at only. */
static inline void store_touch(struct store *store, const char *key, int64_t used_at)
{
    const struct store_change change = {STORE_TOUCH, RECORD_ANSWER, .name = key, .at = used_at};

    store->kind->change(store, &change);
}

/* `kind`: an answer or a policy; `name`: its key or domain. */
static inline void store_remove(struct store *store, enum record_kind kind, const char *name)
{
    const struct store_change change = {STORE_REMOVE, kind, .name = name};

    store->kind->change(store, &change);
}

/* Forgets the probe results of an address, for any port and name. */
static inline void store_remove_address(struct store *store, const struct ip *ip)
{
    char address[IP_TEXT_MAX];
    const struct store_change change = {STORE_REMOVE_ADDRESS, RECORD_PROBE,
                                        .name = ip_text(ip, address)};

    store->kind->change(store, &change);
}

/* Expires every answer now; what probing proved, policies and probes stay. */
static inline void store_lapse_answers(struct store *store)
{
    const struct store_change change = {STORE_LAPSE, RECORD_ANSWER, .name = "",
                                        .at = clock_wall_ms()};

    store->kind->change(store, &change);
}

/*
 * Reads the answer of `key` and the policy of `domain` (NULL: none), including what is pending.
 * Calls `done` exactly once, later, within STORE_FIND_MS, unless store_read_cancel comes first. 0,
 * or UV_ENOMEM: no memory, or too many reads under way.
 */
static inline int store_find(struct store_read **out, struct store *store, const char *key,
                             const char *domain, store_on_found done, void *context)
{
    return store->kind->find(out, store, key, domain, done, context);
}

/* Pages: answers held first, then most recently used first; events oldest first; others in any
 * stable order. Pending records are written first. While the store is degraded, what can be read
 * from the file is still listed. No deadline of its own. 0 or UV_ENOMEM. */
static inline int store_list(struct store_read **out, struct store *store,
                             const struct store_selection *selection, store_on_page done,
                             void *context)
{
    return store->kind->list(out, store, selection, done, context);
}

static inline void store_read_cancel(struct store_read *read)
{
    read->kind->read_cancel(read);
}
