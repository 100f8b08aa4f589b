/* share_turn_uv: of two relays that want to look the same up, one does. */
#include "tests/unit/daemon/share/two_relays.h"
#include "tests/unit/support/virtual_clock.h"

/* A turn, and what came of it. */
struct seeker {
    struct share_turn turn;
    unsigned went, had; /* had: SHARE_OURS */
    enum share_leave how;
    bool has_answer; /* found in the share when another had ended it */
    struct relay *relay;
};

/* Those of the test; they outlive the shares. */
static struct seeker first, second, third;

static void on_go(struct share_turn *turn, enum share_leave how)
{
    struct seeker *seeker = turn->context;

    seeker->went++;
    seeker->had += how == SHARE_OURS;
    seeker->how = how;
}

static void seek(struct seeker *seeker, struct relay *relay, const char *name, int64_t patience_ms)
{
    *seeker = (struct seeker){.turn = {.patience_ms = patience_ms, .go = on_go}};
    seeker->turn.context = seeker;
    seeker->relay = relay;
    snprintf(seeker->turn.name, sizeof seeker->turn.name, "%s", name);
    assert_int_equal(share_turn_ask(relay->share, &seeker->turn), 0);
}

static void one_has_it_and_the_other_hears_of_its_end(void **state)
{
    const struct record answer = answer_of(VERDICT_ENCRYPT, VERDICT_ENCRYPT, 0);

    (void)state;
    seek(&first, &a, KEY, 10000);
    run_until(&first.went, 1);
    assert_int_equal(first.how, SHARE_OURS);
    seek(&second, &b, KEY, 10000);
    for (int i = 0; i < 100; i++)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(second.went, 0);
    assert_int_equal(stats_of(&a).waits, 0);
    assert_int_equal(stats_of(&b).waits, 1);
    store_put(share_store(a.share), &answer); /* not waited for: it is there all the same */
    share_turn_end(&first.turn);
    run_until(&second.went, 1);
    assert_int_equal(second.how, SHARE_DONE);
    find(&b);
    assert_true(b.has_answer);
    seek(&second, &b, KEY, 10000);
    run_until(&second.went, 1);
    assert_int_equal(second.how, SHARE_OURS);
    share_turn_end(&second.turn);
    share_turn_end(&second.turn);
}

static void other_names_are_other_turns(void **state)
{
    (void)state;
    seek(&first, &a, "k:one", 10000);
    seek(&second, &b, "k:two", 10000);
    run_until(&first.had, 1);
    run_until(&second.had, 1);
    share_turn_end(&first.turn);
    share_turn_end(&second.turn);
}

static void who_has_waited_long_enough_goes_alone(void **state)
{
    int64_t began = clock_monotonic_ms();

    (void)state;
    seek(&first, &a, KEY, 10000);
    run_until(&first.had, 1);
    seek(&second, &b, KEY, 400);
    run_until(&second.went, 1);
    assert_int_equal(second.how, SHARE_ALONE);
    assert_true(clock_monotonic_ms() - began >= 400);
    share_turn_end(&second.turn); /* harmless: it is still the other's */
    seek(&second, &b, KEY, 400);
    run_until(&second.went, 1);
    assert_int_equal(second.how, SHARE_ALONE);
    share_turn_end(&first.turn);
}

/* Its lease lapses: here it is made to, rather than waited for. */
static void a_relay_that_dies_with_it(void **state)
{
    (void)state;
    seek(&first, &a, KEY, 10000);
    run_until(&first.had, 1);
    seek(&second, &b, KEY, 10000);
    tell_server(2, (const char *const[]){"DEL", "mxcrypt:1:l:" KEY});
    run_until(&second.went, 1);
    assert_int_equal(second.how, SHARE_OURS);
    share_turn_end(&first.turn); /* it is not its own any more */
    seek(&first, &a, KEY, 300);
    run_until(&first.went, 1);
    assert_int_equal(first.how, SHARE_ALONE);
    share_turn_end(&second.turn);
}

/* Sooner than its lease lapses. */
static void a_relay_that_stops_with_it(void **state)
{
    const struct record answer = answer_of(VERDICT_ENCRYPT, VERDICT_ENCRYPT, 0);

    (void)state;
    seek(&first, &a, KEY, 10000);
    run_until(&first.had, 1);
    seek(&second, &b, KEY, SHARE_LEASE_MS / 2);
    for (int i = 0; i < 100; i++)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(second.went, 0);
    store_put(share_store(a.share), &answer); /* it is not written to its end */
    store_close(share_store(a.share));
    run_until(&second.went, 1);
    assert_int_equal(second.how, SHARE_DONE);
    seek(&second, &b, KEY, SHARE_LEASE_MS / 2);
    run_until(&second.went, 1);
    assert_int_equal(second.how, SHARE_OURS);
    share_turn_end(&second.turn);
    a.share = NULL;
    open_relay(&a, "a");
}

static void a_lease_lasts_as_long_as_the_turn(void **state)
{
    int64_t until;

    (void)state;
    seek(&first, &a, KEY, 1000);
    run_until(&first.had, 1);
    tell_server(3, (const char *const[]){"PEXPIRE", "mxcrypt:1:l:" KEY, "5000"});
    until = clock_monotonic_ms() + 6000;
    while (clock_monotonic_ms() < until)
        uv_run(&loop, UV_RUN_ONCE);
    seek(&second, &b, KEY, 300);
    run_until(&second.went, 1);
    assert_int_equal(second.how, SHARE_ALONE);
    share_turn_end(&first.turn);
}

