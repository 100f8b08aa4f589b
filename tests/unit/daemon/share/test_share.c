/* share_uv: two relays and a real server between them. */
#include "tests/unit/daemon/share/two_relays.h"
#include "tests/unit/support/virtual_clock.h"

/* ---- sharing ---- */

static void what_one_puts_the_other_finds(void **state)
{
    const struct record answer = answer_of(VERDICT_ENCRYPT, VERDICT_ENCRYPT, 1000);
    struct record policy = make_saved_policy(KEY);
    int64_t now = clock_wall_ms(), shift = now - MAKE_WALL;

    (void)state;
    policy.policy.fetched_at += shift;
    policy.policy.valid_until += shift;
    policy.policy.retry_at += shift;
    find(&b);
    assert_false(b.has_answer || b.has_policy || b.unsure);
    put(&a, &answer);
    put(&a, &policy);
    find(&b);
    assert_true(b.has_answer && b.has_policy);
    assert_int_equal(b.answer.level, VERDICT_ENCRYPT);
    assert_true(llabs(b.answer.decided_at - answer.answer.decided_at) < 500);
    assert_int_equal(b.news, 0);
    assert_int_equal(stats_of(&a).puts, 2);
}

static void nothing_that_was_proven_is_lost(void **state)
{
    const struct record early = answer_of(VERDICT_VERIFY, VERDICT_VERIFY, 5000);
    const struct record late = answer_of(VERDICT_NO_OPINION, VERDICT_NO_OPINION, 0);

    (void)state;
    put(&a, &early);
    put(&b, &late);
    run_until(&a.news, 1); /* it says another level */
    assert_int_equal(a.last.kind, SHARE_NEWS_ANSWER);
    assert_string_equal(a.name, KEY);
    find(&a);
    assert_int_equal(a.answer.level, VERDICT_NO_OPINION);
    assert_int_equal(a.answer.remembered.observed, VERDICT_VERIFY);
    put(&a, &early); /* it is told what it does not know yet, and writes nothing */
    assert_int_equal(a.answers, 1);
    assert_int_equal(a.answer_level, VERDICT_NO_OPINION);
    assert_int_equal(stats_of(&a).puts, 1);
}

/* Both look before either writes: the slower one looks again. */
static void two_write_at_once(void **state)
{
    const struct record verify = answer_of(VERDICT_VERIFY, VERDICT_VERIFY, 5000);
    struct record dane = answer_of(VERDICT_DANE_ONLY, VERDICT_NO_OPINION, 4000);

    (void)state;
    dane.answer.dane_until = clock_wall_ms() + 60000;
    store_put(share_store(a.share), &verify);
    store_put(share_store(b.share), &dane);
    run_until_written(&a);
    run_until_written(&b);
    assert_int_equal(stats_of(&a).conflicts + stats_of(&b).conflicts, 1);
    find(&a);
    assert_int_equal(a.answer.level, VERDICT_DANE_ONLY);
    assert_int_equal(a.answer.remembered.observed, VERDICT_VERIFY);
    assert_true(a.answer.dane_until > 0);
}

static void a_key_that_is_forgotten(void **state)
{
    const struct record known = answer_of(VERDICT_VERIFY, VERDICT_VERIFY, 5000);

    (void)state;
    put(&a, &known);
    assert_true(share_tell(a.share, SHARE_NEWS_FORGET, KEY));
    run_until(&b.news, 1);
    assert_int_equal(b.last.kind, SHARE_NEWS_FORGET);
    assert_string_equal(b.name, KEY);
    assert_true(llabs(b.last.at - clock_monotonic_ms()) < 2000);
    find(&b);
    assert_false(b.has_answer);
    assert_int_equal(b.news, 2); /* it is told again to who asks: it may have been away */
    put(&a, &known);             /* it was learnt before */
    find(&b);
    assert_false(b.has_answer);
}

