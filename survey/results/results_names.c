/*
 * results_names: ids, and the names that a list adds; see results.h.
 *
 * An id is a hash of the name under the seed: their order has nothing to do with that of the list,
 * and is the same for the same seed.
 * Two names with one hash are next to be impossible; the later one takes the next number that is
 * free.
 */
#include "survey/results/results_internal.h"

#include <string.h>

#include "base/hash.h"

int64_t results_id(const struct results *results, enum results_id_kind kind, const void *name,
                   size_t length)
{
    const uint64_t key[2] = {(uint64_t)results->run.seed, kind};
    int64_t id = (int64_t)(hash_keyed(key, name, length) >> 1);

    return id == 0 ? 1 : id;
}

int64_t results_next_id(int64_t id)
{
    return id == INT64_MAX ? 1 : id + 1;
}

enum sql_step results_name_at(struct results *results, enum results_statement which, int64_t id,
                              const char *name, struct results_name_at *out)
{
    struct sql_value value = value_number(id);
    struct sql_statement *row = results_select(results, which, &value, 1);
    enum sql_step step = row == NULL ? SQL_ERROR : results_row(results, row);
    const char *found;

    if (step == SQL_ROW) {
        found = row_text(row, 0, HOSTNAME_MAX);
        out->is_other = found == NULL || strcmp(found, name) != 0;
        out->weight = row_number(row, 1, 0);
    }
    if (row != NULL)
        sql_reset(row);
    return step;
}

/* Adds it unless the id is taken. */
static bool insert(struct results *results, int64_t id, const char *name, int64_t weight,
                   bool *is_new)
{
    const struct sql_value values[] = {value_number(id), value_text(name), value_number(weight)};

    if (!results_execute(results, RESULTS_DOMAIN_ADD, values, 3))
        return false;
    *is_new = sql_changes(results->sql) > 0;
    results->tallies[UNIT_DOMAIN].all += *is_new;
    return true;
}

/* Most names are new: they are inserted, and looked at only where that was not possible. */
static bool add(struct results *results, const char *name, int64_t weight, int64_t *id,
                bool *is_new)
{
    struct results_name_at at = {true, 0};
    enum sql_step step;

    *id = results_id(results, RESULTS_ID_DOMAIN, name, strlen(name));
    for (;; *id = results_next_id(*id)) {
        *is_new = false;
        if (*id <= results->sample_end && !insert(results, *id, name, weight, is_new))
            return false;
        if (*is_new)
            return true;
        step = results_name_at(results, RESULTS_DOMAIN_AT, *id, name, &at);
        if (step != SQL_ROW || !at.is_other)
            break;
    }
    *is_new = step == SQL_END; /* and not in the sample */
    if (step != SQL_ROW || weight <= at.weight)
        return step != SQL_ERROR;
    return results_execute(results, RESULTS_DOMAIN_WEIGH,
                           (const struct sql_value[]){value_number(*id), value_number(weight)}, 2);
}

bool results_add_domain(struct results *results, const char *name, int64_t weight, bool *is_new)
{
    int64_t id;

    return add(results, name, weight, &id, is_new);
}

bool results_add_domain_id(struct results *results, const char *name, int64_t weight, int64_t *id)
{
    bool is_new;

    return add(results, name, weight, id, &is_new);
}

bool results_sample(struct results *results, int64_t count)
{
    struct sql_value value = value_number(count);
    int64_t last = 0;

    if (!results_number(results, RESULTS_SAMPLE_END, &value, 1, &last))
        return false;
    if (last == 0) /* there are fewer */
        return true;
    value = value_number(last);
    if (!results_execute(results, RESULTS_SAMPLE_DROP, &value, 1))
        return false;
    results->sample_end = last;
    results->counted = false;
    return true;
}

bool results_drop_names(struct results *results)
{
    results->counted = false;
    results->sample_end = INT64_MAX;
    return results_execute(results, RESULTS_DOMAINS_DROP, NULL, 0);
}

bool results_find(struct results *results, const char *name, int64_t *id)
{
    struct sql_value value = value_text(name);

    results->error[0] = '\0';
    return results_number(results, RESULTS_DOMAIN_FIND, &value, 1, id) && *id != 0;
}
