/*
 * report_orders: what the operator's rules, `mode` and `rollout` make of a verdict, in words and as
 * JSON; see report.h. What a rule's ticket says is the operator's, and goes into JSON as it is.
 */
#include <stdio.h>
#include <time.h>

#include "policy/report/report.h"
#include "policy/report/report_words.h"

#define OPERATOR      "Operator: "
#define RULE_TEXT_MAX 512

/* "the rule in line 12 (at-least verify, ticket OPS-7, until 2026-12-31T00:00:00Z)" */
struct rule_text {
    char text[RULE_TEXT_MAX];
};

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

static const char *rule_text(struct rule_text *room, const struct rule *rule)
{
    struct moment_text until;

    snprintf(room->text, sizeof room->text, "the rule in line %u (%s %s%s%.200s%s%.200s%s%s)",
             rule->line, rule->pattern, rule_action_name(rule->action),
             rule->policy != NULL ? " " : "", rule->policy != NULL ? rule->policy : "",
             rule->ticket != NULL ? ", ticket " : "", rule->ticket != NULL ? rule->ticket : "",
             rule->until_s != 0 ? ", until " : "",
             rule->until_s != 0 ? moment_text(&until, rule->until_s) : "");
    return room->text;
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

static void say_withheld(struct words *words)
{
    struct rule_text room;

    switch (words->final->reason) {
    case FINAL_REASON_MODE:
        words_add(words,
                  "mode = monitor: what was found out (%s) is logged, and Postfix is not "
                  "told.",
                  verdict_level_name(words->verdict->level));
        break;
    case FINAL_REASON_ROLLOUT:
        words_add(words,
                  "This next-hop is not in the share that `rollout` enforces: what was "
                  "found out (%s) is logged, and Postfix is not told.",
                  verdict_level_name(words->verdict->level));
        break;
    default:
        words_add(words, "Held back by %s: what was found out (%s) is logged.",
                  rule_text(&room, words->override->rule),
                  verdict_level_name(words->verdict->level));
    }
}

static void say_rule(struct words *words)
{
    struct rule_text room;
    const char *rule = rule_text(&room, words->override->rule);

    switch (words->final->reason) {
    case FINAL_REASON_AT_LEAST:
        words_add(words, "What was found out is %s; %s asks for more, so it is %s.",
                  verdict_level_name(words->verdict->level), rule, final_level_name(words->final));
        break;
    case FINAL_REASON_AT_LEAST_REFUSED:
        words_add(words,
                  "Mail waits for %s: a mail host answers STARTTLS with 5xx, and told to "
                  "insist on TLS, Postfix would bounce mail there.",
                  rule);
        break;
    case FINAL_REASON_AT_LEAST_DANE:
        words_add(words,
                  "Mail waits for %s: a TLSA lookup failed, and `dane` alone would deliver "
                  "in clear at hosts without such records.",
                  rule);
        break;
    case FINAL_REASON_EXACTLY:
        words_add(words, "The policy is that of %s; what the mail hosts show has no say.", rule);
        break;
    case FINAL_REASON_OFF:
        words_add(words, "Left to main.cf by %s; nothing is looked up.", rule);
        break;
    default:
        words_add(words, "What was found out is as strong as %s asks for.", rule);
    }
}

void report_say_rules(struct words *words)
{
    const struct rule *rule = words->override->rule;

    if (words->final->withheld)
        say_withheld(words);
    else if (rule != NULL && rule->action != RULE_MONITOR)
        say_rule(words);
}

void report_say_rules_change(struct words *words)
{
    struct rule_text room;

    if (words->final->kind == FINAL_FOUND)
        return;
    if (words->final->reason == FINAL_REASON_MODE)
        words_add(words, OPERATOR "mode = enforce in mxcryptd.conf, then `mxcrypt reload`.");
    else if (words->final->reason == FINAL_REASON_ROLLOUT)
        words_add(words, OPERATOR "a higher rollout in mxcryptd.conf, then `mxcrypt reload`; or a "
                                  "rule for this next-hop.");
    else if (words->override->rule != NULL)
        words_add(words, OPERATOR "%s, then `mxcrypt reload`.",
                  rule_text(&room, words->override->rule));
}
