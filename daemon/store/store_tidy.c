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

bool store_tidy_begin(struct store_db *db)
{
    bool ok = store_meta_get(db, "clock", &db->clock);

    db->opened_at = clock_monotonic_ms();
    for (int kind = 0; kind < RECORD_KINDS && ok; kind++) {
        db->swept[kind] = 0;
        ok = sql_execute_number(db->statements[STATEMENT_COUNT][kind], &db->rows[kind]);
    }
    if (db->clock <= 0 || db->clock > RECORD_TIME_MAX) /* it cannot be */
        db->clock = clock_wall_ms();
    return ok;
}

/* The sweep's time; moves the kept one on. */
static bool clock_now(struct store_db *db, int64_t *now)
{
    int64_t wall = clock_wall_ms();
    int64_t most = db->clock + DAY_MS + CLOCK_SPEED * (clock_monotonic_ms() - db->opened_at);

    if (most > wall)
        most = wall;
    *now = most;
    return most >= db->clock ? store_meta_set(db, "clock", most) : true;
}

/* db->rows counts every put as a new row, so it is looked up before anything is deleted for it. */
static bool evict(struct store_db *db, enum record_kind kind, int64_t most)
{
    struct sql_statement *evict = db->statements[STATEMENT_EVICT][kind];
    int64_t excess;

    if (db->rows[kind] <= most)
        return true;
    if (!sql_execute_number(db->statements[STATEMENT_COUNT][kind], &db->rows[kind]))
        return false;
    excess = db->rows[kind] - most;
    if (excess <= 0)
        return true;
    sql_bind_number(evict, 1, excess < PORTION ? excess : PORTION);
    if (!sql_execute(evict))
        return false;
    db->rows[kind] -= sql_changes(db->sql);
    return true;
}

static bool sweep(struct store_db *db, enum record_kind kind, int64_t now)
{
    struct sql_statement *to = db->statements[STATEMENT_SWEEP_TO][kind];
    struct sql_statement *sweep = db->statements[STATEMENT_SWEEP][kind];
    int64_t from = db->swept[kind];

    sql_bind_number(to, 1, from);
    if (!sql_execute_number(to, &db->swept[kind]))
        return false;
    if (db->swept[kind] == 0) /* it went round */
        return true;
    sql_bind_number(sweep, 1, from);
    sql_bind_number(sweep, 2, db->swept[kind]);
    sql_bind_number(sweep, 3, now - db->options->keep_ms);
    return sql_execute(sweep);
}

static bool tidy(struct store_db *db)
{
    const struct store_options *options = db->options;
    const size_t most[RECORD_KINDS] = {
        [RECORD_ANSWER] = options->answers_max,
        [RECORD_POLICY] = options->policies_max,
        [RECORD_PROBE] = options->probes_max,
        [RECORD_EVENT] = EVENTS_TIMES * options->answers_max,
    };
    int64_t now = 0;
    bool ok = sql_begin(db->sql) && clock_now(db, &now);

    for (int kind = 0; kind < RECORD_KINDS && ok; kind++)
        ok = evict(db, (enum record_kind)kind, (int64_t)most[kind]) &&
             sweep(db, (enum record_kind)kind, now);
    return ok && sql_commit(db->sql);
}

void store_tidy(struct store_db *db)
{
    int64_t rows[RECORD_KINDS], swept[RECORD_KINDS];
    enum sql_failure failure;

    memcpy(rows, db->rows, sizeof rows);
    memcpy(swept, db->swept, sizeof swept);
    if (tidy(db))
        return;
    memcpy(db->rows, rows, sizeof rows); /* nothing of it was done */
    memcpy(db->swept, swept, sizeof swept);
    failure = sql_failure(db->sql);
    if (failure == SQL_CORRUPT || failure == SQL_STATEMENT)
        store_db_failed(db);
    else
        sql_rollback(db->sql); /* the next batch tells */
}
