/*
 * sql: see sql.h. The only file that knows SQLite; SQL text comes from elsewhere.
 *
 * Every database gets a function row_check(...): a hash of its arguments, which reveals a row that
 * was changed by accident. It gives NULL if they are larger than any row of ours, so that such a
 * row fails its check, but does not make all the others unreadable.
 */
#include "base/sql/sql.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/escape.h"
#include "base/hash.h"

#define VALUE_HEAD_MAX 16 /* type and length */
#define ERROR_MAX      256

struct sql_statement {
    struct sql *sql;
    sqlite3_stmt *raw; /* owned */
};

/* What went wrong. */
struct fault {
    enum sql_failure failure;
    char text[ERROR_MAX];
};

struct sql {
    sqlite3 *db; /* owned */
    struct sql_statement statements[SQL_STATEMENTS_MAX];
    int statement_count;
    struct fault last;
    bool in_transaction; /* from sql_begin to its end */
    bool undone;         /* SQLite took it back, for this: */
    struct fault cause;
};

static enum sql_failure failure_of(int code)
{
    /* clang-format off */
    static const enum sql_failure failures[SQLITE_DONE + 1] = {
        [SQLITE_FULL] = SQL_FULL,
        [SQLITE_READONLY] = SQL_READONLY, [SQLITE_PERM] = SQL_READONLY,
        [SQLITE_BUSY] = SQL_BUSY, [SQLITE_LOCKED] = SQL_BUSY,
        [SQLITE_CORRUPT] = SQL_CORRUPT, [SQLITE_NOTADB] = SQL_CORRUPT,
        [SQLITE_FORMAT] = SQL_CORRUPT,
        [SQLITE_ERROR] = SQL_STATEMENT, [SQLITE_SCHEMA] = SQL_STATEMENT,
        [SQLITE_MISMATCH] = SQL_STATEMENT, [SQLITE_CONSTRAINT] = SQL_STATEMENT,
    };
    /* clang-format on */

    code &= 0xff;
    return code <= SQLITE_DONE ? failures[code] : SQL_FAILED;
}

static bool note(struct sql *sql, int code)
{
    const char *why;

    if (code == SQLITE_OK || code == SQLITE_DONE || code == SQLITE_ROW)
        return true;
    sql->last.failure = failure_of(code);
    why = sql->db == NULL ? sqlite3_errstr(code) : sqlite3_errmsg(sql->db);
    escape_bytes(sql->last.text, sizeof sql->last.text, why, strlen(why)); /* it may name a table */
    /* It may have ended the transaction: a full disk, input/output, memory do it, whatever
     * statement met them. What COMMIT says of it later is the same SQLITE_ERROR as for a table that
     * is missing, so the cause is kept. */
    if (sql->in_transaction && !sql->undone && sqlite3_get_autocommit(sql->db)) {
        sql->undone = true;
        sql->cause = sql->last;
    }
    return false;
}

enum sql_failure sql_failure(const struct sql *sql)
{
    return sql == NULL ? SQL_FAILED : sql->last.failure;
}

const char *sql_error(const struct sql *sql)
{
    return sql == NULL ? "no memory" : sql->last.text;
}

/* ---- row_check ---- */

static void row_check(sqlite3_context *context, int count, sqlite3_value **values)
{
    size_t octets = 0;
    struct buf all;

    for (int i = 0; i < count; i++)
        octets += (size_t)sqlite3_value_bytes(values[i]) + VALUE_HEAD_MAX;
    if (octets > SQL_CHECKED_MAX) {
        sqlite3_result_null(context);
        return;
    }
    buf_init(&all, SQL_CHECKED_MAX);
    for (int i = 0; i < count; i++) {
        int type = sqlite3_value_type(values[i]);
        const void *data = type == SQLITE_BLOB ? sqlite3_value_blob(values[i])
                                               : (const void *)sqlite3_value_text(values[i]);
        int length = sqlite3_value_bytes(values[i]);

        buf_addf(&all, "%d:%d:", type, length);
        if (data != NULL)
            buf_add(&all, data, (size_t)length);
    }
    if (all.failed)
        sqlite3_result_error_nomem(context);
    else
        sqlite3_result_int64(context, (sqlite3_int64)hash_stable(buf_text(&all), all.length));
    buf_fini(&all);
}

/* ---- the database ---- */

