/* Which rule wins, for which key, and until when: mxcrypt-rules(5). */
#include "tests/unit/support/rows.h"

#include <stdio.h>

#include "policy/rules/rules.h"

static struct rules *parsed(const char *text, size_t length)
{
    char error[RULES_ERROR_MAX] = "";
    struct rules *rules;

    if (rules_parse(&rules, text, length, 25, error) != 0)
        fail_msg("%.80s: %s", text, error);
    return rules;
}

/* ---- which rule wins ---- */

#define LEVELS                                                                                     \
    "* monitor\n"                                                                                  \
    ".com off\n"                                                                                   \
    ".example.com off\n"                                                                           \
    "a.example.com off\n"                                                                          \
    "a.example.com:587 off\n"                                                                      \
    "[a.example.com] off\n"                                                                        \
    "[a.example.com]:587 off\n"                                                                    \
    "[192.0.2.1] off\n"                                                                            \
    "[192.0.2.1]:587 off\n"                                                                        \
    "[2001:db8::1] off\n"                                                                          \
    "relay off\n"                                                                                  \
    "[relay]:587 off\n"                                                                            \
    "/var/run/lmtp off\n"

static const struct found {
    const char *name; /* the key */
    unsigned line;    /* of LEVELS; 0: none */
} found[] = {
    {"a.example.com", 4},
    {"A.Example.COM.", 4},
    {"a.example.com:587", 5},
    {"a.example.com:submission", 5},
    {"a.example.com:25", 4},
    {"a.example.com:26", 4},
    {"a.example.com:imap", 4},
    {"A.example.com.:imap", 4},
    {"[a.example.com]", 6},
    {"[a.example.com]:587", 7},
    {"[a.example.com]:26", 6},
    {"[a.example.com]:imap", 6},
    {"b.example.com", 3},
    {"b.example.com:587", 3},
    {"b.example.com:imap", 3},
    {"[b.example.com]", 3},
    {"[b.example.com]:587", 3},
    {"[b.example.com]:imap", 3},
    {"c.b.example.com", 3},
    {"b.a.example.com", 3},
    {"example.com", 2},
    {"[example.com]:587", 2},
    {"xexample.com", 2},
    {"example.net", 1},
    {"[example.net]:587", 1},
    {"example.net:imap", 1},
    {"192.0.2.1", 8},
    {"[192.0.2.1]", 8},
    {"[192.0.2.1]:25", 8},
    {"[192.0.2.1]:26", 8},
    {"[192.0.2.1]:587", 9},
    {"192.0.2.1:587", 9},
    {"[::ffff:192.0.2.1]:587", 9},
    {"[192.0.2.1]:imap", 8},
    {"[192.0.2.2]", 1},
    {"[2001:db8::1]", 10},
    {"[IPv6:2001:db8:0::1]:587", 10},
    {"2001:db8::1", 10},
    {"[2001:db8::2]", 1},
    {"relay", 11},
    {"relay.", 11},
    {"relay:587", 11},
    {"relay:imap", 11},
    {"[relay]:587", 12},
    {"[relay]", 1},
    {"[relay]:26", 1},
    {"/var/run/lmtp", 13},
    {"/var/run/LMTP", 13},

    {"/var/run/other", 0},
    {"private/lmtp", 0},
    {"unix:/var/run/other", 0},
    {"127.0.0.1", 0},
    {"[127.0.0.1]", 0},
    {"[127.0.0.1]:10024", 0},
    {"127.255.255.254:24", 0},
    {"[::1]", 0},
    {"::1", 0},
    {"[::1]:10024", 0},
    {"[ipv6:::1]:24", 0},
    {"[::ffff:127.0.0.1]:24", 0},
    {"[0:0:0:0:0:0:0:1]", 0},
    {"localhost", 0},
    {"LocalHost.", 0},
    {"localhost:10024", 0},
    {"[localhost]", 0},
    {"[localhost]:10024", 0},
    {"[localhost]:lmtp", 0},
    {"128.0.0.1", 1},
    {"[::2]", 1},
    {"localhost.example", 1},
    {"notlocalhost", 1},

    {".a.example.com", 0},
    {".example.com", 0},
    {".com", 0},
    {".net", 0},
    {"", 1},
    {"nonsense here", 1},
    {"\xf0\x9f\x92\xa9.example", 1},
    {"user@a.example.com", 1},
};

