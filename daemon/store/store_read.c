/*
 * store_read: the reading half of store_db.h. A row that fails its check is skipped, counted and
 * deleted; a file that fails is set aside. In either case the answer is that nothing was found.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/store/store_db.h"

/* A page ends after so many octets, however few records these are. */
#define PAGE_OCTETS (8u * 1024 * 1024)

enum row_state { ROW_GOOD, ROW_BAD, ROW_NO_MEMORY };

/* Where a row stands in a list. */
struct place {
    int64_t held, at, rowid;
};

void store_job_free(struct store_job *job)
{
    arena_free(job->arena);
    free(job);
}

/* A read failed. What a file that can be read does not say: it is closed or set aside. A full disk
 * or a lock is the next batch's matter, and may be met in the middle of one. */
static void read_failed(struct store_db *db)
{
    enum sql_failure failure = sql_failure(db->sql);

    if (failure == SQL_CORRUPT || failure == SQL_STATEMENT || failure == SQL_FAILED)
        store_db_failed(db);
}

/* If it cannot be now, it is rejected again. */
static void drop_row(struct store_db *db, enum record_kind kind, int64_t rowid)
{
    struct sql_statement *drop = db->statements[STATEMENT_DROP][kind];

    db->news.rejected++;
    sql_bind_number(drop, 1, rowid);
    if (!sql_execute(drop))
        read_failed(db);
}

static struct place place_of(struct sql_statement *select)
{
    return (struct place){sql_column_number(select, 1), sql_column_number(select, 2),
                          sql_column_number(select, 0)};
}

/* The row that a statement stands at; strings in `arena`. BAD: its check is wrong, or no daemon can
 * have written it. */
static enum row_state read_row(struct sql_statement *select, struct arena *arena,
                               enum record_kind kind, struct record *out)
{
    const struct record_field *fields = record_fields[kind], *field;
    const char *why;

    memset(out, 0, sizeof *out);
    out->kind = kind;
    if (sql_column_number(select, STORE_FIRST_COLUMN - 1) != 1)
        return ROW_BAD;
    for (field = fields; field->name != NULL; field++) {
        struct sql_value value;

        if (field->type != FIELD_WRITTEN &&
            (!sql_column(select, STORE_FIRST_COLUMN + (int)(field - fields), &value) ||
             record_set(out, field, &value, arena) != NULL))
            return ROW_BAD;
    }
    if (arena_failed(arena))
        return ROW_NO_MEMORY;
    return record_valid(out, &why) ? ROW_GOOD : ROW_BAD;
}

/* NULL when there is none; found.unsure when that is not certain. */
static const struct record *find_record(struct store_db *db, struct store_job *job,
                                        enum record_kind kind, const char *name)
{
    struct sql_statement *select = db->statements[STATEMENT_FIND][kind];
    struct record *record = arena_alloc(job->arena, sizeof *record);
    enum row_state row = ROW_NO_MEMORY;
    enum sql_step step;
    int64_t rowid = 0;

    job->found.unsure |= record == NULL;
    if (record == NULL)
        return NULL;
    sql_bind_text(select, 1, name);
    step = sql_step(select);
    if (step == SQL_ROW) {
        rowid = place_of(select).rowid;
        row = read_row(select, job->arena, kind, record);
    }
    sql_reset(select);
    job->found.unsure |= step != SQL_END && row == ROW_NO_MEMORY;
    if (step == SQL_ERROR)
        read_failed(db);
    else if (row == ROW_BAD)
        drop_row(db, kind, rowid);
    return row == ROW_GOOD ? record : NULL;
}

/* ---- pages ---- */

static void bind_page(struct sql_statement *select, const struct store_selection *selection,
                      size_t limit)
{
    struct place from = {0, INT64_MIN, INT64_MIN};

    if (selection->kind == RECORD_ANSWER) /* they go down, all else goes up */
        from = (struct place){2, INT64_MAX, INT64_MAX};
    if (selection->cursor != NULL)
        sscanf(selection->cursor, "%" SCNd64 " %" SCNd64 " %" SCNd64, &from.held, &from.at,
               &from.rowid);
    sql_bind_text(select, 1, selection->key);
    sql_bind_number(select, 2, from.held);
    sql_bind_number(select, 3, from.at);
    sql_bind_number(select, 4, from.rowid);
    sql_bind_number(select, 5, (int64_t)limit);
}

/* What a page leaves to be done. */
struct page_rest {
    size_t bad_count;
    int64_t bad[STORE_PAGE_MAX]; /* rowid */
    bool more;                   /* rows behind the last one */
    struct place last;
};

/* False when it failed, or without memory. */
static bool read_page(struct sql_statement *select, struct store_job *job, size_t limit,
                      struct page_rest *rest)
{
    struct record *records = arena_array(job->arena, limit, sizeof *records);

    job->page.records = records;
    for (size_t seen = 1; seen <= limit && records != NULL; seen++) {
        enum sql_step step = sql_step(select);
        enum row_state row;

        if (step != SQL_ROW)
            return step == SQL_END;
        row = read_row(select, job->arena, job->selection.kind, &records[job->page.count]);
        if (row == ROW_NO_MEMORY)
            return false;
        rest->last = place_of(select);
        if (row == ROW_BAD)
            rest->bad[rest->bad_count++] = rest->last.rowid;
        else
            job->page.count++;
        rest->more = seen == limit || arena_octets(job->arena) > PAGE_OCTETS;
        if (rest->more)
            break;
    }
    return records != NULL;
}

static void list_records(struct store_db *db, struct store_job *job)
{
    const struct store_selection *selection = &job->selection;
    struct sql_statement *of_key = db->statements[STATEMENT_LIST_OF_KEY][selection->kind];
    struct sql_statement *select = db->statements[STATEMENT_LIST][selection->kind];
    size_t limit = selection->limit > 0 && selection->limit < STORE_PAGE_MAX ? selection->limit
                                                                             : STORE_PAGE_MAX;
    unsigned opening = db->news.openings;
    struct page_rest rest = {0};
    bool ok;

    if (selection->key != NULL && of_key != NULL)
        select = of_key;
    bind_page(select, selection, limit);
    ok = read_page(select, job, limit, &rest);
    sql_reset(select);
    if (ok && rest.more)
        job->page.next = arena_printf(job->arena, "%" PRId64 " %" PRId64 " %" PRId64,
                                      rest.last.held, rest.last.at, rest.last.rowid);
    if (!ok || arena_failed(job->arena)) {
        job->page.error = arena_failed(job->arena) ? "no memory" : "the store cannot be read";
        job->page.count = 0;
        if (!arena_failed(job->arena))
            read_failed(db);
        return;
    }
    for (size_t i = 0; i < rest.bad_count && db->news.openings == opening && db->sql != NULL; i++)
        drop_row(db, selection->kind, rest.bad[i]);
    if (!rest.more && db->sql != NULL)
        sql_run(db->sql, "PRAGMA shrink_memory"); /* the pages of a whole table */
}

void store_db_read(struct store_db *db, struct store_job *job)
{
    struct store_found *found = &job->found;

    found->last_written = job->page.last_written = db->last_written;
    if (db->sql == NULL) {
        found->unsure = true;
        job->page.error = "the store is not open";
        return;
    }
    if (job->list) {
        list_records(db, job);
        return;
    }
    found->answer = find_record(db, job, RECORD_ANSWER, job->selection.key);
    if (job->domain != NULL && db->sql != NULL)
        found->policy = find_record(db, job, RECORD_POLICY, job->domain);
}
