/*
 * store_db: see store_db.h: from a path to a database of today's version that can be used, or to
 * the reason why there is none; and batches.
 *
 * A file that is not ours is set aside, and a fresh one begun, ASIDES_MAX times in a process's
 * life: a disk that spoils every file must not be filled with them. There is no check of the whole
 * file: it would take longer than a start may. What is corrupt shows when it is read, and is set
 * aside then.
 *
 * A batch is one transaction: all of it is in the file, or nothing of it. A record that no daemon
 * may read back is not written either.
 */
#include "daemon/store/store_db.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define ASIDES_MAX   8
#define SQL_TEXT_MAX (1024 * 1024)
#define CHANGE_DISK  "look at the system's log and at the disk"
#define PAUSE_EVERY  32 /* reads do not wait for more records than that */

static const char *change_for(enum sql_failure failure)
{
    static const char *const changes[SQL_FAILURES] = {
        [SQL_FULL] = "make room on the file system of the store",
        [SQL_READONLY] =
            "make the store, its folder and its file system writable for the daemon's user",
        [SQL_BUSY] =
            "end the other process that has it locked: a second daemon, or a sqlite3 shell",
    };

    return changes[failure] == NULL ? CHANGE_DISK : changes[failure];
}

static void degrade(struct store_db *db, const char *reason, const char *change)
{
    db->news.degraded = true;
    db->news.change = change;
    snprintf(db->news.reason, sizeof db->news.reason, "%s", reason);
}

void store_db_close(struct store_db *db)
{
    sql_close(db->sql);
    db->sql = NULL;
    memset(db->statements, 0, sizeof db->statements);
}

/* ---- setting aside ---- */

/* False when it could not be done: then the store stays degraded. */
static bool set_aside(struct store_db *db, const char *why)
{
    char aside[PATH_MAX];
    int error;

    store_db_close(db);
    if (db->news.asides == ASIDES_MAX) {
        degrade(db, why, "it was set aside often enough: " CHANGE_DISK);
        return false;
    }
    error = store_file_set_aside(db->options->path, clock_wall_s(), aside);
    if (error != 0) {
        degrade(db, why, "it could not be set aside: move it away by hand");
        return false;
    }
    db->news.asides++;
    memcpy(db->news.aside, aside, sizeof aside);
    snprintf(db->news.distrust, sizeof db->news.distrust, "%s", why);
    db->news.begun++;
    return true;
}

void store_db_failed(struct store_db *db)
{
    enum sql_failure failure = sql_failure(db->sql);
    char why[STORE_ERROR_MAX];

    snprintf(why, sizeof why, "%s", sql_error(db->sql));
    degrade(db, why, change_for(failure));
    if (failure == SQL_CORRUPT || failure == SQL_STATEMENT) {
        if (set_aside(db, why))
            store_db_open(db);
    } else if (failure == SQL_FAILED || db->readonly) {
        store_db_close(db);
    } else {
        sql_rollback(db->sql); /* reads go on */
    }
}

/* ---- opening ---- */

bool store_meta_get(struct store_db *db, const char *name, int64_t *out)
{
    sql_bind_text(db->statements[STATEMENT_META_GET][0], 1, name);
    return sql_execute_number(db->statements[STATEMENT_META_GET][0], out);
}

bool store_meta_set(struct store_db *db, const char *name, int64_t value)
{
    struct sql_statement *set = db->statements[STATEMENT_META_SET][0];

    sql_bind_text(set, 1, name);
    sql_bind_number(set, 2, value);
    return sql_execute(set);
}

static bool migrate(struct sql *sql, int from)
{
    char text[96];
    bool ok = true;

    for (int version = from; version < store_schema_version && ok; version++) {
        snprintf(text, sizeof text, "PRAGMA application_id = %d; PRAGMA user_version = %d",
                 STORE_APPLICATION_ID, version + 1);
        ok = sql_begin(sql) && sql_run(sql, store_schema_steps[version]) && sql_run(sql, text) &&
             sql_commit(sql);
    }
    return ok;
}

/* The version of a file of ours, 0 for one that is empty. False with *why when it is none. */
static bool identify(struct sql *sql, int64_t *version, const char **why)
{
    int64_t application = 0, objects = 0;

    if (!sql_number(sql, "PRAGMA application_id", &application) ||
        !sql_number(sql, "PRAGMA user_version", version) ||
        !sql_number(sql, "SELECT count(*) FROM sqlite_schema", &objects))
        return false;
    if (application != STORE_APPLICATION_ID && (application != 0 || *version != 0 || objects != 0))
        *why = "it is the database of another program";
    else if (*version > store_schema_version)
        *why = "a newer version of this program wrote it";
    else if (*version < 0 || (*version == 0 && objects != 0))
        *why = "its version cannot be";
    return *why == NULL;
}

