/* What a report says of the operator's rules: what Postfix is told, what was found, and why. */
#include "tests/unit/support/unit.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/support/evidence_make.h"
#include "policy/report/report.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const struct override_options enforce = {false, 100}, monitor = {true, 100},
                                     nobody = {false, 0};

static const struct row {
    const char *rules, *key;
    const struct override_options *options;
    const char *probes; /* "" for DANE */
    const char *answer, *level, *reason, *found;
    bool withheld;
    unsigned line;
    const char *why, *change; /* parts of sentences; NULL: none is looked for */
} rows[] = {
    {"", "example.com", &enforce, "V", "OK verify servername=hostname", "verify",
     "starttls-verified", "verify", false, 0, NULL, NULL},
    {"#\nexample.com at-least encrypt ticket=OPS-7", "example.com", &enforce, "C", "OK encrypt",
     "encrypt", "rule-at-least", "notfound", false, 2, "ticket OPS-7", "line 2"},
    {"example.com at-least encrypt", "example.com", &enforce, "V", "OK verify servername=hostname",
     "verify", "starttls-verified", "verify", false, 1, "as strong as the rule in line 1", NULL},
    {"example.com at-least encrypt", "example.com", &enforce, "R",
     "TEMP a rule asks for TLS, but a mail host refuses STARTTLS with 5xx: mail would bounce",
     "temp", "rule-refused", "notfound", false, 1, "Mail waits for the rule in line 1", "line 1"},
    {".com exactly may until=2030-02-28", "example.com:587", &enforce, "V", "OK may", "may",
     "rule-exactly", "verify", false, 1, "until 2030-03-01T00:00:00Z", "line 1"},
    {"example.com off", "example.com", &enforce, "V", "NOTFOUND", "notfound", "rule-off", "verify",
     false, 1, "Left to main.cf", "line 1"},
    {"example.com monitor", "example.com", &enforce, "V", "NOTFOUND", "notfound", "rule-monitor",
     "verify", true, 1, "Held back by the rule in line 1", "line 1"},
    {"", "example.com", &monitor, "V", "NOTFOUND", "notfound", "mode-monitor", "verify", true, 0,
     "mode = monitor", "mode = enforce"},
    {"* at-least encrypt", "example.com", &nobody, "V", "NOTFOUND", "notfound", "rollout", "verify",
     true, 1, "`rollout`", "higher rollout"},
};

static bool said(const json_t *sentences, const char *part)
{
    const json_t *sentence;
    size_t i;

    json_array_foreach(sentences, i, sentence)
    {
        const char *text = json_string_value(sentence);

        assert_true(text[strlen(text) - 1] == '.');
        assert_null(strstr(text, "(null)"));
        if (part != NULL && strstr(text, part) != NULL)
            return true;
    }
    return part == NULL;
}

static const char *text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

static void check(const struct row *row, json_t *report)
{
    const json_t *rule = json_object_get(report, "rule");
    const json_t *found = json_object_get(report, "found");

    assert_string_equal(text_of(report, "answer"), row->answer);
    assert_string_equal(text_of(report, "level"), row->level);
    assert_string_equal(text_of(report, "reason"), row->reason);
    assert_string_equal(text_of(found, "level"), row->found);
    assert_non_null(text_of(found, "answer"));
    assert_non_null(text_of(found, "reason"));
    assert_int_equal(json_is_true(json_object_get(report, "withheld")), row->withheld);
    assert_int_equal(json_integer_value(json_object_get(rule, "line")), row->line);
    assert_true(row->line > 0 || json_is_null(rule));
    assert_true(said(json_object_get(report, "why"), row->why));
    assert_true(said(json_object_get(report, "change"), row->change));
}

static void test_rows(void **state)
{
    struct verdict_options options = make_options();

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct row *row = &rows[i];
        char error[RULES_ERROR_MAX];
        struct verdict verdict;
        struct final_answer final;
        struct override override;
        struct rules *rules;
        struct made made;
        struct key key;
        json_t *report;

        make_evidence(&made, MX_LISTED, true, "N", 'n', row->probes);
        verdict_decide(&verdict, &made.evidence, NULL, &options, MAKE_NOW);
        if (rules_parse(&rules, row->rules, strlen(row->rules), 25, error) != 0)
            fail_msg("%s", error);
        key_parse(&key, row->key, strlen(row->key), 25);
        override_find(&override, rules, row->options, &key, 0);
        override_apply(&final, &override, &verdict);
        report = report_explain(
            &(struct report_facts){&key, &verdict, &override, &final, &made.evidence, MAKE_NOW});
        assert_non_null(report);
        check(row, report);
        json_decref(report);
        rules_free(rules);
    }
}

/* The longest a rule can say fits. */
static void test_long_rules(void **state)
{
    static char text[RULES_LINE_MAX + 1];
    struct verdict verdict = {.level = VERDICT_NO_OPINION, .reason = REASON_KEY};
    char error[RULES_ERROR_MAX];
    struct final_answer final;
    struct override override;
    struct rules *rules;
    struct key key;
    json_t *report;
    size_t length;

    (void)state;
    length = (size_t)snprintf(text, sizeof text, "example.com exactly secure match=a.example");
    while (length < sizeof text - 400)
        length += (size_t)snprintf(text + length, sizeof text - length, ":b%zu.example", length);
    length += (size_t)snprintf(text + length, sizeof text - length, " ticket=");
    memset(text + length, 'x', RULES_TICKET_MAX);
    length += RULES_TICKET_MAX;
    if (rules_parse(&rules, text, length, 25, error) != 0)
        fail_msg("%s", error);
    key_parse(&key, "example.com", 11, 25);
    override_find(&override, rules, &enforce, &key, 0);
    override_apply(&final, &override, &verdict);
    report =
        report_explain(&(struct report_facts){&key, &verdict, &override, &final, NULL, MAKE_NOW});
    assert_non_null(report);
    assert_true(said(json_object_get(report, "why"), "The policy is that of"));
    assert_int_equal(strlen(text_of(json_object_get(report, "rule"), "ticket")), RULES_TICKET_MAX);
    json_decref(report);
    rules_free(rules);
}

static void test_names(void **state)
{
    (void)state;
    for (int i = 0; i <= STARTTLS_VERIFIED; i++)
        assert_non_null(report_starttls_name((enum starttls)i));
    for (int i = 0; i <= HOST_DANE_LOST; i++)
        assert_non_null(report_host_dane_name((enum host_dane)i));
    assert_string_equal(report_starttls_name(STARTTLS_TEMPFAIL), "tempfail");
    assert_string_equal(report_host_dane_name(HOST_DANE_UNUSABLE), "unusable");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_long_rules),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
