/* figures: every SELECT is one that SQLite takes, with columns that have names; shares; a file whose
 * views are not ours is refused. */
#include "tests/unit/support/unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/sql/sql.h"
#include "survey/page/survey_page.h"
#include "tests/unit/support/rows.h"

static char path[] = "/tmp/mxcrypt-figures-XXXXXX", file[64], error[RESULTS_ERROR_MAX];

static void run_sql(const char *text)
{
    struct sql *sql;

    assert_true(sql_open(&sql, file, SQL_WRITE));
    assert_true(sql_run(sql, text));
    sql_close(sql);
}

static void remove_file(void)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    char name[80];

    for (size_t i = 0; i < COUNT(suffixes); i++) {
        snprintf(name, sizeof name, "%s%s", file, suffixes[i]);
        unlink(name);
    }
}

static void make_file(int64_t sample)
{
    const struct results_run run = {.list = "a list",
                                    .seed = 7,
                                    .sample = sample,
                                    .shard = 1,
                                    .shards = 1,
                                    .began = 1793000000,
                                    .names = 40,
                                    .names_read = true};
    struct results *results;

    remove_file();
    results = results_create(file, &run, error);
    if (results == NULL)
        fail_msg("%s", error);
    assert_true(results_close(results));
}

/* Four mail domains, of which one has half of the weight, and one that has no mail. */
static void add_domains(void)
{
    run_sql("INSERT INTO domain (id, name, weight, run, looked_up, mx, verdict, reason, starttls, "
            "operator, operator_share) VALUES "
            "(1, 'a.example', 10, 1, 5, 'listed', 'verify', 'starttls-verified', 'verified', "
            "'x', 0.5),"
            "(2, 'b.example', 20, 1, 5, 'listed', 'verify', 'starttls-verified', 'verified', "
            "'x', 0.5),"
            "(3, 'c.example', 20, 1, 5, 'implicit', 'encrypt', 'starttls-tls', 'tls', 'y', 1),"
            "(4, 'd.example', 50, 1, 5, 'listed', 'notfound', 'starttls-clear', 'clear', 'z', 1),"
            "(5, 'e.example', 9, 1, 5, 'nxdomain', 'notfound', 'nxdomain', 'unknown', NULL, NULL)");
}

struct made {
    struct results *results;
    struct arena *arena;
    struct figures figures;
};

static void read_figures(struct made *made, const struct figure *table)
{
    made->arena = arena_new(FIGURES_OCTETS_MAX);
    made->results = results_open(file, false, error);
    if (made->results == NULL)
        fail_msg("%s", error);
    if (table == figures_of_diff && !results_attach(made->results, file, "old", error))
        fail_msg("%s", error);
    if (!figures_read(&made->figures, table, NULL, made->results, made->arena, error))
        fail_msg("%s", error);
}

static void unmake(struct made *made)
{
    results_close(made->results);
    arena_free(made->arena);
}

/* ---- cases ---- */

static void every_select_runs(void **state)
{
    static struct made made;

    (void)state;
    make_file(0);
    for (int full = 0; full < 2; full++) {
        if (full)
            add_domains();
        read_figures(&made, figures_of_report);
        assert_string_equal(made.figures.data[0].figure->name, "runs");
        unmake(&made);
        read_figures(&made, figures_of_diff);
        unmake(&made);
    }
}

static void shares(void **state)
{
    static struct made made;
    static const char *const both[] = {"verified", "tls", NULL};
    struct survey_page page = {.figures = &made.figures, .sampled = 1};
    struct survey_share share;
    const struct figure_data *data;

    (void)state;
    make_file(0);
    add_domains();
    read_figures(&made, figures_of_report);
    assert_true(survey_sampled(&made.figures) == 1);
    data = figures_find(&made.figures, "levels");
    assert_int_equal(data->row_count, 3);
    assert_string_equal(figure_at(data, 0, "key").text, "verify");
    share = survey_share(&page, data, 0, SURVEY_BY_DOMAINS);
    assert_true(share.part == 2 && share.whole == 4 && share.share == 0.5 && !share.estimated);
    share = survey_share(&page, data, 0, SURVEY_BY_OPERATORS);
    assert_true(share.part == 1 && share.whole == 3);
    share = survey_share(&page, data, 0, SURVEY_BY_WEIGHT);
    assert_true(share.part == 30 && share.whole == 100);
    data = figures_find(&made.figures, "starttls");
    share = survey_share_of(&page, data, both, SURVEY_BY_WEIGHT);
    assert_true(share.part == 50 && share.whole == 100);
    assert_true(figure_number(figures_find(&made.figures, "totals"), 0, "mail_domains") == 4);
    assert_false(figure_at(data, 99, "key").known);
    assert_false(figure_at(data, 0, "no such column").known);
    unmake(&made);
}

/* Five of forty names were looked up. */
static void shares_of_a_sample(void **state)
{
    static struct made made;
    struct survey_page page = {.figures = &made.figures};
    const struct figure_data *data;
    struct survey_share share;
    struct interval want;

    (void)state;
    make_file(5);
    add_domains();
    read_figures(&made, figures_of_report);
    page.sampled = survey_sampled(&made.figures);
    assert_true(page.sampled == 5.0 / 40);
    data = figures_find(&made.figures, "levels");
    share = survey_share(&page, data, 0, SURVEY_BY_DOMAINS);
    want = interval_of_domains(2, 4, 5.0 / 40);
    assert_true(share.estimated && share.interval.low == want.low);
    assert_true(share.interval.high == want.high);
    share = survey_share(&page, data, 0, SURVEY_BY_WEIGHT);
    want = interval_of_weight(
        &(struct interval_weights){30, 100, 10 * 10 + 20 * 20, 100 + 400 + 400 + 2500}, 5.0 / 40);
    assert_true(share.estimated && share.interval.low == want.low);
    assert_true(share.interval.high == want.high);
    assert_false(survey_share(&page, data, 0, SURVEY_BY_OPERATORS).estimated);
    unmake(&made);
}

