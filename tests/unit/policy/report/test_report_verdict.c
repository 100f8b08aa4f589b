/*
 * report_verdict: one line of JSON for those who ask for very many: its members, what is left out,
 * and what happens without memory.
 */
#include "tests/unit/support/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/report/report.h"
#include "tests/unit/support/evidence_make.h"

static const struct verdict_options options = {.dane = true, .probe = true, .verify = true};

/* The line for example.com with a host and its probes; `hosts` NULL: nothing was looked up. */
static json_t *line_of(struct made *made, const char *hosts, const char *probes,
                       const struct report_settings *settings)
{
    const struct evidence *evidence = hosts == NULL ? NULL : &made->evidence;
    struct verdict verdict;
    struct key key;

    key_parse(&key, "example.com", 11, 25);
    verdict_without_evidence(&verdict, REASON_KEY, 0);
    if (hosts != NULL) {
        make_evidence(made, MX_LISTED, true, hosts, 'n', probes);
        made->evidence.complete = true;
        verdict_decide(&verdict, &made->evidence, NULL, &options, MAKE_NOW);
    }
    return report_verdict("Example.COM", &key, &verdict, evidence, settings);
}

static struct rules *rules_from(const char *text)
{
    char error[RULES_ERROR_MAX];
    struct rules *rules = NULL;

    assert_int_equal(rules_parse(&rules, text, strlen(text), 25, error), 0);
    return rules;
}

static void text_is(const json_t *line, const char *object, const char *member, const char *text)
{
    const json_t *inner = object == NULL ? line : json_object_get(line, object);
    const char *is = json_string_value(json_object_get(inner, member));

    assert_non_null(is);
    assert_string_equal(is, text);
}

static void test_members(void **state)
{
    const struct report_settings settings = {NULL, {true, 100}, 100, 0};
    struct made made;
    json_t *line = line_of(&made, "NN", "V,R", &settings);

    (void)state;
    assert_non_null(line);
    text_is(line, NULL, "key", "Example.COM");
    text_is(line, "found", "answer", "NOTFOUND");
    text_is(line, "found", "reason", "starttls-refused");
    text_is(line, "told", "answer", "NOTFOUND");
    text_is(line, "told", "forecast", "flows");
    assert_true(json_is_false(json_object_get(line, "withheld")));
    text_is(line, NULL, "starttls", "refused");
    text_is(line, NULL, "dane", "none");
    assert_true(json_is_true(json_object_get(line, "refused")));
    text_is(line, "forecasts", "encrypt", "bounces");
    text_is(line, "forecasts", "dane-only", "bounces");
    assert_int_equal(json_array_size(json_object_get(line, "verified")), 1);
    json_decref(line);
    line = line_of(&made, "N", "V", &settings);
    assert_true(json_is_true(json_object_get(line, "withheld")));
    text_is(line, "told", "why", "mode = monitor holds back what was found out");
    text_is(line, "enforced", "answer", "OK verify servername=hostname");
    text_is(line, "rollout", "level", "verify");
    json_decref(line);
}

/* Rules that decide alone leave nothing to be found; a key that nobody could look up has its own
 * reason. */
static void test_not_looked_up(void **state)
{
    struct rules *rules = rules_from("example.com exactly encrypt\n");
    struct report_settings settings = {rules, {false, 100}, -1, 0};
    struct made made;
    json_t *line = line_of(&made, NULL, NULL, &settings);

    (void)state;
    assert_true(json_is_null(json_object_get(line, "found")));
    text_is(line, "told", "answer", "OK encrypt");
    text_is(line, "told", "forecast", "unknown");
    assert_null(json_object_get(line, "rollout"));
    json_decref(line);
    settings.rules = NULL;
    line = line_of(&made, NULL, NULL, &settings);
    text_is(line, "found", "reason", "key");
    json_decref(line);
    /* withheld, it is looked up, to show what the rule would replace */
    settings = (struct report_settings){rules, {true, 100}, -1, 0};
    line = line_of(&made, "N", "T", &settings);
    text_is(line, "found", "level", "encrypt");
    text_is(line, "enforced", "reason", "rule-exactly");
    json_decref(line);
    rules_free(rules);
}

#define NAMES 398
#define FILL  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

/* The answer of an MTA-STS policy whose names make a policy of `length` octets. */
static json_t *line_of_length(size_t length)
{
    static char names[NAMES][100];
    static const char *patterns[NAMES];
    const struct report_settings settings = {NULL, {false, 100}, -1, 0};
    size_t all = strlen("secure match= servername=hostname") - 1;
    struct verdict verdict;
    struct made made;
    struct key key;

    make_evidence(&made, MX_LISTED, true, "N", 'E', "V");
    made.evidence.complete = true;
    for (size_t i = 0; i < NAMES; i++) {
        int fill = i < NAMES - 1 ? 13 : (int)(length - all) - 28;

        all += 1 + (size_t)snprintf(names[i], sizeof names[i], "m%03zu.%.13s.%.*s.example", i, FILL,
                                    fill, FILL);
        patterns[i] = names[i];
    }
    assert_int_equal(all, length);
    made.policy.mx = patterns;
    made.policy.mx_count = NAMES;
    verdict_decide(&verdict, &made.evidence, NULL, &options, MAKE_NOW);
    assert_int_equal(verdict.level, VERDICT_SECURE);
    key_parse(&key, "example.com", 11, 25);
    return report_verdict("example.com", &key, &verdict, &made.evidence, &settings);
}

/* At the limit an answer is shown, beyond it not. */
static void test_long_answers(void **state)
{
    (void)state;
    for (int more = -1; more <= 1; more++) {
        json_t *line = line_of_length((size_t)(REPORT_SHOWN_MAX + more));
        const char *answer =
            json_string_value(json_object_get(json_object_get(line, "told"), "answer"));

        if (more > 0)
            assert_string_equal(answer, REPORT_UNSHOWN);
        else
            assert_int_equal(strlen(answer), strlen("OK ") + REPORT_SHOWN_MAX + (size_t)more);
        json_decref(line);
    }
}

/* ---- without memory ---- */

static size_t allocations_left;

static void *allocate_some(size_t size)
{
    return allocations_left > 0 && allocations_left-- > 0 ? malloc(size) : NULL;
}

static void test_no_memory(void **state)
{
    const struct report_settings settings = {NULL, {false, 100}, 50, 0};
    struct made made;
    json_t *line = NULL;
    size_t most;

    (void)state;
    json_set_alloc_funcs(allocate_some, free);
    for (most = 0; line == NULL && most < 1000; most++) {
        allocations_left = most;
        line = line_of(&made, "NU", "V,T", &settings);
    }
    assert_non_null(line);
    assert_true(most > 50);
    json_decref(line);
    json_set_alloc_funcs(malloc, free);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_not_looked_up),
        cmocka_unit_test(test_long_answers),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests_name("report_verdict", tests, NULL, NULL);
}