static bool prepare(struct store_db *db)
{
    struct arena *arena = arena_new(SQL_TEXT_MAX);
    const char *texts[STATEMENTS][RECORD_KINDS];
    bool ok = arena != NULL && store_statements_text(arena, texts);

    for (int i = 0; i < STATEMENTS; i++)
        for (int kind = 0; kind < RECORD_KINDS && ok; kind++)
            if (texts[i][kind] != NULL)
                ok = sql_prepare(db->sql, &db->statements[i][kind], texts[i][kind]);
    arena_free(arena);
    return ok;
}

/* A database of today's version. False with *why when the file is to be set aside. */
static bool open_file(struct store_db *db, const char **why)
{
    int64_t version = 0, written = 0;

    if (!sql_open(&db->sql, db->options->path, db->file.readonly && !db->file.beside) ||
        !sql_run(db->sql, "PRAGMA cache_size = -1024; PRAGMA temp_store = memory;"
                          "PRAGMA cell_size_check = on") ||
        !identify(db->sql, &version, why))
        return false;
    db->readonly = db->file.readonly || sql_is_readonly(db->sql);
    if (!db->readonly && !sql_run(db->sql, "PRAGMA journal_mode = wal; PRAGMA synchronous = normal;"
                                           "PRAGMA journal_size_limit = 8388608"))
        return false;
    if (!migrate(db->sql, (int)version) || !prepare(db) ||
        !store_meta_get(db, "last_written", &written))
        return false;
    if (db->news.openings == 0)
        db->last_written = written;
    return store_tidy_begin(db);
}

static void note_opened(struct store_db *db)
{
    db->news.openings++;
    db->news.degraded = false;
    memcpy(db->news.rows, db->rows, sizeof db->rows);
    if (db->readonly)
        degrade(db, "it can be read, but not be written", change_for(SQL_READONLY));
}

/* One attempt; why[0] when the file is to be set aside. */
static bool attempt(struct store_db *db, char why[STORE_ERROR_MAX])
{
    const char *distrust = NULL;
    int error = store_file_check(db->options->path, &db->file, &distrust);
    bool ok;

    why[0] = '\0';
    if (error != 0) {
        degrade(db, strerror(error),
                "make its folder, writable for the daemon's user, and room in it");
        return false;
    }
    ok = distrust == NULL && open_file(db, &distrust);
    if (!ok && distrust == NULL && sql_failure(db->sql) == SQL_READONLY && !db->file.readonly) {
        store_db_close(db); /* its folder alone cannot be written: then for reading */
        db->file.readonly = true;
        ok = open_file(db, &distrust);
    }
    if (ok) {
        note_opened(db);
        return true;
    }
    if (distrust == NULL &&
        (sql_failure(db->sql) == SQL_CORRUPT || sql_failure(db->sql) == SQL_STATEMENT))
        distrust = sql_error(db->sql);
    if (distrust != NULL)
        snprintf(why, STORE_ERROR_MAX, "%s", distrust);
    else
        degrade(db, sql_error(db->sql), change_for(sql_failure(db->sql)));
    store_db_close(db);
    return false;
}

bool store_db_open(struct store_db *db)
{
    char why[STORE_ERROR_MAX];

    if (db->sql != NULL || attempt(db, why))
        return true;
    return why[0] != '\0' && set_aside(db, why) && attempt(db, why);
}

/* ---- batches ---- */

static bool put(struct store_db *db, const struct record *record, int64_t now)
{
    struct sql_statement *put = db->statements[STATEMENT_PUT][record->kind];
    struct sql_statement *trim = db->statements[STATEMENT_TRIM][RECORD_EVENT];
    const struct record_field *fields = record_fields[record->kind], *field;
    const char *why;

    if (!record_valid(record, &why)) {
        db->news.rejected++;
        return true;
    }
    for (field = fields; field->name != NULL; field++) {
        char room[RECORD_ROOM];
        struct record_value value = record_get(record, field, room);

        if (field->type == FIELD_WRITTEN)
            value = (struct record_value){.type = VALUE_NUMBER, .number = now};
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
    static const enum store_statement statements[] = {
        [STORE_TOUCH] = STATEMENT_TOUCH,
        [STORE_REMOVE] = STATEMENT_REMOVE,
        [STORE_REMOVE_ADDRESS] = STATEMENT_REMOVE_ADDRESS,
        [STORE_LAPSE] = STATEMENT_LAPSE,
    };
    struct sql_statement *statement;

    if (entry->op == STORE_PUT)
        return put(db, &entry->record, now);
    statement = db->statements[statements[entry->op]][entry->kind];
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
    return store_meta_set(db, "last_written", now);
}

/* The file is there, is the one that was opened, and may be written. */
static bool ready_to_write(struct store_db *db)
{
    if (db->sql != NULL && !store_file_same(db->options->path, &db->file)) {
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
    store_tidy(db);
    return true;
}
