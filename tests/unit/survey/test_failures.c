/* failures: counted, in the order of how many there are. */
#include "survey/failures.h"

#include <stdio.h>

#include "tests/unit/support/unit.h"

static void the_most_frequent_comes_first(void **state)
{
    static const char *const kinds[] = {"a", "b", "b", "c", "c", "c", "a", "a", "a"};
    struct failures failures = {.count = 0};

    (void)state;
    for (size_t i = 0; i < COUNT(kinds); i++)
        failures_count(&failures, kinds[i]);
    assert_int_equal(failures.count, 3);
    assert_string_equal(failures.list[0].kind, "a");
    assert_int_equal(failures.list[0].count, 4);
    assert_string_equal(failures.list[1].kind, "c");
    assert_int_equal(failures.list[1].count, 3);
    assert_string_equal(failures.list[2].kind, "b");
    assert_int_equal(failures.list[2].count, 2);
}

static void kinds_are_limited(void **state)
{
    static char names[FAILURES_MAX + 1][8];
    struct failures failures = {.count = 0};

    (void)state;
    for (size_t i = 0; i < FAILURES_MAX + 1; i++) {
        snprintf(names[i], sizeof names[i], "k%zu", i);
        failures_count(&failures, names[i]);
        assert_int_equal(failures.count, i < FAILURES_MAX ? i + 1 : FAILURES_MAX);
    }
    failures_count(&failures, names[0]); /* known ones still count */
    assert_int_equal(failures.list[0].count, 2);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_most_frequent_comes_first),
        cmocka_unit_test(kinds_are_limited),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
