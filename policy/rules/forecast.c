/*
 * forecast: see forecast.h. One good mail host is enough: when one does not satisfy the policy,
 * Postfix tries the next MX host. Only a STARTTLS refused with 5xx ends a delivery at once.
 */
#include "policy/rules/forecast.h"

#include <string.h>
#include <strings.h>

#include "policy/sts_match.h"

#define MATCH  "match="
#define TAFILE "tafile="

static bool has_tls(const struct starttls_result *result)
{
    return result->state == STARTTLS_TLS || result->state == STARTTLS_VERIFIED;
}

/* True unless the MTA-STS policy, or else a policy list, has other hosts. A policy of mode none asks
 * for nothing, and so goes before no list. */
static bool covered_by_policy(const struct evidence *evidence, const struct mx_host *host)
{
    const struct sts_policy *policy = evidence->sts.policy;

    if (policy != NULL && policy->mode != STS_MODE_NONE)
        return sts_match_policy(policy, host->name);
    return evidence->list.mode == LIST_NONE || sts_match_listed(&evidence->list, host->name);
}

static bool satisfies(enum verdict_level level, const struct evidence *evidence,
                      const struct mx_host *host, const struct starttls_result *result)
{
    switch (level) {
    case VERDICT_ENCRYPT:
        return has_tls(result);
    case VERDICT_VERIFY:
        return result->state == STARTTLS_VERIFIED;
    case VERDICT_SECURE:
        return result->state == STARTTLS_VERIFIED && covered_by_policy(evidence, host);
    default: /* dane-only: what was not compared may well match */
        return has_tls(result) && host->dane == HOST_DANE_USABLE &&
               result->tlsa != TLSA_MATCH_MISMATCH;
    }
}

enum forecast forecast_level(enum verdict_level level, const struct evidence *evidence)
{
    /* addresses that said something; of these, those that satisfy the level or refuse STARTTLS */
    size_t answered = 0, good = 0, refused = 0;
    bool covered = false;

    if (level == VERDICT_TEMP)
        return FORECAST_DEFERS;
    if (level == VERDICT_NO_OPINION || level == VERDICT_DANE)
        return FORECAST_FLOWS;
    if (evidence == NULL)
        return FORECAST_UNKNOWN;
    for (size_t i = 0; i < evidence->host_count; i++) {
        const struct mx_host *host = &evidence->hosts[i];

        covered |= covered_by_policy(evidence, host);
        for (size_t j = 0; j < host->address_count; j++) {
            const struct starttls_result *result = &host->addresses[j].starttls;

            answered += result->state >= STARTTLS_CLEAR;
            refused += result->state == STARTTLS_REFUSED;
            good += satisfies(level, evidence, host, result);
        }
    }
    /* a policy whose patterns cover no mail host stops mail, whatever the hosts show */
    if (level == VERDICT_SECURE && evidence->host_count > 0 && !covered)
        return FORECAST_DEFERS;
    if (refused > 0)
        return FORECAST_BOUNCES;
    if (good > 0)
        return FORECAST_FLOWS;
    return answered > 0 ? FORECAST_DEFERS : FORECAST_UNKNOWN;
}

/* ---- a rule's own match= ---- */

/* "mx.d" covers itself, ".d" the names below d. */
static bool name_covers(const char *name, size_t length, const char *host)
{
    size_t host_length = strlen(host);
    size_t skip = length > 0 && *name == '.' && host_length > length ? host_length - length : 0;

    return length > 0 && host_length - skip == length &&
           strncasecmp(name, host + skip, length) == 0;
}

/* True when a name of a match= of the policy covers the host. */
static bool policy_covers(const char *policy, const char *host)
{
    for (const char *at = policy; (at = strstr(at, MATCH)) != NULL;) {
        at += strlen(MATCH);
        for (size_t length;; at += length + 1) {
            length = strcspn(at, ": \t,");
            if (name_covers(at, length, host))
                return true;
            if (at[length] != ':')
                break;
        }
    }
    return false;
}

static bool covers_verified_host(const char *policy, const struct forecast_facts *facts)
{
    for (size_t i = 0; i < facts->verified_count; i++)
        if (policy_covers(policy, facts->verified[i]))
            return true;
    return false;
}

/* ---- an answer ---- */

static bool has_verified_address(const struct mx_host *host)
{
    for (size_t i = 0; i < host->address_count; i++)
        if (host->addresses[i].starttls.state == STARTTLS_VERIFIED)
            return true;
    return false;
}

void forecast_read(struct forecast_facts *out, const struct evidence *evidence)
{
    out->verified_count = 0;
    for (int level = VERDICT_NO_OPINION; level <= VERDICT_TEMP; level++)
        out->levels[level] = forecast_level((enum verdict_level)level, evidence);
    for (size_t i = 0;
         evidence != NULL && i < evidence->host_count && out->verified_count < EVIDENCE_MX_MAX; i++)
        if (has_verified_address(&evidence->hosts[i]))
            out->verified[out->verified_count++] = evidence->hosts[i].name;
}

enum forecast forecast_by_facts(const struct final_answer *final,
                                const struct forecast_facts *facts)
{
    bool policy = final->kind == FINAL_POLICY;
    bool has_file = policy && strstr(final->text, TAFILE) != NULL;
    enum forecast forecast;

    if (!has_file && !(policy && strstr(final->text, MATCH) != NULL))
        return facts->levels[final->level];
    if (!has_file && covers_verified_host(final->text, facts))
        return facts->levels[VERDICT_VERIFY];
    forecast = facts->levels[VERDICT_ENCRYPT];
    return forecast == FORECAST_FLOWS ? FORECAST_UNKNOWN : forecast;
}

enum forecast forecast_final(const struct final_answer *final, const struct evidence *evidence)
{
    struct forecast_facts facts;

    forecast_read(&facts, evidence);
    return forecast_by_facts(final, &facts);
}

bool forecast_stops_mail(enum forecast forecast)
{
    return forecast == FORECAST_DEFERS || forecast == FORECAST_BOUNCES;
}

const char *forecast_name(enum forecast forecast)
{
#define X(word, name) name,
    static const char *const names[] = {FORECASTS(X)};
#undef X

    return names[forecast];
}
