/*
 * What the operator's rules make of a verdict: every action and option against every level, and
 * the rule that matters: an at-least rule never gives anything weaker than its floor or than what
 * was found.
 */
#include "tests/unit/support/unit.h"

#include <stdio.h>
#include <string.h>

#include "policy/render/postfix_syntax.h"
#include "policy/rules/override.h"

#define NF           VERDICT_NO_OPINION
#define ENC          VERDICT_ENCRYPT
#define DA           VERDICT_DANE
#define VER          VERDICT_VERIFY
#define SEC          VERDICT_SECURE
#define DO           VERDICT_DANE_ONLY
#define TMP          VERDICT_TEMP
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const struct override_options enforce = {false, 100}, monitor = {true, 100},
                                     nobody = {false, 0};

static struct rules *rules_of(const char *text)
{
    char error[RULES_ERROR_MAX] = "";
    struct rules *rules;

    if (rules_parse(&rules, text, strlen(text), 25, error) != 0)
        fail_msg("%s: %s", text, error);
    return rules;
}

static struct key key_of(const char *text)
{
    struct key key;

    key_parse(&key, text, strlen(text), 25);
    return key;
}

static struct verdict found(enum verdict_level level, enum verdict_reason reason,
                            enum dane_state dane, enum starttls_state starttls)
{
    return (struct verdict){.level = level, .reason = reason, .dane = dane, .starttls = starttls};
}

/* ---- one rule for example.com ---- */

