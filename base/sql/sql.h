/*
 * sql: the few calls of SQLite that are needed, and what its errors mean. Blocks: never on the
 * daemon's loop, and one thread at a time for each database.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SQL_BUSY_MS        200 /* it waits so long for the lock of another process */
#define SQL_STATEMENTS_MAX 128 /* of one database */

enum sql_failure {
    SQL_FAILED,    /* input/output, memory, anything that is not one of these: */
    SQL_FULL,      /* no room on the disk, or a limit */
    SQL_READONLY,  /* the file or its file system cannot be written */
    SQL_BUSY,      /* locked by another process */
    SQL_CORRUPT,   /* not what SQLite wrote, or no database at all */
    SQL_STATEMENT, /* tables or columns that are not ours */
    SQL_FAILURES
};

/* Octets of the arguments of row_check(...) in all; more give NULL. */
#define SQL_CHECKED_MAX (4 * 1024 * 1024 + 400000)

/* One value of a row. Texts and octets are borrowed. */
struct sql_value {
    enum sql_type { SQL_NONE, SQL_TEXT, SQL_NUMBER, SQL_OCTETS, SQL_REAL } type;
    const char *text;
    int64_t number;
    double real;
    const void *octets;
    size_t length; /* of octets, and of a text that was read */
};

struct sql;
struct sql_statement;

/* What returns a bool is false when it failed; this is what went wrong last, also in words. */
enum sql_failure sql_failure(const struct sql *sql);
const char *sql_error(const struct sql *sql);

enum sql_mode {
    SQL_WRITE,
    SQL_READ,
    SQL_IMMUTABLE, /* reads a file that nobody can write, without looking for the files beside it */
    SQL_MEMORY     /* a new database, in memory only; its path does not matter */
};
/* Opens an existing file; *out is set even then when it fails, unless without memory. */
bool sql_open(struct sql **out, const char *path, enum sql_mode mode);
/* Attaches another file, to read it as `schema`: a word of ours. */
bool sql_attach(struct sql *sql, const char *path, const char *schema);
bool sql_detach(struct sql *sql, const char *schema);
/* No value, row or statement may be larger from now on: reading one fails. */
void sql_limit(struct sql *sql, int octets);
/* Finalises its statements too. */
void sql_close(struct sql *sql);
bool sql_is_readonly(const struct sql *sql);

/* Statements without rows, or whose rows nobody wants. */
bool sql_run(struct sql *sql, const char *text);
/*
 * A transaction that writes. SQLite itself takes it back when a statement in it, a read too, meets
 * a full disk, an input/output error or the end of memory: sql_transaction and sql_commit then fail
 * as that statement did. Neither ever fails with SQL_STATEMENT.
 */
bool sql_begin(struct sql *sql);
bool sql_transaction(struct sql *sql);
bool sql_commit(struct sql *sql);
/* Ends one that is not to be, or is no more; leaves what went wrong as it is. */
void sql_rollback(struct sql *sql);

/* The one number that `text` asks for; what is prepared for it stays until sql_close. */
bool sql_number(struct sql *sql, const char *text, int64_t *out);

/* Borrowed from `sql`, until sql_close or sql_finalize. */
bool sql_prepare(struct sql *sql, struct sql_statement **out, const char *text);
/* Ends one early; NULL is allowed. */
void sql_finalize(struct sql_statement *statement);
int sql_column_count(const struct sql_statement *statement);
/* Borrowed from the statement. */
const char *sql_column_name(const struct sql_statement *statement, int column);
/* Parameters count from 1 and are borrowed until sql_reset; NULL is NULL. */
void sql_bind_text(struct sql_statement *statement, int parameter, const char *text);
void sql_bind_number(struct sql_statement *statement, int parameter, int64_t number);
/* The same of any value. */
void sql_bind(struct sql_statement *statement, int parameter, const struct sql_value *value);
enum sql_step { SQL_ERROR, SQL_ROW, SQL_END };
enum sql_step sql_step(struct sql_statement *statement);
/* Columns count from 0. */
int64_t sql_column_number(struct sql_statement *statement, int column);
/* Of the type that is found there; borrowed until the next step. False for a text with a NUL
 * inside. */
bool sql_column(struct sql_statement *statement, int column, struct sql_value *out);
/* Ready for the next use; parameters become NULL. */
void sql_reset(struct sql_statement *statement);
/* Steps once and resets. */
bool sql_execute(struct sql_statement *statement);
/* The same; *out is the first column, 0 without a row. */
bool sql_execute_number(struct sql_statement *statement, int64_t *out);
/* Rows that the last statement changed. */
int64_t sql_changes(const struct sql *sql);
