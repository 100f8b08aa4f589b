/* survey_remarks: each lack of the figures is said, and nothing that is not so. */
#include "tests/unit/support/unit.h"

#include <stdio.h>
#include <string.h>

#include "survey/page/survey_page.h"

#define RUN_COLUMNS 8

/* Figures that are made up: as many runs as are asked for, and the totals. */
struct made {
    struct figure_value runs[2 * RUN_COLUMNS], totals[6], levels[3], sni[2];
    struct figures figures;
    struct arena *arena;
    const char *remarks[SURVEY_REMARKS_MAX];
};

static struct figure_value number(double value)
{
    return (struct figure_value){.known = true, .number = value};
}

static void add_figure(struct made *made, const struct figure *figure, const char *const *columns,
                       struct figure_value *values, size_t rows)
{
    struct figure_data *data = &made->figures.data[made->figures.count++];

    *data = (struct figure_data){.figure = figure, .values = values, .row_count = rows};
    for (; columns[data->column_count] != NULL; data->column_count++)
        data->columns[data->column_count] = figure_column(columns[data->column_count]);
}

/* A survey of 100 of 100 domains that ended, without any lack. */
static void make(struct made *made, size_t runs)
{
    static const struct figure of_runs = {.name = "runs"}, of_totals = {.name = "totals"},
                               of_levels = {.name = "levels"}, of_sni = {.name = "sni"};
    static const char *const run_columns[] = {"ended", "dnssec", "probe",  "names_read", "sample",
                                              "names", "seed",   "shards", NULL};
    static const char *const total_columns[] = {
        "domains", "domains_waiting", "domains_undecided", "hosts_opted_out", "weight", NULL};
    static const char *const level_columns[] = {"domains", "weight", "weight_squares", NULL};
    static const char *const sni_columns[] = {"names_tried", "addresses_retried", NULL};

    *made = (struct made){.arena = arena_new(1 << 20)};
    for (size_t i = 0; i < runs; i++) {
        static const double values[] = {1, 1, 1, 1, 0, 100};

        for (size_t k = 0; k < 6; k++)
            made->runs[i * RUN_COLUMNS + k] = number(values[k]);
        made->runs[i * RUN_COLUMNS + 6] = (struct figure_value){.known = true, .text = "7"};
        made->runs[i * RUN_COLUMNS + 7] = number(1);
    }
    made->totals[0] = number(100);
    made->totals[4] = number(5000);
    made->levels[0] = number(100);
    made->levels[1] = number(5000);
    made->levels[2] = number(300000);
    add_figure(made, &of_runs, run_columns, made->runs, runs);
    add_figure(made, &of_totals, total_columns, made->totals, 1);
    add_figure(made, &of_levels, level_columns, made->levels, 1);
    add_figure(made, &of_sni, sni_columns, made->sni, 1);
}

/* All remarks as one text. */
static void expect(struct made *made, const char *const *wanted)
{
    size_t count = 0;

    survey_remarks(made->remarks, made->arena, &made->figures);
    for (; wanted[count] != NULL; count++) {
        if (made->remarks[count] == NULL)
            fail_msg("missing: %s", wanted[count]);
        if (strstr(made->remarks[count], wanted[count]) == NULL)
            fail_msg("%s: not %s", made->remarks[count], wanted[count]);
    }
    if (made->remarks[count] != NULL)
        fail_msg("too much: %s", made->remarks[count]);
    arena_free(made->arena);
}

#define WANT(...)                                                                                  \
    (const char *const[])                                                                          \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }

/* ---- cases ---- */

static void nothing_to_say(void **state)
{
    struct made made;

    (void)state;
    make(&made, 1);
    expect(&made, (const char *const[]){NULL});
}

static void not_ended(void **state)
{
    struct made made;

    (void)state;
    make(&made, 1);
    made.runs[0].known = false;
    made.runs[3] = number(0);
    made.totals[1] = number(12345);
    expect(&made, WANT("has not ended: 12,345 domains", "not been read to its end"));
}

static void options(void **state)
{
    struct made made;

    (void)state;
    make(&made, 1);
    made.runs[1] = made.runs[2] = number(0);
    expect(&made, WANT("--no-dnssec", "--no-probe"));
}

static void samples(void **state)
{
    struct made made;

    (void)state;
    make(&made, 1);
    made.runs[4] = number(100);
    made.runs[5] = number(4000);
    assert_true(survey_sampled(&made.figures) == 100.0 / 4000);
    expect(&made, WANT("A random sample of 100 of the 4,000 domains"));
}

