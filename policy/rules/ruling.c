/*
 * ruling: see ruling.h. A verdict says what is known of a next-hop; here it meets what the operator
 * wants. Never fails.
 *
 * `dane` is no fixed strength: at a host without TLSA records Postfix reads it as `may`. So a floor
 * never leaves it as it is: where some hosts have usable records it becomes dane-only, which is
 * stronger at every host; where a lookup failed nobody can say what is stronger, and mail waits;
 * elsewhere it protects no host from an attacker, and the floor takes its place.
 */
#include "policy/rules/ruling.h"

#include <string.h>

#include "base/hash.h"

#define PERCENT 100

static const struct {
    const char *code, *text;
} reasons[] = {
#define X(word, code, text) [OUTCOME_##word##_REASON] = {code, text},
    OUTCOME_REASONS(X)
#undef X
};

const char *outcome_reason_code(enum outcome_reason reason)
{
    return reasons[reason].code;
}

const char *outcome_reason_text(enum outcome_reason reason)
{
    return reasons[reason].text;
}

const char *outcome_level_name(const struct outcome *outcome)
{
    static const char *const names[] = {"none", "may", "fingerprint"};

    if (outcome->kind != OUTCOME_POLICY || outcome->level != VERDICT_NO_OPINION)
        return verdict_level_name(outcome->level);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strncmp(outcome->text, names[i], strlen(names[i])) == 0)
            return names[i];
    return "";
}

bool ruling_in_rollout(const struct key *key, unsigned percent)
{
    const char *who = key->name[0] != '\0' ? key->name : key->text;

    return hash_stable(who, strlen(who)) % PERCENT < percent;
}

static enum withheld withheld_by(const struct rule *rule, const struct ruling_options *options,
                                 const struct key *key)
{
    if (rule != NULL && rule->action == RULE_OFF)
        return WITHHELD_NO;
    if (rule != NULL && rule->action == RULE_MONITOR)
        return WITHHELD_RULE;
    if (options->monitor)
        return WITHHELD_MODE;
    if (rule != NULL && rule_is_named(rule))
        return WITHHELD_NO;
    return ruling_in_rollout(key, options->rollout) ? WITHHELD_NO : WITHHELD_ROLLOUT;
}

void ruling_find(struct ruling *out, const struct rules *rules,
                 const struct ruling_options *options, const struct key *key, int64_t now_s)
{
    /* a key that could not be read has no name that a rule might be for, and `*` may be weaker */
    out->rule = rules == NULL || key->no_memory ? NULL : rules_find(rules, key, now_s);
    out->withheld = withheld_by(out->rule, options, key);
}

bool ruling_wants_lookup(const struct ruling *ruling)
{
    if (ruling->rule == NULL)
        return true;
    if (ruling->rule->action == RULE_EXACTLY)
        return ruling->withheld != WITHHELD_NO; /* what it would do is to be seen */
    return ruling->rule->action != RULE_OFF;
}

/* ---- outcomes ---- */

static void found_stands(struct outcome *out, const struct verdict *found)
{
    *out = (struct outcome){
        .kind = OUTCOME_FOUND, .reason = OUTCOME_FOUND_REASON, .level = found->level};
}

static void nothing(struct outcome *out, enum outcome_reason reason)
{
    *out =
        (struct outcome){.kind = OUTCOME_NOTFOUND, .reason = reason, .level = VERDICT_NO_OPINION};
}

static void policy(struct outcome *out, const struct rule *rule, enum outcome_reason reason)
{
    *out = (struct outcome){
        .kind = OUTCOME_POLICY,
        .reason = reason,
        .level = rule->level,
        .text = rule->policy,
        .length = (uint32_t)rule->policy_length,
    };
}

static void temp(struct outcome *out, enum outcome_reason reason)
{
    *out = (struct outcome){
        .kind = OUTCOME_TEMP,
        .reason = reason,
        .level = VERDICT_TEMP,
        .text = reasons[reason].text,
        .length = (uint32_t)strlen(reasons[reason].text),
    };
}

static void dane_only(struct outcome *out)
{
    static const char text[] = "dane-only";

    *out = (struct outcome){
        .kind = OUTCOME_POLICY,
        .reason = OUTCOME_AT_LEAST_REASON,
        .level = VERDICT_DANE_ONLY,
        .text = text,
        .length = sizeof text - 1,
    };
}

/* ---- at-least ---- */

/* True when Postfix, told to insist on TLS, would bounce mail at a host of this next-hop. */
static bool refuses_starttls(const struct verdict *found)
{
    return found->starttls == STARTTLS_SOME_REFUSED || found->remembered.refused;
}

/* `dane` at a signed MX with usable records: at such hosts no floor is as strong, and at the others
 * dane-only is never weaker. Full, when there was more than could be looked at. */
static bool has_usable_tlsa(const struct verdict *found)
{
    return found->dane == DANE_MIXED || found->dane == DANE_FULL;
}

/* A literal `secure` says more of its hosts than a found one, which is the policy domain's word. */
static bool is_enough(const struct verdict *found, const struct rule *rule)
{
    if (found->level == VERDICT_TEMP || found->level == VERDICT_DANE_ONLY)
        return true;
    if (found->level == VERDICT_DANE || rule->level == VERDICT_SECURE)
        return false;
    return found->level >= rule->level;
}

static void at_least(struct outcome *out, const struct rule *rule, const struct verdict *found)
{
    if (is_enough(found, rule))
        found_stands(out, found);
    else if (found->level == VERDICT_DANE && has_usable_tlsa(found))
        dane_only(out);
    else if (found->level == VERDICT_DANE && found->dane == DANE_ERROR)
        temp(out, OUTCOME_AT_LEAST_DANE_REASON);
    else if (refuses_starttls(found))
        temp(out, OUTCOME_AT_LEAST_REFUSED_REASON);
    else
        policy(out, rule, OUTCOME_AT_LEAST_REASON);
}

/* ---- the whole ---- */

void ruling_decide_enforced(struct outcome *out, const struct ruling *ruling,
                            const struct verdict *found)
{
    const struct rule *rule = ruling->rule;

    if (rule == NULL || rule->action == RULE_MONITOR)
        found_stands(out, found);
    else if (rule->action == RULE_AT_LEAST)
        at_least(out, rule, found);
    else if (rule->action == RULE_EXACTLY)
        policy(out, rule, OUTCOME_EXACTLY_REASON);
    else
        nothing(out, OUTCOME_OFF_REASON);
}

void ruling_decide(struct outcome *out, const struct ruling *ruling, const struct verdict *found)
{
    static const enum outcome_reason by[] = {
        [WITHHELD_RULE] = OUTCOME_MONITOR_REASON,
        [WITHHELD_MODE] = OUTCOME_MODE_REASON,
        [WITHHELD_ROLLOUT] = OUTCOME_ROLLOUT_REASON,
    };

    ruling_decide_enforced(out, ruling, found);
    if (ruling->withheld == WITHHELD_NO)
        return;
    if (out->kind == OUTCOME_NOTFOUND ||
        (out->kind == OUTCOME_FOUND && out->level == VERDICT_NO_OPINION))
        return;
    nothing(out, by[ruling->withheld]);
    out->withheld = true;
}
