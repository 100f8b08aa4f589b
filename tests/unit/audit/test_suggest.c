/*
 * suggest: which domains of a log get a rule, and which; every way of getting none; and that the
 * text is a file of rules.
 */
#include "tests/unit/support/rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "audit/suggest.h"

#define DAY   86400
#define BEGIN 1790848800 /* 2026-10-01 10:00 UTC */

#define LEVELS(verified, trusted, untrusted, anonymous, none, unknown)                             \
    {                                                                                              \
        [TALLY_VERIFIED] = verified, [TALLY_TRUSTED] = trusted, [TALLY_UNTRUSTED] = untrusted,     \
        [TALLY_ANONYMOUS] = anonymous, [TALLY_NONE] = none, [TALLY_UNKNOWN] = unknown              \
    }

static const struct row {
    const char *name; /* of the domain, and of the row */
    uint32_t messages, days;
    uint32_t levels[TALLY_LEVEL_COUNT];
    enum verdict_level found;
    const char *rules; /* in force; NULL: there is no file */
    enum suggest_outcome want;
    enum verdict_level level;
} rows[] = {
#define GETS(level) SUGGEST_RULE, level
#define NONE(why)   SUGGEST_##why, VERDICT_NO_OPINION
#define VERIFIED    LEVELS(300, 0, 0, 0, 0, 0)
#define TRUSTED     LEVELS(200, 100, 0, 0, 0, 0)
#define LOOSE       LEVELS(100, 100, 99, 1, 0, 0)
    /* the level: the best that both support */
    {"d1.example", 300, 50, VERIFIED, VERDICT_DANE_ONLY, NULL, GETS(VERDICT_DANE_ONLY)},
    {"d2.example", 300, 50, TRUSTED, VERDICT_DANE_ONLY, NULL, GETS(VERDICT_VERIFY)},
    {"d3.example", 300, 50, LOOSE, VERDICT_DANE_ONLY, NULL, GETS(VERDICT_ENCRYPT)},
    {"s1.example", 300, 50, VERIFIED, VERDICT_SECURE, NULL, GETS(VERDICT_VERIFY)},
    {"s2.example", 300, 50, LOOSE, VERDICT_SECURE, NULL, GETS(VERDICT_ENCRYPT)},
    {"v1.example", 300, 50, VERIFIED, VERDICT_VERIFY, NULL, GETS(VERDICT_VERIFY)},
    {"v2.example", 300, 50, TRUSTED, VERDICT_VERIFY, NULL, GETS(VERDICT_VERIFY)},
    {"v3.example", 300, 50, LEVELS(299, 0, 1, 0, 0, 0), VERDICT_VERIFY, NULL,
     GETS(VERDICT_ENCRYPT)},
    {"v4.example", 300, 50, LEVELS(299, 0, 0, 1, 0, 0), VERDICT_VERIFY, NULL,
     GETS(VERDICT_ENCRYPT)},
    {"a1.example", 300, 50, VERIFIED, VERDICT_DANE, NULL, GETS(VERDICT_ENCRYPT)},
    {"e1.example", 300, 50, VERIFIED, VERDICT_ENCRYPT, NULL, GETS(VERDICT_ENCRYPT)},
    {"e2.example", 300, 50, LOOSE, VERDICT_ENCRYPT, NULL, GETS(VERDICT_ENCRYPT)},
    /* at the limits, and below them */
    {"few1.example", 20, 14, VERIFIED, VERDICT_VERIFY, NULL, GETS(VERDICT_VERIFY)},
    {"few2.example", 19, 14, VERIFIED, VERDICT_VERIFY, NULL, NONE(FEW_MESSAGES)},
    {"few3.example", 20, 13, VERIFIED, VERDICT_VERIFY, NULL, NONE(FEW_DAYS)},
    {"few4.example", 300, 0, LEVELS(0, 0, 0, 0, 0, 0), VERDICT_VERIFY, NULL, NONE(FEW_DAYS)},
    /* one message is enough */
    {"clear.example", 300, 50, LEVELS(299, 0, 0, 0, 1, 0), VERDICT_VERIFY, NULL, NONE(CLEAR)},
    {"unknown.example", 300, 50, LEVELS(299, 0, 0, 0, 0, 1), VERDICT_VERIFY, NULL, NONE(UNKNOWN)},
    {"bounced.example", 300, 50, VERIFIED, VERDICT_VERIFY, NULL, NONE(BOUNCED)},
    /* the verdict */
    {"none.example", 300, 50, VERIFIED, VERDICT_VERIFY, NULL, NONE(NO_VERDICT)},
    {"weak1.example", 300, 50, VERIFIED, VERDICT_NO_OPINION, NULL, NONE(WEAK_VERDICT)},
    {"weak2.example", 300, 50, VERIFIED, VERDICT_TEMP, NULL, NONE(WEAK_VERDICT)},
    /* rules in force: never a weaker one */
    {"r1.example", 300, 50, VERIFIED, VERDICT_VERIFY, "r1.example at-least verify", NONE(HAS_RULE)},
    {"r2.example", 300, 50, VERIFIED, VERDICT_VERIFY, ".example at-least verify", NONE(HAS_RULE)},
    {"r3.example", 300, 50, VERIFIED, VERDICT_VERIFY, "* at-least verify", NONE(HAS_RULE)},
    {"r4.example", 300, 50, VERIFIED, VERDICT_VERIFY, "r4.example at-least encrypt",
     GETS(VERDICT_VERIFY)},
    {"r5.example", 300, 50, VERIFIED, VERDICT_VERIFY, "* at-least encrypt", GETS(VERDICT_VERIFY)},
    {"r6.example", 300, 50, LOOSE, VERDICT_VERIFY, "* at-least verify", NONE(HAS_RULE)},
    {"r7.example", 300, 50, VERIFIED, VERDICT_DANE_ONLY,
     "r7.example at-least secure match=mx.r7.example", NONE(HAS_RULE)},
    {"r8.example", 300, 50, VERIFIED, VERDICT_DANE_ONLY, "r8.example at-least dane-only",
     NONE(HAS_RULE)},
    {"r9.example", 300, 50, VERIFIED, VERDICT_DANE_ONLY, "r9.example at-least verify",
     GETS(VERDICT_DANE_ONLY)},
    {"r10.example", 300, 50, VERIFIED, VERDICT_NO_OPINION, "r10.example exactly encrypt",
     NONE(HAS_RULE)},
    {"r11.example", 300, 50, VERIFIED, VERDICT_NO_OPINION, "r11.example exactly may",
     NONE(HAS_RULE)},
    {"r12.example", 300, 50, VERIFIED, VERDICT_VERIFY, ".example off", NONE(HAS_RULE)},
    {"r13.example", 300, 50, VERIFIED, VERDICT_VERIFY, "r13.example monitor", NONE(HAS_RULE)},
    {"r14.example", 300, 50, VERIFIED, VERDICT_VERIFY, "* monitor", GETS(VERDICT_VERIFY)},
    {"r15.example", 300, 50, VERIFIED, VERDICT_VERIFY,
     "r15.example at-least verify until=2026-11-01", GETS(VERDICT_VERIFY)},
    {"r16.example", 300, 50, VERIFIED, VERDICT_VERIFY, "other.example at-least verify",
     GETS(VERDICT_VERIFY)},
    /* names from a log */
    {"[host.example]", 300, 50, VERIFIED, VERDICT_VERIFY, NULL, NONE(NO_DOMAIN)},
    {"[192.0.2.1]", 300, 50, VERIFIED, VERDICT_VERIFY, NULL, NONE(NO_DOMAIN)},
    {"[host.example]:587", 300, 50, VERIFIED, VERDICT_VERIFY, NULL, NONE(NO_DOMAIN)},
    {"port.example:587", 300, 50, VERIFIED, VERDICT_VERIFY, NULL, NONE(NO_DOMAIN)},
    {".parent.example", 300, 50, VERIFIED, VERDICT_VERIFY, NULL, NONE(NO_DOMAIN)},
    {"onelabel", 300, 50, VERIFIED, VERDICT_VERIFY, NULL, NONE(NO_DOMAIN)},
    {"", 300, 50, VERIFIED, VERDICT_VERIFY, NULL, NONE(NO_DOMAIN)},
    {"*", 300, 50, VERIFIED, VERDICT_VERIFY, NULL, NONE(NO_DOMAIN)},
    {"Upper.example", 300, 50, VERIFIED, VERDICT_VERIFY, NULL, NONE(NO_DOMAIN)},
    {"dot.example.", 300, 50, VERIFIED, VERDICT_VERIFY, NULL, NONE(NO_DOMAIN)},
    {"two words.example", 300, 50, VERIFIED, VERDICT_VERIFY, NULL, NONE(NO_DOMAIN)},
    {"a.example off\n* off # ", 300, 50, VERIFIED, VERDICT_VERIFY, NULL, NONE(NO_DOMAIN)},
    {"# comment.example", 300, 50, VERIFIED, VERDICT_VERIFY, NULL, NONE(NO_DOMAIN)},
    {"a.example\x1b[31m", 300, 50, VERIFIED, VERDICT_VERIFY, NULL, NONE(NO_DOMAIN)},
};
#define NOW INT64_C(1795780000) /* 2026-11-27 */

