/*
 * cache: a downgrade is held: when a hold begins and ends, that it outlives a restart, and how many
 * are listed. docs/verdicts.md §4.
 */
#include "tests/unit/support/cache_fixture.h"

/* By the clock alone: nobody asks, nobody lists. */
static void await_holds(size_t count)
{
    for (int i = 0; i < 100000 && held() > count; i++)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(held(), count);
}

static void hold(const char *key)
{
    learn(key, STARTTLS_TLS);
    lapse();
    learn(key, STARTTLS_CLEAR);
}

static void a_downgrade_is_held_and_released(void **state)
{
    struct key key;

    (void)state;
    begin(SETTINGS "refresh-idle = 0s\n");
    learn("d.example", STARTTLS_TLS);
    assert_int_equal(held(), 0);
    lapse();
    learn("d.example", STARTTLS_CLEAR);
    must_be("d.example", "encrypt");
    assert_int_equal(held(), 1);
    key_parse(&key, "d.example", 9, 25);
    assert_true(cache_release(engine->cache, &key, clock_monotonic_ms()));
    assert_int_equal(held(), 0);
    must_be("d.example", "");
    assert_false(cache_release(engine->cache, &key, clock_monotonic_ms()));
    lapse();
    learn("d.example", STARTTLS_CLEAR); /* released is released */
    must_be("d.example", "");
    end();
}

static void a_hold_ends_when_the_host_recovers(void **state)
{
    (void)state;
    begin(SETTINGS "refresh-idle = 0s\n");
    learn("d.example", STARTTLS_VERIFIED);
    lapse();
    learn("d.example", STARTTLS_CLEAR);
    must_be("d.example", "verify servername=hostname");
    assert_int_equal(held(), 1);
    lapse();
    learn("d.example", STARTTLS_VERIFIED);
    assert_int_equal(held(), 0);
    end();
}

static void a_held_host_is_probed_anew(void **state)
{
    (void)state;
    begin(SETTINGS "refresh-idle = 0s\n");
    learn("d.example", STARTTLS_TLS);
    lapse();
    learn("d.example", STARTTLS_CLEAR);
    assert_true(probed_after[1] == 0);
    lapse();
    learn("d.example", STARTTLS_CLEAR);
    assert_true(probed_after[2] > 0);
    end();
}

static void a_hold_survives_a_restart(void **state)
{
    (void)state;
    begin(with_store(""));
    learn("d.example", STARTTLS_TLS);
    lapse();
    learn("d.example", STARTTLS_CLEAR);
    flush_store();
    restart();
    must_be("d.example", "encrypt"); /* from the store: no lookup */
    assert_int_equal(lookup_count, 0);
    assert_int_equal(held(), 1);
    lapse();
    learn("d.example", STARTTLS_CLEAR);
    must_be("d.example", "encrypt");
    end();
}

static void a_refusal_that_is_held_is_probed_no_more_often(void **state)
{
    int64_t earliest;

    (void)state;
    begin(SETTINGS "hold-probe-min = 1h\nttl-min = 10ms\ntemp-ttl = 50ms\n");
    learn("d.example", STARTTLS_TLS);
    lapse();
    learn("d.example", STARTTLS_REFUSED);
    assert_int_equal(held(), 1);
    run_for(1200);
    assert_int_equal(lookup_count, 2); /* not renewed, though it lapsed */
    earliest = clock_monotonic_ms() - 30 * 60 * 1000;
    learn("d.example", STARTTLS_REFUSED);
    assert_true(probed_after[2] >= earliest && probed_after[2] < earliest + 60 * 1000);
    end();
}

static void a_hold_ends_though_nothing_can_be_seen(void **state)
{
    struct asker asker;

    (void)state;
    begin(SETTINGS "hold = 200ms\nttl-min = 10ms\njob-deadline = 20ms\nanswer-deadline = 10ms\n"
                   "remembered-deadline = 10ms\n");
    learn("d.example", STARTTLS_TLS);
    lapse();
    learn("d.example", STARTTLS_CLEAR);
    lapse();
    ask(&asker, "d.example", true); /* not answered, and nobody asks again */
    await(&asker);
    assert_int_equal(asker.status, ANSWER_TEMP);
    assert_int_equal(held(), 1);
    await_holds(0);
    end();
}

static void a_hold_ends_though_its_domain_was_evicted(void **state)
{
    char key[64];

    (void)state;
    begin(SETTINGS "hold = 1s\nttl-min = 10ms\ncache-entries = 4\nrefresh-idle = 0s\n");
    hold("d.example");
    for (int i = 0; cached("d.example") != NULL && i < 10; i++) {
        snprintf(key, sizeof key, "other%d.example", i);
        learn(key, STARTTLS_TLS);
    }
    assert_null(cached("d.example"));
    assert_int_equal(held(), 1);
    await_holds(0);
    end();
}

