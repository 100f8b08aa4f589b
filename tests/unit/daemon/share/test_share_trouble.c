/* share_uv: two relays, and a server between them that is lost, full, or holds anything. */
#include "tests/unit/daemon/share/two_relays.h"
#include "tests/unit/support/virtual_clock.h"

/* Who may not read the stream: the rest goes on, and no value is at fault. */
static void news_that_do_not_come(void **state)
{
    struct share_stats stats;
    int turns = 0;

    (void)state;
    while (!stats_of(&a).news_ready) { /* it may have begun before the server */
        assert_true(turns++ < TURNS_MAX);
        uv_run(&loop, UV_RUN_ONCE);
    }
    tell_server(4, (const char *const[]){"ACL", "SETUSER", "default", "-xread"});
    for (stats = stats_of(&a); stats.news_ready; stats = stats_of(&a)) {
        assert_true(turns++ < TURNS_MAX);
        uv_run(&loop, UV_RUN_ONCE);
    }
    assert_true(stats.ready);
    assert_non_null(strstr(stats.news_error, "NOPERM"));
    assert_int_equal(stats.refused, 0);
    tell_server(4, (const char *const[]){"ACL", "SETUSER", "default", "+xread"});
    while (!stats_of(&a).news_ready) {
        assert_true(turns++ < 2 * TURNS_MAX);
        uv_run(&loop, UV_RUN_ONCE);
    }
    assert_string_equal(stats_of(&a).news_error, "");
}

static void a_server_that_was_emptied(void **state)
{
    (void)state;
    tell_server(1, (const char *const[]){"FLUSHALL"});
    run_until(&a.begun, 1);
    run_until(&b.begun, 1);
    assert_int_equal(a.since, 0);
    assert_int_equal(stats_of(&a).emptied, 1);
}

static void a_server_that_was_killed(void **state)
{
    const struct record first = answer_of(VERDICT_VERIFY, VERDICT_VERIFY, 5000);
    int64_t killed_at;

    (void)state;
    put(&a, &first);
    killed_at = clock_monotonic_ms();
    real_valkey_kill(&server);
    while (stats_of(&a).ready)
        uv_run(&loop, UV_RUN_ONCE);
    assert_true(share_tell(a.share, SHARE_NEWS_RELEASE, KEY)); /* it waits */
    real_valkey_start(&server);
    run_until(&a.begun, 1);
    assert_true(a.since >= killed_at - 1000 && a.since <= clock_monotonic_ms());
    run_until(&b.begun, 1);
    run_until(&b.news, 1);
    assert_int_equal(b.last.kind, SHARE_NEWS_RELEASE);
    find(&b);
    assert_true(b.has_answer);
    assert_int_equal(b.answer.remembered.observed, VERDICT_NO_OPINION);
}

static void a_server_that_is_frozen(void **state)
{
    const struct record first = answer_of(VERDICT_VERIFY, VERDICT_VERIFY, 5000);
    struct store_read *read;

    (void)state;
    assert_int_equal(kill(server.pid, SIGSTOP), 0);
    find(&a);
    assert_true(a.unsure);
    assert_int_equal(stats_of(&a).finds_late, 1);
    while (stats_of(&a).ready)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(store_find(&read, share_store(a.share), KEY, KEY, on_found, &a), UV_ENOTCONN);
    store_put(share_store(a.share), &first);
    assert_int_equal(kill(server.pid, SIGCONT), 0);
    run_until(&a.begun, 1);
    assert_true(a.since > 0);
}

static void what_lies_there_may_be_anything(void **state)
{
    static const char *const values[] = {"", "x", "0123456789abcdef - {}",
                                         "0123456789abcdef0123456789abcdef"};
    const struct record answer = answer_of(VERDICT_ENCRYPT, VERDICT_ENCRYPT, 1000);

    (void)state;
    for (size_t i = 0; i < COUNT(values); i++) {
        uint64_t refused = stats_of(&b).refused;

        tell_server(3, (const char *const[]){"SET", "mxcrypt:1:a:00000000:" KEY, values[i]});
        tell_server(3, (const char *const[]){"SET", "mxcrypt:1:w:" KEY, values[i]});
        tell_server(5, (const char *const[]){"XADD", "mxcrypt:1:news", "*", "n", values[i]});
        tell_server(5, (const char *const[]){"XADD", "mxcrypt:1:news", "*", "m", values[i]});
        find(&b);
        assert_false(b.has_answer);
        while (stats_of(&b).refused < refused + 3)
            uv_run(&loop, UV_RUN_ONCE);
        put(&a, &answer); /* it takes its place */
        find(&b);
        assert_true(b.has_answer);
    }
    tell_server(2, (const char *const[]){"DEL", "mxcrypt:1:a:00000000:" KEY});
    tell_server(3, (const char *const[]){"LPUSH", "mxcrypt:1:a:00000000:" KEY, "x"});
    find(&b);
    assert_false(b.has_answer);
    put(&a, &answer); /* of that as well */
    find(&b);
    assert_true(b.has_answer);
    assert_int_equal(stats_of(&a).failures, 0);
}