static struct rules *rules_from(const char *text)
{
    char error[RULES_ERROR_MAX];
    struct rules *rules = NULL;

    if (text != NULL && rules_parse(&rules, text, strlen(text), 25, error) != 0)
        fail_msg("%s: %s", text, error);
    return rules;
}

static struct tally_domain counted(const struct row *row)
{
    struct tally_domain domain = {.name = row->name,
                                  .messages = row->messages + 5, /* which wait */
                                  .messages_sent = row->messages,
                                  .tls_bounced = row->want == SUGGEST_BOUNCED,
                                  .sent_first = row->days == 0 ? 0 : BEGIN,
                                  .sent_last = row->days == 0 ? 0 : BEGIN + (row->days - 1) * DAY};

    memcpy(domain.levels, row->levels, sizeof domain.levels);
    return domain;
}

static void test_outcome(void **state)
{
    const struct row *row = *state;
    struct tally_domain domains[2] = {{.name = ""}, counted(row)};
    struct judged_domain verdicts[2] = {
        {.known = false},
        {row->want != SUGGEST_NO_VERDICT, row->found, false, "reason", "why", "answer"}};
    const struct tally tally = {.domains = domains, .domain_count = 2};
    const struct judged judged = {.asked = true, .domains = verdicts};
    struct rules *rules = rules_from(row->rules);
    const struct suggest_options options = {SUGGEST_MESSAGES, SUGGEST_DAYS, rules, NOW, 25};
    enum verdict_level level = VERDICT_TEMP;
    enum suggest_outcome got = suggest_domain(&tally, &judged, &options, 1, &level);

    if (got != row->want)
        fail_msg("%s", suggest_outcome_text(got));
    if (got == SUGGEST_RULE)
        assert_int_equal(level, row->level);
    rules_free(rules);
}

