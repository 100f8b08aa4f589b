/*
 * cache: what the daemon remembers, with lookups that the test answers itself and a store on disk:
 * answers that survive a restart or need not wait, refreshing. docs/verdicts.md §4 and §5.
 * Holds are in test_cache_holds.c.
 */
#include "tests/unit/support/cache_fixture.h"

#include <sqlite3.h>

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
        cmocka_unit_test_setup_teardown(what_the_store_knew_counts_once_it_can_be_asked,
                                        make_folder, drop_folder),
        cmocka_unit_test_setup_teardown(a_cache_that_is_full_keeps_what_was_used_last, make_folder,
                                        drop_folder),
        cmocka_unit_test(what_lives_for_a_moment_is_not_renewed_unasked),
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
