/*
 * lists, over restarts: no older list comes in, whatever happens to clock, files and disk; the copy is
 * there when the source is not.
 */
#include "tests/unit/daemon/lists/lists_fixture.h"

#include <signal.h>
#include <sys/resource.h>

#define LINE  "policy-list = FOLDER/list key=FOLDER/key\n"
#define USUAL ((struct times){-HOUR_S, 14 * DAY_S})
#define OTHER "\"b.example\": {\"policy-alias\": \"ours\"}"

static struct minisign_secret key;
static char old_text[4096];
static size_t old_length;

static int make_lists(void **state)
{
    int result = make_folder(state);

    key = make_key("key");
    old_length = list_text(old_text, sizeof old_text, USUAL, ONE);
    return result;
}

/* The list that was there first, with its signature. */
static void put_old(void)
{
    put("list", old_text, old_length);
    sign("list", &key);
}

/* A newer one was in force, in an earlier life. */
static void live_with_newer(void)
{
    put_list("list", &key, (struct times){-60, 14 * DAY_S}, OTHER);
    start(LINE);
    must_say("b.example", LIST_TESTING);
    stop();
}

static void drop_source(void)
{
    unlink(in_folder("list"));
    unlink(in_folder("list.minisig"));
}

static void damage(const char *path)
{
    FILE *file = fopen(path, "r+");

    assert_non_null(file);
    fseek(file, 30, SEEK_SET);
    fputc('x', file);
    assert_int_equal(fclose(file), 0);
}

/* ---- older lists ---- */

static void an_older_list_is_refused(void **state)
{
    (void)state;
    put_list("list", &key, (struct times){-60, 14 * DAY_S}, OTHER);
    start(LINE);
    put_old();
    pass(70);
    must_be(0, "in-force", "before");
    must_say("b.example", LIST_TESTING);
    must_say("a.example", LIST_NONE);
    assert_int_equal(changes, 0);
    stop();
}

static void an_older_list_is_refused_after_a_restart(void **state)
{
    (void)state;
    live_with_newer();
    put_old();
    start(LINE);
    must_be(0, "in-force", "before"); /* the copy is */
    must_say("b.example", LIST_TESTING);
    must_say("a.example", LIST_NONE);
    stop();
}

static void nor_is_it_taken_when_the_clock_was_set_back(void **state)
{
    (void)state;
    live_with_newer();
    put_old();
    clock_shift_s = -HOUR_S / 2; /* so that the newer one is not of today yet */
    start(LINE);
    must_say("a.example", LIST_NONE);
    must_say("b.example", LIST_TESTING); /* it was in force, so the clock is wrong */
    stop();
    clock_shift_s = -5 * DAY_S;
    start(LINE);
    must_say("a.example", LIST_NONE);
    must_say("b.example", LIST_TESTING);
    stop();
}

static void nor_when_the_newer_one_has_expired(void **state)
{
    (void)state;
    put_list("list", &key, (struct times){-60, HOUR_S}, OTHER);
    start(LINE);
    must_say("b.example", LIST_TESTING);
    stop();
    put_old();
    clock_shift_s = 2 * HOUR_S;
    start(LINE);
    must_be(0, "refused", "before");
    must_say("a.example", LIST_NONE);
    stop();
}

static void another_list_with_the_same_timestamp_is_refused(void **state)
{
    char text[4096];
    size_t length = list_text(text, sizeof text, USUAL, OTHER);

    (void)state;
    put_old();
    start(LINE);
    put("list", text, length);
    sign("list", &key);
    pass(70);
    must_be(0, "in-force", "the timestamp of a list that was in force");
    must_say("a.example", LIST_ENFORCE);
    stop();
    start(LINE);
    must_be(0, "in-force", "the timestamp of a list that was in force");
    must_say("a.example", LIST_ENFORCE);
    must_say("b.example", LIST_NONE);
    stop();
}

static void min_age_does_not_hold_what_was_in_force(void **state)
{
    (void)state;
    live_with_newer();
    start("policy-list = FOLDER/list key=FOLDER/key min-age=24h\n");
    must_be(0, "in-force", "");
    must_say("b.example", LIST_TESTING);
    stop();
}

/* ---- the copy ---- */