static void a_network_has_so_many_at_once(void **state)
{
    static const char *const names[] = {"192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"};
    static struct seeker seekers[4];
    unsigned had = 0;

    (void)state;
    for (int i = 0; i < 4; i++) {
        struct seeker *seeker = &seekers[i];

        *seeker = (struct seeker){
            .turn = {
                .patience_ms = 20000, .go = on_go, .network = "192.0.2.0/24", .network_max = 2}};
        seeker->turn.context = seeker;
        snprintf(seeker->turn.name, sizeof seeker->turn.name, "%s", names[i]);
        assert_int_equal(share_turn_ask((i % 2 == 0 ? &a : &b)->share, &seeker->turn), 0);
    }
    for (int i = 0; i < 1000 || had < 2; i++) {
        uv_run(&loop, UV_RUN_ONCE);
        had = seekers[0].had + seekers[1].had + seekers[2].had + seekers[3].had;
        assert_true(i < TURNS_MAX && had <= 2);
    }
    for (int i = 0; i < 4; i++)
        if (seekers[i].had > 0)
            share_turn_end(&seekers[i].turn);
    for (int i = 0; i < 4; i++)
        run_until(&seekers[i].had, 1);
    for (int i = 0; i < 4; i++)
        share_turn_end(&seekers[i].turn);
}

static void another_s_end_is_told_before_the_reply_comes(void **state)
{
    (void)state;
    seek(&first, &a, KEY, 10000);
    share_turn_done(a.share, KEY);
    run_until(&first.went, 1);
    assert_int_equal(first.how, SHARE_OURS);
    seek(&second, &b, KEY, 10000);
    share_turn_done(b.share, KEY);
    run_until(&second.went, 1);
    assert_int_equal(second.how, SHARE_DONE);
    share_turn_end(&first.turn);
    do { /* no lease is left behind */
        seek(&second, &b, KEY, 5000);
        run_until(&second.went, 1);
    } while (second.how == SHARE_DONE);
    assert_int_equal(second.how, SHARE_OURS);
    share_turn_end(&second.turn);
}

static void a_turn_that_is_had_too_late_is_given_back(void **state)
{
    (void)state;
    assert_int_equal(kill(server.pid, SIGSTOP), 0);
    seek(&first, &a, KEY, 100);
    run_until(&first.went, 1);
    assert_int_equal(first.how, SHARE_ALONE);
    assert_int_equal(kill(server.pid, SIGCONT), 0);
    seek(&second, &b, KEY, 5000);
    run_until(&second.went, 1);
    assert_int_equal(second.how, SHARE_OURS);
    share_turn_end(&second.turn);
}

/* Without an end, or with one far off: as by somebody who wants all relays to wait. */
static void a_lease_that_no_relay_wrote(void **state)
{
    static const char *const chaff[][3] = {{"SET", "mxcrypt:1:l:" KEY, "x"},
                                           {"RPUSH", "mxcrypt:1:l:" KEY, "x"},
                                           {"SET", "mxcrypt:1:x:192.0.2.0/24", "x"}};

    (void)state;
    for (size_t i = 0; i < COUNT(chaff); i++) {
        tell_server(3, chaff[i]);
        first = (struct seeker){
            .turn = {
                .patience_ms = 20000, .go = on_go, .network = "192.0.2.0/24", .network_max = 1}};
        first.turn.context = &first;
        strcpy(first.turn.name, KEY);
        assert_int_equal(share_turn_ask(a.share, &first.turn), 0);
        run_until(&first.went, 1);
        assert_int_equal(first.how, SHARE_OURS);
        share_turn_end(&first.turn);
    }
    tell_server(4, (const char *const[]){"ZADD", "mxcrypt:1:x:192.0.2.0/24", "9e15", "x"});
    first.turn.patience_ms = 5000;
    first.went = 0;
    assert_int_equal(share_turn_ask(a.share, &first.turn), 0);
    run_until(&first.went, 1);
    assert_int_equal(first.how, SHARE_OURS);
    share_turn_end(&first.turn);
}

static void a_share_that_is_lost(void **state)
{
    (void)state;
    seek(&first, &a, KEY, 10000);
    run_until(&first.had, 1);
    seek(&second, &b, KEY, 10000);
    real_valkey_kill(&server);
    run_until(&second.went, 1);
    assert_int_equal(second.how, SHARE_ALONE);
    while (stats_of(&a).ready)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(first.went, 1);
    third = first;
    assert_int_equal(share_turn_ask(a.share, &third.turn), UV_ENOTCONN);
    share_turn_end(&first.turn);
    share_turn_end(&second.turn);
}

static void what_is_waited_for_at_the_end(void **state)
{
    (void)state;
    seek(&first, &a, KEY, 10000);
    run_until(&first.had, 1);
    seek(&second, &b, KEY, 10000);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_has_it_and_the_other_hears_of_its_end, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(other_names_are_other_turns, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_has_waited_long_enough_goes_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_relay_that_dies_with_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_relay_that_stops_with_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_lease_lasts_as_long_as_the_turn, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_network_has_so_many_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_s_end_is_told_before_the_reply_comes, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_turn_that_is_had_too_late_is_given_back, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_lease_that_no_relay_wrote, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_share_that_is_lost, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_waited_for_at_the_end, set_up, tear_down),
    };

    virtual_clock_stop();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
