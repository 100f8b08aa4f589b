/*
 * results_put: what came of a domain; see results.h. results_put_host.c and results_put_address.c
 * have the other kinds.
 *
 * A result that came before is replaced as a whole.
 */
#include "survey/results/results_internal.h"

#include <string.h>

#include "base/buf.h"
#include "policy/sts_match.h"

#define ERROR_WORD_MAX 64

/* ---- hosts ---- */

static bool excludes(const struct results *results, const char *name)
{
    static const struct ip nowhere;

    return results->filter != NULL && address_filter_excludes(results->filter, &nowhere, name);
}

/* Does `act` with the ids of those rows of a SELECT whose name is excluded. */
static bool each_excluded(struct results *results, enum results_statement which,
                          bool (*act)(struct results *results, const struct sql_value *id))
{
    struct sql_statement *row = results_select(results, which, NULL, 0);
    enum sql_step step = SQL_END;
    bool ok = true;

    while (ok && row != NULL && (step = results_row(results, row)) == SQL_ROW) {
        const struct sql_value id = value_number(row_number(row, 0, 0));
        const char *name = row_text(row, 1, HOSTNAME_MAX);

        if (name != NULL && excludes(results, name))
            ok = act(results, &id);
    }
    if (row != NULL)
        sql_reset(row);
    return ok && row != NULL && step == SQL_END;
}

static bool opt_out(struct results *results, const struct sql_value *host)
{
    return results_execute(results, RESULTS_HOST_OPT_OUT, host, 1) &&
           results_execute(results, RESULTS_ADDRESSES_OPT_OUT, host, 1);
}

static bool drop_domain(struct results *results, const struct sql_value *domain)
{
    results->counted = false;
    return results_execute(results, RESULTS_DOMAIN_DROP, domain, 1);
}

bool results_set_filter(struct results *results, const struct address_filter *filter)
{
    results->filter = filter;
    return filter->excluded_name_count == 0 ||
           (each_excluded(results, RESULTS_DOMAINS_IN, drop_domain) &&
            each_excluded(results, RESULTS_HOSTS_IN, opt_out));
}

/* Most are new: the row is looked at only where the id is taken; and the list of those who opted out,
 * which may be long, for new ones only. */
static bool add_unknown_host(struct results *results, const char *name, int64_t *id)
{
    struct results_name_at at = {true, 0};

    for (;; *id = results_next_id(*id)) {
        const struct sql_value values[] = {value_number(*id), value_text(name),
                                           value_text(results_operator(results->known, *id, name)),
                                           value_number(false)};

        if (!results_execute(results, RESULTS_HOST_ADD, values, 4))
            return false;
        if (sql_changes(results->sql) > 0)
            break;
        if (results_name_at(results, RESULTS_HOST_AT, *id, name, &at) != SQL_ROW)
            return false;
        if (!at.is_other)
            return true;
    }
    results->tallies[UNIT_HOST].all++;
    return !excludes(results, name) ||
           results_execute(results, RESULTS_HOST_OPT_OUT,
                           (const struct sql_value[]){value_number(*id)}, 1);
}

bool results_add_host(struct results *results, const char *name, int64_t *id)
{
    const int64_t own = results_id(results, RESULTS_ID_HOST, name, strlen(name));

    *id = own;
    if (results_is_known(results->known, own, name))
        return true;
    if (!add_unknown_host(results, name, id))
        return false;
    if (*id == own)
        results_know(results->known, own, name);
    return true;
}

/* ---- MX ---- */

static bool put_mx(struct results *results, int64_t domain, const struct evidence *evidence)
{
    for (size_t i = 0; i < evidence->host_count && i < EVIDENCE_MX_MAX; i++) {
        const struct mx_host *host = &evidence->hosts[i];
        int64_t id;

        if (!hostname_canonical(host->name))
            continue;
        if (!results_add_host(results, host->name, &id) ||
            !results_execute(results, RESULTS_MX_PUT,
                             (const struct sql_value[]){value_number(domain), value_number(id),
                                                        value_number(host->preference)},
                             3))
            return false;
    }
    return true;
}

/* ---- MTA-STS ---- */

static struct sql_value joined(struct results *results, const char *const *texts, size_t count,
                               char separator)
{
    struct buf all;
    struct sql_value value;

    buf_init(&all, 2 * STS_BODY_MAX);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buf_add(&all, &separator, 1);
        buf_adds(&all, texts[i]);
    }
    value = value_text(arena_strdup(results->scratch, all.failed ? NULL : buf_text(&all)));
    buf_fini(&all);
    return value;
}

