/* check_page: the line for Nagios, word by word; and pages that cannot be written. The other pages
 * are tests/check_pages.py's. */
#include "tests/unit/check/judge_rows.h"

#include <stdio.h>
#include <stdlib.h>

#include "check/check_page.h"

static const char *nagios_line(const struct check_facts *facts)
{
    static char line[4000];
    const struct check_page page = {facts, &judge_report, false};
    FILE *out = fmemopen(line, sizeof line, "w");

    assert_non_null(out);
    judge_lines(facts);
    assert_true(check_nagios(out, &page));
    fclose(out);
    return line;
}

static void days_and_findings(void **state)
{
    struct made *made = facts_make();

    (void)state;
    assert_string_equal(
        nagios_line(&made->facts),
        "MXCRYPT OK - example.org: no findings | days_to_expiry=70;14:;3: findings=0\n");
    made->policy.mode = STS_MODE_TESTING;
    assert_string_equal(nagios_line(&made->facts),
                        "MXCRYPT OK - example.org: 1 notice: sts-testing | "
                        "days_to_expiry=70;14:;3: findings=1\n");
    made->hosts[0].alias = made->hosts[1].alias = true;
    made->host[0].certificates[0][CHECK_OFFER_DEFAULT][0].not_after = MADE_NOW + 2 * MADE_DAY;
    assert_string_equal(nagios_line(&made->facts),
                        "MXCRYPT CRITICAL - example.org: 1 critical, 2 warnings, 1 notice: "
                        "certificate-expires mx1.example.org [9.9.9.1], mx-alias mx1.example.org, "
                        "mx-alias mx2.example.org, sts-testing | days_to_expiry=2;14:;3: "
                        "findings=4\n");
}

static void no_certificate(void **state)
{
    struct made *made = facts_make();

    (void)state;
    made->facts.probed = false;
    made->facts.null_mx_among = made->hosts[0].alias = true;
    made->hosts[0].aaaa.failed_here = true;
    assert_string_equal(nagios_line(&made->facts),
                        "MXCRYPT CRITICAL - example.org: 1 critical, 1 unknown, 1 warning: "
                        "mx-null-among-others, not-found-out mx1.example.org, mx-alias "
                        "mx1.example.org | findings=3\n");
}

/* A bar would begin the figures. */
static void bars(void **state)
{
    struct made *made = facts_make();

    (void)state;
    made->zones[0].name = "a|b=1;2";
    made->servers[0].agreement = CHECK_SILENT;
    assert_string_equal(nagios_line(&made->facts),
                        "MXCRYPT WARNING - example.org: 1 warning: name-server-silent a/b=1;2 | "
                        "days_to_expiry=70;14:;3: findings=1\n");
}

static void a_long_place(void **state)
{
    static char name[152];
    struct made *made = facts_make();

    (void)state;
    memset(name, 'z', 150);
    made->zones[0].name = name;
    made->servers[0].agreement = CHECK_SILENT;
    assert_non_null(
        strstr(nagios_line(&made->facts), "zzz | days_to_expiry=70;14:;3: findings=1\n"));
    name[150] = 'z';
    assert_non_null(
        strstr(nagios_line(&made->facts), "zzz... | days_to_expiry=70;14:;3: findings=1\n"));
}

/* What there is to say where there is no report is one line too. */
static void no_report(void **state)
{
    char line[100];
    FILE *out = fmemopen(line, sizeof line, "w");

    (void)state;
    assert_non_null(out);
    assert_true(check_nagios_unknown(out, "example.org: a|b\nc\033"));
    fclose(out);
    assert_string_equal(line, "MXCRYPT UNKNOWN - example.org: a/b/c/\n");
}

static bool (*const pages[])(FILE *out, const struct check_page *page) = {check_text, check_json,
                                                                          check_nagios};

static void a_full_disk(void **state)
{
    struct made *made = facts_make();
    const struct check_page page = {&made->facts, &judge_report, false};

    (void)state;
    judge_lines(&made->facts);
    for (size_t i = 0; i < COUNT(pages); i++) {
        FILE *out = fopen("/dev/full", "w");

        assert_non_null(out);
        assert_false(pages[i](out, &page));
        fclose(out);
    }
}

static void a_report_that_is_not_whole(void **state)
{
    struct made *made = facts_make();
    const struct check_page page = {&made->facts, &judge_report, false};
    struct arena *arena = arena_new(10);

    (void)state;
    made->hosts[0].alias = true;
    judge_report.arena = arena;
    check_judge(&judge_report, &made->facts);
    assert_true(arena_failed(arena));
    for (size_t i = 0; i < COUNT(pages); i++) {
        FILE *out = fopen("/dev/null", "w");

        assert_non_null(out);
        assert_false(pages[i](out, &page));
        fclose(out);
    }
    arena_free(arena);
}

int main(void)
{
    ROWS_ADD_TEST(days_and_findings);
    ROWS_ADD_TEST(no_certificate);
    ROWS_ADD_TEST(bars);
    ROWS_ADD_TEST(a_long_place);
    ROWS_ADD_TEST(no_report);
    ROWS_ADD_TEST(a_full_disk);
    ROWS_ADD_TEST(a_report_that_is_not_whole);
    return rows_run("check_page");
}
