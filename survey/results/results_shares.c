/*
 * results_shares: domain.operator_share, 1 / the domains of mail_domain that have the same operator.
 *
 * When all is looked up it is known which domains those are, but for the few whose verdict says that
 * they have no MX host that can be connected to. So the domains are counted before the first verdict
 * and each verdict is written with its share; the operators of those few are counted again in the
 * end. Where there are verdicts already, as in a run that was interrupted, where some will be
 * missing, as in a shard, and where nobody counted, as in a merge, all shares are written in the
 * end.
 *
 * Operators are counted in temporary tables, which spill to a file.
 */
#include "survey/results/results_internal.h"

#define SLICES 64 /* of the ids, each one transaction */

#define TABLE(name, columns)                                                                       \
    "DROP TABLE IF EXISTS temp." name ";"                                                          \
    "CREATE TEMP TABLE " name " (name TEXT PRIMARY KEY" columns ") WITHOUT ROWID;"
#define OPERATORS                                                                                  \
    TABLE("operators", ", domains INTEGER NOT NULL")                                               \
    "INSERT INTO temp.operators SELECT operator, count(*) FROM "

bool results_count_operators(struct results *results)
{
    int64_t decided;

    results->operators_counted = false;
    if (!results_number(results, RESULTS_DECIDED, NULL, 0, &decided))
        return false;
    if (decided == 1 || results->run.shards > 1)
        return true;
    results->operators_counted =
        results_sort(results, TABLE("doubtful", "") OPERATORS
                     "main.domain WHERE operator IS NOT NULL AND looked_up IS NOT NULL "
                     "AND mx IN ('listed', 'implicit') GROUP BY operator");
    return results->operators_counted;
}

bool results_put_no_share(struct results *results, int64_t domain)
{
    const struct sql_value value = value_number(domain);

    return !results->operators_counted || results_execute(results, RESULTS_SHARE_DOUBT, &value, 1);
}

/* Slice by slice, so that the log does not become as large as the file. A run that is killed here
 * does it again. */
static bool put_counted(struct results *results)
{
    const int64_t width = INT64_MAX / SLICES;

    for (int64_t i = 0; i < SLICES; i++) {
        const struct sql_value values[] = {
            value_number(i == 0 ? INT64_MIN : i * width), /* another's file may have any */
            value_number(i == SLICES - 1 ? INT64_MAX : (i + 1) * width - 1)};

        if (!results_execute(results, RESULTS_SHARES_PUT, values, 2) || !results_commit(results))
            return false;
    }
    return true;
}

bool results_put_shares(struct results *results)
{
    static const char *const all =
        OPERATORS "main.mail_domain WHERE operator IS NOT NULL GROUP BY operator";
    static const char *const doubtful =
        OPERATORS "main.mail_domain WHERE operator IN (SELECT name FROM temp.doubtful) "
                  "GROUP BY operator";
    const bool most = results->operators_counted;
    int64_t count = 0;

    if (most && !results_number(results, RESULTS_SHARES_DOUBTFUL, NULL, 0, &count))
        return false;
    results->operators_counted = false; /* the table becomes another one */
    return (most && count == 0) ||
           (results_sort(results, most ? doubtful : all) && put_counted(results));
}