static int harden(sqlite3 *db)
{
    int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY;

    sqlite3_extended_result_codes(db, 1);
    sqlite3_busy_timeout(db, SQL_BUSY_MS);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    return sqlite3_create_function_v2(db, "row_check", -1, flags, NULL, row_check, NULL, NULL,
                                      NULL);
}

static void uri_of(struct buf *out, const char *path, enum sql_mode mode)
{
    static const char *const queries[] = {[SQL_WRITE] = "?mode=rw",
                                          [SQL_READ] = "?mode=ro",
                                          [SQL_IMMUTABLE] = "?mode=ro&immutable=1",
                                          [SQL_MEMORY] = "?mode=memory"};

    buf_init(out, 3 * 4096 + 64);
    buf_adds(out, "file:");
    for (const char *c = path; *c != '\0'; c++)
        if (*c == '%' || *c == '?' || *c == '#') /* they mean something in a URI */
            buf_addf(out, "%%%02x", (unsigned)(unsigned char)*c);
        else
            buf_add(out, c, 1);
    buf_adds(out, queries[mode]);
}

bool sql_open(struct sql **out, const char *path, enum sql_mode mode)
{
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX;
    struct sql *sql = calloc(1, sizeof *sql);
    struct buf uri;
    bool ok;

    *out = sql;
    if (sql == NULL)
        return false;
    /* SQLite counts its memory under a lock, for nobody here. Once it is in use this changes nothing. */
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    sql->last = (struct fault){SQL_FAILED, "no memory"}; /* until SQLite says something else */
    uri_of(&uri, path, mode);
    ok = note(sql,
              uri.failed ? SQLITE_NOMEM : sqlite3_open_v2(buf_text(&uri), &sql->db, flags, NULL)) &&
         note(sql, harden(sql->db));
    buf_fini(&uri);
    return ok;
}

bool sql_attach(struct sql *sql, const char *path, const char *schema)
{
    struct sql_statement *statement = NULL;
    struct buf uri;
    char text[64];
    bool ok;

    snprintf(text, sizeof text, "ATTACH DATABASE ?1 AS %s", schema);
    uri_of(&uri, path, SQL_READ);
    ok = !uri.failed && sql_prepare(sql, &statement, text);
    if (ok) {
        sql_bind_text(statement, 1, buf_text(&uri));
        ok = sql_execute(statement);
    }
    sql_finalize(statement);
    buf_fini(&uri);
    return ok;
}

bool sql_detach(struct sql *sql, const char *schema)
{
    char text[64];

    snprintf(text, sizeof text, "DETACH DATABASE %s", schema);
    return sql_run(sql, text);
}

void sql_limit(struct sql *sql, int octets)
{
    sqlite3_limit(sql->db, SQLITE_LIMIT_LENGTH, octets);
}

void sql_close(struct sql *sql)
{
    if (sql == NULL)
        return;
    for (int i = 0; i < sql->statement_count; i++)
        sqlite3_finalize(sql->statements[i].raw);
    sqlite3_close(sql->db);
    free(sql);
}

bool sql_is_readonly(const struct sql *sql)
{
    return sqlite3_db_readonly(sql->db, "main") != 0;
}

bool sql_run(struct sql *sql, const char *text)
{
    return note(sql, sqlite3_exec(sql->db, text, NULL, NULL, NULL));
}

/* ---- transactions ---- */

/* BEGIN and COMMIT name no table: an error of theirs says nothing about the schema. */
static bool control(struct sql *sql, const char *text)
{
    if (sql_run(sql, text))
        return true;
    if (sql->last.failure == SQL_STATEMENT)
        sql->last.failure = SQL_FAILED;
    return false;
}

bool sql_begin(struct sql *sql)
{
    sql->in_transaction = sql->undone = false;
    sql->in_transaction = control(sql, "BEGIN IMMEDIATE");
    return sql->in_transaction;
}

bool sql_transaction(struct sql *sql)
{
    if (sql->undone)
        sql->last = sql->cause;
    return !sql->undone;
}

bool sql_commit(struct sql *sql)
{
    bool ok = sql_transaction(sql) && control(sql, "COMMIT");

    if (ok)
        sql->in_transaction = false;
    return ok;
}

void sql_rollback(struct sql *sql)
{
    sql->in_transaction = false;
    if (!sqlite3_get_autocommit(sql->db))
        sqlite3_exec(sql->db, "ROLLBACK", NULL, NULL, NULL);
}