static const struct row {
    const char *rule; /* of example.com; "" for none */
    const struct override_options *options;
    enum verdict_level level;
    enum verdict_reason reason;
    enum dane_state dane;
    enum starttls_state starttls;
    /* wanted */
    enum final_kind kind;
    const char *text; /* of a policy */
    enum final_reason why;
    bool withheld;
} rows[] = {
#define FOUND          FINAL_FOUND, NULL, FINAL_REASON_FOUND, false
#define AT_LEAST(text) FINAL_POLICY, text, FINAL_REASON_AT_LEAST, false
#define WAIT(why)      FINAL_TEMP, NULL, FINAL_REASON_##why, false
#define HELD_BACK(why) FINAL_NOTFOUND, NULL, FINAL_REASON_##why, true
#define VERIFY         "verify servername=hostname"
#define SECURE         "secure match=mx.example.com servername=hostname"
    {"", &enforce, VER, REASON_VERIFIED, DANE_NONE, STARTTLS_ALL_VERIFIED, FOUND},
    {"", &enforce, TMP, REASON_MX_ERROR, DANE_UNKNOWN, 0, FOUND},
    /* at-least encrypt */
    {"at-least encrypt", &enforce, NF, REASON_CLEAR, DANE_NONE, STARTTLS_NOBODY,
     AT_LEAST("encrypt")},
    {"at-least encrypt", &enforce, NF, REASON_PARTLY, DANE_NONE, STARTTLS_PARTLY,
     AT_LEAST("encrypt")},
    {"at-least encrypt", &enforce, NF, REASON_UNPROBED, DANE_NONE, STARTTLS_ALL_UNKNOWN,
     AT_LEAST("encrypt")},
    {"at-least encrypt", &enforce, NF, REASON_NULL_MX, DANE_NONE, 0, AT_LEAST("encrypt")},
    {"at-least encrypt", &enforce, NF, REASON_NXDOMAIN, DANE_NONE, 0, AT_LEAST("encrypt")},
    {"at-least encrypt", &enforce, NF, REASON_REFUSED, DANE_NONE, STARTTLS_SOME_REFUSED,
     WAIT(AT_LEAST_REFUSED)},
    {"at-least encrypt", &enforce, ENC, REASON_TLS, DANE_NONE, STARTTLS_ALL_TLS, FOUND},
    {"at-least encrypt", &enforce, VER, REASON_VERIFIED, DANE_NONE, STARTTLS_ALL_VERIFIED, FOUND},
    {"at-least encrypt", &enforce, SEC, REASON_STS_ENFORCE, DANE_NONE, 0, FOUND},
    {"at-least encrypt", &enforce, DO, REASON_DANE_FULL, DANE_FULL, 0, FOUND},
    {"at-least encrypt", &enforce, TMP, REASON_MX_ERROR, DANE_UNKNOWN, 0, FOUND},
    {"at-least encrypt", &enforce, DA, REASON_DANE_MIXED, DANE_MIXED, 0, AT_LEAST("dane-only")},
    {"at-least encrypt", &enforce, DA, REASON_DANE_TRUNCATED, DANE_MIXED, 0, AT_LEAST("dane-only")},
    {"at-least encrypt", &enforce, DA, REASON_DANE_TRUNCATED, DANE_FULL, 0, AT_LEAST("dane-only")},
    {"at-least verify", &enforce, DA, REASON_DANE_TRUNCATED, DANE_FULL, 0, AT_LEAST("dane-only")},
    {"at-least encrypt", &enforce, DA, REASON_DANE_UNSIGNED, DANE_UNSIGNED, 0, AT_LEAST("encrypt")},
    {"at-least encrypt", &enforce, DA, REASON_DANE_UNUSABLE, DANE_UNUSABLE, 0, AT_LEAST("encrypt")},
    {"at-least encrypt", &enforce, DA, REASON_DANE_UNUSABLE, DANE_UNUSABLE, STARTTLS_SOME_REFUSED,
     WAIT(AT_LEAST_REFUSED)},
    {"at-least encrypt", &enforce, DA, REASON_DANE_ERROR, DANE_ERROR, 0, WAIT(AT_LEAST_DANE)},
    /* at-least verify */
    {"at-least verify", &enforce, NF, REASON_CLEAR, DANE_NONE, STARTTLS_NOBODY, AT_LEAST(VERIFY)},
    {"at-least verify", &enforce, ENC, REASON_TLS, DANE_NONE, STARTTLS_ALL_TLS, AT_LEAST(VERIFY)},
    {"at-least verify", &enforce, VER, REASON_HELD, DANE_NONE, STARTTLS_NOBODY, FOUND},
    {"at-least verify", &enforce, SEC, REASON_STS_ENFORCE, DANE_NONE, 0, FOUND},
    {"at-least verify", &enforce, DO, REASON_DANE_FULL, DANE_FULL, 0, FOUND},
    {"at-least verify", &enforce, DA, REASON_DANE_MIXED, DANE_MIXED, 0, AT_LEAST("dane-only")},
    {"at-least verify", &enforce, DA, REASON_DANE_UNSIGNED, DANE_UNSIGNED, 0, AT_LEAST(VERIFY)},
    {"at-least verify", &enforce, TMP, REASON_HELD, DANE_NONE, STARTTLS_SOME_REFUSED, FOUND},
    /* at-least secure */
    {"at-least " SECURE, &enforce, VER, REASON_VERIFIED, DANE_NONE, STARTTLS_ALL_VERIFIED,
     AT_LEAST(SECURE)},
    {"at-least " SECURE, &enforce, SEC, REASON_STS_ENFORCE, DANE_NONE, 0, AT_LEAST(SECURE)},
    {"at-least " SECURE, &enforce, DO, REASON_DANE_FULL, DANE_FULL, 0, FOUND},
    {"at-least " SECURE, &enforce, NF, REASON_REFUSED, DANE_NONE, STARTTLS_SOME_REFUSED,
     WAIT(AT_LEAST_REFUSED)},
    /* at-least dane-only */
    {"at-least dane-only", &enforce, NF, REASON_CLEAR, DANE_NONE, STARTTLS_NOBODY,
     AT_LEAST("dane-only")},
    {"at-least dane-only", &enforce, VER, REASON_VERIFIED, DANE_NONE, STARTTLS_ALL_VERIFIED,
     AT_LEAST("dane-only")},
    {"at-least dane-only", &enforce, SEC, REASON_STS_ENFORCE, DANE_NONE, 0, AT_LEAST("dane-only")},
    {"at-least dane-only", &enforce, DO, REASON_DANE_FULL, DANE_FULL, 0, FOUND},
    {"at-least dane-only", &enforce, DA, REASON_DANE_MIXED, DANE_MIXED, 0, AT_LEAST("dane-only")},
    {"at-least dane-only", &enforce, DA, REASON_DANE_UNSIGNED, DANE_UNSIGNED, 0,
     AT_LEAST("dane-only")},
    {"at-least dane-only", &enforce, DA, REASON_DANE_ERROR, DANE_ERROR, 0, WAIT(AT_LEAST_DANE)},
    {"at-least dane-only", &enforce, NF, REASON_REFUSED, DANE_NONE, STARTTLS_SOME_REFUSED,
     WAIT(AT_LEAST_REFUSED)},
    {"at-least dane-only", &enforce, TMP, REASON_MX_ERROR, DANE_UNKNOWN, 0, FOUND},
    /* the others */
    {"exactly may", &enforce, DO, REASON_DANE_FULL, DANE_FULL, 0, FINAL_POLICY, "may",
     FINAL_REASON_EXACTLY, false},
    {"exactly encrypt", &enforce, TMP, REASON_MX_ERROR, 0, 0, FINAL_POLICY, "encrypt",
     FINAL_REASON_EXACTLY, false},
    {"off", &enforce, DO, REASON_DANE_FULL, DANE_FULL, 0, FINAL_NOTFOUND, NULL, FINAL_REASON_OFF,
     false},
    {"monitor", &enforce, DO, REASON_DANE_FULL, DANE_FULL, 0, HELD_BACK(MONITOR)},
    {"monitor", &enforce, TMP, REASON_MX_ERROR, 0, 0, HELD_BACK(MONITOR)},
    {"monitor", &enforce, NF, REASON_CLEAR, DANE_NONE, STARTTLS_NOBODY, FOUND},
    /* mode = monitor */
    {"", &monitor, VER, REASON_VERIFIED, DANE_NONE, STARTTLS_ALL_VERIFIED, HELD_BACK(MODE)},
    {"", &monitor, TMP, REASON_MX_ERROR, 0, 0, HELD_BACK(MODE)},
    {"", &monitor, NF, REASON_CLEAR, DANE_NONE, STARTTLS_NOBODY, FOUND},
    {"at-least encrypt", &monitor, NF, REASON_CLEAR, DANE_NONE, 0, HELD_BACK(MODE)},
    {"exactly may", &monitor, NF, REASON_CLEAR, DANE_NONE, 0, HELD_BACK(MODE)},
    {"monitor", &monitor, DO, REASON_DANE_FULL, DANE_FULL, 0, HELD_BACK(MONITOR)},
    {"off", &monitor, DO, REASON_DANE_FULL, DANE_FULL, 0, FINAL_NOTFOUND, NULL, FINAL_REASON_OFF,
     false},
    /* rollout = 0 % */
    {"", &nobody, DO, REASON_DANE_FULL, DANE_FULL, 0, HELD_BACK(ROLLOUT)},
    {"", &nobody, NF, REASON_CLEAR, DANE_NONE, STARTTLS_NOBODY, FOUND},
    {"at-least encrypt", &nobody, VER, REASON_VERIFIED, DANE_NONE, 0, FOUND},
    {"exactly encrypt", &nobody, NF, REASON_CLEAR, DANE_NONE, 0, FINAL_POLICY, "encrypt",
     FINAL_REASON_EXACTLY, false},
};

