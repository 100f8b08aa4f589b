/*
 * A survey that is killed and goes on ends with the file of one that was not; so does one whose
 * answers come in another order. The world is made of the names alone.
 */
#include "tests/unit/survey/results/results_world.h"

#include <sys/wait.h>

/* ---- cases ---- */

static void answers_in_another_order(void **state)
{
    struct results_run run = make_run();
    struct buf want, got;

    (void)state;
    undisturbed(&want);
    file_make(&file, &run);
    survey(&(struct way){.backwards = true, .commit = 7, .kill = -1, .names_late = true});
    dump_all(&got);
    file_remove(&file);
    assert_string_equal(buf_text(&got), buf_text(&want));
    assert_true(strstr(buf_text(&want), "NOTFOUND") != NULL);
    buf_fini(&got);
    buf_fini(&want);
}

/* A child is killed in the middle of a batch; it says how many results it had written. */
static void run_and_kill(int at)
{
    int status;
    pid_t child;

    must(&file, results_close(file.results));
    child = fork();
    if (child == 0) {
        file.results = results_open(file.path, true, file.error);
        if (file.results == NULL)
            _exit(1);
        written = 0;
        survey(&(struct way){.commit = 10, .kill = at});
        _exit(0);
    }
    assert_true(child > 0 && waitpid(child, &status, 0) == child);
    assert_true(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : WEXITSTATUS(status) == 0);
    file.results = results_open(file.path, true, file.error);
    if (file.results == NULL)
        fail_msg("%s", file.error);
}

static void killed_again_and_again(void **state)
{
    struct results_run run = make_run();
    struct buf want, got;
    int64_t all, done, before = 0;

    (void)state;
    undisturbed(&want);
    file_make(&file, &run);
    for (int i = 0; i < 12; i++) {
        run_and_kill(15 + i);
        must(&file, results_count(file.results, UNIT_DOMAIN, &all, &done));
        assert_true(done >= before); /* nothing that was committed is lost */
        before = done;
    }
    assert_true(done > 0);
    written = 0;
    survey(&(struct way){.commit = 10, .kill = -1});
    dump_all(&got);
    file_remove(&file);
    assert_string_equal(buf_text(&got), buf_text(&want));
    buf_fini(&got);
    buf_fini(&want);
}

/* Of a shard: what another shard connects to is not decided here. */
static void a_shard_does_not_decide_for_others(void **state)
{
    struct results_run run = make_run();
    struct unit units[UNITS];
    int64_t after = 0;
    bool more;
    int count;

    (void)state;
    run.shards = 2;
    file_make(&file, &run);
    add_domain(&file, "d1.example");
    add_domain(&file, "d10.example"); /* it does not exist */
    written = 0;
    phase(&(struct way){.commit = 100, .kill = -1}, UNIT_DOMAIN);
    phase(&(struct way){.commit = 100, .kill = -1}, UNIT_HOST);
    count = results_next(file.results, UNIT_ADDRESS, 0, units, UNITS);
    assert_int_equal(count, 2);
    put_one(&(struct way){.commit = 100, .kill = -1}, &units[0]);
    must(&file, decide_some(file.results, &after, &more));
    assert_false(more);
    file_has(&file, "SELECT name FROM domain WHERE verdict IS NOT NULL", "d10.example\n");
    phase(&(struct way){.commit = 100, .kill = -1}, UNIT_ADDRESS);
    after = 0;
    must(&file, decide_some(file.results, &after, &more));
    assert_int_equal(number_of_file(&file, "SELECT count(verdict) FROM domain"), 2);
    file_remove(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_in_another_order),
        cmocka_unit_test(killed_again_and_again),
        cmocka_unit_test(a_shard_does_not_decide_for_others),
    };

    return cmocka_run_group_tests_name("results_order", tests, NULL, NULL);
}