int64_t sql_changes(const struct sql *sql)
{
    return sqlite3_changes64(sql->db);
}

/* ---- statements ---- */

bool sql_prepare(struct sql *sql, struct sql_statement **out, const char *text)
{
    struct sql_statement *statement = NULL;

    for (int i = 0; i < sql->statement_count && statement == NULL; i++)
        if (sql->statements[i].raw == NULL) /* it was finalised, or could not be prepared */
            statement = &sql->statements[i];
    if (statement == NULL) {
        CHECK(sql->statement_count < SQL_STATEMENTS_MAX);
        statement = &sql->statements[sql->statement_count++];
    }
    statement->sql = sql;
    *out = statement;
    return note(sql, sqlite3_prepare_v3(sql->db, text, -1, SQLITE_PREPARE_PERSISTENT,
                                        &statement->raw, NULL));
}

void sql_finalize(struct sql_statement *statement)
{
    if (statement == NULL)
        return;
    sqlite3_finalize(statement->raw);
    statement->raw = NULL;
}

int sql_column_count(const struct sql_statement *statement)
{
    return sqlite3_column_count(statement->raw);
}

const char *sql_column_name(const struct sql_statement *statement, int column)
{
    return sqlite3_column_name(statement->raw, column);
}

void sql_bind_text(struct sql_statement *statement, int parameter, const char *text)
{
    sqlite3_bind_text(statement->raw, parameter, text, -1, SQLITE_STATIC);
}

void sql_bind_number(struct sql_statement *statement, int parameter, int64_t number)
{
    sqlite3_bind_int64(statement->raw, parameter, number);
}

void sql_bind(struct sql_statement *statement, int parameter, const struct sql_value *value)
{
    if (value->type == SQL_TEXT)
        sql_bind_text(statement, parameter, value->text);
    else if (value->type == SQL_NUMBER)
        sql_bind_number(statement, parameter, value->number);
    else if (value->type == SQL_REAL)
        sqlite3_bind_double(statement->raw, parameter, value->real);
    else if (value->type == SQL_OCTETS)
        sqlite3_bind_blob64(statement->raw, parameter, value->octets, value->length, SQLITE_STATIC);
}

enum sql_step sql_step(struct sql_statement *statement)
{
    int code = sqlite3_step(statement->raw);

    return !note(statement->sql, code) ? SQL_ERROR : code == SQLITE_ROW ? SQL_ROW : SQL_END;
}

int64_t sql_column_number(struct sql_statement *statement, int column)
{
    return sqlite3_column_int64(statement->raw, column);
}

bool sql_column(struct sql_statement *statement, int column, struct sql_value *out)
{
    sqlite3_stmt *raw = statement->raw;

    *out = (struct sql_value){.type = SQL_NONE};
    switch (sqlite3_column_type(raw, column)) {
    case SQLITE_NULL:
        return true;
    case SQLITE_INTEGER:
        out->type = SQL_NUMBER;
        out->number = sqlite3_column_int64(raw, column);
        return true;
    case SQLITE_TEXT:
        out->type = SQL_TEXT;
        out->text = (const char *)sqlite3_column_text(raw, column);
        out->length = (size_t)sqlite3_column_bytes(raw, column);
        return out->text != NULL && strlen(out->text) == out->length;
    case SQLITE_BLOB:
        out->octets = sqlite3_column_blob(raw, column);
        out->length = (size_t)sqlite3_column_bytes(raw, column);
        out->type = out->octets == NULL ? SQL_NONE : SQL_OCTETS;
        return true;
    case SQLITE_FLOAT:
        out->real = sqlite3_column_double(raw, column);
        out->type = SQL_REAL;
        return true;
    }
    return false;
}

void sql_reset(struct sql_statement *statement)
{
    sqlite3_reset(statement->raw);
    sqlite3_clear_bindings(statement->raw);
}

bool sql_execute_number(struct sql_statement *statement, int64_t *out)
{
    enum sql_step step = sql_step(statement);

    *out = step == SQL_ROW ? sql_column_number(statement, 0) : 0;
    sql_reset(statement);
    return step != SQL_ERROR;
}

bool sql_execute(struct sql_statement *statement)
{
    return sql_execute_number(statement, &(int64_t){0});
}

bool sql_number(struct sql *sql, const char *text, int64_t *out)
{
    struct sql_statement *statement;

    *out = 0;
    return sql_prepare(sql, &statement, text) && sql_execute_number(statement, out);
}