static void the_copy_is_used_when_the_source_is_gone(void **state)
{
    struct lists_stats stats;

    (void)state;
    live_with_newer();
    drop_source();
    start(LINE);
    must_be(0, "in-force", "No such file");
    must_say("b.example", LIST_TESTING);
    clock_shift_s += 15 * DAY_S;
    pass(70);
    must_say("b.example", LIST_NONE); /* until its own expiry */
    lists_get_stats(lists, &stats);
    assert_int_equal(stats.in_force, 0);
    stop();
}

static void the_copy_is_verified_with_the_key_of_today(void **state)
{
    (void)state;
    live_with_newer();
    drop_source();
    make_key("key");
    start(LINE);
    must_be(0, "missing", "No such file");
    must_say("b.example", LIST_NONE);
    stop();
}

static void a_damaged_copy_is_none(void **state)
{
    (void)state;
    live_with_newer();
    drop_source();
    assert_int_equal(truncate(kept_file(".copy"), 200), 0);
    start(LINE);
    must_be(0, "missing", "No such file");
    stop();
    put_old();
    start(LINE);
    must_be(0, "refused", "before"); /* the state knows */
    stop();
}

/* ---- the state ---- */

static void where_the_state_is_damaged_the_copy_knows(void **state)
{
    (void)state;
    live_with_newer();
    damage(kept_file(".state"));
    put_old();
    start(LINE);
    must_be(0, "in-force", "before");
    must_say("b.example", LIST_TESTING);
    must_say("a.example", LIST_NONE);
    stop();
    drop_source(); /* and it is whole again */
    assert_int_equal(unlink(kept_file(".copy")), 0);
    put_old();
    start(LINE);
    must_be(0, "refused", "before");
    stop();
}

static void where_both_are_damaged_nothing_is_taken(void **state)
{
    struct lists_stats stats;

    (void)state;
    live_with_newer();
    damage(kept_file(".state"));
    assert_int_equal(truncate(kept_file(".copy"), 200), 0);
    put_old();
    start(LINE);
    must_be(0, "refused", "damaged; remove that file to begin anew");
    must_say("a.example", LIST_NONE);
    lists_get_stats(lists, &stats);
    assert_int_equal(stats.refused[LIST_REFUSAL_ROLLBACK], 1);
    assert_int_equal(unlink(kept_file(".state")), 0);
    pass(301);
    must_be(0, "in-force", "");
    stop();
}

static void every_octet_of_the_state_counts(void **state)
{
    struct buf text;
    const char *path;

    (void)state;
    live_with_newer();
    path = kept_file(".state");
    buf_init(&text, 4096);
    assert_int_equal(file_read(&text, path), 0);
    assert_int_equal(unlink(kept_file(".copy")), 0);
    path = kept_file(".state");
    for (size_t i = 0; i < text.length; i++) {
        FILE *file = fopen(path, "w");

        text.data[i] ^= 1;
        assert_int_equal(fwrite(text.data, 1, text.length, file), text.length);
        fclose(file);
        text.data[i] ^= 1;
        put_old();
        start(LINE);
        must_be(0, "refused", "it is damaged");
        stop();
    }
    buf_fini(&text);
}

static void what_cannot_be_kept_is_used_all_the_same(void **state)
{
    struct lists_stats stats;

    (void)state;
    put_old();
    assert_int_equal(rmdir(in_folder("state")), 0);
    start(LINE);
    must_be(0, "in-force", "");
    must_say("a.example", LIST_ENFORCE);
    assert_non_null(strstr(status_of(0).kept_why, "No such file"));
    lists_get_stats(lists, &stats);
    assert_int_equal(stats.not_kept, 1);
    put_list("list", &key, (struct times){-60, 14 * DAY_S}, OTHER);
    pass(70);
    must_say("b.example", LIST_TESTING);
    put_old(); /* memory knows */
    pass(70);
    must_say("b.example", LIST_TESTING);
    assert_int_equal(mkdir(in_folder("state"), 0700), 0);
    put_list("list", &key, (struct times){0, 14 * DAY_S}, ONE);
    pass(70);
    must_say("a.example", LIST_ENFORCE);
    assert_string_equal(status_of(0).kept_why, "");
    stop();
}