static void check_row(const struct row *row)
{
    char line[256], name[320];
    struct verdict verdict = found(row->level, row->reason, row->dane, row->starttls);
    struct key key = key_of("example.com");
    struct final_answer final;
    struct override override;
    struct rules *rules;

    snprintf(line, sizeof line, "%s%s", row->rule[0] != '\0' ? "example.com " : "", row->rule);
    snprintf(name, sizeof name, "%s: %s %s", line, verdict_level_name(row->level),
             verdict_reason_code(row->reason));
    rules = rules_of(line);
    override_find(&override, rules, row->options, &key, 0);
    override_apply(&final, &override, &verdict);
    if (final.kind != row->kind || final.reason != row->why || final.withheld != row->withheld)
        fail_msg("%s: kind %d, %s", name, (int) final.kind, final_reason_code(final.reason));
    if (row->text != NULL &&
        (final.length != strlen(row->text) || memcmp(final.text, row->text, final.length)))
        fail_msg("%s: %s", name, final.text);
    if (final.kind == FINAL_TEMP)
        assert_true(final.length > 0 && final.level == TMP);
    if (final.kind == FINAL_NOTFOUND)
        assert_true(final.level == NF && final.text == NULL);
    rules_free(rules);
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        check_row(&rows[i]);
}

static void test_a_refusal_is_remembered(void **state)
{
    struct verdict verdict = found(NF, REASON_DEADLINE, DANE_NONE, STARTTLS_ALL_UNKNOWN);
    struct rules *rules = rules_of("example.com at-least encrypt");
    struct key key = key_of("example.com");
    struct final_answer final;
    struct override override;

    (void)state;
    override_find(&override, rules, &enforce, &key, 0);
    verdict.remembered.refused = 1;
    override_apply(&final, &override, &verdict);
    assert_int_equal(final.reason, FINAL_REASON_AT_LEAST_REFUSED);
    rules_free(rules);
}

