/* results_query: rows of a results file for those who show them; see results.h. */
#include "survey/results/results_internal.h"

#include <stdio.h>

#define COLUMNS_MAX 64

static struct results_value value_of(struct sql_statement *row, int column)
{
    struct sql_value value;

    if (!sql_column(row, column, &value))
        return (struct results_value){.type = RESULTS_NULL};
    switch (value.type) {
    case SQL_TEXT:
        return (struct results_value){RESULTS_TEXT, 0, 0, value.text, value.length};
    case SQL_NUMBER:
        return (struct results_value){RESULTS_NUMBER, value.number, 0, NULL, 0};
    case SQL_REAL:
        return (struct results_value){RESULTS_REAL, 0, value.real, NULL, 0};
    case SQL_OCTETS:
        return (struct results_value){RESULTS_OCTETS, 0, 0, value.octets, value.length};
    default:
        return (struct results_value){.type = RESULTS_NULL};
    }
}

bool results_query(struct results *results, const char *sql, const char *const *parameters,
                   size_t parameter_count, results_row_taker *take, void *context)
{
    struct results_value values[COLUMNS_MAX];
    struct sql_statement *row = NULL;
    enum sql_step step = SQL_ERROR;
    bool ok = sql_prepare(results->sql, &row, sql) || results_fail(results);
    int count = ok ? sql_column_count(row) : 0;

    if (count > COLUMNS_MAX)
        ok = results_fail_with(results, "too many columns");
    for (size_t i = 0; ok && i < parameter_count; i++)
        sql_bind_text(row, (int)i + 1, parameters[i]);
    while (ok && (step = results_row(results, row)) == SQL_ROW) {
        for (int i = 0; i < count; i++)
            values[i] = value_of(row, i);
        ok = take(context, values, count);
    }
    sql_finalize(row);
    return ok && step == SQL_END;
}

int results_columns(struct results *results, const char *sql, const char **names, int max)
{
    struct sql_statement *row = NULL;
    int count = -1;

    arena_reset(results->scratch);
    if (sql_prepare(results->sql, &row, sql)) {
        count = sql_column_count(row);
        for (int i = 0; i < count && i < max; i++)
            names[i] = arena_strdup(results->scratch, sql_column_name(row, i));
    } else {
        results_fail(results);
    }
    sql_finalize(row);
    return count > max || arena_failed(results->scratch) ? -1 : count;
}

bool results_attach(struct results *results, const char *path, const char *schema,
                    char error[RESULTS_ERROR_MAX])
{
    char *own = results->path;
    bool ok;

    results->error[0] = '\0';
    results->path = (char *)path; /* what goes wrong is about that file */
    ok = results_is_file(results) &&
         (sql_attach(results->sql, path, schema) || results_fail(results)) &&
         results_format_ok(results, schema, results->error);
    results->path = own;
    if (!ok)
        snprintf(error, RESULTS_ERROR_MAX, "%s", results->error);
    return ok;
}
