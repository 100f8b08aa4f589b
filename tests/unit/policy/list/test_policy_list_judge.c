/* When a policy list may be used: at each limit, before it and behind it. */
#include "tests/unit/support/rows.h"

#include "policy/list/policy_list_judge.h"

#define NOW       INT64_C(1795867200) /* 2026-11-28T12:00:00Z */
#define DAY       INT64_C(86400)
#define SKEW      POLICY_LIST_SKEW_S
#define LIFE      POLICY_LIST_LIFE_MAX_S
#define YEAR_9999 INT64_C(253402300799)

static const struct row {
    const char *name;
    int64_t timestamp_s, expires_s, newest_s, min_age_s;
    enum policy_list_state want;
    const char *why;
} rows[] = {
    {"the first list", NOW - DAY, NOW + DAY, 0, 0, POLICY_LIST_IN_FORCE, ""},
    {"made this second", NOW, NOW + DAY, 0, 0, POLICY_LIST_IN_FORCE, ""},
    {"a maker's clock that is ahead", NOW + SKEW, NOW + DAY, 0, 0, POLICY_LIST_IN_FORCE, ""},
    {"a maker's clock that is too far ahead", NOW + SKEW + 1, NOW + DAY, 0, 0, POLICY_LIST_TOO_NEW,
     "its timestamp, 2026-11-28T13:00:01Z, is in the future"},
    {"the year 9999", YEAR_9999 - DAY, YEAR_9999, 0, 0, POLICY_LIST_TOO_NEW,
     "its timestamp, 9999-12-30T23:59:59Z, is in the future"},
    {"the last second", NOW - DAY, NOW + 1, 0, 0, POLICY_LIST_IN_FORCE, ""},
    {"the second it expires", NOW - DAY, NOW, 0, 0, POLICY_LIST_EXPIRED,
     "it expired at 2026-11-28T12:00:00Z"},
    {"long expired", 0, DAY, 0, 0, POLICY_LIST_EXPIRED, "it expired at 1970-01-02T00:00:00Z"},
    {"the same list again", NOW - DAY, NOW + DAY, NOW - DAY, 0, POLICY_LIST_IN_FORCE, ""},
    {"the next list", NOW - DAY, NOW + DAY, NOW - DAY - 1, 0, POLICY_LIST_IN_FORCE, ""},
    {"a list before", NOW - DAY, NOW + DAY, NOW - DAY + 1, 0, POLICY_LIST_ROLLED_BACK,
     "its timestamp is 2026-11-27T12:00:00Z, before 2026-11-27T12:00:01Z, that of a list used "
     "before"},
    {"a list before that has expired", NOW - DAY, NOW - 1, NOW, 0, POLICY_LIST_ROLLED_BACK,
     "its timestamp is 2026-11-27T12:00:00Z, before 2026-11-28T12:00:00Z, that of a list used "
     "before"},
    {"a list before, from the future", NOW + 2 * DAY, NOW + 9 * DAY, NOW + 3 * DAY, 0,
     POLICY_LIST_ROLLED_BACK,
     "its timestamp is 2026-11-30T12:00:00Z, before 2026-12-01T12:00:00Z, that of a list used "
     "before"},
    {"old enough", NOW - 3600, NOW + DAY, 0, 3600, POLICY_LIST_IN_FORCE, ""},
    {"a second too young", NOW - 3599, NOW + DAY, 0, 3600, POLICY_LIST_TOO_NEW,
     "its timestamp is 2026-11-28T11:00:01Z, and min-age holds it until 2026-11-28T12:00:01Z"},
    {"ahead, with an age wanted", NOW + 1, NOW + DAY, 0, 1, POLICY_LIST_TOO_NEW,
     "its timestamp is 2026-11-28T12:00:01Z, and min-age holds it until 2026-11-28T12:00:02Z"},
    {"too young, and expired", NOW - 20, NOW - 10, 0, 3600, POLICY_LIST_EXPIRED,
     "it expired at 2026-11-28T11:59:50Z"},
    {"the longest life", NOW - DAY, NOW - DAY + LIFE, 0, 0, POLICY_LIST_IN_FORCE, ""},
    {"too long a life", NOW - DAY, NOW - DAY + LIFE + 1, 0, 0, POLICY_LIST_ABSURD,
     "it expires at 2027-11-28T12:00:01Z, more than 366 days after its timestamp, "
     "2026-11-27T12:00:00Z"},
    {"for ever", 0, YEAR_9999, 0, 0, POLICY_LIST_ABSURD,
     "it expires at 9999-12-31T23:59:59Z, more than 366 days after its timestamp, "
     "1970-01-01T00:00:00Z"},
    {"expires when it begins", NOW, NOW, 0, 0, POLICY_LIST_ABSURD,
     "it expires at 2026-11-28T12:00:00Z, not after its timestamp, 2026-11-28T12:00:00Z"},
    {"expires before it begins", NOW, NOW - 1, 0, 0, POLICY_LIST_ABSURD,
     "it expires at 2026-11-28T11:59:59Z, not after its timestamp, 2026-11-28T12:00:00Z"},
    {"a life of a second", NOW, NOW + 1, 0, 0, POLICY_LIST_IN_FORCE, ""},
    {"absurd and rolled back", NOW, NOW, NOW + DAY, 0, POLICY_LIST_ABSURD,
     "it expires at 2026-11-28T12:00:00Z, not after its timestamp, 2026-11-28T12:00:00Z"},
};

static void test_row(void **state)
{
    const struct row *row = *state;
    struct policy_list_header header = {.timestamp_s = row->timestamp_s,
                                        .expires_s = row->expires_s};
    char why[POLICY_LIST_ERROR_MAX] = "?";

    assert_int_equal(policy_list_judge(&header, row->newest_s, row->min_age_s, NOW, why),
                     row->want);
    assert_string_equal(why, row->why);
}

/* A list is in force from its timestamp on, or from its age on, until it expires, without a gap. */
static void test_life(void **state)
{
    struct policy_list_header header = {.timestamp_s = NOW, .expires_s = NOW + 100};
    char why[POLICY_LIST_ERROR_MAX];

    (void)state;
    for (int64_t now = NOW; now < NOW + 200; now++)
        assert_int_equal(policy_list_judge(&header, NOW, 40, now, why),
                         now < NOW + 40    ? POLICY_LIST_TOO_NEW
                         : now < NOW + 100 ? POLICY_LIST_IN_FORCE
                                           : POLICY_LIST_EXPIRED);
}

static void test_clock_of_1970(void **state)
{
    struct policy_list_header header = {.timestamp_s = NOW, .expires_s = NOW + DAY};
    char why[POLICY_LIST_ERROR_MAX];

    (void)state;
    assert_int_equal(policy_list_judge(&header, NOW, 0, 0, why), POLICY_LIST_TOO_NEW);
}

static void test_names(void **state)
{
    static const char *const names[] = {"in-force", "too-new", "expired", "rolled-back", "absurd"};

    (void)state;
    for (size_t i = 0; i < COUNT(names); i++)
        assert_string_equal(policy_list_state_name((enum policy_list_state)i), names[i]);
}

int main(void)
{
    ROWS_ADD(rows, test_row);
    ROWS_ADD_TEST(test_life);
    ROWS_ADD_TEST(test_clock_of_1970);
    ROWS_ADD_TEST(test_names);
    return rows_run("policy_list_judge");
}
