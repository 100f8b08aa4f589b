/*
 * override: see override.h. Never fails.
 *
 * `dane` has no fixed strength: at a host without TLSA records Postfix reads it as `may`. So a floor
 * always replaces it. Where some hosts have usable records it becomes dane-only, which is stronger
 * at every host. Where a lookup failed it is unknown what is stronger, and mail waits. Elsewhere it
 * protects no host from an attacker, and the floor takes its place.
 */
#include "policy/rules/override.h"

#include <string.h>

#include "base/hash.h"

#define PERCENT 100

static const struct {
    const char *code, *text;
} reasons[] = {
#define X(word, code, text) [FINAL_REASON_##word] = {code, text},
    FINAL_REASONS(X)
#undef X
};

const char *final_reason_code(enum final_reason reason)
{
    return reasons[reason].code;
}

const char *final_reason_text(enum final_reason reason)
{
    return reasons[reason].text;
}

const char *final_level_name(const struct final_answer *final)
{
    static const char *const names[] = {"none", "may", "fingerprint"};

    if (final->kind != FINAL_POLICY || final->level != VERDICT_NO_OPINION)
        return verdict_level_name(final->level);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strncmp(final->text, names[i], strlen(names[i])) == 0)
            return names[i];
    return "";
}

bool override_in_rollout(const struct key *key, unsigned percent)
{
    const char *who = key->name[0] != '\0' ? key->name : key->text;

    return hash_stable(who, strlen(who)) % PERCENT < percent;
}

static enum withheld withheld_by(const struct rule *rule, const struct override_options *options,
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
    return override_in_rollout(key, options->rollout) ? WITHHELD_NO : WITHHELD_ROLLOUT;
}

void override_find(struct override *out, const struct rules *rules,
                   const struct override_options *options, const struct key *key, int64_t now_s)
{
    /* the rule for a key that could not be read is unknown, and `*` may be weaker */
    out->rule = rules == NULL || key->no_memory ? NULL : rules_find(rules, key, now_s);
    out->withheld = withheld_by(out->rule, options, key);
}

bool override_wants_lookup(const struct override *override)
{
    if (override->rule == NULL)
        return true;
    if (override->rule->action == RULE_EXACTLY)
        return override->withheld != WITHHELD_NO; /* so that it shows what the rule would replace */
    return override->rule->action != RULE_OFF;
}

/* `text` has a NUL; NULL for none. */
static void set(struct final_answer *out, enum final_kind kind, enum final_reason reason,
                enum verdict_level level, const char *text)
{
    *out = (struct final_answer){
        .kind = kind,
        .reason = reason,
        .level = level,
        .text = text,
        .length = text == NULL ? 0 : (uint32_t)strlen(text),
    };
}

static void found_stands(struct final_answer *out, const struct verdict *found)
{
    set(out, FINAL_FOUND, FINAL_REASON_FOUND, found->level, NULL);
}

static void temp(struct final_answer *out, enum final_reason reason)
{
    set(out, FINAL_TEMP, reason, VERDICT_TEMP, reasons[reason].text);
}

/* ---- at-least ---- */

/* A `secure` of a rule names its hosts itself; a found one relies on the policy domain. */
static bool is_enough(const struct verdict *found, const struct rule *rule)
{
    if (found->level == VERDICT_TEMP || found->level == VERDICT_DANE_ONLY)
        return true;
    if (found->level == VERDICT_DANE || rule->level == VERDICT_SECURE)
        return false;
    return found->level >= rule->level;
}

static void at_least(struct final_answer *out, const struct rule *rule, const struct verdict *found)
{
    bool dane = found->level == VERDICT_DANE;
    /* told to insist on TLS, Postfix would bounce mail at a host of this next-hop */
    bool refused = found->starttls == STARTTLS_SOME_REFUSED || found->remembered.refused != 0;

    if (is_enough(found, rule))
        found_stands(out, found);
    /* at a signed MX with usable records no floor is as strong at such hosts, and dane-only is never
     * weaker at the others; FULL, when not all records could be looked at */
    else if (dane && (found->dane == DANE_MIXED || found->dane == DANE_FULL))
        set(out, FINAL_POLICY, FINAL_REASON_AT_LEAST, VERDICT_DANE_ONLY, "dane-only");
    else if (dane && found->dane == DANE_ERROR)
        temp(out, FINAL_REASON_AT_LEAST_DANE);
    else if (refused)
        temp(out, FINAL_REASON_AT_LEAST_REFUSED);
    else
        set(out, FINAL_POLICY, FINAL_REASON_AT_LEAST, rule->level, rule->policy);
}

/* ---- the whole ---- */

void override_apply_enforced(struct final_answer *out, const struct override *override,
                             const struct verdict *found)
{
    const struct rule *rule = override->rule;

    if (rule == NULL || rule->action == RULE_MONITOR)
        found_stands(out, found);
    else if (rule->action == RULE_AT_LEAST)
        at_least(out, rule, found);
    else if (rule->action == RULE_EXACTLY)
        set(out, FINAL_POLICY, FINAL_REASON_EXACTLY, rule->level, rule->policy);
    else
        set(out, FINAL_NOTFOUND, FINAL_REASON_OFF, VERDICT_NO_OPINION, NULL);
}

void override_apply(struct final_answer *out, const struct override *override,
                    const struct verdict *found)
{
    static const enum final_reason by[] = {
        [WITHHELD_RULE] = FINAL_REASON_MONITOR,
        [WITHHELD_MODE] = FINAL_REASON_MODE,
        [WITHHELD_ROLLOUT] = FINAL_REASON_ROLLOUT,
    };

    override_apply_enforced(out, override, found);
    if (override->withheld == WITHHELD_NO)
        return;
    if (out->kind == FINAL_NOTFOUND ||
        (out->kind == FINAL_FOUND && out->level == VERDICT_NO_OPINION))
        return;
    set(out, FINAL_NOTFOUND, by[override->withheld], VERDICT_NO_OPINION, NULL);
    out->withheld = true;
}