/* Which rule it has is not known: the one for everybody may be weaker than its own. */
static void test_a_key_that_could_not_be_read_waits(void **state)
{
    struct verdict verdict = found(TMP, REASON_MEMORY, DANE_UNKNOWN, STARTTLS_ALL_UNKNOWN);
    struct rules *rules = rules_of("xn--bcher-kva.example exactly encrypt\n* off\n");
    struct key key = key_of("[");
    struct final_answer final;
    struct override override;

    (void)state;
    key.no_memory = true;
    override_find(&override, rules, &enforce, &key, 0);
    override_apply(&final, &override, &verdict);
    assert_int_equal(final.level, TMP);
    override_find(&override, rules, &monitor, &key, 0);
    override_apply(&final, &override, &verdict);
    assert_int_equal(final.kind, FINAL_NOTFOUND);
    rules_free(rules);
}

/* ---- over the whole product ---- */

/* How strong a level is at the host where it is weakest: `dane` is `may` where there is no TLSA. */
static int strength(enum verdict_level level)
{
    return level == DA ? 0 : (int)level;
}

static void test_never_weaker(void **state)
{
    static const char *const floors[] = {"encrypt", "verify", SECURE};
    static const enum verdict_level levels[] = {ENC, VER, SEC};
    char line[256];

    (void)state;
    for (size_t f = 0; f < COUNT(floors); f++) {
        struct key key = key_of("example.com");
        struct override override;
        struct rules *rules;

        snprintf(line, sizeof line, "example.com at-least %s", floors[f]);
        rules = rules_of(line);
        override_find(&override, rules, &enforce, &key, 0);
        for (int level = NF; level <= TMP; level++)
            for (int reason = 0; reason < REASON_COUNT; reason++)
                for (int dane = 0; dane <= DANE_ERROR; dane++)
                    for (int starttls = 0; starttls <= STARTTLS_SOME_REFUSED; starttls++) {
                        struct verdict verdict =
                            found((enum verdict_level)level, (enum verdict_reason)reason,
                                  (enum dane_state)dane, (enum starttls_state)starttls);
                        struct final_answer final;
                        const char *why;

                        override_apply(&final, &override, &verdict);
                        assert_true(strength(final.level) >= strength(levels[f]));
                        assert_true(strength(final.level) >= strength(verdict.level));
                        /* what authenticates the hosts that have records goes on to do so */
                        if (level == DA && (dane == DANE_FULL || dane == DANE_MIXED))
                            assert_int_equal(final.level, DO);
                        assert_false(final.withheld);
                        if (final.kind == FINAL_POLICY)
                            assert_true(
                                postfix_syntax_ok(final.text, final.length, POSTFIX_3_4, &why));
                        if (final.level == ENC && starttls == STARTTLS_SOME_REFUSED)
                            assert_int_equal(final.kind, FINAL_FOUND);
                    }
        rules_free(rules);
    }
}

/* ---- lookups, and the share ---- */

