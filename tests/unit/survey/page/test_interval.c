/*
 * interval: against values that others have published (Newcombe 1998, Statistics in Medicine 17:857,
 * table I, method 3), and against the definition of the variance.
 */
#include "tests/unit/support/unit.h"

#include <math.h>
#include <stdbool.h>

#include "survey/page/interval.h"

#define CLOSE 5e-5

static void assert_close(double found, double want)
{
    if (!(fabs(found - want) < CLOSE))
        fail_msg("%.8f, not %.8f", found, want);
}

static void shares_of_domains(void **state)
{
    static const struct {
        double part, whole, sampled, low, high;
    } rows[] = {
        {0, 0, 0, 0, 1}, /* nothing is known */
        {0, 10, 0, 0, 0.277533},
        {10, 10, 0, 0.722467, 1},
        {1, 10, 0, 0.017876, 0.404150},
        {50, 100, 0, 0.403832, 0.596168},
        {81, 263, 0, 0.255289, 0.366211},    /* Newcombe 1998, table I: 0.2553 to 0.3662 */
        {15, 148, 0, 0.062386, 0.160487},    /* 0.0624 to 0.1605 */
        {0, 20, 0, 0, 0.161125},             /* 0.0000 to 0.1611 */
        {1, 29, 0, 0.006113, 0.171755},      /* 0.0061 to 0.1718 */
        {50, 100, 0.75, 0.451235, 0.548765}, /* as 200 of 400 */
        {50, 100, 1, 0.5, 0.5},              /* all were asked */
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct interval got = interval_of_domains(rows[i].part, rows[i].whole, rows[i].sampled);

        assert_close(got.low, rows[i].low);
        assert_close(got.high, rows[i].high);
    }
}

/* The variance by its definition, from the domains themselves. */
static void expect_ratio(const double *weights, const bool *inside, size_t count, double sampled)
{
    struct interval_weights sums = {.domains = (double)count};
    double share, variance = 0, mean, half;
    struct interval got;

    for (size_t i = 0; i < count; i++) {
        sums.whole += weights[i];
        sums.whole_squares += weights[i] * weights[i];
        sums.part += inside[i] ? weights[i] : 0;
        sums.part_squares += inside[i] ? weights[i] * weights[i] : 0;
    }
    share = sums.part / sums.whole;
    mean = sums.whole / sums.domains;
    for (size_t i = 0; i < count; i++) {
        double residual = weights[i] * ((inside[i] ? 1 : 0) - share);

        variance += residual * residual / (sums.domains - 1);
    }
    half = 1.959964 * sqrt((1 - sampled) * variance / sums.domains) / mean;
    got = interval_of_weight(&sums, sampled);
    assert_close(got.low, fmax(0, share - half));
    assert_close(got.high, fmin(1, share + half));
}

static void shares_of_weight(void **state)
{
    static const double even[] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    static const double steep[] = {512, 256, 128, 64, 32, 16, 8, 4, 2, 1};
    static const bool some[] = {true, false, true, false, true, false, true, false, false, false};
    static const bool first[10] = {true};
    static const bool last[10] = {[9] = true};

    (void)state;
    expect_ratio(even, some, 10, 0);
    expect_ratio(even, some, 10, 0.5);
    expect_ratio(steep, some, 10, 0.1);
    expect_ratio(steep, last, 10, 0);
    expect_ratio(steep, first, 10, 0);
    expect_ratio(steep, first, 2, 0);
}

/* A known value: of even weights the ratio is a share with the normal interval. */
static void even_weights(void **state)
{
    const struct interval_weights weights = {101, 40.4, 101, 40.4, 101};
    struct interval got = interval_of_weight(&weights, 0);

    (void)state;
    assert_close(got.low, 0.4 - 1.959964 * sqrt(0.4 * 0.6 / 100));
    assert_close(got.high, 0.4 + 1.959964 * sqrt(0.4 * 0.6 / 100));
}

static void nothing_to_estimate_from(void **state)
{
    static const struct interval_weights rows[] = {
        {0, 0, 0, 0, 0}, {1, 5, 5, 25, 25}, {5, 0, 0, 0, 0}, {5, NAN, NAN, NAN, NAN}};

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct interval got = interval_of_weight(&rows[i], 0);

        assert_close(got.low, 0);
        assert_close(got.high, 1);
    }
}

/* Of 2,000 samples of a population the intervals of about 95 % hold its share. */
static void holds_as_often_as_it_says(void **state)
{
    uint32_t random = 1;
    int held = 0;

    (void)state;
    for (int i = 0; i < 2000; i++) {
        double part = 0;
        struct interval got;

        for (int k = 0; k < 200; k++) {
            random = random * 1664525 + 1013904223;
            part += (random >> 8) % 1000 < 120;
        }
        got = interval_of_domains(part, 200, 0);
        held += got.low <= 0.12 && 0.12 <= got.high;
    }
    assert_in_range(held, 1870, 1930);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_of_domains),
        cmocka_unit_test(shares_of_weight),
        cmocka_unit_test(even_weights),
        cmocka_unit_test(nothing_to_estimate_from),
        cmocka_unit_test(holds_as_often_as_it_says),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
