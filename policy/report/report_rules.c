/*
 * report_rules: what the operator's rules, `mode` and `rollout` make of a verdict, in words and as
 * JSON; see report.h. What a rule's ticket says is the operator's, and goes into JSON as it is.
 */
#include <stdio.h>
#include <time.h>

#include "policy/report/report.h"
#include "policy/report/report_words.h"

struct moment_text {
    char text[80];
};

static const char *moment_text(struct moment_text *room, int64_t at_s)
{
    time_t at = (time_t)at_s;
    struct tm parts;

    if (gmtime_r(&at, &parts) == NULL)
        return "?";
    snprintf(room->text, sizeof room->text, "%04d-%02d-%02dT%02d:%02d:%02dZ",
             (parts.tm_year + 1900) % 10000, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour,
             parts.tm_min, parts.tm_sec);
    return room->text;
}

const char *report_rule_text(char out[WORDS_RULE_MAX], const struct rule *rule)
{
    struct moment_text until;

    snprintf(out, WORDS_RULE_MAX, "the rule in line %u (%s %s%s%.200s%s%.200s%s%s)", rule->line,
             rule->pattern, rule_action_name(rule->action), rule->policy != NULL ? " " : "",
             rule->policy != NULL ? rule->policy : "", rule->ticket != NULL ? ", ticket " : "",
             rule->ticket != NULL ? rule->ticket : "", rule->until_s != 0 ? ", until " : "",
             rule->until_s != 0 ? moment_text(&until, rule->until_s) : "");
    return out;
}

json_t *report_rule(const struct rule *rule)
{
    struct moment_text until;

    if (rule == NULL)
        return json_null();
    return json_pack(
        "{s:i, s:s, s:s, s:s?, s:s?, s:s?}", "line", (int)rule->line, "pattern", rule->pattern,
        "action", rule_action_name(rule->action), "policy", rule->policy, "until",
        rule->until_s == 0 ? NULL : moment_text(&until, rule->until_s), "ticket", rule->ticket);
}

/* ---- what they make of it ---- */

static const struct sentence withheld_or_replaced[] = {
    OF(FINAL_REASON_MODE),
    {.text = "mode = monitor: what was found ({found}) is logged, and Postfix is not told."},

    OF(FINAL_REASON_ROLLOUT),
    {.text = "This next-hop is not in the share that `rollout` enforces: what was found ({found}) "
             "is logged, and Postfix is not told."},

    OF(FINAL_REASON_MONITOR),
    {.text = "Held back by {rule}: what was found ({found}) is logged."},

    OF(FINAL_REASON_AT_LEAST),
    {.text = "What was found is {found}; {rule} asks for more, so it is {final}."},

    OF(FINAL_REASON_AT_LEAST_REFUSED),
    {.text = "Mail waits for {rule}: a mail host answers STARTTLS with 5xx, and told to insist on "
             "TLS, Postfix would bounce mail there."},

    OF(FINAL_REASON_AT_LEAST_DANE),
    {.text = "Mail waits for {rule}: a TLSA lookup failed, and `dane` alone would deliver in clear "
             "at hosts without such records."},

    OF(FINAL_REASON_EXACTLY),
    {.text = "The policy is that of {rule}; what the mail hosts show does not matter."},

    OF(FINAL_REASON_OFF),
    {.text = "Left to main.cf by {rule}; nothing is looked up."},

    OF(FINAL_REASON_FOUND),
    {.text = "What was found is as strong as {rule} asks for."},
    {0},
};

void report_say_rules(struct words *words)
{
    const struct rule *rule = words->override->rule;

    if (words->final->withheld || (rule != NULL && rule->action != RULE_MONITOR))
        words_say_part(words, withheld_or_replaced, 1 + (unsigned)words->final->reason);
}

void report_say_rules_change(struct words *words)
{
    static const struct sentence by_rule[] = {
        {.text = OPERATOR "{rule}, then `mxcrypt reload`."},
        {0},
    };
    static const struct sentence by_option[] = {
        OF(FINAL_REASON_MODE),
        {.text = OPERATOR "mode = enforce in mxcryptd.conf, then `mxcrypt reload`."},

        OF(FINAL_REASON_ROLLOUT),
        {.text = OPERATOR
         "a higher rollout in mxcryptd.conf, then `mxcrypt reload`; or a rule for this next-hop."},
        {0},
    };

    if (words->final->kind != FINAL_FOUND &&
        !words_say_part(words, by_option, 1 + (unsigned)words->final->reason) &&
        words->override->rule != NULL)
        words_say(words, by_rule);
}