static void a_hold_ends_though_a_rule_switched_its_domain_off(void **state)
{
    char path[96], error[CONFIG_ERROR_MAX];
    struct rules *rules;
    FILE *file;

    (void)state;
    snprintf(path, sizeof path, "%s/rules", folder);
    snprintf(settings, sizeof settings, SETTINGS "hold = 1s\nttl-min = 10ms\nrules = %s\n", path);
    file = fopen(path, "w");
    fclose(file);
    begin(settings);
    hold("d.example");
    assert_int_equal(rules_parse(&rules, "d.example off\n", 14, 25, error), 0);
    ruleset_replace(ruleset, rules, &config.override);
    must_be("d.example", "");
    assert_int_equal(held(), 1);
    await_holds(0);
    end();
}

static void holds_end_each_in_its_time(void **state)
{
    (void)state;
    begin(SETTINGS "hold = 1s\nttl-min = 10ms\nrefresh-idle = 0s\n");
    hold("a.example");
    config.verdict.hold_ms = 3600 * 1000;
    hold("b.example");
    config.verdict.hold_ms = 500;
    hold("c.example");
    assert_int_equal(held(), 3);
    await_holds(1);
    assert_non_null(cache_find_hold(engine->cache, "b.example"));
    end();
}

static void what_is_forgotten_is_not_held(void **state)
{
    (void)state;
    begin(SETTINGS "refresh-idle = 0s\n");
    hold("d.example");
    assert_int_equal(held(), 1);
    assert_true(forget_key("d.example"));
    assert_int_equal(held(), 0);
    assert_false(forget_key("d.example"));
    assert_int_equal(held(), 0);
    end();
}

/* Its end is the one that the store has, not a new one; and what is listed twice counts once. */
static void a_hold_that_was_restored_ends(void **state)
{
    struct cache_stats stats;

    (void)state;
    begin(with_store("hold = 2s\n"));
    hold("d.example");
    flush_store();
    restart();
    must_be("d.example", "encrypt");
    assert_int_equal(held(), 1);
    cache_get_stats(engine->cache, &stats);
    assert_int_equal(stats.holds_begun[HOLD_FOUND], 0);
    assert_int_equal(stats.holds_begun[HOLD_LOADED], 1);
    await_holds(0);
    end();
}

static void list_hold(const char *name)
{
    struct cache_entry *entry;
    struct verdict verdict;
    struct key key;

    key_parse(&key, name, strlen(name), 25);
    verdict_without_evidence(&verdict, REASON_OVERLOAD, INT64_MAX / 2);
    verdict.reason = REASON_HELD;
    verdict.held = (struct downgrade){.since = 1, .until = INT64_MAX / 2};
    entry = cache_entry_new(&key, &verdict, NULL, 1);
    cache_list_hold(engine->cache, entry, HOLD_LOADED, 1, clock_monotonic_ms());
    cache_entry_free(entry);
}

/* What is not listed has not begun, however often it is seen; it is held all the same. */
static void more_holds_than_are_listed(void **state)
{
    struct cache_stats stats;
    char key[64];

    (void)state;
    begin(SETTINGS "refresh-idle = 0s\n");
    for (int i = 0; i < CACHE_HOLDS_MAX; i++) {
        snprintf(key, sizeof key, "listed%d.example", i);
        list_hold(key);
    }
    assert_int_equal(held(), CACHE_HOLDS_MAX);
    list_hold("more.example");
    assert_int_equal(held(), CACHE_HOLDS_MAX);
    hold("d.example");
    lapse();
    learn("d.example", STARTTLS_CLEAR);
    must_be("d.example", "encrypt");
    cache_get_stats(engine->cache, &stats);
    assert_int_equal(stats.holds_begun[HOLD_FOUND], 0);
    forget_key("d.example");
    cache_get_stats(engine->cache, &stats);
    assert_int_equal(stats.holds_ended, 0);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_downgrade_is_held_and_released),
        cmocka_unit_test(a_hold_ends_when_the_host_recovers),
        cmocka_unit_test(a_held_host_is_probed_anew),
        cmocka_unit_test(a_refusal_that_is_held_is_probed_no_more_often),
        cmocka_unit_test(a_hold_ends_though_nothing_can_be_seen),
        cmocka_unit_test(a_hold_ends_though_its_domain_was_evicted),
        cmocka_unit_test_setup_teardown(a_hold_ends_though_a_rule_switched_its_domain_off,
                                        make_folder, drop_folder),
        cmocka_unit_test(holds_end_each_in_its_time),
        cmocka_unit_test(what_is_forgotten_is_not_held),
        cmocka_unit_test_setup_teardown(a_hold_that_was_restored_ends, make_folder, drop_folder),
        cmocka_unit_test(more_holds_than_are_listed),
        cmocka_unit_test_setup_teardown(a_hold_survives_a_restart, make_folder, drop_folder),
    };

    return cmocka_run_group_tests_name("cache_holds", tests, NULL, NULL);
}
