/*
 * store_open: the beginning of store_db.h: from a path to a database of today's version that can be
 * used, or to the reason why there is none.
 *
 * A file that is not ours is set aside, and a fresh one begun, ASIDES_MAX times in a process's
 * life: a disk that spoils every file must not be filled with them. There is no check of the whole
 * file: it would take longer than a start may. What is corrupt shows when it is read, and is set
 * aside then.
 */
#include "daemon/store/store_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define ASIDES_MAX   8
#define SQL_TEXT_MAX (256 * 1024)
#define CHANGE_DISK  "look at the system's log and at the disk"

static const char *change_for(enum sql_result result)
{
    switch (result) {
    case SQL_FULL:
        return "make room on the file system of the store";
    case SQL_READONLY:
        return "make the store, its folder and its file system writable for the daemon's user";
    case SQL_BUSY:
        return "end the other process that has it locked: a second daemon, or a sqlite3 shell";
    case SQL_DONE:
    case SQL_ROW:
    case SQL_CORRUPT:
    case SQL_STATEMENT:
    case SQL_FAILED:
        break;
    }
    return CHANGE_DISK;
}

static void degrade(struct store_db *db, const char *reason, const char *change)
{
    db->news.degraded = true;
    db->news.change = change;
    snprintf(db->news.reason, sizeof db->news.reason, "%s", reason);
}

struct store_db *store_db_new(const struct store_options *options)
{
    struct store_db *db = calloc(1, sizeof *db);

    if (db != NULL)
        db->options = options;
    return db;
}

void store_db_close(struct store_db *db)
{
    sql_close(db->sql);
    db->sql = NULL;
    db->news.readable = false;
    memset(db->statements, 0, sizeof db->statements);
}

void store_db_free(struct store_db *db)
{
    if (db == NULL)
        return;
    store_db_close(db);
    free(db);
}

struct store_news *store_db_news(struct store_db *db)
{
    return &db->news;
}

/* ---- setting aside ---- */

/* False when it could not be done: then the store stays degraded. */
static bool set_aside(struct store_db *db, const char *why)
{
    int error;

    store_db_close(db);
    if (db->asides == ASIDES_MAX) {
        degrade(db, why, "it was set aside often enough: " CHANGE_DISK);
        return false;
    }
    error = store_file_set_aside(db->options->path, clock_wall_s(), db->news.aside);
    if (error != 0) {
        db->news.aside[0] = '\0';
        degrade(db, why, "it could not be set aside: move it away by hand");
        return false;
    }
    db->asides++;
    snprintf(db->news.distrust, sizeof db->news.distrust, "%s", why);
    db->news.begun = true;
    return true;
}

void store_db_failed(struct store_db *db, enum sql_result result)
{
    char why[STORE_ERROR_MAX];

    snprintf(why, sizeof why, "%s", sql_error(db->sql));
    degrade(db, why, change_for(result));
    if (result == SQL_CORRUPT || result == SQL_STATEMENT) {
        if (set_aside(db, why))
            store_db_open(db);
    } else if (result == SQL_FAILED || db->readonly) {
        store_db_close(db);
    } else {
        sql_rollback(db->sql); /* reads go on */
    }
}

/* ---- opening ---- */

enum sql_result store_meta_get(struct store_db *db, const char *name, int64_t *out)
{
    struct sql_statement *get = db->statements[STATEMENT_META_GET];
    enum sql_result result;

    sql_bind_text(get, 1, name);
    result = sql_step(get);
    *out = result == SQL_ROW ? sql_column_number(get, 0) : 0;
    sql_reset(get);
    return result == SQL_ROW ? SQL_DONE : result;
}

enum sql_result store_meta_set(struct store_db *db, const char *name, int64_t value)
{
    struct sql_statement *set = db->statements[STATEMENT_META_SET];

    sql_bind_text(set, 1, name);
    sql_bind_number(set, 2, value);
    return sql_execute(set);
}

static enum sql_result migrate(struct sql *sql, int from)
{
    enum sql_result result = SQL_DONE;
    char text[96];

    for (int version = from; version < store_schema_version && result == SQL_DONE; version++) {
        snprintf(text, sizeof text, "PRAGMA application_id = %d; PRAGMA user_version = %d",
                 STORE_APPLICATION_ID, version + 1);
        result = sql_begin(sql);
        if (result == SQL_DONE)
            result = sql_run(sql, store_schema_steps[version]);
        if (result == SQL_DONE)
            result = sql_run(sql, text);
        if (result == SQL_DONE)
            result = sql_commit(sql);
    }
    return result;
}

