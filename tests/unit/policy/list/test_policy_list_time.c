/* Times of policy lists: RFC 3339 §5.6, and what is none. */
#include "tests/unit/support/rows.h"

#include "policy/list/policy_list_time.h"

#define NONE (-1)

static const struct row {
    const char *name; /* the text */
    int64_t want;
} rows[] = {
    {"1970-01-01T00:00:00Z", 0},
    {"2026-11-28T12:00:00Z", 1795867200},
    {"2026-11-28t12:00:00z", 1795867200},
    {"2026-11-28T12:00:00+00:00", 1795867200},
    {"2026-11-28T12:00:00-00:00", 1795867200},
    {"2026-11-28T13:30:00+01:30", 1795867200},
    {"2026-11-27T20:00:00-16:00", 1795867200},
    {"2026-11-28T12:00:00.1Z", 1795867200},
    {"2026-11-28T12:00:00.999999999999+00:00", 1795867200},
    {"2026-11-28T11:59:60Z", 1795867200},
    {"2024-02-29T00:00:00Z", 1709164800},
    {"2000-02-29T00:00:00Z", 951782400},
    {"2038-01-19T03:14:08Z", 2147483648},
    {"9999-12-31T23:59:59Z", 253402300799},
    {"1969-12-31T23:00:00-01:00", 0},
    {"9999-12-31T23:59:59+00:01", 253402300739},
    {"0000-01-01T00:00:00Z", NONE},
    {"1969-12-31T23:59:59Z", NONE},
    {"1970-01-01T00:00:00+00:01", NONE},
    {"9999-12-31T23:59:60Z", NONE},
    {"9999-12-31T23:59:59-00:01", NONE},
    {"2023-02-29T00:00:00Z", NONE},
    {"2100-02-29T00:00:00Z", NONE},
    {"2026-02-30T00:00:00Z", NONE},
    {"2026-04-31T00:00:00Z", NONE},
    {"2026-00-10T00:00:00Z", NONE},
    {"2026-13-10T00:00:00Z", NONE},
    {"2026-10-00T00:00:00Z", NONE},
    {"2026-10-32T00:00:00Z", NONE},
    {"2026-11-28T24:00:00Z", NONE},
    {"2026-11-28T12:60:00Z", NONE},
    {"2026-11-28T12:00:61Z", NONE},
    {"2026-11-28T12:00:00+24:00", NONE},
    {"2026-11-28T12:00:00+01:60", NONE},
    {"2026-11-28T12:00:00+0100", NONE},
    {"2026-11-28T12:00:00", NONE},
    {"2026-11-28T12:00:00.Z", NONE},
    {"2026-11-28T12:00:00,5Z", NONE},
    {"2026-11-28T12:00Z", NONE},
    {"2026-11-28 12:00:00Z", NONE},
    {"2026-11-28", NONE},
    {"2026-11-28T12:00:00Z ", NONE},
    {" 2026-11-28T12:00:00Z", NONE},
    {"2026-11-28T12:00:00ZZ", NONE},
    {"20261128T120000Z", NONE},
    {"+026-11-28T12:00:00Z", NONE},
    {"12026-11-28T12:00:00Z", NONE},
    {"2026-1-28T12:00:00Z", NONE},
    {"Sat, 28 Nov 2026 12:00:00 +0000", NONE},
    {"1795867200", NONE},
    {"", NONE},
};

static void test_row(void **state)
{
    const struct row *row = *state;
    int64_t time_s = NONE;

    if (!policy_list_time_parse(&time_s, row->name))
        time_s = NONE;
    assert_int_equal(time_s, row->want);
}

static void test_cut(void **state)
{
    static const char whole[] = "2026-11-28T12:00:00.5+01:00";
    char text[sizeof whole];
    int64_t time_s;

    (void)state;
    for (size_t length = 0; length < sizeof whole - 1; length++) {
        memcpy(text, whole, length);
        text[length] = '\0';
        assert_false(policy_list_time_parse(&time_s, text));
    }
    assert_true(policy_list_time_parse(&time_s, whole));
}

static void test_text(void **state)
{
    static const int64_t none[] = {-1, INT64_MIN, POLICY_LIST_TIME_MAX + 1, INT64_MAX};
    char text[POLICY_LIST_TIME_SIZE];
    int64_t again, at = 0;

    (void)state;
    /* steps that are no whole number of days, over all the years */
    for (; at <= POLICY_LIST_TIME_MAX; at += 9876543) {
        policy_list_time_text(text, at);
        assert_true(policy_list_time_parse(&again, text));
        assert_int_equal(again, at);
    }
    assert_string_equal(policy_list_time_text(text, POLICY_LIST_TIME_MAX), "9999-12-31T23:59:59Z");
    assert_string_equal(policy_list_time_text(text, 0), "1970-01-01T00:00:00Z");
    for (size_t i = 0; i < COUNT(none); i++)
        assert_string_equal(policy_list_time_text(text, none[i]), "?");
}

int main(void)
{
    ROWS_ADD(rows, test_row);
    ROWS_ADD_TEST(test_cut);
    ROWS_ADD_TEST(test_text);
    return rows_run("policy_list_time");
}