static unsigned line_for(const struct rules *rules, const char *text, int64_t now_s)
{
    struct key key;
    const struct rule *rule;

    key_parse(&key, text, strlen(text), 25);
    rule = rules_find(rules, &key, now_s);
    return rule == NULL ? 0 : rule->line;
}

static void test_found(void **state)
{
    const struct found *row = *state;
    struct rules *rules = parsed(LEVELS, strlen(LEVELS));

    assert_int_equal(line_for(rules, row->name, 0), row->line);
    rules_free(rules);
}

static void test_star_is_no_catch_for_what_is_named(void **state)
{
    static const char text[] = "localhost off\n[127.0.0.1]:24 off\n/run/lmtp off\n[::1] off\n";
    struct rules *rules = parsed(text, sizeof text - 1);

    (void)state;
    assert_int_equal(line_for(rules, "localhost:24", 0), 1);
    assert_int_equal(line_for(rules, "[localhost]", 0), 0);
    assert_int_equal(line_for(rules, "[127.0.0.1]:24", 0), 2);
    assert_int_equal(line_for(rules, "[127.0.0.1]", 0), 0);
    assert_int_equal(line_for(rules, "/run/lmtp", 0), 3);
    assert_int_equal(line_for(rules, "[::1]:24", 0), 4);
    assert_int_equal(line_for(rules, "example.com", 0), 0);
    rules_free(rules);
}

static void test_default_port(void **state)
{
    static const char text[] = "a.example off\na.example:25 off\n[192.0.2.1]:25 off\n";
    char error[RULES_ERROR_MAX];
    struct rules *rules;
    struct key key;

    (void)state;
    assert_int_equal(rules_parse(&rules, text, sizeof text - 1, 2525, error), 0);
    key_parse(&key, "a.example:25", 12, 2525);
    assert_int_equal(rules_find(rules, &key, 0)->line, 2);
    key_parse(&key, "a.example:2525", 14, 2525);
    assert_int_equal(rules_find(rules, &key, 0)->line, 1);
    key_parse(&key, "[192.0.2.1]:25", 14, 2525);
    assert_int_equal(rules_find(rules, &key, 0)->line, 3);
    key_parse(&key, "[192.0.2.1]:2525", 16, 2525);
    assert_null(rules_find(rules, &key, 0));
    rules_free(rules);
    assert_int_equal(rules_parse(&rules, "a.example:2525 off", 18, 2525, error), -1);
    assert_non_null(strstr(error, "2525 is the port of a key without one"));
}

/* ---- until= ---- */

static const struct date {
    const char *name;
    int64_t until_s; /* 0: refused */
} dates[] = {
    {"2000-01-01", 946771200},
    {"2000-02-29", 951868800},
    {"2023-12-31", 1704067200},
    {"2024-02-29", 1709251200},
    {"2024-03-01", 1709337600},
    {"2026-12-31", 1798761600},
    {"2026-12-31T00:00Z", 1798675200},
    {"2026-12-31T23:59Z", 1798761540},
    {"2100-02-28", 4107542400},
    {"2400-02-29", 13574649600},
    {"9999-12-31", 253402300800},
    {"9999-12-31T23:59Z", 253402300740},
    {"1999-12-31", 0},
    {"0000-01-01", 0},
    {"10000-01-01", 0},
    {"2023-02-29", 0},
    {"2100-02-29", 0},
    {"2026-02-31", 0},
    {"2026-04-31", 0},
    {"2026-00-10", 0},
    {"2026-13-10", 0},
    {"2026-01-00", 0},
    {"2026-01-32", 0},
    {"2026-1-1", 0},
    {"26-01-01", 0},
    {"2026/01/01", 0},
    {"20260101", 0},
    {"+026-01-01", 0},
    {"2026-01-01T", 0},
    {"2026-01-01Z", 0},
    {"2026-01-01T24:00Z", 0},
    {"2026-01-01T12:60Z", 0},
    {"2026-01-01T12:00", 0},
    {"2026-01-01t12:00z", 0},
    {"2026-01-01T12:00:00Z", 0},
    {"2026-01-01T12:00+00:00", 0},
    {"2026-12-31T18:00Zx", 0},
    {"tomorrow", 0},
    {"31.12.2026", 0},
};