/* The version of a file of ours, 0 for one that is empty; *why when it is none. */
static enum sql_result identify(struct sql *sql, int64_t *version, const char **why)
{
    int64_t application = 0, objects = 0;
    enum sql_result result = sql_number(sql, "PRAGMA application_id", &application);

    if (result == SQL_DONE)
        result = sql_number(sql, "PRAGMA user_version", version);
    if (result == SQL_DONE)
        result = sql_number(sql, "SELECT count(*) FROM sqlite_schema", &objects);
    if (result != SQL_DONE)
        return result;
    if (application != STORE_APPLICATION_ID && (application != 0 || *version != 0 || objects != 0))
        *why = "it is the database of another program";
    else if (*version > store_schema_version)
        *why = "a newer version of this program wrote it";
    else if (*version < 0 || (*version == 0 && objects != 0))
        *why = "its version cannot be";
    return SQL_DONE;
}

static enum sql_result prepare(struct store_db *db)
{
    struct arena *arena = arena_new(SQL_TEXT_MAX);
    enum sql_result result = SQL_FAILED;
    const char *texts[STATEMENTS];

    if (arena != NULL && store_statements_text(arena, texts)) {
        result = SQL_DONE;
        for (int i = 0; i < STATEMENTS && result == SQL_DONE; i++)
            result = sql_prepare(db->sql, &db->statements[i], texts[i]);
    }
    arena_free(arena);
    return result;
}

/* The open file becomes today's; *why when it is to be set aside. */
static enum sql_result take_in(struct store_db *db, const char **why)
{
    int64_t version = 0, written = 0;
    enum sql_result result =
        sql_run(db->sql, "PRAGMA cache_size = -1024; PRAGMA temp_store = memory;"
                         "PRAGMA cell_size_check = on");

    if (result == SQL_DONE)
        result = identify(db->sql, &version, why);
    if (result != SQL_DONE || *why != NULL)
        return result;
    db->readonly = db->file.readonly || sql_is_readonly(db->sql);
    if (db->readonly && version != store_schema_version)
        return SQL_READONLY;
    if (!db->readonly)
        result = sql_run(db->sql, "PRAGMA journal_mode = wal; PRAGMA synchronous = normal;"
                                  "PRAGMA journal_size_limit = 8388608");
    if (result == SQL_DONE)
        result = migrate(db->sql, (int)version);
    if (result == SQL_DONE)
        result = prepare(db);
    if (result == SQL_DONE)
        result = store_meta_get(db, "last_written", &written);
    if (result == SQL_DONE && db->openings == 0)
        db->last_written = written;
    return result == SQL_DONE ? store_tidy_begin(db) : result;
}

static void opened(struct store_db *db)
{
    db->openings++;
    db->news.opened = db->news.readable = true;
    db->news.degraded = db->readonly;
    db->news.answers = db->rows[RECORD_ANSWER];
    db->news.policies = db->rows[RECORD_POLICY];
    db->news.probes = db->rows[RECORD_PROBE];
    if (db->readonly)
        degrade(db, "it can be read, but not be written", change_for(SQL_READONLY));
}

static enum sql_result open_and_take_in(struct store_db *db, const char **why)
{
    enum sql_result result =
        sql_open(&db->sql, db->options->path, db->file.readonly && !db->file.beside);

    return result == SQL_DONE ? take_in(db, why) : result;
}

/* One attempt; *why when the file is to be set aside. */
static bool attempt(struct store_db *db, char why[STORE_ERROR_MAX])
{
    enum store_file_result checked = store_file_check(db->options->path, &db->file, why);
    const char *distrust = NULL;
    enum sql_result result;

    if (checked == STORE_FILE_FAILED) {
        degrade(db, why, "make its folder, writable for the daemon's user, and room in it");
        why[0] = '\0';
        return false;
    }
    if (checked == STORE_FILE_FOREIGN)
        return false;
    result = open_and_take_in(db, &distrust);
    if (result == SQL_READONLY && !db->file.readonly) {
        store_db_close(db); /* its folder alone cannot be written: then for reading */
        db->file.readonly = true;
        result = open_and_take_in(db, &distrust);
    }
    if (result == SQL_DONE && distrust == NULL) {
        opened(db);
        return true;
    }
    why[0] = '\0';
    if (distrust != NULL || result == SQL_CORRUPT || result == SQL_STATEMENT)
        snprintf(why, STORE_ERROR_MAX, "%s", distrust != NULL ? distrust : sql_error(db->sql));
    else
        degrade(db, sql_error(db->sql), change_for(result));
    store_db_close(db);
    return false;
}

bool store_db_open(struct store_db *db)
{
    char why[STORE_ERROR_MAX] = "";

    if (db->sql != NULL || attempt(db, why))
        return true;
    return why[0] != '\0' && set_aside(db, why) && attempt(db, why);
}
