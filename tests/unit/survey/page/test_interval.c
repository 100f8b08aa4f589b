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

static void weigh(struct interval_weights *sums, double weight, bool inside)
{
    sums->whole += weight;
    sums->whole_squares += weight * weight;
    sums->part += inside ? weight : 0;
    sums->part_squares += inside ? weight * weight : 0;
}

/* Worked out from the residuals themselves, by another program. */
static void shares_of_weight(void **state)
{
    static const double weights[] = {512, 256, 128, 64, 32, 16, 8, 4, 2, 1};
    static const struct {
        const char *inside;
        double sampled, low, high;
    } rows[] = {
        {"y.y.y.y...", 0.1, 0.219755, 0.933132}, {".........y", 0, 0.000001, 0.562833},
        {"y.........", 0, 0.125388, 0.875040},   {".y........", 0, 0.036851, 0.744352},
        {"..........", 0, 0, 0.561978},          {"yyyyyyyyyy", 0.5, 0.609201, 1},
        {"y.y.y.y...", 1, 0.664712, 0.664712},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct interval_weights sums = {0};
        struct interval got;

        for (size_t k = 0; k < COUNT(weights); k++)
            weigh(&sums, weights[k], rows[i].inside[k] == 'y');
        got = interval_of_weight(&sums, rows[i].sampled);
        assert_close(got.low, rows[i].low);
        assert_close(got.high, rows[i].high);
    }
}

/* Of equal weights it is the interval of the domains. */
static void even_weights(void **state)
{
    (void)state;
    for (int part = 0; part <= 20; part++) {
        const struct interval_weights weights = {7.0 * part, 7 * 20, 49.0 * part, 49 * 20};
        struct interval got = interval_of_weight(&weights, 0.25);
        struct interval want = interval_of_domains(part, 20, 0.25);

        assert_close(got.low, want.low);
        assert_close(got.high, want.high);
    }
}

static void nothing_to_estimate_from(void **state)
{
    static const struct interval_weights rows[] = {
        {0, 0, 0, 0}, {5, 0, 25, 0}, {5, 5, 0, 0}, {NAN, NAN, NAN, NAN}};

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct interval got = interval_of_weight(&rows[i], 0);

        assert_close(got.low, 0);
        assert_close(got.high, 1);
    }
}

/* ---- whether they hold ---- */

#define LIST   5000
#define SAMPLE 100

static uint32_t chance;

/* 0 to 1 */
static double draw(void)
{
    chance = chance * 1664525 + 1013904223;
    return (chance >> 8) / 16777216.0;
}

/* Of 2,000 samples of a population the intervals of about 95 % hold its share. */
static void holds_as_often_as_it_says(void **state)
{
    int held = 0;

    (void)state;
    chance = 1;
    for (int i = 0; i < 2000; i++) {
        double part = 0;
        struct interval got;

        for (int k = 0; k < 200; k++)
            part += draw() < 0.12;
        got = interval_of_domains(part, 200, 0);
        held += got.low <= 0.12 && 0.12 <= got.high;
    }
    assert_in_range(held, 1880, 1940);
}

/* The same by weight, of a list whose weights differ a hundredfold; a rare thing too. */
static void holds_by_weight(void **state)
{
    static const double rates[] = {0.01, 0.1, 0.5};
    static double weights[LIST];
    static bool inside[LIST];

    (void)state;
    chance = 2;
    for (size_t i = 0; i < COUNT(rates); i++) {
        struct interval_weights list = {0};
        int held = 0;

        for (size_t k = 0; k < LIST; k++) {
            weights[k] = floor(exp(4.6 * draw() * draw() + 2));
            inside[k] = draw() < rates[i];
            weigh(&list, weights[k], inside[k]);
        }
        for (int n = 0; n < 2000; n++) {
            struct interval_weights sums = {0};
            struct interval got;

            for (size_t k = 0; k < SAMPLE; k++) {
                size_t at = (size_t)(draw() * LIST);

                weigh(&sums, weights[at], inside[at]);
            }
            got = interval_of_weight(&sums, 0);
            held += got.low <= list.part / list.whole && list.part / list.whole <= got.high;
        }
        if (held < 1880)
            fail_msg("of 2000 intervals of a share of %g only %d hold it", rates[i], held);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_of_domains),
        cmocka_unit_test(shares_of_weight),
        cmocka_unit_test(even_weights),
        cmocka_unit_test(nothing_to_estimate_from),
        cmocka_unit_test(holds_as_often_as_it_says),
        cmocka_unit_test(holds_by_weight),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
