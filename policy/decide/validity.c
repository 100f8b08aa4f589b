/*
 * validity: the smallest of the TTLs used, within the operator's clamps; see decide.h.
 *
 * Floors never reach beyond what another standard forbids: the end of a policy's max_age
 * (RFC 8461 §3.2), five minutes for a lookup that failed (RFC 2308 §7), a TTL of 0.
 */
#include "policy/decide/decide.h"

#include <string.h>

#include "policy/sts_match.h"

/* What may not be stored is kept for one burst of identical questions. */
#define COALESCE_MS INT64_C(1000)
/* RFC 2308 §7: a server failure is not remembered for longer. */
#define FAILURE_MAX_MS (INT64_C(300) * 1000)

struct life {
    int64_t ms;      /* smallest so far */
    int64_t most_ms; /* what no floor may exceed */
};

static void limit(struct life *life, int64_t ms)
{
    life->ms = smaller(life->ms, ms);
}

static void limit_hard(struct life *life, int64_t ms)
{
    life->most_ms = smaller(life->most_ms, ms);
}

/* A TTL of the DNS in seconds; UINT32_MAX: nothing was asked. RFC 2181 §8: above 2^31-1 it is 0. */
static void limit_ttl(struct life *life, uint32_t ttl)
{
    if (ttl == UINT32_MAX)
        return;
    if (ttl == 0 || ttl > INT32_MAX)
        limit_hard(life, COALESCE_MS);
    else
        limit(life, (int64_t)ttl * 1000);
}

static void limit_until(struct life *life, int64_t end, int64_t now)
{
    if (end > now)
        limit(life, end - now);
}

static void use_host(struct life *life, const struct mx_host *host, int64_t negative_max_ms)
{
    bool absent =
        host->dane == HOST_DANE_DEAD || (host->dane == HOST_DANE_NONE && host->address_secure);
    bool failed = host->dane == HOST_DANE_ERROR || host->dane == HOST_DANE_LOST ||
                  host->dane == HOST_DANE_UNKNOWN;

    if (host->dane != HOST_DANE_UNKNOWN)
        limit_ttl(life, host->ttl);
    if (absent)
        limit(life, negative_max_ms);
    if (failed)
        limit_hard(life, FAILURE_MAX_MS);
}

/* What was given up on, at the job's deadline or because too much was under way, may be known a
 * moment later: it is asked for again as soon as after a TEMP. */
static void use_probes(struct life *life, const struct mx_host *host, int64_t given_up_ms,
                       int64_t now)
{
    for (size_t i = 0; i < host->address_count; i++) {
        const struct starttls_result *result = &host->addresses[i].starttls;

        if (result->valid_until > 0)
            limit(life, larger(result->valid_until - now, 0));
        if (result->state == STARTTLS_UNKNOWN)
            limit_hard(life, given_up_ms);
    }
}

static void use_sts(struct life *life, const struct decision *decision)
{
    const struct sts_evidence *sts = &decision->evidence->sts;
    int64_t now = decision->now;

    if (sts->state == STS_NOT_ASKED)
        return;
    /* the lookup was given up: the domain is not to blame for the missing policy */
    if (sts->state == STS_UNKNOWN || (sts->state == STS_FETCH_FAILED && sts->retry_at == 0))
        limit_hard(life, decision->options->temp_ttl_ms);
    limit_ttl(life, sts->ttl);
    if (sts->state == STS_NO_RECORD)
        limit(life, decision->options->negative_ttl_max_ms);
    if (sts->state == STS_DNS_ERROR || sts->ttl == UINT32_MAX) /* or a remembered policy alone */
        limit_hard(life, FAILURE_MAX_MS);
    limit_until(life, sts->retry_at, now);
    if (facts_policy_in_force(sts, now))
        limit_hard(life, sts->valid_until > now ? sts->valid_until - now : COALESCE_MS);
    limit_until(life, sts->refresh_at, now); /* when the policy is due to be fetched again */
}

