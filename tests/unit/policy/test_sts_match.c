/* RFC 8461 §4.1: which MX hosts a pattern covers. */
#include "tests/unit/support/rows.h"

#include "policy/sts_match.h"

struct row {
    const char *name;
    const char *pattern;
    const char *host;
    bool want;
};

static const struct row rows[] = {
    {"exact", "mx.example.com", "mx.example.com", true},
    {"A-20 case", "mx.example.com", "MX.Example.COM", true},
    {"A-20 case of the pattern", "MX.example.com", "mx.example.com", true},
    {"another host", "mx.example.com", "mx2.example.com", false},
    {"a host below", "example.com", "mx.example.com", false},
    {"A-18 one label", "*.example.net", "a.example.net", true},
    {"A-18 no label", "*.example.net", "example.net", false},
    {"A-18 two labels", "*.example.net", "a.b.example.net", false},
    {"A-18 case", "*.example.net", "A.EXAMPLE.net", true},
    {"A-18 a longer name", "*.example.net", "a.myexample.net", false},
    {"A-18 an empty label", "*.example.net", ".example.net", false},
    {"A-18 another domain", "*.example.net", "a.example.com", false},
    {"A-44 below a top-level domain", "*.microsoft", "mx.microsoft", true},
    {"A-44 not two labels below", "*.microsoft", "mx.a.microsoft", false},
    {"A-44 one label", "mx", "mx", true},
    {"A-44 one label more", "mx", "mx.example", false},
    {"A-44 an address", "198.51.100.66", "mx.example", false},
    {"J-2 a star alone", "*", "example", false},
    {"J-2 a star and a dot", "*.", "example.", false},
    {"J-2 part of a label", "mx*.example.com", "mx1.example.com", false},
    {"J-2 a star in the middle", "a.*.example.com", "a.b.example.com", false},
    {"J-2 a literal star", "*.example.net", "*.example.net", true},
    {"J-6 A-label", "xn--bcher-kva.example", "xn--bcher-kva.example", true},
    {"J-6 wildcard for an A-label", "*.example.net", "xn--bcher-kva.example.net", true},
    {"an empty host", "*.example.net", "", false},
    {"one label", "*.example.net", "localhost", false},
};

static void test_row(void **state)
{
    const struct row *row = *state;

    assert_int_equal(sts_match_pattern(row->pattern, row->host), row->want);
}

static void test_policy(void **state)
{
    const char *mx[] = {"mx.example.com", "*.example.net"};
    struct sts_policy policy = {.mode = STS_MODE_ENFORCE, .mx_count = 2, .mx = mx};

    (void)state;
    assert_true(sts_match_policy(&policy, "mx.example.com"));
    assert_true(sts_match_policy(&policy, "b.example.net"));
    assert_false(sts_match_policy(&policy, "b.example.com"));
    policy.mx_count = 1;
    assert_false(sts_match_policy(&policy, "b.example.net"));
    policy.mx_count = 0;
    assert_false(sts_match_policy(&policy, "mx.example.com"));
}

int main(void)
{
    ROWS_ADD(rows, test_row);
    ROWS_ADD_TEST(test_policy);
    return rows_run("sts_match");
}