static void a_hold_that_is_ended(void **state)
{
    const struct record held = answer_of(VERDICT_VERIFY, VERDICT_VERIFY, 5000);

    (void)state;
    put(&a, &held);
    assert_true(share_tell(b.share, SHARE_NEWS_RELEASE, KEY));
    run_until(&a.news, 1);
    assert_int_equal(a.last.kind, SHARE_NEWS_RELEASE);
    put(&a, &held);
    find(&a);
    assert_true(a.has_answer);
    assert_int_equal(a.answer.remembered.observed, VERDICT_NO_OPINION);
    /* what was forgotten before stays so */
    assert_true(share_tell(b.share, SHARE_NEWS_FORGET, KEY));
    assert_true(share_tell(b.share, SHARE_NEWS_RELEASE, KEY));
    run_until(&a.news, 4);
    put(&a, &held);
    find(&a);
    assert_false(a.has_answer);
}

static void relays_that_look_up_differently(void **state)
{
    const struct record known = answer_of(VERDICT_VERIFY, VERDICT_VERIFY, 5000);
    struct relay other = {.share = NULL};

    (void)state;
    open_relay_with(&other, "other", 1);
    put(&a, &known);
    find(&other);
    assert_false(other.unsure || other.has_answer);
    find(&b);
    assert_true(b.has_answer);
    assert_true(share_tell(other.share, SHARE_NEWS_FORGET, KEY)); /* words are for all */
    run_until(&b.news, 1);
    find(&b);
    assert_false(b.has_answer);
    store_close(share_store(other.share));
}

/* The record of the release goes there together with the word. */
static void a_release_counts_before_it_lies_there(void **state)
{
    struct record held = answer_of(VERDICT_VERIFY, VERDICT_VERIFY, 5000);
    const struct record released = answer_of(VERDICT_NO_OPINION, VERDICT_NO_OPINION, 0);

    (void)state;
    held.answer.remembered.verify = (struct downgrade){.since = held.answer.decided_at - 1000,
                                                       .until = held.answer.decided_at + 3600000};
    put(&a, &held);
    store_put(share_store(b.share), &released);
    assert_true(share_tell(b.share, SHARE_NEWS_RELEASE, KEY));
    run_until_written(&b);
    run_until(&a.news, 1);
    assert_int_equal(b.answers, 0); /* it is not told to hold again */
    find(&b);
    assert_int_equal(b.answer.remembered.observed, VERDICT_NO_OPINION);
}

/* The policy too, of which only the word of the key tells. */
static void a_policy_that_is_forgotten_elsewhere(void **state)
{
    struct record policy = make_saved_policy(KEY);
    struct relay other = {.share = NULL};

    (void)state;
    policy.policy.fetched_at = clock_wall_ms() - 5000;
    put(&a, &policy);
    find(&b);
    assert_true(b.has_policy);
    open_relay_with(&other, "other", 1);
    assert_true(share_tell(other.share, SHARE_NEWS_FORGET, KEY));
    run_until(&b.news, 1);
    find(&b);
    assert_false(b.has_policy);
    store_close(share_store(other.share));
}

/* ---- history ---- */

struct listed {
    unsigned pages;
    size_t count;
    bool failed;
    int64_t latest;
};

static void on_events(void *context, const struct store_page *page)
{
    struct listed *listed = context;

    listed->pages++;
    listed->count = page->count;
    listed->failed = page->error != NULL;
    for (size_t i = 0; i < page->count; i++) {
        const struct event_record *event = &page->records[i].event;

        assert_string_equal(event->key, KEY);
        listed->latest = event->at > listed->latest ? event->at : listed->latest;
    }
}

static struct listed history(struct relay *relay)
{
    const struct store_selection selection = {.kind = RECORD_EVENT, .key = KEY, .limit = 20};
    struct listed listed = {.pages = 0};
    struct store_read *read;

    assert_int_equal(store_list(&read, share_store(relay->share), &selection, on_events, &listed),
                     0);
    run_until(&listed.pages, 1);
    return listed;
}

