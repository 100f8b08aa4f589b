/* decider: verdicts by several threads are those of one. */
#include "survey/decider_uv.h"

#include "tests/unit/survey/results/results_world.h"

#define MANY         (5 * DECIDE_AT_ONCE + 17)
#define ALL_VERDICTS "SELECT id, dane, starttls, verdict, reason, answer FROM domain ORDER BY id"
#define DECIDED      "SELECT count(verdict) FROM domain"

static uv_loop_t loop;
static char why[RESULTS_ERROR_MAX];

/* A file whose lookups are done, and no domain is decided. */
static void make_undecided(int count)
{
    const struct way way = {.commit = 1000, .kill = -1};
    struct results_run run = make_run();
    char name[32];

    written = 0;
    file_make(&file, &run);
    for (int i = 0; i < count; i++) {
        snprintf(name, sizeof name, "d%d.example", i);
        add_domain(&file, name);
    }
    for (int kind = 0; kind < UNIT_KIND_COUNT; kind++)
        phase(&way, (enum unit_kind)kind);
    must(&file, results_commit(file.results));
    assert_int_equal(uv_loop_init(&loop), 0);
}

static void end(void)
{
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    file_remove(&file);
}

static struct decider *make_decider(unsigned threads)
{
    struct decider *decider = decider_new(&loop, file.results, threads, why);

    if (decider == NULL)
        fail_msg("%s", why);
    return decider;
}

static void decide_all(unsigned threads)
{
    struct decider *decider = make_decider(threads);

    while (decider_feed(decider, why))
        uv_run(&loop, UV_RUN_ONCE);
    assert_string_equal(why, "");
    decider_close(decider);
}

static void threads_decide_as_one_does(void **state)
{
    static const int counts[] = {0, 1, DECIDE_AT_ONCE, MANY};
    static const unsigned threads[] = {1, 2, DECIDER_THREADS_MAX + 1};
    struct buf want, got;
    bool more = true;

    (void)state;
    for (size_t i = 0; i < COUNT(counts); i++) {
        make_undecided(counts[i]);
        more = true;
        for (int64_t after = 0; more;)
            must(&file, decide_some(file.results, &after, &more));
        assert_int_equal(number_of_file(&file, DECIDED), counts[i]);
        buf_init(&want, 1 << 24);
        file_dump(&file, ALL_VERDICTS, &want);
        end();
        for (size_t j = 0; j < COUNT(threads); j++) {
            make_undecided(counts[i]);
            decide_all(threads[j]);
            buf_init(&got, 1 << 24);
            file_dump(&file, ALL_VERDICTS, &got);
            assert_string_equal(buf_text(&got), buf_text(&want));
            buf_fini(&got);
            end();
        }
        buf_fini(&want);
    }
}

/* What is under way is dropped, and decided the next time. */
static void one_that_was_stopped_goes_on(void **state)
{
    struct decider *decider;

    (void)state;
    make_undecided(MANY);
    decider = make_decider(2);
    assert_true(decider_feed(decider, why));
    uv_run(&loop, UV_RUN_ONCE);
    decider_close(decider);
    assert_in_range(number_of_file(&file, DECIDED), DECIDE_AT_ONCE, 2 * DECIDE_AT_ONCE);
    must(&file, results_commit(file.results));
    decide_all(2);
    assert_int_equal(number_of_file(&file, DECIDED), MANY);
    end();
}

/* Another file of that name is not read. */
static void a_file_that_was_replaced(void **state)
{
    char aside[128];

    (void)state;
    make_undecided(10);
    snprintf(aside, sizeof aside, "%s.aside", file.path);
    assert_int_equal(rename(file.path, aside), 0);
    assert_null(decider_new(&loop, file.results, 2, why));
    assert_non_null(strstr(why, "removed or replaced"));
    assert_int_equal(rename(aside, file.path), 0);
    decide_all(2);
    assert_int_equal(number_of_file(&file, DECIDED), 10);
    end();
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_decide_as_one_does),
        cmocka_unit_test(one_that_was_stopped_goes_on),
        cmocka_unit_test(a_file_that_was_replaced),
    };

    return cmocka_run_group_tests_name("decider", tests, NULL, NULL);
}
