/*
 * results_format: whether a database is a results file. Anybody can have written it: what we are
 * going to read must be plain tables with our columns, which no view or generated column hides
 * behind. Tables, indexes and views that somebody added are left alone: none of them is named by
 * us, and triggers are off in every database (base/sql).
 *
 * The tables are compared with those of a new file in memory, and the text of our own views too,
 * since pages name them.
 */
#include "survey/results/results_internal.h"

#include <stdio.h>
#include <string.h>

#define TABLES                                                                                     \
    "SELECT name, type || strict || wr || "                                                        \
    "(SELECT group_concat(name || ' ' || type || \"notnull\" || pk || hidden) "                    \
    "FROM (SELECT * FROM pragma_table_xinfo(l.name, l.schema) ORDER BY cid)) "                     \
    "FROM pragma_table_list l WHERE schema = ?1 AND (?2 IS NULL OR name = ?2) "                    \
    "AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name"

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

/* Each table of the new file, as it is in the other one. */
static bool tables_equal(struct sql_statement *ours, struct sql_statement *theirs,
                         const char *schema)
{
    enum sql_step step;
    bool equal = true;

    sql_bind_text(ours, 1, "main");
    while (equal && (step = sql_step(ours)) == SQL_ROW) {
        struct sql_value name, want, got;

        equal = sql_column(ours, 0, &name) && sql_column(ours, 1, &want);
        sql_bind_text(theirs, 1, schema);
        sql_bind_text(theirs, 2, name.text);
        equal = equal && sql_step(theirs) == SQL_ROW && sql_column(theirs, 1, &got) &&
                got.type == SQL_TEXT && strcmp(got.text, want.text) == 0;
        sql_reset(theirs);
    }
    return equal && step == SQL_END;
}

/* Each view of the new file, as it is in the other one. */
static bool views_equal(struct results *results, struct sql *fresh, const char *schema)
{
    struct sql_statement *ours = NULL, *theirs = NULL;
    char text[128];
    enum sql_step step = SQL_ERROR;
    bool equal;

    snprintf(text, sizeof text,
             "SELECT sql FROM %s.sqlite_schema WHERE type = 'view' AND name = ?1", schema);
    equal = sql_prepare(results->sql, &theirs, text) &&
            sql_prepare(fresh, &ours, "SELECT name, sql FROM sqlite_schema WHERE type = 'view'");
    while (equal && (step = sql_step(ours)) == SQL_ROW) {
        struct sql_value name, want, got;

        equal = sql_column(ours, 0, &name) && sql_column(ours, 1, &want);
        sql_bind_text(theirs, 1, name.text);
        equal = equal && sql_step(theirs) == SQL_ROW && sql_column(theirs, 0, &got) &&
                got.type == SQL_TEXT && strcmp(got.text, want.text) == 0;
        sql_reset(theirs);
    }
    sql_finalize(theirs);
    return equal && step == SQL_END;
}

static bool has_tables(struct results *results, const char *schema)
{
    struct sql_statement *ours = NULL, *theirs = NULL;
    struct sql *fresh;
    bool ok = sql_open(&fresh, "", SQL_MEMORY) && sql_run(fresh, results_schema) &&
              sql_prepare(fresh, &ours, TABLES) && sql_prepare(results->sql, &theirs, TABLES) &&
              tables_equal(ours, theirs, schema) && views_equal(results, fresh, schema);

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
                                                              : sql_error(results->sql));
    if (application != RESULTS_APPLICATION_ID)
        return wrong(results, error, RESULTS_NONE);
    if (version > RESULTS_FORMAT)
        return wrong(results, error, "a later version of mxcrypt wrote it");
    if (version < RESULTS_FORMAT)
        return wrong(results, error, "its version cannot be");
    return has_tables(results, schema) ||
           wrong(results, error, "its tables are not those of a results file");
}