/* ---- the text ---- */

/* What is written for all rows; for the caller to free. */
static char *text_of_all(const struct rules *rules, size_t *count)
{
    struct tally_domain domains[COUNT(rows) + 1] = {{.name = "", .messages = 1000}};
    struct judged_domain verdicts[COUNT(rows) + 1] = {{.known = false}};
    const struct tally tally = {.domains = domains, .domain_count = COUNT(rows) + 1};
    const struct judged judged = {.asked = true, .domains = verdicts};
    const struct suggest_options options = {SUGGEST_MESSAGES, SUGGEST_DAYS, rules, NOW, 25};
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);

    assert_non_null(out);
    for (size_t i = 0; i < COUNT(rows); i++) {
        domains[i + 1] = counted(&rows[i]);
        verdicts[i + 1] = (struct judged_domain){.known = rows[i].want != SUGGEST_NO_VERDICT,
                                                 .found = rows[i].found};
    }
    *count = suggest_write(out, &tally, &judged, &options);
    assert_int_equal(fclose(out), 0);
    return text;
}

static void test_text_is_rules(void **state)
{
    size_t count, want = 0;
    char *text = text_of_all(NULL, &count);
    struct rules *rules = rules_from(text);
    char line[100];

    (void)state;
    assert_int_equal(rules_count(rules), count);
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (rows[i].want == SUGGEST_RULE && rows[i].rules == NULL) {
            snprintf(line, sizeof line, "\n%s at-least %s  # %u messages", rows[i].name,
                     verdict_level_name(rows[i].level), rows[i].messages);
            if (strstr(text, line) == NULL)
                fail_msg("not there: %s", line);
            want++;
        }
    }
    assert_true(count > want); /* those that a rule stood against */
    assert_null(strchr(text, '\x1b'));
    assert_non_null(strstr(text, "\nd1.example at-least dane-only  # 300 messages "
                                 "2026-10-01..2026-11-19, all Verified\n"));
    assert_non_null(strstr(text, ", all Verified or Trusted\n"));
    assert_non_null(strstr(text, ", all over TLS\n"));
    assert_non_null(strstr(text, "#       1 domain: too few messages\n"));
    rules_free(rules);
    free(text);
}

