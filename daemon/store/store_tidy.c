/*
 * store_tidy: what keeps the database small, in portions that one batch hardly notices.
 *
 * Too many rows: those used or written longest ago go. Ended long ago: a sweep goes round the rows
 * by rowid. The sweep has a clock of its own, kept in the file: it follows the wall clock, but
 * never faster than CLOCK_SPEED times the time the daemon runs, and a day for each start. So a wall
 * clock that is years ahead for an hour deletes nothing.
 */
#include <string.h>

#include "base/clock.h"
#include "daemon/store/store_internal.h"

#define DAY_MS       INT64_C(86400000)
#define CLOCK_SPEED  4
#define PORTION      5000
#define EVENTS_TIMES 4 /* events in all, as a multiple of answers_max */

static enum sql_result count_rows(struct store_db *db, enum record_kind kind)
{
    struct sql_statement *count = db->statements[STATEMENT_COUNT + (int)kind];
    enum sql_result result = sql_step(count);

    if (result == SQL_ROW)
        db->rows[kind] = sql_column_number(count, 0);
    sql_reset(count);
    return result == SQL_ROW ? SQL_DONE : result;
}

enum sql_result store_tidy_begin(struct store_db *db)
{
    enum sql_result result = store_meta_get(db, "clock", &db->clock);

    db->opened_at = clock_monotonic_ms();
    for (int kind = 0; kind < RECORD_KINDS && result == SQL_DONE; kind++) {
        db->swept[kind] = 0;
        result = count_rows(db, (enum record_kind)kind);
    }
    if (db->clock <= 0)
        db->clock = clock_wall_ms();
    return result;
}

/* The sweep's time; moves the kept one on. */
static enum sql_result clock_now(struct store_db *db, int64_t *now)
{
    int64_t wall = clock_wall_ms();
    int64_t most = db->clock + DAY_MS + CLOCK_SPEED * (clock_monotonic_ms() - db->opened_at);

    if (most > wall)
        most = wall;
    *now = most;
    return most >= db->clock ? store_meta_set(db, "clock", most) : SQL_DONE;
}

static int64_t rows_max(const struct store_db *db, enum record_kind kind)
{
    const struct store_options *options = db->options;

    switch (kind) {
    case RECORD_ANSWER:
        return (int64_t)options->answers_max;
    case RECORD_POLICY:
        return (int64_t)options->policies_max;
    case RECORD_PROBE:
        return (int64_t)options->probes_max;
    case RECORD_EVENT:
    case RECORD_KINDS:
        break;
    }
    return EVENTS_TIMES * (int64_t)options->answers_max;
}

/* db->rows counts every put as a new row, so it is looked up before anything is deleted for it. */
static enum sql_result evict(struct store_db *db, enum record_kind kind)
{
    struct sql_statement *evict = db->statements[STATEMENT_EVICT + (int)kind];
    int64_t seen = db->rows[kind], excess;
    enum sql_result result;

    if (seen <= rows_max(db, kind))
        return SQL_DONE;
    result = count_rows(db, kind);
    excess = db->rows[kind] - rows_max(db, kind);
    if (result != SQL_DONE || excess <= 0)
        return result;
    sql_bind_number(evict, 1, excess < PORTION ? excess : PORTION);
    result = sql_execute(evict);
    db->rows[kind] -= sql_changes(db->sql);
    return result;
}

static enum sql_result sweep(struct store_db *db, enum record_kind kind, int64_t now)
{
    struct sql_statement *to = db->statements[STATEMENT_SWEEP_TO + (int)kind];
    struct sql_statement *sweep = db->statements[STATEMENT_SWEEP + (int)kind];
    enum sql_result result;
    int64_t end;

    sql_bind_number(to, 1, db->swept[kind]);
    result = sql_step(to);
    end = result == SQL_ROW ? sql_column_number(to, 0) : 0;
    sql_reset(to);
    if (result != SQL_ROW)
        return result;
    if (end > 0) {
        sql_bind_number(sweep, 1, db->swept[kind]);
        sql_bind_number(sweep, 2, end);
        sql_bind_number(sweep, 3, now - db->options->keep_ms);
        result = sql_execute(sweep);
    }
    db->swept[kind] = end;
    return result == SQL_ROW ? SQL_DONE : result;
}

static enum sql_result tidy(struct store_db *db)
{
    enum sql_result result = sql_begin(db->sql);
    int64_t now = 0;

    if (result == SQL_DONE)
        result = clock_now(db, &now);
    for (int kind = 0; kind < RECORD_KINDS && result == SQL_DONE; kind++) {
        result = evict(db, (enum record_kind)kind);
        if (result == SQL_DONE)
            result = sweep(db, (enum record_kind)kind, now);
    }
    return result == SQL_DONE ? sql_commit(db->sql) : result;
}

void store_tidy(struct store_db *db)
{
    int64_t rows[RECORD_KINDS], swept[RECORD_KINDS];
    enum sql_result result;

    memcpy(rows, db->rows, sizeof rows);
    memcpy(swept, db->swept, sizeof swept);
    result = tidy(db);
    if (result == SQL_DONE)
        return;
    memcpy(db->rows, rows, sizeof rows); /* nothing of it was done */
    memcpy(db->swept, swept, sizeof swept);
    if (result == SQL_CORRUPT || result == SQL_STATEMENT)
        store_db_failed(db, result);
    else
        sql_rollback(db->sql); /* the next batch tells */
}