/* ---- what enforcing would do ---- */

struct enforced_row {
    const char *name, *patterns;
    int unmatched;
    const char *one, *two; /* what the hosts mx.a.example and mx.b.example show */
    const char *want;
};

static const struct enforced_row enforced_rows[] = {
    {"both are covered", "*.a.example MX.B.example", 0, "verified", "verified", "all-meet"},
    {"one is covered", "mx.a.example", 1, "verified", "verified", "some-fail"},
    {"one is covered, by a wildcard", "x.example *.a.example", 1, "verified", "tls", "some-fail"},
    {"the one that is covered fails", "*.b.example", 1, "verified", "tls", "all-fail"},
    {"a wildcard is one label", "*.example", 2, "verified", "verified", "all-fail"},
    {"a pattern of which one is a part", "mx.a.example.com xmx.a.example *.b.example", 1,
     "verified", "tls", "all-fail"},
    {"none answers", "*.a.example *.b.example", 0, "silent", "silent", "unknown"},
};

static void enforced(void **state)
{
    const struct enforced_row *row = *state;
    static struct made made;
    const struct figure_data *data;
    char sql[2000];

    make_file(0);
    add_domains();
    snprintf(sql, sizeof sql,
             "DELETE FROM domain WHERE id > 1; UPDATE domain SET verdict = 'secure', "
             "mta_sts = 'enforce', mx_unmatched = %d;"
             "INSERT INTO policy (domain, state, mx) VALUES (1, 'policy', '%s');"
             "INSERT INTO host (id, name, operator, opted_out, looked_up, dane) VALUES "
             "(1, 'mx.a.example', 'a.example', 0, 5, 'none'), "
             "(2, 'mx.b.example', 'b.example', 0, 5, 'none');"
             "INSERT INTO domain_mx VALUES (1, 1, 10), (1, 2, 20);"
             "INSERT INTO host_address (host, address, position, secure, starttls) VALUES "
             "(1, 1, 0, 0, '%s'), (2, 2, 0, 0, '%s')",
             row->unmatched, row->patterns, row->one, row->two);
    run_sql(sql);
    read_figures(&made, figures_of_report);
    data = figures_find(&made.figures, "enforcing");
    assert_int_equal(data->row_count, 1);
    assert_string_equal(figure_at(data, 0, "key").text, row->want);
    unmake(&made);
}

static void numbers_as_text(void **state)
{
    static const struct {
        const char *column;
        double number;
        const char *want;
    } rows[] = {{"domains", 1234567, "1,234,567"},
                {"domains", -5, "-5"},
                {"operators", 12.34, "12.3"},
                {"operators", 5, "5"},
                {"operators", 1234.5, "1,235"},
                {"operators", 0.004, "0.004"},
                {"weight", 1e300, "1.000e+300"},
                {"began", 0, "1970-01-01T00:00:00Z"},
                {"began", 1e300, "1.000e+300"},
                {"dnssec", 1, "yes"},
                {"dnssec", 0, "no"}};
    char room[PAGE_TEXT_MAX];

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct figure_value value = {.known = true, .number = rows[i].number};

        assert_string_equal(survey_value(room, figure_column(rows[i].column), &value),
                            rows[i].want);
    }
}

static void percents(void **state)
{
    static const struct {
        double part, whole;
        const char *want;
    } rows[] = {{0, 0, "-"},        {0, 5, "0 %"},        {5, 5, "100 %"},
                {1, 3, "33.3 %"},   {1, 2000, "<0.1 %"},  {1999, 2000, ">99.9 %"},
                {0.5, 1, "50.0 %"}, {999, 1000, "99.9 %"}};
    char room[PAGE_FIGURE_MAX];

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct survey_share share = {.part = rows[i].part,
                                           .whole = rows[i].whole,
                                           .share = rows[i].whole > 0 ? rows[i].part / rows[i].whole
                                                                      : 0};

        assert_string_equal(survey_percent(room, &share), rows[i].want);
    }
}

/* A view of another's could do anything, or not end. */
static void views_of_others(void **state)
{
    static const char *const tampered[] = {
        "DROP VIEW mail_domain",
        "DROP VIEW mail_domain; CREATE VIEW mail_domain AS SELECT * FROM domain",
        "DROP VIEW handshake; CREATE VIEW handshake AS SELECT id AS address, sni, looked_up, "
        "starttls, code, protocol, cipher, strong, nameless, requiretls, chain, failure, detail, "
        "connections FROM address",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(tampered); i++) {
        make_file(0);
        run_sql(tampered[i]);
        assert_null(results_open(file, false, error));
        assert_non_null(strstr(error, "its tables are not those of a results file"));
    }
}

static int make_folder(void)
{
    if (mkdtemp(path) == NULL)
        return -1;
    snprintf(file, sizeof file, "%s/results.db", path);
    return 0;
}

static int remove_folder(void)
{
    remove_file();
    return rmdir(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_select_runs),  cmocka_unit_test(shares),
        cmocka_unit_test(shares_of_a_sample), cmocka_unit_test(numbers_as_text),
        cmocka_unit_test(percents),           cmocka_unit_test(views_of_others),
    };

    int failed = make_folder() + cmocka_run_group_tests(tests, NULL, NULL);

    ROWS_ADD(enforced_rows, enforced);
    return failed + rows_run("figures, enforced") + remove_folder();
}
