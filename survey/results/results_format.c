/*
 * results_format: whether a database is a results file. Anybody can have written it: what we are
 * going to read must be plain tables with our columns, which no view or generated column hides
 * behind. Tables, indexes and views that somebody added are left alone: none but our indexes is
 * named by us, and triggers are off in every database (base/sql).
 *
 * The texts of our tables and views are compared with those of a new file in memory, but for blanks
 * and comments. SQLite reads each of these texts before anything else, and two of one name make the
 * file unreadable; so a text that is ours stands for a table that is. The pragmas that list tables
 * are not asked: they have SQLite work out the columns of every view, for which a view that nobody
 * needs can be made to take for ever, and a table can have their name.
 */
#include "survey/results/results_internal.h"

#include <stdio.h>
#include <string.h>

static bool wrong(struct results *results, char error[RESULTS_ERROR_MAX], const char *why)
{
    snprintf(error, RESULTS_ERROR_MAX, "%s: %s", results->path, why);
    return false;
}

static bool pragma_number(struct results *results, const char *schema, const char *name,
                          int64_t *out)
{
    char text[64];
    struct sql_statement *statement = NULL;
    bool ok;

    snprintf(text, sizeof text, "PRAGMA %s.%s", schema, name);
    ok = sql_prepare(results->sql, &statement, text) && sql_execute_number(statement, out);
    sql_finalize(statement);
    return ok;
}

/* The next octet of SQL; blanks and comments together are one blank. No quoted text of ours has
 * any, and in another's the quotes are a difference. */
static char next_octet(const char **text)
{
    const char *at = *text;

    while (*at != '\0' && (strchr(" \t\n\f\r", *at) != NULL || strncmp(at, "--", 2) == 0))
        at += *at == '-' ? strcspn(at, "\n") : 1;
    if (at != *text) {
        *text = at;
        return ' ';
    }
    *text += *at != '\0';
    return *at;
}

static bool texts_equal(const char *one, const char *other)
{
    char octet;

    do {
        octet = next_octet(&one);
        if (octet != next_octet(&other))
            return false;
    } while (octet != '\0');
    return true;
}

/* Each table and view of the new file, as it is in the other one. */
static bool all_equal(struct sql_statement *ours, struct sql_statement *theirs)
{
    enum sql_step step;
    bool equal = true;

    while (equal && (step = sql_step(ours)) == SQL_ROW) {
        struct sql_value name, want, got;

        equal = sql_column(ours, 0, &name) && sql_column(ours, 1, &want);
        sql_bind_text(theirs, 1, name.text);
        equal = equal && sql_step(theirs) == SQL_ROW && sql_column(theirs, 0, &got) &&
                got.type == SQL_TEXT && texts_equal(got.text, want.text);
        sql_reset(theirs);
    }
    return equal && step == SQL_END;
}

static bool has_tables(struct results *results, const char *schema)
{
    struct sql_statement *ours = NULL, *theirs = NULL;
    struct sql *fresh;
    char text[128];
    bool ok;

    snprintf(text, sizeof text,
             "SELECT sql FROM %s.sqlite_schema WHERE name = ?1 AND sql IS NOT NULL", schema);
    ok = sql_open(&fresh, "", SQL_MEMORY) && sql_run(fresh, results_schema) &&
         sql_prepare(fresh, &ours,
                     "SELECT name, sql FROM sqlite_schema WHERE type IN ('table', 'view')") &&
         sql_prepare(results->sql, &theirs, text) && all_equal(ours, theirs);
    sql_finalize(theirs);
    sql_close(fresh);
    return ok;
}

bool results_format_ok(struct results *results, const char *schema, char error[RESULTS_ERROR_MAX])
{
    int64_t application = 0, version = 0;

    if (!pragma_number(results, schema, "application_id", &application) ||
        !pragma_number(results, schema, "user_version", &version))
        return wrong(results, error,
                     sql_failure(results->sql) == SQL_CORRUPT ? RESULTS_NONE
                                                              : results_said(results));
    if (application != RESULTS_APPLICATION_ID)
        return wrong(results, error, RESULTS_NONE);
    if (version > RESULTS_FORMAT)
        return wrong(results, error, "a later version of mxcrypt wrote it");
    if (version < RESULTS_FORMAT)
        return wrong(results, error, "its version cannot be");
    return has_tables(results, schema) ||
           wrong(results, error, "its tables are not those of a results file");
}