static void test_date(void **state)
{
    const struct date *date = *state;
    char text[100], error[RULES_ERROR_MAX];
    struct rules *rules;
    int length = snprintf(text, sizeof text, "a.example off until=%s", date->name);

    if (date->until_s == 0) {
        assert_int_equal(rules_parse(&rules, text, (size_t)length, 25, error), -1);
        return;
    }
    rules = parsed(text, (size_t)length);
    assert_int_equal(rules_at(rules, 0)->until_s, date->until_s);
    rules_free(rules);
}

static void test_lapsed_is_as_if_not_there(void **state)
{
    static const char text[] = "* off\n"
                               ".example.com off until=2026-12-29\n"
                               "a.example.com off until=2026-12-30\n"
                               "a.example.com:587 off until=2026-12-31T12:00Z\n";
    const int64_t day = 86400, new_year = 1798761600;
    struct rules *rules = parsed(text, sizeof text - 1);

    (void)state;
    assert_int_equal(line_for(rules, "a.example.com:587", new_year - day / 2 - 1), 4);
    assert_int_equal(line_for(rules, "a.example.com:587", new_year - day / 2), 1);
    assert_int_equal(line_for(rules, "a.example.com", new_year - day - 1), 3);
    assert_int_equal(line_for(rules, "a.example.com", new_year - day), 1);
    assert_int_equal(line_for(rules, "a.example.com", 0), 3);
    assert_int_equal(line_for(rules, "b.example.com", new_year - 2 * day - 1), 2);
    assert_int_equal(line_for(rules, "b.example.com", new_year - 2 * day), 1);

    assert_int_equal(rules_next_lapse(rules, 0), new_year - 2 * day);
    assert_int_equal(rules_next_lapse(rules, new_year - 2 * day - 1), new_year - 2 * day);
    assert_int_equal(rules_next_lapse(rules, new_year - 2 * day), new_year - day);
    assert_int_equal(rules_next_lapse(rules, new_year - day), new_year - day / 2);
    assert_int_equal(rules_next_lapse(rules, new_year - day / 2), 0);
    rules_free(rules);
}

static void test_no_rules(void **state)
{
    struct rules *rules = parsed("", 0);

    (void)state;
    assert_int_equal(line_for(rules, "example.com", 0), 0);
    assert_int_equal(rules_next_lapse(rules, 0), 0);
    rules_free(rules);
}

static void test_many(void **state)
{
    static char text[4 * 1024 * 1024];
    struct rules *rules;
    char key[64];
    size_t at = 0;

    (void)state;
    for (unsigned i = 0; i < RULES_MAX; i++)
        at += (size_t)sprintf(text + at, i % 2 ? ".d%u.example off\n" : "d%u.example off\n", i);
    rules = parsed(text, at);
    for (unsigned i = 0; i < RULES_MAX; i++) {
        snprintf(key, sizeof key, i % 2 ? "below.d%u.example" : "d%u.example", i);
        assert_int_equal(line_for(rules, key, 0), i + 1);
    }
    rules_free(rules);
}

int main(void)
{
    ROWS_ADD(found, test_found);
    ROWS_ADD(dates, test_date);
    ROWS_ADD_TEST(test_star_is_no_catch_for_what_is_named);
    ROWS_ADD_TEST(test_default_port);
    ROWS_ADD_TEST(test_lapsed_is_as_if_not_there);
    ROWS_ADD_TEST(test_no_rules);
    ROWS_ADD_TEST(test_many);
    return rows_run("rules_find");
}
