/*
 * store_db: the database as the store's thread sees it: checked, opened, migrated (store_open.c),
 * written in batches, tidied up (store_db.c), read (store_read.c). Blocks; one thread at a time.
 */
#pragma once

#include <limits.h>
#include <sys/types.h>

#include "base/list.h"
#include "base/sql/sql.h"
#include "daemon/store/record_fields.h"
#include "daemon/store/store.h"
#include "daemon/store/store_queue.h"
#include "daemon/store/store_schema.h"

/* What the thread reports to the loop. Of what is counted, more than the last time is news. */
struct store_news {
    bool degraded;                  /* now */
    char reason[STORE_ERROR_MAX];   /* why it was degraded last */
    const char *change;             /* what would help; static */
    unsigned openings;              /* files opened */
    int64_t rows[RECORD_KINDS];     /* when the last one was */
    unsigned asides;                /* files set aside */
    char aside[PATH_MAX];           /* the last one is called that now */
    char distrust[STORE_ERROR_MAX]; /* why */
    unsigned begun;                 /* fresh files in place of lost ones: put all again */
    uint64_t rejected;              /* rows read and records to be written */
};

/* A read: what is asked for, then what was found; its memory is one allocation and the arena. */
struct store_job {
    struct list link;
    struct arena *arena;              /* owned; all below is in it */
    struct store_selection selection; /* its key is a find's too */
    const char *domain;               /* of a find; may be NULL */
    bool list;
    struct store_found found;
    struct store_page page;
};
void store_job_free(struct store_job *job);

/* All zero, but for the options: not open yet. */
struct store_db {
    const struct store_options *options; /* borrowed */
    struct sql *sql;                     /* NULL: not open */
    dev_t device;                        /* which file it is */
    ino_t inode;
    bool file_readonly; /* it, or its file system, cannot be written */
    bool beside;        /* a -wal file with something in it lies beside it */
    bool readonly;      /* the database is opened so */
    struct sql_statement *statements[STATEMENTS][RECORD_KINDS]; /* sql's; NULL: a kind has none */
    int64_t last_written;                                       /* before this process wrote */
    /* tidying up: see store_db.c */
    int64_t rows[RECORD_KINDS];  /* at most so many */
    int64_t swept[RECORD_KINDS]; /* rowid */
    int64_t clock, opened_at;
    struct store_news news;
};

/* Opens when it is not open; true when it can be read. */
bool store_db_open(struct store_db *db);
void store_db_close(struct store_db *db);
/* Writes all of `queue`, which is only read, in one transaction; calls `pause` now and then. False:
 * nothing was written, and news say why. */
bool store_db_write(struct store_db *db, const struct store_queue *queue,
                    void (*pause)(void *context), void *context);
/* Fills in what was found; nothing when the file is not open. */
void store_db_read(struct store_db *db, struct store_job *job);

/* Notes what went wrong, and closes or sets aside what cannot be used any more. */
void store_db_failed(struct store_db *db);