static void test_wants_lookup(void **state)
{
    static const struct {
        const char *rule;
        const struct override_options *options;
        bool wants;
    } cases[] = {
        {"", &enforce, true},
        {"a.example at-least verify", &enforce, true},
        {"a.example monitor", &enforce, true},
        {"a.example exactly encrypt", &enforce, false},
        {"a.example exactly encrypt", &monitor, true},
        {"a.example exactly encrypt", &nobody, false},
        {"* exactly encrypt", &nobody, true},
        {"a.example off", &enforce, false},
        {"a.example off", &monitor, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct rules *rules = rules_of(cases[i].rule);
        struct key key = key_of("a.example");
        struct override override;

        override_find(&override, rules, cases[i].options, &key, 0);
        if (override_wants_lookup(&override) != cases[i].wants)
            fail_msg("%s", cases[i].rule);
        rules_free(rules);
    }
}

static void test_rollout(void **state)
{
    unsigned in[101] = {0};

    (void)state;
    for (int i = 0; i < 10000; i++) {
        char name[32];
        struct key key;
        bool before = false;

        snprintf(name, sizeof name, "d%d.example", i);
        key = key_of(name);
        for (unsigned percent = 0; percent <= 100; percent++) {
            bool now = override_in_rollout(&key, percent);

            assert_true(now || !before); /* raising it only adds */
            in[percent] += now;
            before = now;
        }
    }
    assert_int_equal(in[0], 0);
    assert_int_equal(in[100], 10000);
    for (unsigned percent = 10; percent < 100; percent += 10)
        assert_in_range(in[percent], percent * 100 - 300, percent * 100 + 300);
}

/* The same on every machine and in every version: a farm agrees, and an upgrade changes nobody. */
static void test_rollout_is_stable(void **state)
{
    static const struct {
        const char *key;
        unsigned first; /* the lowest rollout that has it */
    } fixed[] = {{"example.com", 63}, {"example.org", 88}, {"[mx.example.net]:587", 96}};

    (void)state;
    for (size_t i = 0; i < COUNT(fixed); i++) {
        struct key key = key_of(fixed[i].key);
        unsigned first = 0;

        while (!override_in_rollout(&key, first))
            first++;
        assert_int_equal(first, fixed[i].first);
    }
}

/* A port or brackets do not move a name. */
static void test_rollout_is_by_name(void **state)
{
    static const char *const forms[] = {"mx.example.com", "mx.example.com:587", "[mx.example.com]",
                                        "[MX.Example.com]:465"};

    (void)state;
    for (unsigned percent = 0; percent <= 100; percent++)
        for (size_t i = 1; i < COUNT(forms); i++) {
            struct key a = key_of(forms[0]), b = key_of(forms[i]);

            assert_int_equal(override_in_rollout(&a, percent), override_in_rollout(&b, percent));
        }
}

static void test_everybody_is_no_name(void **state)
{
    struct rules *rules = rules_of("* at-least encrypt\n.named.example at-least encrypt");
    struct verdict verdict = found(NF, REASON_CLEAR, DANE_NONE, STARTTLS_NOBODY);
    struct key key = key_of("a.example"), named = key_of("a.named.example");
    struct final_answer final;
    struct override override;

    (void)state;
    override_find(&override, rules, &nobody, &key, 0);
    override_apply(&final, &override, &verdict);
    assert_int_equal(final.reason, FINAL_REASON_ROLLOUT);
    override_find(&override, rules, &nobody, &named, 0);
    override_apply(&final, &override, &verdict);
    assert_int_equal(final.reason, FINAL_REASON_AT_LEAST);
    rules_free(rules);
}

static void test_level_names(void **state)
{
    static const char *const policies[] = {
        "none",    "may",  "fingerprint match=00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:EE:FF",
        "encrypt", "dane", "dane-only",
        VERIFY,    SECURE};
    struct key key = key_of("a.example");

    (void)state;
    for (size_t i = 0; i < COUNT(policies); i++) {
        char line[256];
        struct rules *rules;
        struct final_answer final;
        struct override override;

        snprintf(line, sizeof line, "a.example exactly %s", policies[i]);
        rules = rules_of(line);
        override_find(&override, rules, &enforce, &key, 0);
        override_apply(&final, &override, NULL);
        assert_memory_equal(final_level_name(&final), policies[i], strcspn(policies[i], " "));
        rules_free(rules);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_a_refusal_is_remembered),
        cmocka_unit_test(test_a_key_that_could_not_be_read_waits),
        cmocka_unit_test(test_never_weaker),
        cmocka_unit_test(test_wants_lookup),
        cmocka_unit_test(test_rollout),
        cmocka_unit_test(test_rollout_is_stable),
        cmocka_unit_test(test_rollout_is_by_name),
        cmocka_unit_test(test_everybody_is_no_name),
        cmocka_unit_test(test_level_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
