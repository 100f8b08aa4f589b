/* rows: a table of cases as one cmocka test per row, so that the report names each of them. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define ROWS_MAX     600
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static struct CMUnitTest rows_tests[ROWS_MAX];
static size_t rows_count;

static inline void rows_add_one(const char *name, CMUnitTestFunction function, const void *row)
{
    assert_true(rows_count < ROWS_MAX);
    rows_tests[rows_count++] =
        (struct CMUnitTest){.name = name, .test_func = function, .initial_state = (void *)row};
}

/* Every row begins with its name. */
#define ROWS_ADD(table, function)                                                                  \
    do {                                                                                           \
        for (size_t row_ = 0; row_ < COUNT(table); row_++)                                         \
            rows_add_one((table)[row_].name, (function), &(table)[row_]);                          \
    } while (0)
#define ROWS_ADD_TEST(function) rows_add_one(#function, (function), NULL)

static inline int rows_run(const char *group)
{
    return _cmocka_run_group_tests(group, rows_tests, rows_count, NULL, NULL);
}
