/*
 * forecast: see forecast.h. One good mail host is enough: Postfix goes on to the next MX host when
 * one does not satisfy the policy. Only a STARTTLS refused with 5xx ends a delivery at once.
 */
#include "policy/forecast.h"

#include "policy/sts_match.h"

struct seen {
    unsigned answered; /* addresses that were asked and said something */
    unsigned good;     /* of these, satisfying the level */
    unsigned refused;
};

static bool answered(enum starttls state)
{
    return state >= STARTTLS_CLEAR;
}

static bool has_tls(const struct starttls_result *result)
{
    return result->state == STARTTLS_TLS || result->state == STARTTLS_VERIFIED;
}

static bool satisfies(enum verdict_level level, const struct evidence *evidence,
                      const struct mx_host *host, const struct starttls_result *result)
{
    const struct sts_policy *policy = evidence->sts.policy;

    switch (level) {
    case VERDICT_ENCRYPT:
        return has_tls(result);
    case VERDICT_VERIFY:
        return result->state == STARTTLS_VERIFIED;
    case VERDICT_SECURE:
        return result->state == STARTTLS_VERIFIED &&
               (policy == NULL || sts_match_policy(policy, host->name));
    default: /* dane-only: what was not compared may well match */
        return has_tls(result) && host->dane == HOST_DANE_USABLE &&
               result->tlsa != TLSA_MATCH_MISMATCH;
    }
}

static void look(struct seen *seen, enum verdict_level level, const struct evidence *evidence)
{
    for (size_t i = 0; i < evidence->host_count; i++) {
        const struct mx_host *host = &evidence->hosts[i];

        for (size_t j = 0; j < host->address_count; j++) {
            const struct starttls_result *result = &host->addresses[j].starttls;

            seen->answered += answered(result->state);
            seen->refused += result->state == STARTTLS_REFUSED;
            seen->good += satisfies(level, evidence, host, result);
        }
    }
}

/* A policy none of whose patterns names a mail host stops mail whatever the hosts show. */
static bool names_no_host(const struct evidence *evidence)
{
    const struct sts_policy *policy = evidence->sts.policy;

    if (policy == NULL || evidence->host_count == 0)
        return false;
    for (size_t i = 0; i < evidence->host_count; i++)
        if (sts_match_policy(policy, evidence->hosts[i].name))
            return false;
    return true;
}

enum forecast forecast_level(enum verdict_level level, const struct evidence *evidence)
{
    struct seen seen = {0};

    if (level == VERDICT_TEMP)
        return FORECAST_DEFERS;
    if (level == VERDICT_NO_OPINION || level == VERDICT_DANE)
        return FORECAST_FLOWS;
    if (evidence == NULL)
        return FORECAST_UNKNOWN;
    if (level == VERDICT_SECURE && names_no_host(evidence))
        return FORECAST_DEFERS;
    look(&seen, level, evidence);
    if (seen.refused > 0)
        return FORECAST_BOUNCES;
    if (seen.good > 0)
        return FORECAST_FLOWS;
    return seen.answered > 0 ? FORECAST_DEFERS : FORECAST_UNKNOWN;
}

const char *forecast_name(enum forecast forecast)
{
    static const char *const names[] = {
        [FORECAST_UNKNOWN] = "unknown",
        [FORECAST_FLOWS] = "flows",
        [FORECAST_DEFERS] = "defers",
        [FORECAST_BOUNCES] = "bounces",
    };

    return names[forecast];
}