static bool policy_has_wildcard(const struct sts_policy *policy)
{
    for (size_t i = 0; policy != NULL && i < policy->mx_count; i++)
        if (sts_match_is_wildcard(policy->mx[i]))
            return true;
    return false;
}

static bool list_has_wildcard(const struct list_evidence *list)
{
    const char *pattern = list->mx;

    for (size_t i = 0; i < list->mx_count; i++, pattern += strlen(pattern) + 1)
        if (sts_match_is_wildcard(pattern))
            return true;
    return false;
}

/* An answer that names MX hosts in a wildcard's place lives no longer than the MX record. */
static void use_named_hosts(struct life *life, const struct verdict *verdict,
                            const struct evidence *evidence)
{
    int64_t ttl = evidence->mx_ttl > INT32_MAX ? 0 : evidence->mx_ttl;
    bool wildcard = verdict->reason == REASON_LIST
                        ? list_has_wildcard(&evidence->list)
                        : verdict->wildcard_hosts && policy_has_wildcard(evidence->sts.policy);

    if (verdict->level == VERDICT_SECURE && evidence->mx_ttl != UINT32_MAX && wildcard)
        limit_hard(life, larger(ttl * 1000, COALESCE_MS));
}

/* What is remembered counts only as long as it is kept. A held next-hop is asked about again at
 * growing intervals. */
static void use_remembered(struct life *life, const struct verdict *verdict,
                           const struct decision *decision)
{
    const struct verdict_options *options = decision->options;
    int64_t now = decision->now, pause;

    if (verdict->reason == REASON_DANE_REMEMBERED)
        limit_hard(life, verdict->remembered.dane_only_until - now);
    if (verdict->reason != REASON_HELD)
        return;
    pause = larger((now - verdict->held.since) / 2, options->hold_probe_min_ms);
    limit_hard(life, smaller(pause, options->hold_probe_max_ms));
    limit_hard(life, verdict->held.until - now);
}

static int64_t clamp(const struct life *life, enum verdict_level level,
                     const struct verdict_options *options)
{
    int64_t ms = life->ms;

    if (level == VERDICT_TEMP)
        return smaller(larger(smaller(ms, options->temp_ttl_ms), COALESCE_MS), life->most_ms);
    ms = smaller(larger(ms, options->ttl_min_ms), options->ttl_max_ms);
    if (level == VERDICT_NO_OPINION)
        ms = smaller(ms, options->negative_ttl_max_ms);
    return smaller(ms, life->most_ms);
}

void validity_set(struct verdict *verdict, const struct decision *decision)
{
    const struct evidence *evidence = decision->evidence;
    const struct verdict_options *options = decision->options;
    /* what did not decide by itself is asked about again as soon as after a TEMP */
    bool stopgap = verdict_is_remembered(verdict) && verdict->reason != REASON_HELD;
    enum verdict_level level = stopgap ? VERDICT_TEMP : verdict->level;
    struct life life = {INT64_MAX, INT64_MAX};
    int64_t ms;

    if (evidence->mx != MX_UNKNOWN && evidence->mx != MX_SELF)
        limit_ttl(&life, evidence->mx_ttl);
    if (evidence->mx == MX_IMPLICIT)
        limit(&life, options->negative_ttl_max_ms);
    use_named_hosts(&life, verdict, evidence);
    for (size_t i = 0; i < evidence->host_count; i++) {
        use_host(&life, &evidence->hosts[i], options->negative_ttl_max_ms);
        if (decision->uses_probes)
            use_probes(&life, &evidence->hosts[i], options->temp_ttl_ms, decision->now);
    }
    if (decision->uses_sts)
        use_sts(&life, decision);
    use_remembered(&life, verdict, decision);
    ms = verdict->settled ? clamp(&life, level, options) : smaller(COALESCE_MS, life.most_ms);
    ms = larger(ms, 1);
    verdict->valid_until = decision->now + ms;
    /* early enough for a refresh to end before, late enough to be worth the wait */
    verdict->refresh_at = decision->now + ms / 8 * 7;
}
