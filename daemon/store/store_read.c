/*
 * store_read: the reading half of store_db.h. A row that fails its check is skipped, counted and
 * deleted; a file that fails is set aside. Nothing found is the answer to all of it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/store/store_db.h"
#include "daemon/store/store_internal.h"
#include "daemon/store/store_rows.h"

/* A page ends after so many octets, however few records these are. */
#define PAGE_OCTETS (8u * 1024 * 1024)
#define BAD_MAX     STORE_PAGE_MAX
#define CURSOR_MAX  80

void store_job_free(struct store_job *job)
{
    if (job == NULL)
        return;
    arena_free(job->arena);
    free(job);
}

/* What a file that can be read does not say; it is closed or set aside. A full disk or a lock is
 * the next batch's matter, and may be met in the middle of one. */
static void check_result(struct store_db *db, enum sql_result result)
{
    if (result == SQL_CORRUPT || result == SQL_STATEMENT || result == SQL_FAILED)
        store_db_failed(db, result);
}

/* If it cannot be now, it is rejected again. */
static void drop_row(struct store_db *db, enum record_kind kind, int64_t rowid)
{
    struct sql_statement *drop = db->statements[STATEMENT_DROP + (int)kind];

    db->news.rejected++;
    sql_bind_number(drop, 1, rowid);
    check_result(db, sql_execute(drop));
}

/* ---- one ---- */

static const struct record *find(struct store_db *db, struct store_job *job,
                                 enum store_statement statement, enum record_kind kind,
                                 const char *name)
{
    struct sql_statement *select = db->statements[statement];
    struct record *record = arena_alloc(job->arena, sizeof *record);
    enum store_row row = STORE_ROW_NO_MEMORY;
    enum sql_result result;
    int64_t rowid = 0;

    if (record == NULL) {
        job->page.error = "no memory";
        return NULL;
    }
    sql_bind_text(select, 1, name);
    result = sql_step(select);
    if (result == SQL_ROW) {
        rowid = store_row_place(select).rowid;
        row = store_row_read(select, job->arena, kind, record);
    }
    sql_reset(select);
    if (result != SQL_DONE && row == STORE_ROW_NO_MEMORY)
        job->page.error = "the store cannot be read";
    check_result(db, result);
    if (row == STORE_ROW_BAD)
        drop_row(db, kind, rowid);
    return row == STORE_ROW_GOOD ? record : NULL;
}

/* ---- pages ---- */

static const struct {
    enum store_statement statement, of_key;
} lists[RECORD_KINDS] = {
    [RECORD_ANSWER] = {STATEMENT_LIST_ANSWERS, STATEMENT_LIST_ANSWERS},
    [RECORD_POLICY] = {STATEMENT_LIST_POLICIES, STATEMENT_LIST_POLICIES},
    [RECORD_PROBE] = {STATEMENT_LIST_PROBES, STATEMENT_LIST_PROBES},
    [RECORD_EVENT] = {STATEMENT_LIST_EVENTS, STATEMENT_LIST_EVENTS_OF},
};

/* Where the page begins: answers go down, all else goes up. */
static struct store_place place_of(const struct store_selection *selection)
{
    struct store_place place = {2, INT64_MAX, INT64_MAX};

    if (selection->kind != RECORD_ANSWER)
        place = (struct store_place){0, INT64_MIN, INT64_MIN};
    if (selection->cursor != NULL)
        sscanf(selection->cursor, "%" SCNd64 " %" SCNd64 " %" SCNd64, &place.held, &place.at,
               &place.rowid);
    return place;
}

static void bind_page(struct sql_statement *select, const struct store_selection *selection,
                      size_t limit)
{
    struct store_place from = place_of(selection);

    if (selection->kind == RECORD_ANSWER || selection->key != NULL)
        sql_bind_text(select, 1, selection->key);
    if (selection->kind == RECORD_ANSWER) {
        sql_bind_number(select, 3, from.held);
    }
    if (selection->kind == RECORD_ANSWER || selection->kind == RECORD_EVENT)
        sql_bind_number(select, 4, from.at);
    sql_bind_number(select, 5, from.rowid);
    sql_bind_number(select, 6, (int64_t)limit);
}

struct reading {
    struct record *records;
    size_t count, bad_count;
    int64_t bad[BAD_MAX];
    struct store_place last;
    bool more;
};

static enum sql_result read_page(struct sql_statement *select, struct store_job *job, size_t limit,
                                 struct reading *reading)
{
    enum sql_result result = SQL_DONE;

    for (size_t seen = 0; seen < limit; seen++) {
        struct record *record = &reading->records[reading->count];
        enum store_row row;

        result = sql_step(select);
        if (result != SQL_ROW)
            break;
        row = store_row_read(select, job->arena, job->selection.kind, record);
        if (row == STORE_ROW_NO_MEMORY)
            return SQL_FAILED;
        reading->last = store_row_place(select);
        reading->more = seen + 1 == limit || arena_octets(job->arena) > PAGE_OCTETS;
        if (row == STORE_ROW_BAD)
            reading->bad[reading->bad_count++] = reading->last.rowid;
        else
            reading->count++;
        if (arena_octets(job->arena) > PAGE_OCTETS)
            break;
    }
    return result == SQL_ROW ? SQL_DONE : result;
}

static void finish_page(struct store_job *job, const struct reading *reading)
{
    char cursor[CURSOR_MAX];

    job->page.records = reading->records;
    job->page.count = reading->count;
    if (!reading->more)
        return;
    snprintf(cursor, sizeof cursor, "%" PRId64 " %" PRId64 " %" PRId64, reading->last.held,
             reading->last.at, reading->last.rowid);
    job->page.next = arena_strdup(job->arena, cursor);
    if (job->page.next == NULL)
        job->page.error = "no memory";
}

static void list(struct store_db *db, struct store_job *job)
{
    const struct store_selection *selection = &job->selection;
    struct sql_statement *select =
        db->statements[selection->key == NULL ? lists[selection->kind].statement
                                              : lists[selection->kind].of_key];
    size_t limit = selection->limit > 0 && selection->limit < STORE_PAGE_MAX ? selection->limit
                                                                             : STORE_PAGE_MAX;
    unsigned opening = db->openings;
    struct reading reading = {0};
    enum sql_result result;

    reading.records = arena_array(job->arena, limit, sizeof *reading.records);
    if (reading.records == NULL) {
        job->page.error = "no memory";
        return;
    }
    bind_page(select, selection, limit);
    result = read_page(select, job, limit, &reading);
    sql_reset(select);
    if (result != SQL_DONE) {
        job->page.error = "the store cannot be read";
        if (!arena_failed(job->arena))
            check_result(db, result);
        return;
    }
    for (size_t i = 0; i < reading.bad_count && db->openings == opening && db->sql != NULL; i++)
        drop_row(db, selection->kind, reading.bad[i]);
    finish_page(job, &reading);
    if (job->page.next == NULL && db->sql != NULL)
        sql_run(db->sql, "PRAGMA shrink_memory"); /* the pages of a whole table */
}

void store_db_read(struct store_db *db, struct store_job *job)
{
    job->last_written = job->page.last_written = db->last_written;
    if (db->sql == NULL) {
        job->page.error = "the store is not open";
        return;
    }
    if (job->list) {
        list(db, job);
        return;
    }
    job->answer = find(db, job, STATEMENT_FIND_ANSWER, RECORD_ANSWER, job->key);
    if (job->domain != NULL && db->sql != NULL)
        job->policy = find(db, job, STATEMENT_FIND_POLICY, RECORD_POLICY, job->domain);
}