static void merged(void **state)
{
    struct made made;

    (void)state;
    make(&made, 2);
    assert_true(survey_sampled(&made.figures) == 1);
    expect(&made, WANT("merged from 2 surveys"));
    /* parts of one sample, and two samples */
    make(&made, 2);
    for (size_t i = 0; i < 2; i++) {
        made.runs[i * RUN_COLUMNS + 4] = number(100);
        made.runs[i * RUN_COLUMNS + 5] = number(400);
    }
    assert_true(survey_sampled(&made.figures) == 0.25);
    expect(&made, WANT("A random sample", "merged from 2 surveys"));
    make(&made, 2);
    for (size_t i = 0; i < 2; i++) {
        made.runs[i * RUN_COLUMNS + 4] = number(100);
        made.runs[i * RUN_COLUMNS + 5] = number(400);
    }
    made.runs[RUN_COLUMNS + 6].text = "8";
    assert_true(survey_sampled(&made.figures) == 1);
    expect(&made, WANT("different samples", "merged from 2 surveys"));
    /* by the same seed, of lists of the same length: more domains than one sample has */
    make(&made, 2);
    for (size_t i = 0; i < 2; i++) {
        made.runs[i * RUN_COLUMNS + 4] = number(100);
        made.runs[i * RUN_COLUMNS + 5] = number(400);
    }
    made.totals[0] = number(190);
    assert_true(survey_sampled(&made.figures) == 1);
    expect(&made, WANT("different samples", "merged from 2 surveys"));
}

static void shards(void **state)
{
    struct made made;

    (void)state;
    make(&made, 1);
    made.runs[7] = number(2);
    expect(&made, (const char *const[]){NULL});
    make(&made, 1);
    made.runs[7] = number(2);
    made.totals[2] = number(1200);
    expect(&made, WANT("1,200 domains have no verdict, because other shards"));
    make(&made, 1);
    made.runs[0].known = false;
    made.runs[7] = number(2);
    made.totals[2] = number(1200);
    expect(&made, WANT("has not ended"));
}

/* A change of an option is no change of a domain. */
static void options_of_two_files(void **state)
{
    static const struct figure old_runs = {.name = "old_runs"}, new_runs = {.name = "new_runs"};
    static const char *const columns[] = {"ended",          "names_read",
                                          "dnssec",         "probe",
                                          "option_dane",    "testing_enforced",
                                          "wildcard_hosts", "option_verify",
                                          "partial_dane",   NULL};
    struct figure_value was[9], now[9];
    struct made made = {.arena = arena_new(1 << 20)};

    (void)state;
    for (size_t i = 0; i < COUNT(was); i++)
        was[i] = now[i] = number(1);
    was[8].text = now[8].text = "table";
    add_figure(&made, &old_runs, columns, was, 1);
    add_figure(&made, &new_runs, columns, now, 1);
    survey_diff_remarks(made.remarks, made.arena, &made.figures);
    assert_null(made.remarks[0]);
    for (size_t i = 4; i < COUNT(was); i++) {
        now[i].number = 0;
        now[8].text = i == 8 ? "only" : "table";
        survey_diff_remarks(made.remarks, made.arena, &made.figures);
        assert_non_null(made.remarks[0]);
        assert_non_null(strstr(made.remarks[0], "with different options"));
        now[i].number = 1;
    }
    arena_free(made.arena);
}

static void weights(void **state)
{
    struct made made;

    (void)state;
    make(&made, 1);
    made.totals[4] = number(100);
    made.levels[1] = made.levels[2] = number(100);
    expect(&made, WANT("has the weight 1"));
    /* half of them 0, half 2 */
    make(&made, 1);
    made.totals[4] = number(100);
    made.levels[1] = number(100);
    made.levels[2] = number(200);
    expect(&made, (const char *const[]){NULL});
    make(&made, 1);
    made.levels[2] = number(5000.0 * 5000 / 29);
    expect(&made, WANT("A few domains have most of the weight"));
}

static void others(void **state)
{
    struct made made;

    (void)state;
    make(&made, 1);
    made.totals[3] = number(1);
    made.sni[0] = number(3);
    made.figures.data[2].cut = true;
    expect(&made, WANT("1 mail host is opted out", "by the name of another host there",
                       "The figure levels has more than 1000 rows"));
}

static void no_file_at_all(void **state)
{
    static struct figures figures;
    const char *remarks[SURVEY_REMARKS_MAX];
    struct arena *arena = arena_new(1 << 20);

    (void)state;
    survey_remarks(remarks, arena, &figures);
    assert_non_null(strstr(remarks[0], "has not ended"));
    survey_diff_remarks(remarks, arena, &figures);
    assert_non_null(strstr(remarks[0], "A survey has not ended"));
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_to_say), cmocka_unit_test(not_ended),
        cmocka_unit_test(options),        cmocka_unit_test(samples),
        cmocka_unit_test(merged),         cmocka_unit_test(weights),
        cmocka_unit_test(shards),         cmocka_unit_test(options_of_two_files),
        cmocka_unit_test(others),         cmocka_unit_test(no_file_at_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
