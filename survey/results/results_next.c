/* results_next: which units have no result yet, and how many there are; see results.h. */
#include "survey/results/results_internal.h"

#include <string.h>

static const enum results_statement nexts[] = {[UNIT_DOMAIN] = RESULTS_NEXT_DOMAINS,
                                               [UNIT_HOST] = RESULTS_NEXT_HOSTS,
                                               [UNIT_ADDRESS] = RESULTS_NEXT_ADDRESSES};
static const enum results_statement counts[] = {[UNIT_DOMAIN] = RESULTS_COUNT_DOMAINS,
                                                [UNIT_HOST] = RESULTS_COUNT_HOSTS,
                                                [UNIT_ADDRESS] = RESULTS_COUNT_ADDRESSES};

static bool take_name(char out[HOSTNAME_MAX + 1], struct sql_statement *row, int column)
{
    const char *name = row_text(row, column, HOSTNAME_MAX);

    if (!hostname_canonical(name))
        return false;
    memcpy(out, name, strlen(name) + 1);
    return true;
}

/* False for a row that no survey has written. */
static bool take_unit(struct unit *out, enum unit_kind kind, struct sql_statement *row)
{
    const char *ip;

    *out = (struct unit){.kind = kind, .id = row_number(row, 0, 0)};
    if (!take_name(out->name, row, 1))
        return false;
    if (kind == UNIT_HOST)
        out->opted_out = row_is(row, 2);
    if (kind != UNIT_ADDRESS)
        return true;
    ip = row_text(row, 3, IP_TEXT_MAX);
    out->again = row_is(row, 4);
    out->opted_out = row_is(row, 5);
    return take_name(out->host, row, 2) && ip != NULL && ip_parse(&out->ip, ip);
}

int results_next(struct results *results, enum unit_kind kind, int64_t after, struct unit *out,
                 int max)
{
    const struct sql_value values[] = {value_number(after), value_number(max)};
    struct sql_statement *row = results_select(results, nexts[kind], values, 2);
    enum sql_step step = SQL_ERROR;
    int count = 0;

    while (row != NULL && count < max && (step = results_row(results, row)) == SQL_ROW) {
        if (!take_unit(&out[count], kind, row)) {
            results_fail_with(results, "it has a row that no survey has written");
            step = SQL_ERROR;
            break;
        }
        count++;
    }
    if (row != NULL)
        sql_reset(row);
    return step == SQL_ERROR ? -1 : count;
}

bool results_index_addresses(struct results *results)
{
    return results_sort(results, "CREATE INDEX IF NOT EXISTS address_waiting ON address (id) "
                                 "WHERE looked_up IS NULL;"
                                 "CREATE INDEX IF NOT EXISTS host_address_address "
                                 "ON host_address (address, host)");
}

/* They are counted once, and kept up to date by what is written. */
static bool count_all(struct results *results)
{
    for (int kind = 0; kind < UNIT_KIND_COUNT; kind++) {
        struct sql_statement *row = results_select(results, counts[kind], NULL, 0);
        enum sql_step step = row == NULL ? SQL_ERROR : results_row(results, row);

        if (step == SQL_ROW)
            results->tallies[kind] =
                (struct results_tally){row_number(row, 0, 0), row_number(row, 1, 0)};
        if (row != NULL)
            sql_reset(row);
        if (step == SQL_ERROR)
            return false;
    }
    results->counted = true;
    return true;
}

bool results_count(struct results *results, enum unit_kind kind, int64_t *all, int64_t *done)
{
    if (!results->counted && !count_all(results))
        return false;
    *all = results->tallies[kind].all;
    *done = results->tallies[kind].done;
    return true;
}
