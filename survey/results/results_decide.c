/* results_decide: verdicts, and the end of a run; see results.h. */
#include "survey/results/results_chunk.h"
#include "survey/results/results_internal.h"

int results_undecided(struct results *results, int64_t after, int64_t *out, int max)
{
    const struct sql_value values[] = {value_number(after), value_number(max)};
    struct sql_statement *row = results_select(results, RESULTS_UNDECIDED, values, 2);
    enum sql_step step = SQL_ERROR;
    int count = 0;

    while (row != NULL && count < max && (step = results_row(results, row)) == SQL_ROW)
        out[count++] = row_number(row, 0, 0);
    if (row != NULL)
        sql_reset(row);
    return step == SQL_ERROR ? -1 : count;
}

bool results_put_verdict(struct results *results, int64_t domain, const struct verdict *verdict,
                         const char *answer)
{
    const bool shared = results->operators_counted && verdict->reason != REASON_NO_HOST;
    const struct sql_value values[] = {
        value_number(domain),
        value_text(dane_state_name(verdict->dane)),
        value_text(starttls_state_name(verdict->starttls)),
        value_text(verdict_level_name(verdict->level)),
        value_text(verdict_reason_code(verdict->reason)),
        value_text(answer),
    };

    return results_execute(results, shared ? RESULTS_VERDICT_SHARE_PUT : RESULTS_VERDICT_PUT,
                           values, 6) &&
           (shared || results_put_no_share(results, domain));
}

/* ---- the end ---- */

/* Names are unique because their ids are (results_names.c). For those who look for one, or want them in
 * order, there are indexes in the end; kept up to date row by row they would cost several times as
 * much. */
static bool index_names(struct results *results)
{
    return results_sort(results, "CREATE UNIQUE INDEX IF NOT EXISTS domain_name ON domain (name);"
                                 "CREATE UNIQUE INDEX IF NOT EXISTS host_name ON host (name)");
}

/* While somebody reads it, the file keeps its log, which the last one to close it removes. */
bool results_one_file(struct results *results)
{
    if (!results_commit(results))
        return false;
    return sql_run(results->sql, "PRAGMA wal_checkpoint(truncate); PRAGMA journal_mode = delete") ||
           sql_failure(results->sql) == SQL_BUSY || results_fail(results);
}

bool results_finish(struct results *results, int64_t ended)
{
    struct results_run run = results->run;

    run.ended = ended;
    if (!results_commit(results) || !results_put_shares(results) || !index_names(results) ||
        !results_set_run(results, &run) || !results_commit(results))
        return false;
    return results_one_file(results);
}
