/*
 * forecast: how delivery under a policy would go, as far as the evidence tells. For `mxcrypt report`
 * and `mxcrypt rules check`, never for a verdict.
 */
#pragma once

#include "policy/evidence.h"
#include "policy/rules/override.h"
#include "policy/decide/verdict.h"

#define FORECASTS(X)                                                                               \
    X(FORECAST_UNKNOWN, "unknown") /* no mail host answered, or none was asked */                  \
    X(FORECAST_FLOWS, "flows")     /* some mail host satisfies it */                               \
    X(FORECAST_DEFERS, "defers")   /* mail hosts answered, and none satisfies it */                \
    X(FORECAST_BOUNCES, "bounces") /* a mail host answers STARTTLS with 5xx */
enum forecast { FORECASTS(ENUM_CONSTANT) };

/* `evidence` may be NULL. `level` ENCRYPT to TEMP; DANE and NO_OPINION flow. SECURE is by the
 * MTA-STS policy in the evidence, else by the policy list, or by the certificate alone where there is
 * neither. */
enum forecast forecast_level(enum verdict_level level, const struct evidence *evidence);
/* The same for what Postfix is told. A rule's own match= is compared with the mail hosts whose
 * certificate is valid for their name; other names in certificates were not looked at. */
enum forecast forecast_final(const struct final_answer *final, const struct evidence *evidence);

/* All that forecast_final reads in the evidence. */
struct forecast_facts {
    enum forecast levels[VERDICT_TEMP + 1]; /* forecast_level */
    const char *verified[EVIDENCE_MX_MAX];  /* mail hosts whose certificate is valid; borrowed */
    size_t verified_count;
};
/* `evidence` may be NULL. */
void forecast_read(struct forecast_facts *out, const struct evidence *evidence);
enum forecast forecast_by_facts(const struct final_answer *final,
                                const struct forecast_facts *facts);
/* True when mail would be deferred or bounce. */
bool forecast_stops_mail(enum forecast forecast);
const char *forecast_name(enum forecast forecast);
