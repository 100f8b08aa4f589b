/*
 * store_db: the database as the store's thread sees it: opened, checked, migrated, written in
 * batches, read, tidied up. Blocks; one thread at a time.
 */
#pragma once

#include "base/list.h"
#include "daemon/store/store.h"
#include "daemon/store/store_file.h"
#include "daemon/store/store_queue.h"

/* What the thread reports to the loop. */
struct store_news {
    bool opened, begun;                /* since the last time: log them, put all again */
    bool degraded, readable;           /* now */
    char reason[STORE_ERROR_MAX];      /* of degraded */
    const char *change;                /* what would help; static */
    char aside[PATH_MAX];              /* since the last time: set aside as; "" when not */
    char distrust[STORE_ERROR_MAX];    /* why */
    int64_t answers, policies, probes; /* rows when it was opened */
    uint64_t rejected, refused;        /* rows read, records to be written; ever */
};

/* A read: what is asked for, then what was found; its memory is one allocation and the arena. */
struct store_job {
    struct list link;
    struct arena *arena; /* owned; all below is in it */
    bool list;
    const char *key, *domain;         /* of a find; domain may be NULL */
    struct store_selection selection; /* of a list */
    const struct record *answer, *policy;
    struct store_page page;
    int64_t last_written;
};
void store_job_free(struct store_job *job);

struct store_db;

/* `options` is borrowed. NULL without memory. Opens nothing yet. */
struct store_db *store_db_new(const struct store_options *options);
/* Closes the file. */
void store_db_free(struct store_db *db);
struct store_news *store_db_news(struct store_db *db);

/* Opens when it is not open; true when it can be read. */
bool store_db_open(struct store_db *db);
/* Writes all of `queue`, which is only read, in one transaction; calls `pause` now and then. False:
 * nothing was written, and news say why. */
bool store_db_write(struct store_db *db, const struct store_queue *queue,
                    void (*pause)(void *context), void *context);
/* Fills in what was found; nothing when the file is not open. */
void store_db_read(struct store_db *db, struct store_job *job);
