/*
 * store_db: see store_db.h: batches, and what keeps the database small.
 *
 * A batch is one transaction: the file gets all of it or none. A record that no daemon would accept
 * when reading is not written.
 *
 * Cleaning up follows a batch, in portions too small to slow it down. If there are too many rows,
 * those used or written longest ago are deleted. A sweep by rowid deletes rows that ended long ago.
 * The sweep has its own clock, kept in the file: it follows the wall clock, but never faster than
 * CLOCK_SPEED times the time the daemon runs, plus a day for each start. So a wall clock that is
 * years ahead for an hour deletes nothing.
 */
#include "daemon/store/store_db.h"

#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"

#define PAUSE_EVERY  32 /* reads do not wait for more records than that */
#define DAY_MS       INT64_C(86400000)
#define CLOCK_SPEED  4
#define PORTION      5000
#define EVENTS_TIMES 4 /* events in all, as a multiple of answers_max */

_Static_assert(RECORD_EVIDENCE_MAX + 4 * RECORD_TEXT_MAX <= SQL_CHECKED_MAX,
               "a row fails its check");

static bool meta_set(struct store_db *db, const char *name, int64_t value)
{
    struct sql_statement *set = db->statements[STATEMENT_META_SET][0];

    sql_bind_text(set, 1, name);
    sql_bind_number(set, 2, value);
    return sql_execute(set);
}

/* ---- tidying up ---- */

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
    int64_t ran = clock_monotonic_ms() - db->opened_at, wall = clock_wall_ms();
    int64_t now = db->clock + DAY_MS + CLOCK_SPEED * ran; /* by the sweep's clock */
    bool ok;

    if (now > wall)
        now = wall;
    ok = sql_begin(db->sql) && (now < db->clock || meta_set(db, "clock", now));
    for (int kind = 0; kind < RECORD_KINDS && ok; kind++)
        ok = evict(db, (enum record_kind)kind, (int64_t)most[kind]) &&
             sweep(db, (enum record_kind)kind, now);
    return ok && sql_commit(db->sql);
}

static void tidy_up(struct store_db *db)
{
    int64_t rows[RECORD_KINDS], swept[RECORD_KINDS];

    memcpy(rows, db->rows, sizeof rows);
    memcpy(swept, db->swept, sizeof swept);
    if (tidy(db))
        return;
    memcpy(db->rows, rows, sizeof rows); /* nothing of it was done */
    memcpy(db->swept, swept, sizeof swept);
    if (sql_failure(db->sql) == SQL_CORRUPT || sql_failure(db->sql) == SQL_STATEMENT)
        store_db_failed(db);
    else
        sql_rollback(db->sql); /* the next batch tells */
}

/* ---- batches ---- */

static bool put(struct store_db *db, const struct record *record, int64_t now)
{
    struct sql_statement *put = db->statements[STORE_PUT][record->kind];
    struct sql_statement *trim = db->statements[STATEMENT_TRIM][RECORD_EVENT];
    const struct record_field *fields = record_fields[record->kind], *field;
    char rooms[RECORD_FIELDS_MAX][RECORD_ROOM]; /* until it is executed */
    const char *why;

    if (!record_valid(record, &why)) {
        db->news.rejected++;
        return true;
    }
    for (field = fields; field->name != NULL; field++) {
        struct sql_value value = record_get(record, field, rooms[field - fields]);

        if (field->type == FIELD_WRITTEN)
            value = (struct sql_value){.type = SQL_NUMBER, .number = now};
        sql_bind(put, (int)(field - fields) + 1, &value);
    }
    if (!sql_execute(put))
        return false;
    db->rows[record->kind]++;
    if (record->kind != RECORD_EVENT)
        return true;
    sql_bind_text(trim, 1, record->event.key);
    return sql_execute(trim);
}

static bool apply(struct store_db *db, const struct store_entry *entry, int64_t now)
{
    struct sql_statement *statement = db->statements[entry->op][entry->kind];

    if (entry->op == STORE_PUT)
        return put(db, &entry->record, now);
    if (entry->op == STORE_LAPSE)
        sql_bind_number(statement, 1, entry->at);
    else
        sql_bind_text(statement, 1, entry->name);
    if (entry->op == STORE_TOUCH)
        sql_bind_number(statement, 2, entry->at);
    return sql_execute(statement);
}

static bool apply_all(struct store_db *db, const struct store_queue *queue,
                      void (*pause)(void *context), void *context)
{
    unsigned n = 0, opening = db->news.openings;
    int64_t now = clock_wall_ms();

    for (const struct list *link = queue->order.next; link != &queue->order; link = link->next) {
        if (!apply(db, LIST_ELEMENT(link, const struct store_entry, order), now))
            return false;
        if (++n % PAUSE_EVERY != 0)
            continue;
        pause(context);
        if (db->sql == NULL || db->news.openings != opening) /* a read found it corrupt */
            return false;
        if (!sql_transaction(db->sql)) /* it ended with a read */
            return false;
    }
    return meta_set(db, "last_written", now);
}

/* The file is there, is the one that was opened, and may be written. */
static bool ready_to_write(struct store_db *db)
{
    struct stat status;
    bool same = lstat(db->options->path, &status) == 0 && status.st_dev == db->device &&
                status.st_ino == db->inode;

    if (db->sql != NULL && !same) {
        store_db_close(db); /* somebody took it away: a new one, with all we know */
        db->news.begun++;
    }
    if (db->sql != NULL && db->readonly)
        store_db_close(db); /* SQLite never finds out that it may be written again */
    return store_db_open(db) && !db->readonly;
}

bool store_db_write(struct store_db *db, const struct store_queue *queue,
                    void (*pause)(void *context), void *context)
{
    unsigned opening;
    bool ok;

    if (!ready_to_write(db))
        return false;
    opening = db->news.openings;
    ok = sql_begin(db->sql) && apply_all(db, queue, pause, context);
    if (opening != db->news.openings || db->sql == NULL)
        return false; /* it is another file now: nothing of this is in it */
    if (!ok || !sql_commit(db->sql)) {
        store_db_failed(db);
        return false;
    }
    db->news.degraded = false;
    tidy_up(db);
    return true;
}
