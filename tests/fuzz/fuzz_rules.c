/*
 * fuzz_rules: any octets as a rules file. What is taken is found again by its own pattern, and
 * written out in canonical form it is read as the same rules.
 */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "policy/render/postfix_syntax.h"
#include "policy/rules/rules.h"

#define PORT      25
#define DAY_S     86400
#define YEAR_9999 INT64_C(253402300800)

static void check_rule(const struct rules *rules, const struct rule *rule)
{
    const char *why;
    struct key key;
    const struct rule *found;

    CHECK(strlen(rule->pattern) > 0 && strlen(rule->pattern) <= KEY_TEXT_MAX);
    CHECK((rule->policy != NULL) ==
          (rule->action == RULE_AT_LEAST || rule->action == RULE_EXACTLY));
    if (rule->policy != NULL) {
        CHECK(strlen(rule->policy) == rule->policy_length);
        CHECK(postfix_syntax_ok(rule->policy, rule->policy_length, POSTFIX_3_4, &why));
    }
    CHECK(rule->ticket == NULL || strlen(rule->ticket) <= RULES_TICKET_MAX);
    if (strcmp(rule->pattern, "*") == 0)
        return;
    key_parse(&key, rule->pattern, strlen(rule->pattern), PORT);
    found = rules_find(rules, &key, 0);
    if (rule->pattern[0] != '.') {
        CHECK(found == rule);
        return;
    }
    /* never by the parent's own key; by a name below it, unless a rule of its own stands for that
     */
    CHECK(found == NULL);
    CHECK(key.kind == KEY_PARENT);
    if (strlen(key.name) + 2 <= HOSTNAME_MAX) {
        char below[HOSTNAME_MAX + 1];
        int length = snprintf(below, sizeof below, "0.%s", key.name);

        key_parse(&key, below, (size_t)length, PORT);
        found = rules_find(rules, &key, 0);
        CHECK(found != NULL && (found == rule || strcmp(found->pattern, key.text) == 0));
    }
}

static void write_until(struct buf *out, int64_t until_s)
{
    int64_t days = until_s / DAY_S, seconds = until_s % DAY_S, year = 1970;
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int month = 0;

    for (;; year++) {
        bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

        if (days < 365 + leap)
            break;
        days -= 365 + leap;
    }
    for (;; month++) {
        int length =
            lengths[month] + (month == 1 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));

        if (days < length)
            break;
        days -= length;
    }
    buf_addf(out, " until=%04d-%02d-%02dT%02d:%02dZ", (int)year, month + 1, (int)days + 1,
             (int)(seconds / 3600), (int)(seconds / 60 % 60));
}

static void write_rule(struct buf *out, const struct rule *rule)
{
    buf_addf(out, "%s %s", rule->pattern, rule_action_name(rule->action));
    if (rule->policy != NULL)
        buf_addf(out, " %s", rule->policy);
    if (rule->until_s != 0 && rule->until_s < YEAR_9999)
        write_until(out, rule->until_s);
    if (rule->ticket != NULL)
        buf_addf(out, " ticket=\"%s\"", rule->ticket);
    buf_adds(out, "\n");
}

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static void check_same(const struct rule *a, const struct rule *b)
{
    CHECK(strcmp(a->pattern, b->pattern) == 0 && a->action == b->action && a->level == b->level);
    CHECK(same_text(a->policy, b->policy) && same_text(a->ticket, b->ticket));
    CHECK(a->until_s == b->until_s || (a->until_s >= YEAR_9999 && b->until_s == 0));
}

static void check_again(const struct rules *rules)
{
    char error[RULES_ERROR_MAX];
    struct rules *again;
    struct buf text;

    buf_init(&text, RULES_TEXT_MAX);
    for (size_t i = 0; i < rules_count(rules); i++)
        write_rule(&text, rules_at(rules, i));
    CHECK(rules_parse(&again, buf_text(&text), text.length, PORT, error) == 0);
    CHECK(rules_count(again) == rules_count(rules));
    for (size_t i = 0; i < rules_count(rules); i++)
        check_same(rules_at(rules, i), rules_at(again, i));
    rules_free(again);
    buf_fini(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
    char error[RULES_ERROR_MAX] = "";
    struct rules *rules;

    if (rules_parse(&rules, (const char *)data, length, PORT, error) != 0) {
        CHECK(rules == NULL && error[0] != '\0' && strlen(error) < RULES_ERROR_MAX - 1);
        for (const char *p = error; *p != '\0'; p++)
            CHECK(*p >= ' ' && *p <= '~');
        return 0;
    }
    for (size_t i = 0; i < rules_count(rules); i++)
        check_rule(rules, rules_at(rules, i));
    check_again(rules);
    rules_free(rules);
    return 0;
}
