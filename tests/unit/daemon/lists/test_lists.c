/* lists: which list is in force, what it says, and why another is not taken. */
#include "tests/unit/daemon/lists/lists_fixture.h"

#define LINE    "policy-list = FOLDER/list key=FOLDER/key\n"
#define SECOND  "policy-list = FOLDER/second key=FOLDER/key\n"
#define USUAL   ((struct times){-HOUR_S, 14 * DAY_S})
#define ALIASED "\"b.example\": {\"policy-alias\": \"ours\"}"

/* ---- what they say ---- */

static void a_list_is_in_force_from_the_start(void **state)
{
    struct minisign_secret key = make_key("key");
    struct list_evidence found;
    struct lists_stats stats;

    (void)state;
    put_list("list", &key, USUAL, ONE ", " ALIASED);
    start(LINE);
    must_be(0, "in-force", "");
    assert_true(lists_find(&found, lists, "a.example"));
    assert_int_equal(found.mode, LIST_ENFORCE);
    assert_int_equal(found.mx_count, 1);
    assert_string_equal(found.mx, "mx.a.example");
    assert_string_equal(found.list, in_folder("list"));
    assert_true(found.expires_s - clock_wall_s() > 13 * DAY_S);
    assert_true(lists_find(&found, lists, "b.example"));
    assert_int_equal(found.mode, LIST_TESTING);
    assert_string_equal(found.mx, "*.ours.example");
    must_say("c.example", LIST_NONE);
    lists_get_stats(lists, &stats);
    assert_int_equal(stats.configured, 1);
    assert_int_equal(stats.in_force, 1);
    assert_int_equal(stats.domains, 2);
    assert_int_equal(stats.expires_s, found.expires_s);
    assert_int_equal(status_of(0).kind, SIGNATURE_MINISIGN);
    assert_int_equal(strlen(status_of(0).key), 16);
    assert_false(lists_find(&found, NULL, "a.example"));
    stop();
}

static void modes_are_taken_as_the_line_says(void **state)
{
    static const struct {
        const char *line;
        enum list_mode a, b;
    } table[] = {
        {LINE, LIST_ENFORCE, LIST_TESTING},
        {"policy-list = FOLDER/list key=FOLDER/key as=file\n", LIST_ENFORCE, LIST_TESTING},
        {"policy-list = FOLDER/list key=FOLDER/key as=testing\n", LIST_TESTING, LIST_TESTING},
        {"policy-list = FOLDER/list key=FOLDER/key as=enforce\n", LIST_ENFORCE, LIST_ENFORCE},
    };
    struct minisign_secret key = make_key("key");

    (void)state;
    put_list("list", &key, USUAL, ONE ", " ALIASED);
    for (size_t i = 0; i < COUNT(table); i++) {
        start(table[i].line);
        must_say("a.example", table[i].a);
        must_say("b.example", table[i].b);
        stop();
    }
}

static void the_first_that_has_the_domain_counts(void **state)
{
    struct minisign_secret key = make_key("key");
    struct list_evidence found;

    (void)state;
    put_list("list", &key, USUAL, "\"a.example\": {\"policy-alias\": \"ours\"}");
    put_list("second", &key, USUAL,
             ONE ", \"c.example\": {\"mode\": \"enforce\", \"mxs\": [\"mx.c.example\"]}");
    start(LINE SECOND);
    must_say("a.example", LIST_TESTING);
    assert_true(lists_find(&found, lists, "c.example"));
    assert_string_equal(found.list, in_folder("second"));
    reconfigure(SECOND LINE);
    assert_int_equal(changes, 1);
    must_say("a.example", LIST_ENFORCE);
    stop();
}

/* ---- what is refused ---- */

static struct minisign_secret key, other;

static void no_list(void)
{
}

static void no_signature(void)
{
    put_list("list", &key, USUAL, ONE);
    unlink(in_folder("list.minisig"));
}

static void another_key(void)
{
    put_list("list", &other, USUAL, ONE);
}

static void another_file(void)
{
    put_list("second", &key, USUAL, ALIASED);
    put_list("list", &key, USUAL, ONE);
    assert_int_equal(rename(in_folder("second.minisig"), in_folder("list.minisig")), 0);
}

static void cut_off(void)
{
    put_list("list", &key, USUAL, ONE);
    assert_int_equal(truncate(in_folder("list"), 80), 0);
}

static void signed_when_cut_off(void)
{
    cut_off();
    sign("list", &key);
}

static void empty(void)
{
    put("list", "", 0);
    sign("list", &key);
}

static void signature_of_nothing(void)
{
    put_list("list", &key, USUAL, ONE);
    put("list.minisig", "", 0);
}

