/* shares: long work on the loop takes turns, a share each, and what is removed is left alone. */
#include "tests/unit/support/unit.h"

#include <string.h>

#include "daemon/loop/shares.h"

static uv_loop_t loop;
static struct shares *shares;

struct worker {
    struct share_task task;
    unsigned steps, left; /* done; to do */
    unsigned shares, last_turn;
    struct worker *removes; /* in its step; NULL: nobody */
};

static unsigned turns;

static bool step(struct share_task *task)
{
    struct worker *worker = LIST_ELEMENT(task, struct worker, task);

    worker->shares += worker->last_turn != turns;
    worker->last_turn = turns;
    worker->steps++;
    if (worker->removes != NULL)
        shares_remove(&worker->removes->task);
    if (worker->removes == worker)
        return false;
    return --worker->left > 0;
}

static void begin_worker(struct worker *worker, unsigned left)
{
    *worker = (struct worker){.left = left};
    share_task_init(&worker->task, step);
    shares_add(shares, &worker->task);
}

static void run_turns(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        turns++;
        uv_run(&loop, UV_RUN_NOWAIT);
    }
}

static int set_up(void **state)
{
    (void)state;
    turns = 0;
    assert_int_equal(uv_loop_init(&loop), 0);
    shares = shares_new(&loop);
    return shares == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    shares_close(shares);
    uv_run(&loop, UV_RUN_DEFAULT);
    return uv_loop_close(&loop);
}

static void they_take_turns(void **state)
{
    struct worker workers[3];

    (void)state;
    for (unsigned i = 0; i < 3; i++)
        begin_worker(&workers[i], 1u << 31); /* more than a share holds */
    run_turns(9);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(workers[i].shares, 3);
        assert_true(workers[i].steps >= 3);
        shares_remove(&workers[i].task);
    }
}

static void it_ends(void **state)
{
    struct worker worker;

    (void)state;
    begin_worker(&worker, 5);
    uv_run(&loop, UV_RUN_DEFAULT); /* returns: nothing keeps the loop */
    assert_int_equal(worker.steps, 5);
    shares_remove(&worker.task);
    begin_worker(&worker, 7);
    shares_add(shares, &worker.task); /* is there already */
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(worker.steps, 7);
}

static void what_is_removed_is_left_alone(void **state)
{
    struct worker itself, first, second;

    (void)state;
    begin_worker(&itself, 10);
    itself.removes = &itself;
    begin_worker(&first, 10);
    begin_worker(&second, 10);
    first.removes = &second;
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(itself.steps, 1);
    assert_int_equal(first.steps, 10);
    assert_int_equal(second.steps, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(they_take_turns, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_ends, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_removed_is_left_alone, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("shares", tests, NULL, NULL);
}
