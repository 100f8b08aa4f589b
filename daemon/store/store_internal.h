/* store_internal: what store_db.c, store_open.c, store_read.c and store_tidy.c share. */
#pragma once

#include "daemon/store/store_db.h"
#include "daemon/store/store_schema.h"
#include "daemon/store/store_sqlite.h"

/* Every statement is prepared when the file is opened: what is not our schema shows then. */
enum store_statement {
    STATEMENT_PUT,                                 /* + kind */
    STATEMENT_DROP = STATEMENT_PUT + RECORD_KINDS, /* + kind: by rowid */
    STATEMENT_REMOVE_ANSWER = STATEMENT_DROP + RECORD_KINDS,
    STATEMENT_REMOVE_POLICY,
    STATEMENT_REMOVE_PROBE,
    STATEMENT_REMOVE_EVENTS,
    STATEMENT_REMOVE_ADDRESS,
    STATEMENT_TOUCH,
    STATEMENT_LAPSE,
    STATEMENT_TRIM_EVENTS,
    STATEMENT_META_GET,
    STATEMENT_META_SET,
    STATEMENT_FIND_ANSWER,
    STATEMENT_FIND_POLICY,
    STATEMENT_LIST_ANSWERS,
    STATEMENT_LIST_POLICIES,
    STATEMENT_LIST_PROBES,
    STATEMENT_LIST_EVENTS,
    STATEMENT_LIST_EVENTS_OF,
    STATEMENT_COUNT,                                     /* + kind */
    STATEMENT_EVICT = STATEMENT_COUNT + RECORD_KINDS,    /* + kind */
    STATEMENT_SWEEP_TO = STATEMENT_EVICT + RECORD_KINDS, /* + kind */
    STATEMENT_SWEEP = STATEMENT_SWEEP_TO + RECORD_KINDS, /* + kind */
    STATEMENTS = STATEMENT_SWEEP + RECORD_KINDS
};

struct store_db {
    const struct store_options *options; /* borrowed */
    struct sql *sql;                     /* NULL: not open */
    struct store_file file;
    bool readonly;
    struct sql_statement *statements[STATEMENTS]; /* sql's */
    unsigned asides;                              /* by this process */
    unsigned openings;
    int64_t last_written; /* before this process wrote */
    /* tidying */
    int64_t rows[RECORD_KINDS];  /* at most so many */
    int64_t swept[RECORD_KINDS]; /* rowid */
    int64_t clock, opened_at;    /* see store_tidy.c */
    struct store_news news;
};

/* Text of all statements, in `arena`; false without memory. */
bool store_statements_text(struct arena *arena, const char *out[STATEMENTS]);

/* Notes what went wrong, and closes or sets aside what cannot be used any more. */
void store_db_failed(struct store_db *db, enum sql_result result);
void store_db_close(struct store_db *db);
enum sql_result store_meta_get(struct store_db *db, const char *name, int64_t *out);
enum sql_result store_meta_set(struct store_db *db, const char *name, int64_t value);

/* Counts rows and takes up the clock; when the file was opened. */
enum sql_result store_tidy_begin(struct store_db *db);
/* Deletes a portion of what has ended and of what is too much; after a batch. */
void store_tidy(struct store_db *db);
