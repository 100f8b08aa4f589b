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
#include "daemon/store/store_db.h"

#define DAY_MS       INT64_C(86400000)
#define CLOCK_SPEED  4
#define PORTION      5000
#define EVENTS_TIMES 4 /* events in all, as a multiple of answers_max */

enum sql_result store_tidy_begin(struct store_db *db)
{
    enum sql_result result = store_meta_get(db, "clock", &db->clock);

    db->opened_at = clock_monotonic_ms();
    for (int kind = 0; kind < RECORD_KINDS && result == SQL_DONE; kind++) {
        db->swept[kind] = 0;
        result = sql_execute_number(db->statements[STATEMENT_COUNT][kind], &db->rows[kind]);
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

/* db->rows counts every put as a new row, so it is looked up before anything is deleted for it. */
static enum sql_result evict(struct store_db *db, enum record_kind kind, int64_t most)
{
    struct sql_statement *evict = db->statements[STATEMENT_EVICT][kind];
    enum sql_result result;
    int64_t excess;

    if (db->rows[kind] <= most)
        return SQL_DONE;
    result = sql_execute_number(db->statements[STATEMENT_COUNT][kind], &db->rows[kind]);
    excess = db->rows[kind] - most;
    if (result != SQL_DONE || excess <= 0)
        return result;
    sql_bind_number(evict, 1, excess < PORTION ? excess : PORTION);
    result = sql_execute(evict);
    db->rows[kind] -= sql_changes(db->sql);
    return result;
}

static enum sql_result sweep(struct store_db *db, enum record_kind kind, int64_t now)
{
    struct sql_statement *to = db->statements[STATEMENT_SWEEP_TO][kind];
    struct sql_statement *sweep = db->statements[STATEMENT_SWEEP][kind];
    enum sql_result result;
    int64_t end;

    sql_bind_number(to, 1, db->swept[kind]);
    result = sql_execute_number(to, &end);
    if (result == SQL_DONE && end > 0) {
        sql_bind_number(sweep, 1, db->swept[kind]);
        sql_bind_number(sweep, 2, end);
        sql_bind_number(sweep, 3, now - db->options->keep_ms);
        result = sql_execute(sweep);
    }
    db->swept[kind] = end;
    return result;
}

static enum sql_result tidy(struct store_db *db)
{
    const struct store_options *options = db->options;
    const size_t most[RECORD_KINDS] = {
        [RECORD_ANSWER] = options->answers_max,
        [RECORD_POLICY] = options->policies_max,
        [RECORD_PROBE] = options->probes_max,
        [RECORD_EVENT] = EVENTS_TIMES * options->answers_max,
    };
    enum sql_result result = sql_begin(db->sql);
    int64_t now = 0;

    if (result == SQL_DONE)
        result = clock_now(db, &now);
    for (int kind = 0; kind < RECORD_KINDS && result == SQL_DONE; kind++) {
        result = evict(db, (enum record_kind)kind, (int64_t)most[kind]);
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
