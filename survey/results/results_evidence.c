/*
 * results_evidence: the evidence of a domain as domain_uv would have it after a whole lookup; see
 * results.h.
 *
 *   A null MX, a domain that does not exist and an MX lookup that failed end a lookup: there is no
 *   MTA-STS and no host then.
 *   Of a next-hop's addresses the first DOMAIN_PROBES_MAX that may be connected to are; here they
 *   are counted by preference, there in the order in which answers come.
 *   A policy counts from `now`.
 *
 * Texts of another's file that are too long, and words that are none, are taken for unknown.
 */
#include "survey/results/results_internal.h"

#include <stdlib.h>
#include <string.h>

#include "probe/sts/sts_parse.h"

#define DOMAIN_PROBES_MAX 60 /* as in probe/domain_uv.h, which needs a loop */
#define SMTP_PORT         25

struct gathering {
    struct results *results;
    struct arena *arena;
    struct evidence *evidence;
    unsigned probes_left;
    int64_t now;
};

/* ---- hosts ---- */

static void skip(struct starttls_result *out, const char *why)
{
    *out = (struct starttls_result){.state = STARTTLS_SKIPPED, .detail = why};
}

static void limit_probes(struct gathering *all, struct starttls_result *result)
{
    if (result->state != STARTTLS_UNKNOWN)
        result->probed_at = all->now;
    if (!all->results->run.verdict.probe)
        skip(result, "probing is switched off");
    else if (result->state == STARTTLS_SKIPPED)
        return;
    else if (all->probes_left == 0)
        skip(result, "too many addresses at this next-hop");
    else
        all->probes_left--;
}

static int by_preference(const void *a, const void *b)
{
    const struct mx_host *one = a, *other = b;

    if (one->preference != other->preference)
        return one->preference < other->preference ? -1 : 1;
    return strcmp(one->name, other->name);
}

/* Takes the hosts that are in the file, and their preferences. */
static bool take_hosts(struct gathering *all, int64_t domain)
{
    struct mx_host hosts[EVIDENCE_MX_MAX];
    size_t count = 0;
    struct sql_value value = value_number(domain);
    struct sql_statement *row = results_select(all->results, RESULTS_EVIDENCE_MX, &value, 1);
    enum sql_step step = SQL_ERROR;
    const struct mx_host *host = NULL;

    while (row != NULL && count < EVIDENCE_MX_MAX &&
           (step = results_row(all->results, row)) == SQL_ROW) {
        if (!results_host(all->results, row_number(row, 0, 0), &host)) {
            step = SQL_ERROR;
            break;
        }
        if (host == NULL)
            continue;
        hosts[count] = *host;
        hosts[count++].preference = (uint16_t)row_number(row, 1, 0);
    }
    if (row != NULL)
        sql_reset(row);
    all->evidence->hosts = arena_memdup(all->arena, hosts, count * sizeof *hosts);
    all->evidence->host_count = all->evidence->hosts == NULL ? 0 : count;
    return step != SQL_ERROR;
}

/* What counts for this domain is written into copies of the addresses. */
static void take_addresses(struct gathering *all)
{
    struct evidence *evidence = all->evidence;

    if (evidence->host_count > 0)
        qsort(evidence->hosts, evidence->host_count, sizeof *evidence->hosts, by_preference);
    for (size_t i = 0; i < evidence->host_count; i++) {
        struct mx_host *host = &evidence->hosts[i];

        host->addresses = arena_memdup(all->arena, host->addresses,
                                       host->address_count * sizeof *host->addresses);
        if (host->addresses == NULL)
            host->address_count = 0;
        for (size_t j = 0; j < host->address_count; j++)
            limit_probes(all, &host->addresses[j].starttls);
    }
}

/* ---- MTA-STS ---- */

static void take_policy(struct gathering *all, struct sql_statement *row)
{
    struct sts_evidence *sts = &all->evidence->sts;
    const char *id = row_text(row, 1, STS_ID_MAX), *lines = row_text(row, 3, STS_BODY_MAX);

    sts->state = row_word(row, 0, &results_sts_words);
    if (id != NULL)
        memcpy(sts->id, id, strlen(id) + 1);
    sts->ttl = row_ttl(row, 2);
    sts->why = row_text_copy(row, 4, RESULTS_TEXT_MAX, all->arena);
    if (sts->state != STS_POLICY)
        return;
    sts->policy = sts_parse_policy(all->arena, lines == NULL ? "" : lines,
                                   lines == NULL ? 0 : strlen(lines), &sts->why);
    if (sts->policy == NULL) {
        sts->state = STS_BAD_POLICY;
        return;
    }
    sts->why = NULL;
    sts->fetched_at = all->now;
    sts->valid_until = all->now + (int64_t)sts->policy->max_age * 1000;
}

static bool take_sts(struct gathering *all, int64_t domain)
{
    struct sql_value value = value_number(domain);
    struct sql_statement *row;
    enum sql_step step;

    if (all->evidence->sts.state == STS_NO_RECORD) /* nor a row */
        return true;
    row = results_select(all->results, RESULTS_EVIDENCE_POLICY, &value, 1);
    step = row == NULL ? SQL_ERROR : results_row(all->results, row);

    if (step == SQL_ROW)
        take_policy(all, row);
    if (row != NULL)
        sql_reset(row);
    return step != SQL_ERROR;
}

/* ---- the domain ---- */

static bool take_domain(struct gathering *all, struct sql_statement *row)
{
    struct evidence *out = all->evidence;

    *out = (struct evidence){.port = SMTP_PORT, .complete = true};
    out->domain = row_text_copy(row, 0, HOSTNAME_MAX, all->arena);
    out->mx = row_word(row, 2, &results_mx_words);
    out->mx_secure = row_is(row, 3);
    out->mx_truncated = row_is(row, 4);
    out->mx_ttl = row_ttl(row, 5);
    out->expanded = row_text_copy(row, 6, HOSTNAME_MAX, all->arena);
    /* a policy, a record or a failure has a row of its own */
    out->sts.state = row_word(row, 7, &results_sts_words);
    out->sts.ttl = UINT32_MAX;
    if (out->mx == MX_ERROR)
        out->mx_why = row_text_copy(row, 8, RESULTS_TEXT_MAX, all->arena);
    return out->domain != NULL && !row_null(row, 1);
}

/* A lookup that ends with its MX. */
static bool ends_with_mx(enum mx_state mx)
{
    return mx == MX_NULL || mx == MX_NXDOMAIN || mx == MX_ERROR;
}

bool results_evidence(struct results *results, int64_t domain, int64_t now, struct arena *arena,
                      struct evidence *out)
{
    struct gathering all = {results, arena, out, DOMAIN_PROBES_MAX, now};
    struct sql_value value = value_number(domain);
    struct sql_statement *row = results_select(results, RESULTS_EVIDENCE_DOMAIN, &value, 1);
    enum sql_step step = row == NULL ? SQL_ERROR : results_row(results, row);
    bool known = step == SQL_ROW && take_domain(&all, row);

    if (row != NULL)
        sql_reset(row);
    results_hosts_tidy(results);
    if (step == SQL_ERROR)
        return false;
    results->error[0] = '\0';
    if (!known)
        return false;
    if (ends_with_mx(out->mx))
        out->sts = (struct sts_evidence){.state = STS_NOT_ASKED, .ttl = UINT32_MAX};
    else if (!take_sts(&all, domain) || !take_hosts(&all, domain))
        return false;
    take_addresses(&all);
    return !arena_failed(arena) || results_fail_with(results, "no memory");
}