/* A rule of the same pattern must go when the new one comes. */
static void test_in_place_of(void **state)
{
    struct rules *in_force =
        rules_from("# mine\nd1.example at-least encrypt\n* at-least encrypt\n");
    size_t count;
    char *text = text_of_all(in_force, &count);

    (void)state;
    assert_non_null(strstr(text, "\nd1.example at-least dane-only  # 300 messages "
                                 "2026-10-01..2026-11-19, all Verified; in place of line 2\n"));
    assert_null(strstr(text, "line 3"));
    rules_free(in_force);
    free(text);
}

/* Suggested, put in force, nothing more is suggested. */
static void test_once(void **state)
{
    size_t count, again;
    char *text = text_of_all(NULL, &count), *none;
    struct rules *in_force = rules_from(text);

    (void)state;
    assert_true(count > 0);
    none = text_of_all(in_force, &again);
    assert_int_equal(again, 0);
    rules_free(in_force);
    in_force = rules_from(none); /* comments are a file of rules too */
    assert_int_equal(rules_count(in_force), 0);
    rules_free(in_force);
    free(text);
    free(none);
}

/* Without verdicts there is no rule. */
static void test_nothing_asked(void **state)
{
    struct tally_domain domains[2] = {{.name = ""}, counted(&rows[0])};
    const struct tally tally = {.domains = domains, .domain_count = 2};
    const struct judged judged = {.asked = false};
    const struct suggest_options options = {SUGGEST_MESSAGES, SUGGEST_DAYS, NULL, NOW, 25};
    enum verdict_level level;

    (void)state;
    assert_int_equal(suggest_domain(&tally, &judged, &options, 1, &level), SUGGEST_NO_VERDICT);
    assert_int_equal(suggest_domain(&tally, &judged, &options, TALLY_OTHERS, &level),
                     SUGGEST_NO_DOMAIN);
}

int main(void)
{
    setenv("TZ", "UTC", 1);
    tzset();
    ROWS_ADD(rows, test_outcome);
    ROWS_ADD_TEST(test_text_is_rules);
    ROWS_ADD_TEST(test_in_place_of);
    ROWS_ADD_TEST(test_once);
    ROWS_ADD_TEST(test_nothing_asked);
    return rows_run("suggest");
}