static void all_relays_have_one_history(void **state)
{
    struct record event = make_event(KEY, 0);
    int64_t now = clock_wall_ms();
    const struct record answer = answer_of(VERDICT_ENCRYPT, VERDICT_ENCRYPT, 0);
    struct listed listed;

    (void)state;
    assert_int_equal(history(&b).count, 0);
    for (int i = STORE_EVENTS + 5; i > 0; i--) {
        event.event.at = now - i * 1000;
        store_put(share_store((i % 2 == 0 ? &a : &b)->share), &event);
    }
    put(&a, &answer); /* which comes after them */
    put(&b, &answer);
    listed = history(&b);
    assert_int_equal(listed.count, STORE_EVENTS);
    assert_true(llabs(listed.latest - (now - 1000)) < 500);
    tell_server(3, (const char *const[]){"LPUSH", "mxcrypt:1:h:00000000:" KEY, "x"});
    listed = history(&a);
    assert_int_equal(listed.count, STORE_EVENTS - 1);
    assert_int_equal(stats_of(&a).refused, 1);
    tell_server(2, (const char *const[]){"DEL", "mxcrypt:1:h:00000000:" KEY});
    tell_server(3, (const char *const[]){"SET", "mxcrypt:1:h:00000000:" KEY, "x"});
    assert_true(history(&a).failed);
    store_put(share_store(a.share), &event); /* is written over */
    assert_int_equal(history(&a).count, 1);
}

static void a_history_that_is_not_to_be_had(void **state)
{
    const struct store_selection selection = {.kind = RECORD_EVENT, .key = KEY, .limit = 20};
    const struct store_selection all = {.kind = RECORD_EVENT, .limit = 20};
    struct listed listed = {.pages = 0};
    struct store *store = share_store(a.share);
    struct store_read *read;

    (void)state;
    assert_int_equal(store_list(&read, store, &all, on_events, &listed), UV_ENOTSUP);
    assert_int_equal(store_list(&read, store, &selection, on_events, &listed), 0);
    store_read_cancel(read);
    assert_int_equal(kill(server.pid, SIGSTOP), 0);
    assert_true(history(&a).failed);
    while (stats_of(&a).ready)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(store_list(&read, store, &selection, on_events, &listed), UV_ENOTCONN);
    assert_int_equal(kill(server.pid, SIGCONT), 0);
    assert_int_equal(listed.pages, 0);
}

static void a_reload(void **state)
{
    (void)state;
    assert_true(share_tell(a.share, SHARE_NEWS_RELOAD, ""));
    run_until(&b.news, 1);
    assert_int_equal(b.last.kind, SHARE_NEWS_RELOAD);
    assert_int_equal(a.news, 0); /* who says it knows it */
}

/* ---- which relays there are ---- */

struct listing {
    struct share_roster roster;
    unsigned listed;
    size_t count;
    bool has_a, has_b, answered;
};

static void on_listed(struct share_roster *roster, const struct share_relay *relays, size_t count,
                      int64_t now, int64_t last_news)
{
    struct listing *listing = roster->context;

    listing->listed++;
    listing->count = count;
    listing->answered = relays != NULL;
    assert_true(last_news <= now + 1000);
    for (size_t i = 0; i < count; i++) {
        listing->has_a |= strcmp(relays[i].name, "a") == 0;
        listing->has_b |= strcmp(relays[i].name, "b") == 0;
        assert_int_equal(relays[i].rollout, 75);
        assert_true(llabs(relays[i].skew_ms) < 1000); /* the server's clock is ours */
        assert_true(llabs(relays[i].at - now) < 10000);
    }
}

static void relays_are_listed(void **state)
{
    struct listing listing = {.listed = 0};

    (void)state;
    tell_server(4, (const char *const[]){"HSET", "mxcrypt:1:relays", "c", "x"});
    assert_int_equal(share_list(&listing.roster, a.share, on_listed, &listing), 0);
    run_until(&listing.listed, 1);
    assert_int_equal(listing.count, 2);
    assert_true(listing.has_a && listing.has_b);
    assert_int_equal(share_list(&listing.roster, a.share, on_listed, &listing), 0);
    share_roster_cancel(&listing.roster);
}

/* It was emptied, and nobody has said anything since; or it cannot say. */
static void nobody_is_listed(void **state)
{
    static const char *const chaff[] = {"SET", "mxcrypt:1:relays", "x"};
    struct listing listing = {.listed = 0};

    (void)state;
    tell_server(2, (const char *const[]){"DEL", "mxcrypt:1:relays"});
    assert_int_equal(share_list(&listing.roster, a.share, on_listed, &listing), 0);
    run_until(&listing.listed, 1);
    assert_int_equal(listing.count, 0);
    assert_true(listing.answered);
    tell_server(3, chaff);
    assert_int_equal(share_list(&listing.roster, a.share, on_listed, &listing), 0);
    run_until(&listing.listed, 2);
    assert_int_equal(listing.count, 0);
    assert_false(listing.answered);
}

