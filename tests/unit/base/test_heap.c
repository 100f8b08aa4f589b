/* test_heap: order, moving and taking out, against a plain search for the smallest. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/heap.h"

#define LINKS 300

static uint32_t next_number(uint32_t *state)
{
    *state = *state * 1664525 + 1013904223;
    return *state >> 8;
}

static struct heap_link *smallest(struct heap_link *links)
{
    struct heap_link *found = NULL;

    for (size_t i = 0; i < LINKS; i++)
        if (links[i].place != 0 && (found == NULL || links[i].at < found->at))
            found = &links[i];
    return found;
}

static void test_empty(void **state)
{
    struct heap_link link = {0};
    struct heap heap;

    (void)state;
    heap_init(&heap);
    assert_null(heap_first(&heap));
    heap_remove(&heap, &link);
    assert_true(heap_put(&heap, &link, 5));
    assert_ptr_equal(heap_first(&heap), &link);
    heap_remove(&heap, &link);
    heap_remove(&heap, &link);
    assert_null(heap_first(&heap));
    heap_fini(&heap);
}

static void test_against_search(void **state)
{
    struct heap_link links[LINKS] = {0};
    uint32_t seed = 1;
    struct heap heap;

    (void)state;
    heap_init(&heap);
    for (int step = 0; step < 20000; step++) {
        struct heap_link *link = &links[next_number(&seed) % LINKS], *want;

        if (next_number(&seed) % 3 == 0)
            heap_remove(&heap, link);
        else
            assert_true(heap_put(&heap, link, next_number(&seed) % 1000));
        want = smallest(links);
        if (want == NULL)
            assert_null(heap_first(&heap));
        else
            assert_int_equal(heap_first(&heap)->at, want->at);
    }
    heap_fini(&heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_empty),
                                       cmocka_unit_test(test_against_search)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
