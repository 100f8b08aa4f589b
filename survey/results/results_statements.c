/*
 * results_statements: statements that are prepared when they are first needed, and the values that
 * go in and come out.
 */
#include "survey/results/results_internal.h"

#include <string.h>

#include "base/ascii.h"
#include "base/escape.h"

#define RESULTS_TEXT(word, text) [RESULTS_##word] = (text),
static const char *const texts[RESULTS_STATEMENTS] = {RESULTS_ALL_STATEMENTS(RESULTS_TEXT)};

_Static_assert(RESULTS_STATEMENTS + 16 <= SQL_STATEMENTS_MAX, "and some of results_query");

static struct sql_statement *bound(struct results *results, enum results_statement which,
                                   const struct sql_value *values, int count)
{
    struct sql_statement **statement = &results->statements[which];

    if (*statement == NULL && !sql_prepare(results->sql, statement, texts[which])) {
        sql_finalize(*statement);
        *statement = NULL;
        results_fail(results);
        return NULL;
    }
    for (int i = 0; i < count; i++)
        sql_bind(*statement, i + 1, &values[i]);
    return *statement;
}

bool results_execute(struct results *results, enum results_statement which,
                     const struct sql_value *values, int count)
{
    struct sql_statement *statement;

    if (!results_begin(results))
        return false;
    statement = bound(results, which, values, count);
    return statement != NULL && (sql_execute(statement) || results_fail(results));
}

bool results_update(struct results *results, enum results_statement which,
                    const struct sql_value *values, int count, bool *again)
{
    if (!results_execute(results, which, values, count))
        return false;
    *again = sql_changes(results->sql) == 0;
    return true;
}

struct sql_statement *results_select(struct results *results, enum results_statement which,
                                     const struct sql_value *values, int count)
{
    return bound(results, which, values, count);
}

enum sql_step results_row(struct results *results, struct sql_statement *statement)
{
    enum sql_step step = sql_step(statement);

    if (step == SQL_ERROR)
        results_fail(results);
    return step;
}

bool results_number(struct results *results, enum results_statement which,
                    const struct sql_value *values, int count, int64_t *out)
{
    struct sql_statement *statement = bound(results, which, values, count);

    return statement != NULL && (sql_execute_number(statement, out) || results_fail(results));
}

/* ---- values ---- */

struct sql_value value_foreign(struct results *results, const char *text)
{
    char cut[RESULTS_TEXT_MAX + 1];
    size_t length = text == NULL ? 0 : strnlen(text, RESULTS_TEXT_MAX + 1);

    if (length <= RESULTS_TEXT_MAX && ascii_is_printable(text))
        return value_text(text);
    /* what is printable is escaped already; only the rest is to be */
    if (ascii_is_printable(text)) {
        memcpy(cut, text, RESULTS_TEXT_MAX - 3);
        memcpy(cut + RESULTS_TEXT_MAX - 3, "...", 4);
    } else {
        escape_bytes(cut, sizeof cut, text, strlen(text));
    }
    return value_text(arena_strdup(results->scratch, cut));
}

struct sql_value value_name(const char *name)
{
    return hostname_canonical(name) ? value_text(name) : value_none();
}

struct sql_value value_ttl(uint32_t ttl)
{
    return ttl == UINT32_MAX ? value_none() : value_number(ttl);
}

struct sql_value value_unless_zero(int64_t number)
{
    return number == 0 ? value_none() : value_number(number);
}

/* ---- rows ---- */

int64_t row_number(struct sql_statement *row, int column, int64_t otherwise)
{
    struct sql_value value;

    return sql_column(row, column, &value) && value.type == SQL_NUMBER ? value.number : otherwise;
}

bool row_is(struct sql_statement *row, int column)
{
    return row_number(row, column, 0) == 1;
}

bool row_null(struct sql_statement *row, int column)
{
    struct sql_value value;

    return sql_column(row, column, &value) && value.type == SQL_NONE;
}

const char *row_text(struct sql_statement *row, int column, size_t max)
{
    struct sql_value value;

    if (!sql_column(row, column, &value) || value.type != SQL_TEXT || value.length > max)
        return NULL;
    return value.text;
}

const char *row_text_copy(struct sql_statement *row, int column, size_t max, struct arena *arena)
{
    return arena_strdup(arena, row_text(row, column, max));
}

uint32_t row_ttl(struct sql_statement *row, int column)
{
    int64_t ttl = row_number(row, column, UINT32_MAX);

    return ttl < 0 || ttl > UINT32_MAX ? UINT32_MAX : (uint32_t)ttl;
}