static void signature_too_large(void)
{
    put_list("list", &key, USUAL, ONE);
    assert_int_equal(truncate(in_folder("list.minisig"), SIGNATURE_MAX + 1), 0);
}

static void expired(void)
{
    put_list("list", &key, (struct times){-2 * DAY_S, -1}, ONE);
}

static void from_the_future(void)
{
    put_list("list", &key, (struct times){2 * HOUR_S, DAY_S}, ONE);
}

static void for_two_years(void)
{
    put_list("list", &key, (struct times){-HOUR_S, 730 * DAY_S}, ONE);
}

static void too_large(void)
{
    put_list("list", &key, USUAL, ONE);
    assert_int_equal(truncate(in_folder("list"), POLICY_LIST_TEXT_MAX + 1), 0);
}

static void a_folder(void)
{
    no_list();
    assert_int_equal(mkdir(in_folder("list"), 0700), 0);
}

static void no_key(void)
{
    put_list("list", &key, USUAL, ONE);
    unlink(in_folder("key"));
}

static void no_such_key(void)
{
    put_list("list", &key, USUAL, ONE);
    put("key", "hello\n", 6);
}

static void what_is_wrong_is_said(void **state)
{
    static const struct {
        void (*make)(void);
        const char *state, *why;
    } table[] = {
        {no_list, "missing", "No such file"},
        {no_signature, "missing", "list.minisig: No such file"},
        {another_key, "refused", "signature: it was made by another key"},
        {another_file, "refused", "signature: it is not of this file"},
        {cut_off, "refused", "signature: it is not of this file"},
        {signed_when_cut_off, "refused", "line"},
        {empty, "refused", ""},
        {signature_of_nothing, "refused", ""},
        {signature_too_large, "refused", "list.minisig has more than 65536 octets"},
        {expired, "expired", "expire"},
        {from_the_future, "too-new", "timestamp"},
        {for_two_years, "refused", ""},
        {too_large, "refused", "list has more than 104857600 octets"},
        {a_folder, "missing", "Is a directory"},
        {no_key, "refused", "key: No such file"},
        {no_such_key, "refused", "key"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(table); i++) {
        struct lists_status status;

        key = make_key("key");
        other = make_key("other");
        table[i].make();
        start(LINE);
        status = status_of(0);
        if (strcmp(status.state, table[i].state) != 0 || *status.why == '\0' ||
            strstr(status.why, table[i].why) == NULL)
            fail_msg("row %zu: %s: '%s'", i, status.state, status.why);
        must_say("a.example", LIST_NONE);
        stop();
        rmdir(in_folder("list"));
        empty_folder(folder);
        empty_folder(in_folder("state"));
    }
}

static void openpgp_needs_a_fingerprint_and_minisign_none(void **state)
{
    struct minisign_secret mine = make_key("key");

    (void)state;
    put_list("list", &mine, USUAL, ONE);
    start("policy-list = FOLDER/list key=FOLDER/key "
          "fingerprint=0123456789ABCDEF0123456789ABCDEF01234567\n");
    must_be(0, "refused", "fingerprint= is for OpenPGP keys");
    stop();
}

static void refusals_are_counted_by_reason(void **state)
{
    struct minisign_secret mine = make_key("key"), stranger = make_key("stranger");
    struct lists_stats stats;

    (void)state;
    put_list("list", &mine, USUAL, ONE);
    start(LINE);
    put_list("list", &stranger, (struct times){0, DAY_S}, ONE);
    pass(70);
    put_list("list", &mine, (struct times){-2 * HOUR_S, DAY_S}, ONE);
    pass(70);
    lists_get_stats(lists, &stats);
    assert_int_equal(stats.refused[LIST_REFUSAL_SIGNATURE], 1);
    assert_int_equal(stats.refused[LIST_REFUSAL_ROLLBACK], 1);
    assert_int_equal(stats.in_force, 1);
    stop();
}

/* ---- while it runs ---- */

static void a_new_list_replaces_the_old(void **state)
{
    struct minisign_secret mine = make_key("key");

    (void)state;
    put_list("list", &mine, USUAL, ONE);
    start(LINE);
    put_list("list", &mine, (struct times){-60, 14 * DAY_S}, ALIASED);
    pass(70);
    assert_int_equal(changes, 1);
    must_be(0, "in-force", "");
    must_say("a.example", LIST_NONE);
    must_say("b.example", LIST_TESTING);
    pass(600);
    assert_int_equal(changes, 1);
    stop();
}

static void while_a_file_is_being_replaced_the_old_list_stays(void **state)
{
    struct minisign_secret mine = make_key("key");
    char text[4096];

    (void)state;
    put_list("list", &mine, USUAL, ONE);
    start(LINE);
    put("list", text,
        list_text(text, sizeof text, (struct times){-60, 14 * DAY_S},
                  ALIASED)); /* not signed yet */
    pass(70);
    must_be(0, "in-force", "signature");
    must_say("a.example", LIST_ENFORCE);
    assert_int_equal(changes, 0);
    sign("list", &mine);
    pass(70);
    must_be(0, "in-force", "");
    must_say("b.example", LIST_TESTING);
    assert_int_equal(changes, 1);
    stop();
}

static void a_list_expires_and_is_used_no_more(void **state)
{
    struct minisign_secret mine = make_key("key");
    struct lists_stats stats;

    (void)state;
    put_list("list", &mine, (struct times){-HOUR_S, HOUR_S}, ONE);
    start(LINE);
    pass(HOUR_S - 10);
    must_say("a.example", LIST_ENFORCE);
    assert_int_equal(changes, 0);
    pass(12);
    must_say("a.example", LIST_NONE);
    must_be(0, "expired", "");
    assert_int_equal(changes, 1);
    lists_get_stats(lists, &stats);
    assert_int_equal(stats.expired, 1);
    assert_int_equal(stats.in_force, 0);
    assert_int_equal(stats.expires_s, 0);
    set_clock(-HOUR_S / 2); /* it was wrong */
    must_say("a.example", LIST_ENFORCE);
    assert_int_equal(changes, 2);
    set_clock(HOUR_S);
    must_say("a.example", LIST_NONE);
    put_list("list", &mine, (struct times){0, DAY_S}, ONE);
    pass(70);
    must_be(0, "in-force", "");
    must_say("a.example", LIST_ENFORCE);
    stop();
}

static void a_list_waits_for_min_age(void **state)
{
    struct minisign_secret mine = make_key("key");

    (void)state;
    put_list("list", &mine, USUAL, ONE);
    start("policy-list = FOLDER/list key=FOLDER/key min-age=30m\n");
    must_be(0, "in-force", "");
    put_list("list", &mine, (struct times){0, 14 * DAY_S}, ALIASED);
    pass(70);
    must_be(0, "in-force", "min-age holds it"); /* the one before is, a new one waits */
    must_say("b.example", LIST_NONE);
    pass(1600);
    must_say("b.example", LIST_NONE);
    pass(200);
    must_say("b.example", LIST_TESTING);
    must_be(0, "in-force", "");
    stop();
}

static void a_list_that_waits_can_be_called_back(void **state)
{
    struct minisign_secret mine = make_key("key");
    char text[4096];
    size_t length = list_text(text, sizeof text, USUAL, ONE);

    (void)state;
    put("list", text, length);
    sign("list", &mine);
    start("policy-list = FOLDER/list key=FOLDER/key min-age=30m\n");
    put_list("list", &mine, (struct times){0, 14 * DAY_S}, ALIASED);
    pass(70);
    put("list", text, length);
    sign("list", &mine);
    pass(2 * HOUR_S);
    must_say("a.example", LIST_ENFORCE);
    must_say("b.example", LIST_NONE);
    must_be(0, "in-force", "");
    assert_int_equal(changes, 0);
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_list_is_in_force_from_the_start, make_folder,
                                        drop_folder),
        cmocka_unit_test_setup_teardown(modes_are_taken_as_the_line_says, make_folder, drop_folder),
        cmocka_unit_test_setup_teardown(the_first_that_has_the_domain_counts, make_folder,
                                        drop_folder),
        cmocka_unit_test_setup_teardown(what_is_wrong_is_said, make_folder, drop_folder),
        cmocka_unit_test_setup_teardown(openpgp_needs_a_fingerprint_and_minisign_none, make_folder,
                                        drop_folder),
        cmocka_unit_test_setup_teardown(refusals_are_counted_by_reason, make_folder, drop_folder),
        cmocka_unit_test_setup_teardown(a_new_list_replaces_the_old, make_folder, drop_folder),
        cmocka_unit_test_setup_teardown(while_a_file_is_being_replaced_the_old_list_stays,
                                        make_folder, drop_folder),
        cmocka_unit_test_setup_teardown(a_list_expires_and_is_used_no_more, make_folder,
                                        drop_folder),
        cmocka_unit_test_setup_teardown(a_list_waits_for_min_age, make_folder, drop_folder),
        cmocka_unit_test_setup_teardown(a_list_that_waits_can_be_called_back, make_folder,
                                        drop_folder),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