/* `b` came last, and so has seen both. */
static void relays_are_counted(void **state)
{
    struct share_stats stats = stats_of(&b);

    (void)state;
    for (int turns = 0; stats.relays == 0; turns++) {
        assert_true(turns < TURNS_MAX);
        uv_run(&loop, UV_RUN_ONCE);
        stats = stats_of(&b);
    }
    assert_int_equal(stats.relays, 2);
    assert_int_equal(stats.differing, 0);
    assert_int_equal(stats.behind_ms, 0);
    assert_true(stats.ready && stats.news_ready);
    assert_true(stats.skew_abs_ms < 1000 && stats.for_ms >= 0 && stats.for_ms < 60000);
    assert_true(stats.connected_ms == stats.for_ms);
}

static void relays_that_answer_alike(void **state)
{
    const struct share_relay one = {.name = "a", .version = "1", .rules = 2, .settings = 3};
    struct share_relay other = one;

    (void)state;
    strcpy(other.name, "b");
    assert_true(share_relay_same(&one, &other));
    other.settings = 4;
    assert_false(share_relay_same(&one, &other));
    other = one;
    other.rules = 0;
    assert_false(share_relay_same(&one, &other));
    other = one;
    other.monitor = true;
    assert_false(share_relay_same(&one, &other));
    other = one;
    other.rollout = 1;
    assert_false(share_relay_same(&one, &other));
    other = one;
    strcpy(other.version, "2");
    assert_false(share_relay_same(&one, &other));
}

/* What all relays need is of a kind that none of them could write to, or says nothing. */
static void what_they_need_may_be_anything(void **state)
{
    static const char *const chaff[] = {"SET", "mxcrypt:1:epoch", "0123456789abcdeg"};
    static const char *const wrong[][3] = {{"LPUSH", "mxcrypt:1:epoch", "x"},
                                           {"SET", "mxcrypt:1:news", "x"},
                                           {"LPUSH", "mxcrypt:1:relays", "x"}};

    (void)state;
    assert_true(share_tell(a.share, SHARE_NEWS_RELOAD, ""));
    run_until(&b.news, 1);
    for (size_t i = 0; i < COUNT(wrong); i++) {
        tell_server(2, (const char *const[]){"DEL", wrong[i][1]});
        tell_server(3, wrong[i]);
    }
    assert_true(share_tell(a.share, SHARE_NEWS_RELEASE, KEY)); /* makes a stream of it */
    for (int turns = 0; stats_of(&a).news_sent < 2; turns++) {
        assert_true(turns < TURNS_MAX);
        uv_run(&loop, UV_RUN_ONCE);
    }
    tell_server(3, wrong[1]);
    run_until(&a.begun, 1);
    run_until(&b.begun, 1);
    relays_are_listed(state);
    assert_true(share_tell(a.share, SHARE_NEWS_FORGET, KEY));
    for (int turns = 0; b.last.kind != SHARE_NEWS_FORGET; turns++) {
        assert_true(turns < TURNS_MAX);
        uv_run(&loop, UV_RUN_ONCE);
    }
    tell_server(3, chaff);
    while (stats_of(&a).emptied < 2)
        uv_run(&loop, UV_RUN_ONCE);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_one_puts_the_other_finds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_that_was_proven_is_lost, set_up, tear_down),
        cmocka_unit_test_setup_teardown(two_write_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_key_that_is_forgotten, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_hold_that_is_ended, set_up, tear_down),
        cmocka_unit_test_setup_teardown(relays_that_look_up_differently, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_release_counts_before_it_lies_there, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_policy_that_is_forgotten_elsewhere, set_up, tear_down),
        cmocka_unit_test_setup_teardown(all_relays_have_one_history, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_history_that_is_not_to_be_had, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_reload, set_up, tear_down),
        cmocka_unit_test_setup_teardown(relays_are_listed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nobody_is_listed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(relays_are_counted, set_up, tear_down),
        cmocka_unit_test(relays_that_answer_alike),
        cmocka_unit_test_setup_teardown(what_they_need_may_be_anything, set_up, tear_down),
    };

    virtual_clock_stop();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