static bool put_policy(struct results *results, int64_t domain, const struct sts_evidence *sts)
{
    const struct sts_policy *policy = sts->state == STS_POLICY ? sts->policy : NULL;
    struct sql_value values[10] = {
        value_number(domain),
        value_word(&results_sts_words, sts->state),
        sts->id[0] == '\0' ? value_none() : value_text(sts->id),
        value_ttl(sts->ttl),
    };

    if (sts->state < STS_BAD_RECORD)
        return true;
    if (policy != NULL) {
        values[4] = value_word(&results_mode_words, policy->mode);
        values[5] = value_number(policy->max_age);
        values[6] = joined(results, policy->mx, policy->mx_count, ' ');
        values[7] = joined(results, policy->lines, policy->line_count, '\n');
    }
    values[8] = value_foreign(results, sts->failure);
    values[9] = value_foreign(results, sts->why);
    return results_execute(results, RESULTS_POLICY_PUT, values, 10);
}

static struct sql_value sts_word(const struct sts_evidence *sts)
{
    if (sts->state == STS_POLICY && sts->policy != NULL)
        return value_word(&results_mode_words, sts->policy->mode);
    return value_word(&results_sts_words, sts->state);
}

static struct sql_value unmatched(const struct evidence *evidence)
{
    int64_t count = 0;

    if (evidence->sts.state != STS_POLICY || evidence->sts.policy == NULL)
        return value_none();
    for (size_t i = 0; i < evidence->host_count; i++)
        count += !sts_match_policy(evidence->sts.policy, evidence->hosts[i].name);
    return value_number(count);
}

/* ---- the domain ---- */

/* "mx-servfail": what failed first, of what the verdict needs most. */
static struct sql_value error_word(struct results *results, const struct unit_result *result)
{
    const struct domain_seen *seen = result->domain;
    const struct sts_evidence *sts = &seen->evidence.sts;
    const char *failure = NULL, *of = NULL;

    if (result->failed_here)
        return value_text("local");
    if (seen->evidence.mx == MX_ERROR) {
        of = "mx";
        failure = seen->mx_failure;
    } else if (sts->state == STS_DNS_ERROR || sts->state == STS_FETCH_FAILED ||
               sts->state == STS_BAD_POLICY) {
        of = sts->state == STS_DNS_ERROR ? "mta-sts-dns" : "mta-sts";
        failure = sts->failure;
    }
    if (of == NULL)
        return value_none();
    return value_text(
        arena_printf(results->scratch, "%s-%s", of, failure == NULL ? "error" : failure));
}

static struct sql_value operator_of(struct results *results, const struct evidence *evidence)
{
    const char *name = evidence->host_count == 0 ? NULL : evidence->hosts[0].name;

    if (!hostname_canonical(name))
        return value_none();
    return value_text(results_operator(
        results->known, results_id(results, RESULTS_ID_HOST, name, strlen(name)), name));
}

static bool replace_domain(struct results *results, struct sql_value *values, int count)
{
    values[count - 1] = value_number(true);
    return results_execute(results, RESULTS_MX_DROP, values, 1) &&
           results_execute(results, RESULTS_POLICY_DROP, values, 1) &&
           results_execute(results, RESULTS_DOMAIN_PUT, values, count);
}

bool results_put_domain(struct results *results, const struct unit_result *result, bool *again)
{
    const struct domain_seen *seen = result->domain;
    const struct evidence *evidence = &seen->evidence;
    const char *why = evidence->mx == MX_ERROR ? evidence->mx_why : evidence->sts.why;
    struct sql_value error = error_word(results, result);
    struct sql_value values[] = {
        value_number(result->unit.id),
        value_number(result->looked_at),
        value_word(&results_mx_words, evidence->mx),
        value_number(evidence->mx_secure),
        value_ttl(evidence->mx_ttl),
        value_number(evidence->mx_truncated),
        value_name(evidence->expanded),
        sts_word(&evidence->sts),
        unmatched(evidence),
        value_text(seen->tlsrpt.state == TLSRPT_UNKNOWN ? NULL
                                                        : tlsrpt_state_name(seen->tlsrpt.state)),
        value_foreign(results, seen->tlsrpt.rua),
        operator_of(results, evidence),
        error,
        error.type == SQL_NONE ? value_none() : value_foreign(results, why),
        value_number(false),
    };
    const int count = sizeof values / sizeof values[0];

    return results_update(results, RESULTS_DOMAIN_PUT, values, count, again) &&
           (!*again || replace_domain(results, values, count)) &&
           put_mx(results, result->unit.id, evidence) &&
           put_policy(results, result->unit.id, &evidence->sts);
}

bool results_put(struct results *results, const struct unit_result *result)
{
    static bool (*const puts[])(struct results *, const struct unit_result *, bool *) = {
        [UNIT_DOMAIN] = results_put_domain,
        [UNIT_HOST] = results_put_host,
        [UNIT_ADDRESS] = results_put_address,
    };
    bool again = false;

    arena_reset(results->scratch);
    results_hosts_forget(results);
    results->operators_counted = false; /* this may change it */
    if (!results_begin(results) || !puts[result->unit.kind](results, result, &again))
        return false;
    if (!again)
        results->tallies[result->unit.kind].done++;
    return !arena_failed(results->scratch) || results_fail_with(results, "no memory");
}