/* A value of ours, moved by somebody else, is of no use to them. */
static void a_value_under_another_name(void **state)
{
    const struct record answer = answer_of(VERDICT_ENCRYPT, VERDICT_ENCRYPT, 1000);

    (void)state;
    put(&a, &answer);
    tell_server(3, (const char *const[]){"RENAME", "mxcrypt:1:a:00000000:" KEY,
                                         "mxcrypt:1:p:00000000:" KEY});
    find(&b);
    assert_false(b.has_answer || b.has_policy);
    assert_int_equal(stats_of(&b).refused, 1);
}

/* A value that was there before has a good MAC. */
static void a_policy_that_is_put_back(void **state)
{
    struct record policy = make_saved_policy(KEY);
    int64_t shift = clock_wall_ms() - MAKE_WALL - 5000;

    (void)state;
    policy.policy.fetched_at += shift;
    policy.policy.valid_until += shift;
    policy.policy.retry_at += shift;
    put(&a, &policy);
    tell_server(3, (const char *const[]){"RENAME", "mxcrypt:1:p:00000000:" KEY, "x"});
    assert_true(share_tell(a.share, SHARE_NEWS_FORGET, KEY));
    run_until(&b.news, 1);
    tell_server(3, (const char *const[]){"RENAME", "x", "mxcrypt:1:p:00000000:" KEY});
    find(&b);
    assert_false(b.has_policy);
}

/* It would end all that is learnt until then. */
static void a_word_from_the_future(void **state)
{
    const struct record answer = answer_of(VERDICT_ENCRYPT, VERDICT_ENCRYPT, 0);
    const struct share_word word = {clock_wall_ms() + 3600000, 0};
    char *text = share_word_write(&word), *value;
    size_t length;

    (void)state;
    value = share_seal(a.share, "mxcrypt:1:w:" KEY, text, &length);
    assert_non_null(value);
    tell_server(3, (const char *const[]){"SET", "mxcrypt:1:w:" KEY, value});
    put(&a, &answer);
    find(&b);
    assert_true(b.has_answer);
    assert_int_equal(b.news, 0);
    free(text);
    free(value);
}

/* It is put again, although it was learnt before the server was full. */
static void a_server_that_is_full(void **state)
{
    const struct record record = answer_of(VERDICT_VERIFY, VERDICT_VERIFY, 60000);

    (void)state;
    tell_server(4, (const char *const[]){"CONFIG", "SET", "maxmemory", "1"});
    put(&a, &record);
    assert_int_equal(stats_of(&a).failures, 1);
    assert_int_not_equal(a.share->away_since, 0);
    assert_true(a.share->away_since <= clock_monotonic_ms() - 60000);
}

static void what_is_told_while_a_server_is_full(void **state)
{
    uint64_t failures = 0;

    (void)state;
    tell_server(4, (const char *const[]){"CONFIG", "SET", "maxmemory", "1"});
    assert_true(share_tell(a.share, SHARE_NEWS_RELEASE, KEY));
    for (int turns = 0; failures == 0; turns++) {
        assert_true(turns < TURNS_MAX);
        uv_run(&loop, UV_RUN_ONCE);
        failures = stats_of(&a).failures;
    }
    tell_server(4, (const char *const[]){"CONFIG", "SET", "maxmemory", "0"});
    run_until(&b.news, 1);
    assert_int_equal(b.last.kind, SHARE_NEWS_RELEASE);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(news_that_do_not_come, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_server_that_was_emptied, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_policy_that_is_put_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_word_from_the_future, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_server_that_is_full, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_told_while_a_server_is_full, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_server_that_was_killed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_server_that_is_frozen, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_lies_there_may_be_anything, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_value_under_another_name, set_up, tear_down),
    };

    virtual_clock_stop();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
