/* share_uv: a relay that starts again hears what it has missed. */
#include "tests/unit/daemon/share/two_relays.h"
#include "tests/unit/support/virtual_clock.h"

static void start_again(struct relay *relay, const char *name)
{
    store_close(share_store(relay->share));
    open_relay(relay, name);
}

static void run_until_told(const struct relay *relay, unsigned count)
{
    for (int turns = 0; stats_of(relay).news_sent < count; turns++) {
        assert_true(turns < TURNS_MAX);
        uv_run(&loop, UV_RUN_ONCE);
    }
}

static void news_are_made_up_for(void **state)
{
    (void)state;
    share_tell(a.share, SHARE_NEWS_RELOAD, ""); /* the stream has a beginning */
    run_until(&b.news, 1);
    start_again(&b, "b");
    assert_int_equal(b.news, 0);
    store_close(share_store(b.share));
    share_tell(a.share, SHARE_NEWS_RELEASE, KEY);
    run_until_told(&a, 2);
    open_relay(&b, "b");
    run_until(&b.news, 1);
    assert_int_equal(b.last.kind, SHARE_NEWS_RELEASE);
    assert_string_equal(b.name, KEY);
    assert_int_equal(b.begun, 2); /* only what it learnt last is put again */
    assert_true(b.since >= clock_monotonic_ms() - 60000);
}

/* All that it knows is put there: what the others proved, and said, comes back of it. */
static void a_relay_that_the_share_does_not_know(void **state)
{
    (void)state;
    start_again(&b, "new");
    run_until(&b.begun, 2);
    assert_int_equal(b.since, 0);
}

static void a_stream_that_was_cut_meanwhile(void **state)
{
    (void)state;
    share_tell(a.share, SHARE_NEWS_RELOAD, "");
    run_until(&b.news, 1);
    start_again(&b, "b");
    store_close(share_store(b.share));
    tell_server(2, (const char *const[]){"DEL", "mxcrypt:1:news"});
    share_tell(a.share, SHARE_NEWS_RELEASE, KEY);
    run_until_told(&a, 2);
    open_relay(&b, "b");
    run_until(&b.begun, 3);
    assert_int_equal(b.since, 0);
}

/* As in a fail-over to a server that has not got the last of it, and whose clock is behind. */
static void a_stream_that_ends_before_what_was_heard(void **state)
{
    (void)state;
    share_tell(a.share, SHARE_NEWS_RELEASE, KEY);
    run_until(&b.news, 1);
    tell_server(5, (const char *const[]){"XADD", "mxcrypt:1:news", "99999999999999-0", "n", "x"});
    for (int turns = 0; strcmp(b.share->position, "99999999999999-0") != 0; turns++) {
        assert_true(turns < TURNS_MAX);
        uv_run(&loop, UV_RUN_ONCE);
    }
    tell_server(2, (const char *const[]){"DEL", "mxcrypt:1:news"});
    share_tell(a.share, SHARE_NEWS_RELEASE, KEY);
    run_until(&b.begun, 1);
    assert_int_equal(b.since, 0);
    run_until(&b.news, 2);
}

/* It is asked again at the next beat, and not all the time. */
static void a_server_that_does_not_wait_for_news(void **state)
{
    char id[12];

    (void)state;
    for (int i = 1; i < 20; i++) {
        snprintf(id, sizeof id, "%d", i);
        tell_server(3, (const char *const[]){"CLIENT", "UNBLOCK", id});
    }
    for (int turns = 0; stats_of(&b).refused == 0; turns++) {
        assert_true(turns < TURNS_MAX);
        uv_run(&loop, UV_RUN_ONCE);
    }
    assert_null(b.share->feed_asked.ticket);
    share_tell(a.share, SHARE_NEWS_RELEASE, KEY);
    run_until(&b.news, 1);
}

/* What was said of a key that is put is heard before what others learnt since. */
static void what_was_said_of_a_key_that_is_put(void **state)
{
    const struct record early = answer_of(VERDICT_VERIFY, VERDICT_VERIFY, 5000);
    const struct record late = answer_of(VERDICT_NO_OPINION, VERDICT_NO_OPINION, 0);

    (void)state;
    share_tell(a.share, SHARE_NEWS_RELEASE, KEY);
    run_until(&b.news, 1);
    put(&a, &late);
    put(&b, &early);
    assert_int_equal(b.news, 2);
    assert_int_equal(b.last.kind, SHARE_NEWS_RELEASE);
    assert_int_equal(b.answers, 1);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(news_are_made_up_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_relay_that_the_share_does_not_know, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_stream_that_was_cut_meanwhile, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_stream_that_ends_before_what_was_heard, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_server_that_does_not_wait_for_news, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_said_of_a_key_that_is_put, set_up, tear_down),
    };

    virtual_clock_stop();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
