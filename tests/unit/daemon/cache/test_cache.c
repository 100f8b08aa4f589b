/*
 * What the daemon remembers, with lookups that the test answers itself and a store on disk: holds,
 * answers that need not wait, refreshing, restarts. docs/verdicts.md §4 and §5.
 */
#include "tests/unit/support/fake_domain.h"

#include <sqlite3.h>
#include <unistd.h>

#define STORE_SETTINGS                                                                             \
    "helo-name = mx.example\nstore-flush = 10ms\nttl-min = 10ms\nrefresh-idle = 0s\nstore = "

static char folder[64], settings[512];

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/mxc-memory-XXXXXX");
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int drop_folder(void **state)
{
    static const char *const files[] = {"store.db", "store.db-wal", "store.db-shm", "rules"};
    char path[128];

    (void)state;
    for (size_t i = 0; i < COUNT(files); i++) {
        snprintf(path, sizeof path, "%s/%s", folder, files[i]);
        unlink(path);
    }
    return rmdir(folder);
}

static const char *with_store(const char *more)
{
    snprintf(settings, sizeof settings, STORE_SETTINGS "%s/store.db\n%s", folder, more);
    return settings;
}

/* One mail host, no TLSA, unsigned; its STARTTLS as given. */
static void answer_probed(struct domain_lookup *lookup, enum starttls state)
{
    int64_t now = clock_monotonic_ms();

    lookup->evidence.mx = MX_LISTED;
    lookup->evidence.mx_ttl = 300;
    lookup->evidence.sts.state = STS_NO_RECORD;
    lookup->evidence.sts.ttl = 300;
    lookup->evidence.host_count = 1;
    lookup->evidence.hosts = &lookup->host;
    lookup->host.name = "mx.example";
    lookup->host.dane = HOST_DANE_NONE;
    lookup->host.addresses_known = true;
    lookup->host.ttl = 300;
    lookup->host.address_count = 1;
    lookup->host.addresses = &lookup->address;
    lookup->address.ip.family = 4;
    lookup->address.starttls =
        (struct starttls_result){.state = state, .probed_at = now, .valid_until = now + 3600000};
    lookup->evidence.complete = true;
    lookup->changed(lookup->context);
}

/* Asks, lets the lookup start, and answers it. */
static void learn(const char *key, enum starttls state)
{
    size_t before = lookup_count;
    struct asker asker;

    ask(&asker, key, false);
    turn();
    for (int i = 0; i < 100000 && lookup_count == before && asker.delivered == 0; i++)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(lookup_count, before + 1);
    answer_probed(lookups[before], state);
    assert_int_equal(asker.delivered, 1);
}

static void lapse(void)
{
    engine_flush(engine, clock_monotonic_ms());
}

static void must_be(const char *key, const char *text)
{
    struct asker asker;

    ask(&asker, key, false);
    await(&asker);
    assert_string_equal(asker.text, text);
}

/* Until what is pending has been written. */
static void flush_store(void)
{
    struct store_stats stats = {.pending = 1};

    for (int i = 0; i < 100000 && stats.pending > 0; i++) {
        uv_run(&loop, UV_RUN_ONCE);
        store_get_stats(engine->cache->store, &stats);
    }
    assert_int_equal(stats.pending, 0);
}

static void stop(void)
{
    engine_close(engine);
    uv_run(&loop, UV_RUN_DEFAULT);
    engine_free(engine);
    lookup_count = 0;
}

static void start(void)
{
    const struct domain_tools tools = {.smtp_port = 25};

    assert_int_equal(engine_new(&engine, &loop, &config, &tools, NULL), 0);
}

static void restart(void)
{
    stop();
    start();
}

static const struct cache_entry *cached(const char *name)
{
    struct key key;

    key_parse(&key, name, strlen(name), 25);
    return cache_peek(engine->cache, &key);
}

static void on_over(uv_timer_t *timer)
{
    *(bool *)timer->data = true;
}

