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

#include <string.h>

#include "probe/sts/sts_parse.h"

#define DOMAIN_PROBES_MAX 60 /* as in probe/domain_uv.h, which needs a loop */
#define SMTP_PORT         25
#define WORD_MAX_OCTETS   100

struct gathering {
    struct results *results;
    struct arena *arena;
    struct evidence *evidence;
    unsigned probes_left;
    int64_t now;
};

static uint32_t row_ttl(struct sql_statement *row, int column)
{
    int64_t ttl = row_number(row, column, UINT32_MAX);

    return ttl < 0 || ttl > UINT32_MAX ? UINT32_MAX : (uint32_t)ttl;
}

/* ---- addresses ---- */

static void skip(struct starttls_result *out, const char *why)
{
    *out = (struct starttls_result){.state = STARTTLS_SKIPPED, .detail = why};
}

static void take_result(struct gathering *all, struct sql_statement *row,
                        struct starttls_result *out)
{
    out->state = row_word(row, 2, &results_starttls_words);
    out->chain_ok = row_is(row, 3);
    out->name_ok = row_is(row, 4);
    out->expired = row_is(row, 5);
    out->tlsa = row_word(row, 6, &results_match_words);
    out->code = (int)(row_number(row, 7, 0) % 1000);
    out->detail = row_text_copy(row, 8, RESULTS_TEXT_MAX, all->arena);
    if (out->state != STARTTLS_UNKNOWN)
        out->probed_at = all->now;
    if (out->state < STARTTLS_TLS)
        return;
    out->protocol = row_text_copy(row, 9, WORD_MAX_OCTETS, all->arena);
    out->cipher = row_text_copy(row, 10, WORD_MAX_OCTETS, all->arena);
    out->requiretls = row_is(row, 11);
    out->subject = row_text_copy(row, 12, RESULTS_TEXT_MAX, all->arena);
    out->not_after = row_number(row, 13, 0);
}

static void take_address(struct gathering *all, struct sql_statement *row, struct mx_address *out)
{
    out->secure = row_is(row, 1);
    take_result(all, row, &out->starttls);
    if (!all->results->run.verdict.probe)
        skip(&out->starttls, "probing is switched off");
    else if (out->starttls.state == STARTTLS_SKIPPED)
        return;
    else if (all->probes_left == 0)
        skip(&out->starttls, "too many addresses at this next-hop");
    else
        all->probes_left--;
}

static bool take_addresses(struct gathering *all, int64_t id, struct mx_host *host)
{
    struct sql_value value = value_number(id);
    struct sql_statement *row = results_select(all->results, RESULTS_EVIDENCE_ADDRESSES, &value, 1);
    enum sql_step step = SQL_ERROR;

    host->addresses =
        arena_array(all->arena, (size_t)2 * EVIDENCE_ADDRESSES_MAX, sizeof *host->addresses);
    while (row != NULL && host->addresses != NULL &&
           host->address_count < 2 * EVIDENCE_ADDRESSES_MAX &&
           (step = results_row(all->results, row)) == SQL_ROW) {
        struct mx_address *address = &host->addresses[host->address_count];
        const char *ip = row_text(row, 0, IP_TEXT_MAX);

        if (ip == NULL || !ip_parse(&address->ip, ip))
            continue;
        take_address(all, row, address);
        host->address_count++;
    }
    if (row != NULL)
        sql_reset(row);
    return step != SQL_ERROR;
}

/* ---- hosts ---- */

static int64_t take_host(struct gathering *all, struct sql_statement *row, struct mx_host *out)
{
    out->name = row_text_copy(row, 1, HOSTNAME_MAX, all->arena);
    out->preference = (uint16_t)row_number(row, 2, 0);
    out->dane = row_word(row, 3, &results_dane_words);
    out->address_secure = row_is(row, 4);
    out->addresses_known = row_is(row, 5);
    out->tlsa_base = row_text_copy(row, 6, HOSTNAME_MAX, all->arena);
    out->tlsa_short = row_is(row, 7);
    out->tlsa_truncated = row_is(row, 8);
    out->expanded = row_text_copy(row, 9, HOSTNAME_MAX, all->arena);
    out->ttl = row_ttl(row, 10);
    out->why = row_text_copy(row, 11, RESULTS_TEXT_MAX, all->arena);
    return row_number(row, 0, 0);
}

static bool take_host_parts(struct gathering *all, int64_t id, struct mx_host *host)
{
    const struct tlsa *tlsa;

    if (host->dane == HOST_DANE_USABLE || host->dane == HOST_DANE_UNUSABLE) {
        if (!results_read_tlsa(all->results, id, all->arena, &tlsa, &host->tlsa_count))
            return false;
        host->tlsa = arena_memdup(all->arena, tlsa, host->tlsa_count * sizeof *tlsa);
    }
    return take_addresses(all, id, host);
}

static bool take_hosts(struct gathering *all, int64_t domain)
{
    struct evidence *evidence = all->evidence;
    struct sql_value value = value_number(domain);
    struct sql_statement *row = results_select(all->results, RESULTS_EVIDENCE_HOSTS, &value, 1);
    enum sql_step step = SQL_ERROR;
    int64_t ids[EVIDENCE_MX_MAX];

    evidence->hosts = arena_array(all->arena, EVIDENCE_MX_MAX, sizeof *evidence->hosts);
    while (row != NULL && evidence->hosts != NULL && evidence->host_count < EVIDENCE_MX_MAX &&
           (step = results_row(all->results, row)) == SQL_ROW) {
        struct mx_host *host = &evidence->hosts[evidence->host_count];

        ids[evidence->host_count] = take_host(all, row, host);
        evidence->host_count += host->name != NULL;
    }
    if (row != NULL)
        sql_reset(row);
    if (step == SQL_ERROR)
        return false;
    for (size_t i = 0; i < evidence->host_count; i++)
        if (!take_host_parts(all, ids[i], &evidence->hosts[i]))
            return false;
    return true;
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
    struct sql_statement *row = results_select(all->results, RESULTS_EVIDENCE_POLICY, &value, 1);
    enum sql_step step = row == NULL ? SQL_ERROR : results_row(all->results, row);

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
    if (step == SQL_ERROR)
        return false;
    results->error[0] = '\0';
    if (!known)
        return false;
    if (ends_with_mx(out->mx))
        out->sts = (struct sts_evidence){.state = STS_NOT_ASKED, .ttl = UINT32_MAX};
    else if (!take_sts(&all, domain) || !take_hosts(&all, domain))
        return false;
    return !arena_failed(arena) || results_fail_with(results, "no memory");
}
