/* lists, when the configuration is read again: other lists, other keys, other files, many times. */
#include "tests/unit/daemon/lists/lists_fixture.h"

#define LINE   "policy-list = FOLDER/list key=FOLDER/key\n"
#define SECOND "policy-list = FOLDER/second key=FOLDER/key\n"
#define USUAL  ((struct times){-HOUR_S, 14 * DAY_S})
#define OTHER  "\"b.example\": {\"policy-alias\": \"ours\"}"

static unsigned open_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    unsigned count = 0;

    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

static void lists_come_and_go(void **state)
{
    struct minisign_secret key = make_key("key");

    (void)state;
    put_list("list", &key, USUAL, ONE);
    put_list("second", &key, USUAL, OTHER);
    start("");
    must_say("a.example", LIST_NONE);
    reconfigure(LINE);
    pass(1);
    must_say("a.example", LIST_ENFORCE);
    assert_int_equal(changes, 1);
    reconfigure(LINE SECOND);
    pass(1);
    must_say("b.example", LIST_TESTING);
    reconfigure(SECOND);
    must_say("a.example", LIST_NONE); /* at once */
    must_say("b.example", LIST_TESTING);
    assert_false(lists_status(&(struct lists_status){0}, lists, 1));
    changes = 0;
    reconfigure("");
    must_say("b.example", LIST_NONE);
    assert_int_equal(changes, 1);
    pass(300);
    stop();
}

static void a_removed_list_is_not_forgotten(void **state)
{
    struct minisign_secret key = make_key("key");

    (void)state;
    put_list("list", &key, (struct times){-60, 14 * DAY_S}, OTHER);
    start(LINE);
    reconfigure("");
    put_list("list", &key, USUAL, ONE);
    reconfigure(LINE);
    pass(1);
    must_say("a.example", LIST_NONE); /* older than the one that was in force */
    must_be(0, "in-force", "before");
    stop();
}

static void modes_and_order_are_those_of_the_new_lines_at_once(void **state)
{
    struct minisign_secret key = make_key("key");

    (void)state;
    put_list("list", &key, USUAL, ONE);
    start(LINE);
    reconfigure("policy-list = FOLDER/list key=FOLDER/key as=testing\n");
    must_say("a.example", LIST_TESTING);
    assert_int_equal(changes, 1);
    stop();
}

static void a_list_of_another_key_is_dropped(void **state)
{
    struct minisign_secret key = make_key("key");

    (void)state;
    put_list("list", &key, USUAL, ONE);
    make_key("other");
    start(LINE);
    reconfigure("policy-list = FOLDER/list key=FOLDER/other\n");
    pass(1);
    must_say("a.example", LIST_NONE);
    must_be(0, "refused", "signature: it was made by another key");
    reconfigure(LINE);
    pass(1);
    must_say("a.example", LIST_ENFORCE);
    stop();
}

static void a_key_file_that_is_replaced_counts_at_the_next_look(void **state)
{
    struct minisign_secret key = make_key("key"), other;

    (void)state;
    put_list("list", &key, USUAL, ONE);
    start(LINE);
    other = make_key("key");
    pass(70);
    must_say("a.example", LIST_NONE);
    put_list("list", &other, (struct times){-60, 14 * DAY_S}, ONE);
    pass(70);
    must_say("a.example", LIST_ENFORCE);
    unlink(in_folder("key")); /* says nothing against the list */
    pass(70);
    must_say("a.example", LIST_ENFORCE);
    must_be(0, "in-force", "key: No such file");
    stop();
}