static void run_for(int64_t ms)
{
    bool over = false;
    uv_timer_t timer;

    uv_timer_init(&loop, &timer);
    timer.data = &over;
    uv_timer_start(&timer, on_over, (uint64_t)ms, 0);
    while (!over)
        uv_run(&loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(&loop, UV_RUN_NOWAIT);
}

/* ---- holds ---- */

/* At every moment what has begun and not ended is held. */
static size_t held(void)
{
    const struct cache *cache = engine->cache;
    struct cache_stats stats;

    cache_get_stats(cache, &stats);
    assert_int_equal(stats.held, HASH_COUNT(cache->holds));
    assert_int_equal(stats.holds_begun[HOLD_FOUND] + stats.holds_begun[HOLD_LOADED] -
                         stats.holds_ended,
                     stats.held);
    return stats.held;
}

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

/* ---- the store ---- */

/* Another process has the store for itself while the daemon starts. */
static void what_the_store_knew_counts_once_it_can_be_asked(void **state)
{
    char path[128];
    sqlite3 *thief;

    (void)state;
    begin(with_store(""));
    learn("d.example", STARTTLS_VERIFIED);
    lapse();
    flush_store();
    stop();
    snprintf(path, sizeof path, "%s/store.db", folder);
    assert_int_equal(sqlite3_open(path, &thief), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(thief, "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE", NULL, NULL, NULL),
        SQLITE_OK);
    start();
    learn("d.example", STARTTLS_CLEAR);
    must_be("d.example", "");
    assert_int_equal(cached("d.example")->state, ENTRY_STORE_PENDING);
    sqlite3_close(thief);
    for (int i = 0; i < 20000 && cached("d.example")->state == ENTRY_STORE_PENDING; i++)
        run_for(1);
    must_be("d.example", "verify servername=hostname");
    assert_int_equal(held(), 1);
    flush_store();
    restart();
    must_be("d.example", "verify servername=hostname");
    assert_int_equal(lookup_count, 0);
    end();
}

static void a_cache_that_is_full_keeps_what_was_used_last(void **state)
{
    char key[64];

    (void)state;
    begin(with_store(""));
    for (int i = 0; i < 40; i++) {
        snprintf(key, sizeof key, "d%d.example", i);
        learn(key, STARTTLS_TLS);
        run_for(2);
    }
    lapse();
    learn("d0.example", STARTTLS_CLEAR);
    flush_store();
    stop();
    config.cache_entries = 20;
    start();
    run_for(300);
    assert_non_null(cached("d0.example")); /* held */
    assert_non_null(cached("d39.example"));
    assert_null(cached("d1.example"));
    learn("d1.example", STARTTLS_CLEAR); /* and yet it is remembered */
    must_be("d1.example", "encrypt");
    end();
}

static void an_answer_survives_a_restart(void **state)
{
    (void)state;
    begin(with_store(""));
    learn("tls.example", STARTTLS_TLS);
    learn("clear.example", STARTTLS_CLEAR);
    flush_store();
    restart();
    must_be("tls.example", "encrypt");
    assert_int_equal(lookup_count, 0);
    learn("clear.example", STARTTLS_CLEAR); /* without an opinion: not kept */
    end();
}

static void what_is_forgotten_stays_forgotten(void **state)
{
    (void)state;
    begin(with_store(""));
    learn("d.example", STARTTLS_TLS);
    flush_store();
    forget_key("d.example");
    flush_store();
    restart();
    learn("d.example", STARTTLS_CLEAR);
    must_be("d.example", "");
    end();
}

static void what_was_proven_answers_while_a_lookup_hangs(void **state)
{
    struct asker asker;

    (void)state;
    begin(with_store("remembered-deadline = 20ms\n"));
    learn("d.example", STARTTLS_VERIFIED);
    flush_store();
    lapse();
    flush_store();
    restart();
    ask(&asker, "d.example", false);
    await(&asker);
    assert_string_equal(asker.text, "verify servername=hostname");
    assert_int_equal(lookup_count, 1);
    assert_int_equal(lookups_alive, 1); /* and the lookup goes on */
    end();
}

/* ---- refreshing ---- */

static void run_until_lookups(size_t count)
{
    for (int i = 0; i < 1000 && lookup_count < count; i++)
        uv_run(&loop, UV_RUN_ONCE);
    assert_true(lookup_count >= count);
}

static void what_is_used_is_renewed_before_it_ends(void **state)
{
    struct asker asker;

    (void)state;
    begin(SETTINGS "ttl-min = 10ms\nttl-max = 400ms\n");
    ask(&asker, "d.example", false);
    turn();
    answer_dane(lookups[0], true);
    run_until_lookups(2); /* nobody asked */
    must_be("d.example", "dane-only");
    assert_int_equal(lookup_count, 2);
    answer_dane(lookups[1], true);
    must_be("d.example", "dane-only");
    end();
}

static void what_lives_for_a_moment_is_not_renewed_unasked(void **state)
{
    struct asker asker;

    (void)state;
    begin(SETTINGS "ttl-min = 60s\nttl-max = 1h\n");
    ask(&asker, "d.example", false);
    turn();
    lookups[0]->evidence.mx_ttl = 0;
    answer_dane(lookups[0], false);
    lookups[0]->evidence.mx_ttl = 0;
    lookups[0]->evidence.complete = true;
    lookups[0]->changed(lookups[0]->context);
    assert_string_equal(asker.text, "dane-only");
    run_for(1500);
    assert_int_equal(lookup_count, 1);
    end();
}

static void what_gave_no_opinion_is_not_renewed_unasked(void **state)
{
    struct refresh_stats stats = {0};

    (void)state;
    begin(SETTINGS "ttl-min = 10ms\nttl-max = 100ms\nnegative-ttl-max = 100ms\n");
    learn("d.example", STARTTLS_CLEAR);
    for (int i = 0; i < 1000 && stats.lapsed == 0; i++) {
        uv_run(&loop, UV_RUN_ONCE);
        refresh_get_stats(engine->refresh, &stats);
    }
    assert_int_equal(stats.lapsed, 1);
    assert_int_equal(lookup_count, 1);
    end();
}

static void renewing_keeps_to_its_rate(void **state)
{
    struct asker asker;
    int64_t began;
    char key[64];

    (void)state;
    begin(SETTINGS "ttl-min = 10ms\nttl-max = 100ms\nrefresh-rate = 20\n");
    for (int i = 0; i < 40; i++) {
        snprintf(key, sizeof key, "d%d.example", i);
        ask(&asker, key, false);
        turn();
        answer_dane(lookups[i], true);
    }
    began = clock_monotonic_ms();
    run_until_lookups(60);
    assert_true(clock_monotonic_ms() - began >= 500); /* twenty, less the first step's share */
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
        cmocka_unit_test_setup_teardown(what_the_store_knew_counts_once_it_can_be_asked,
                                        make_folder, drop_folder),
        cmocka_unit_test_setup_teardown(a_cache_that_is_full_keeps_what_was_used_last, make_folder,
                                        drop_folder),
        cmocka_unit_test(what_lives_for_a_moment_is_not_renewed_unasked),
        cmocka_unit_test_setup_teardown(a_hold_survives_a_restart, make_folder, drop_folder),
        cmocka_unit_test_setup_teardown(an_answer_survives_a_restart, make_folder, drop_folder),
        cmocka_unit_test_setup_teardown(what_is_forgotten_stays_forgotten, make_folder,
                                        drop_folder),
        cmocka_unit_test_setup_teardown(what_was_proven_answers_while_a_lookup_hangs, make_folder,
                                        drop_folder),
        cmocka_unit_test(what_is_used_is_renewed_before_it_ends),
        cmocka_unit_test(what_gave_no_opinion_is_not_renewed_unasked),
        cmocka_unit_test(renewing_keeps_to_its_rate),
    };

    return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