static void on_a_full_disk_the_old_files_stay(void **state)
{
    struct rlimit limit;
    rlim_t before;

    (void)state;
    live_with_newer();
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    before = limit.rlim_cur;
    put_list("list", &key, (struct times){-30, 14 * DAY_S}, ONE);
    limit.rlim_cur = 50;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    start(LINE);
    must_be(0, "in-force", "");
    must_say("a.example", LIST_ENFORCE);
    assert_non_null(strstr(status_of(0).kept_why, "File too large"));
    stop();
    limit.rlim_cur = before;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_null(kept_file(".tmp"));
    assert_int_equal(rename(in_folder("list"), in_folder("list.away")), 0);
    start(LINE);
    must_say("b.example", LIST_TESTING); /* the copy before */
    stop();
    assert_int_equal(rename(in_folder("list.away"), in_folder("list")), 0);
}

static void what_a_full_disk_did_not_take_is_kept_later(void **state)
{
    struct rlimit limit;
    rlim_t before;

    (void)state;
    live_with_newer();
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    before = limit.rlim_cur;
    put_list("list", &key, (struct times){-30, 14 * DAY_S}, ONE);
    limit.rlim_cur = 300; /* room for a state, and for no copy */
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    start(LINE "policy-list-refresh = 5m\n");
    assert_non_null(strstr(status_of(0).kept_why, ".copy: File too large"));
    pass(70);
    assert_non_null(strstr(status_of(0).kept_why, ".copy: File too large"));
    limit.rlim_cur = before;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    pass(310);
    assert_string_equal(status_of(0).kept_why, "");
    stop();
    drop_source();
    start(LINE);
    must_say("a.example", LIST_ENFORCE);
    stop();
}

static void without_a_store_only_memory_knows(void **state)
{
    (void)state;
    put_list("list", &key, (struct times){-60, 14 * DAY_S}, OTHER);
    assert_int_equal(uv_loop_init(&loop), 0);
    configure(&config, LINE);
    config.store_path = NULL;
    assert_int_equal(lists_new(&lists, &loop, &config, &(struct lists_tools){0}), 0);
    must_say("b.example", LIST_TESTING);
    put_old();
    pass(70);
    must_be(0, "in-force", "before");
    assert_null(kept_file("e")); /* neither .state nor another */
    stop();
}

/* ---- stale ---- */

static void a_source_that_is_not_good_for_long_is_stale(void **state)
{
    struct lists_stats stats;

    (void)state;
    put_old();
    start(LINE "policy-list-stale = 2h\n");
    pass(3 * HOUR_S); /* it is looked at every minute */
    assert_false(status_of(0).stale);
    drop_source();
    pass(HOUR_S);
    assert_false(status_of(0).stale);
    pass(2 * HOUR_S);
    assert_true(status_of(0).stale);
    lists_get_stats(lists, &stats);
    assert_int_equal(stats.stale, 1);
    must_say("a.example", LIST_ENFORCE);
    put_old();
    pass(2 * 60);
    assert_false(status_of(0).stale);
    stop();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_lists, drop_folder)
    const struct CMUnitTest tests[] = {
        TEST(an_older_list_is_refused),
        TEST(an_older_list_is_refused_after_a_restart),
        TEST(nor_is_it_taken_when_the_clock_was_set_back),
        TEST(nor_when_the_newer_one_has_expired),
        TEST(another_list_with_the_same_timestamp_is_refused),
        TEST(min_age_does_not_hold_what_was_in_force),
        TEST(the_copy_is_used_when_the_source_is_gone),
        TEST(the_copy_is_verified_with_the_key_of_today),
        TEST(a_damaged_copy_is_none),
        TEST(where_the_state_is_damaged_the_copy_knows),
        TEST(where_both_are_damaged_nothing_is_taken),
        TEST(every_octet_of_the_state_counts),
        TEST(what_cannot_be_kept_is_used_all_the_same),
        TEST(on_a_full_disk_the_old_files_stay),
        TEST(what_a_full_disk_did_not_take_is_kept_later),
        TEST(without_a_store_only_memory_knows),
        TEST(a_source_that_is_not_good_for_long_is_stale),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
