/* lists: a start does not wait for a source that hangs. */
#include "tests/unit/daemon/lists/lists_fixture.h"

#define LINE  "policy-list = FOLDER/list key=FOLDER/key\n"
#define USUAL ((struct times){-HOUR_S, 14 * DAY_S})

/* The reading hangs until the test lets it go on; the deadline is over at once. */
static uv_sem_t go_on;
void __real_list_read(struct list_reading *reading);
void __wrap_list_read(struct list_reading *reading);
int __wrap_uv_cond_timedwait(uv_cond_t *cond, uv_mutex_t *mutex, uint64_t timeout);

void __wrap_list_read(struct list_reading *reading)
{
    uv_sem_wait(&go_on);
    uv_sem_post(&go_on);
    __real_list_read(reading);
}

int __wrap_uv_cond_timedwait(uv_cond_t *cond, uv_mutex_t *mutex, uint64_t timeout)
{
    (void)cond;
    (void)mutex;
    assert_true(timeout <= (uint64_t)LISTS_START_MS * 1000000);
    return UV_ETIMEDOUT;
}

static int set_up(void **state)
{
    struct minisign_secret key;

    if (make_folder(state) != 0 || uv_sem_init(&go_on, 0) != 0)
        return -1;
    key = make_key("key");
    put_list("list", &key, USUAL, ONE);
    start(LINE);
    return 0;
}

static int tear_down(void **state)
{
    uv_sem_destroy(&go_on);
    return drop_folder(state);
}

static void what_is_late_is_used_when_it_is_there(void **state)
{
    (void)state;
    must_say("a.example", LIST_NONE);
    uv_sem_post(&go_on);
    while (changes == 0)
        uv_run(&loop, UV_RUN_ONCE);
    must_say("a.example", LIST_ENFORCE);
    must_be(0, "in-force", "");
    pass(300);
    must_be(0, "in-force", "");
    stop();
}

static void a_close_waits_for_what_is_late(void **state)
{
    (void)state;
    lists_close(lists);
    uv_sem_post(&go_on);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(changes, 0);
    assert_int_equal(uv_loop_close(&loop), 0);
    lists_free(lists);
    config_fini(&config);
}

static void a_reload_while_it_is_late(void **state)
{
    (void)state;
    reconfigure("");
    reconfigure(LINE);
    reconfigure("");
    uv_sem_post(&go_on);
    pass(1);
    must_say("a.example", LIST_NONE);
    reconfigure(LINE);
    pass(1);
    must_say("a.example", LIST_ENFORCE);
    stop();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_is_late_is_used_when_it_is_there),
        TEST(a_close_waits_for_what_is_late),
        TEST(a_reload_while_it_is_late),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