/* An operator takes another key because the old one leaked. */
static void a_key_that_cannot_be_used_drops_the_list_of_the_one_before(void **state)
{
    static const struct {
        const char *line, *why;
    } table[] = {
        {"policy-list = FOLDER/list key=FOLDER/nothing\n", "nothing: No such file"},
        {"policy-list = FOLDER/list key=FOLDER/list\n", "list"}, /* it is no key */
        {"policy-list = FOLDER/list key=FOLDER/key "
         "fingerprint=0123456789ABCDEF0123456789ABCDEF01234567\n",
         "fingerprint= is for OpenPGP keys"},
    };
    struct minisign_secret key = make_key("key");

    (void)state;
    put_list("list", &key, USUAL, ONE);
    start(LINE);
    for (size_t i = 0; i < COUNT(table); i++) {
        must_say("a.example", LIST_ENFORCE);
        changes = 0;
        reconfigure(table[i].line);
        pass(1);
        must_say("a.example", LIST_NONE);
        must_be(0, "refused", table[i].why);
        assert_true(changes > 1); /* the reload, and what came of it */
        reconfigure(LINE);
        pass(1);
    }
    put("key", "hello\n", 6); /* by a reload, or at the next look */
    pass(70);
    must_say("a.example", LIST_NONE);
    stop();
}

/* The source is gone, and the copy is not of the new key either. */
static void a_list_without_its_source_is_dropped_with_its_key(void **state)
{
    struct minisign_secret key = make_key("key");

    (void)state;
    put_list("list", &key, USUAL, ONE);
    make_key("other");
    put("same", "", 0);
    start(LINE);
    assert_int_equal(rename(in_folder("key"), in_folder("same")), 0);
    unlink(in_folder("list"));
    reconfigure("policy-list = FOLDER/list key=FOLDER/same\n"); /* the key is no other */
    pass(1);
    must_say("a.example", LIST_ENFORCE);
    reconfigure("policy-list = FOLDER/list key=FOLDER/other\n");
    pass(1);
    must_say("a.example", LIST_NONE);
    stop();
}

static void a_reload_reads_at_once(void **state)
{
    struct minisign_secret key = make_key("key");

    (void)state;
    put_list("list", &key, USUAL, ONE);
    start(LINE "policy-list-refresh = 30d\n");
    put_list("list", &key, (struct times){-60, 14 * DAY_S}, OTHER);
    reconfigure(LINE "policy-list-refresh = 30d\n");
    pass(1);
    must_say("b.example", LIST_TESTING);
    stop();
}

/* While a list is read; nothing may be left over of any of it. */
static void a_hundred_reloads_in_a_row(void **state)
{
    static const char *const settings[] = {LINE,
                                           SECOND LINE,
                                           "",
                                           SECOND,
                                           "policy-list = FOLDER/list key=FOLDER/other\n",
                                           LINE "policy-list = FOLDER/nothing key=FOLDER/key\n"};
    struct minisign_secret key = make_key("key");
    unsigned before;

    (void)state;
    make_key("other");
    put_list("list", &key, USUAL, ONE);
    put_list("second", &key, USUAL, OTHER);
    start(LINE SECOND);
    pass(1);
    before = open_descriptors();
    for (size_t i = 0; i < 100; i++) {
        reconfigure(settings[i % COUNT(settings)]);
        if (i % 7 == 0)
            uv_run(&loop, UV_RUN_NOWAIT);
    }
    reconfigure(LINE SECOND);
    pass(2);
    must_say("a.example", LIST_ENFORCE);
    must_say("b.example", LIST_TESTING);
    must_be(0, "in-force", "");
    must_be(1, "in-force", "");
    assert_int_equal(open_descriptors(), before);
    stop();
}

static void a_close_waits_for_what_is_being_read(void **state)
{
    struct minisign_secret key = make_key("key");

    (void)state;
    put_list("list", &key, USUAL, ONE);
    put_list("second", &key, USUAL, OTHER);
    start(LINE);
    reconfigure(SECOND LINE);
    reconfigure("");
    stop();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, drop_folder)
    const struct CMUnitTest tests[] = {
        TEST(lists_come_and_go),
        TEST(a_removed_list_is_not_forgotten),
        TEST(modes_and_order_are_those_of_the_new_lines_at_once),
        TEST(a_list_of_another_key_is_dropped),
        TEST(a_key_file_that_is_replaced_counts_at_the_next_look),
        TEST(a_key_that_cannot_be_used_drops_the_list_of_the_one_before),
        TEST(a_list_without_its_source_is_dropped_with_its_key),
        TEST(a_reload_reads_at_once),
        TEST(a_hundred_reloads_in_a_row),
        TEST(a_close_waits_for_what_is_being_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
