/* share_check_uv: what a real server allows, to the user of contrib/valkey/users.acl and to others. */
#include "daemon/share/share_check_uv.h"

#include "base/file.h"
#include "tests/unit/daemon/share/two_relays.h"

#define ACL_FILE MXC_SOURCE_DIR "/contrib/valkey/users.acl"
#define WORDS    100

struct checking {
    struct share_check check;
    unsigned checked;
    struct share_server server;
};

static void on_checked(struct share_check *check, const struct share_server *found)
{
    struct checking *checking = check->context;

    checking->server = *found;
    checking->checked++;
}

static struct share_server check(struct relay *relay)
{
    struct checking checking = {.checked = 0};

    assert_int_equal(share_check(&checking.check, relay->share, on_checked, &checking), 0);
    run_until(&checking.checked, 1);
    return checking.server;
}

/* A user of the server with the rights of users.acl, and a change to them. */
static void make_user(const char *change)
{
    const char *words[WORDS] = {"ACL", "SETUSER", "relay", "reset"};
    size_t count = 4;
    struct buf text;
    char *line, *rest, *word;

    buf_init(&text, 65536);
    assert_int_equal(file_read(&text, ACL_FILE), 0);
    line = strstr(text.data, "user relay ");
    assert_non_null(line);
    rest = line + strlen("user relay ");
    rest[strcspn(rest, "\n")] = '\0';
    while ((word = strsep(&rest, " ")) != NULL && count < WORDS - 1)
        words[count++] = word;
    words[count++] = change;
    tell_server(count, words);
    buf_fini(&text);
}

/* The relay `b`, anew, as that user. */
static void become_user(const char *change)
{
    static struct valkey_url own;

    make_user(change);
    store_close(share_store(b.share));
    own = url;
    strcpy(own.user, "relay");
    strcpy(own.password, "CHANGE-ME");
    b.options.server.url = &own;
    assert_int_equal(share_new(&b.share, &loop, &b.options, &events, &b), 0);
    b.begun = 0;
    run_until(&b.begun, 1);
}

static size_t count_of(const struct share_server *found, enum share_right_kind kind, bool may)
{
    size_t count = 0;

    for (size_t i = 0; share_right_at(i) != NULL; i++)
        count += share_right_at(i)->kind == kind && found->may[i] == may;
    return count;
}

static void the_user_of_the_file_has_enough_and_no_more(void **state)
{
    struct share_server found;

    (void)state;
    become_user("on");
    found = check(&b);
    assert_true(found.rights_known && found.info_known);
    assert_int_equal(count_of(&found, SHARE_RIGHT_NEEDED, false), 0);
    assert_int_equal(count_of(&found, SHARE_RIGHT_USEFUL, false), 0);
    assert_int_equal(count_of(&found, SHARE_RIGHT_EXCESS, true), 0);
}

/* Every right that is taken away is missed, and none besides. */
static void each_right_is_missed(void **state)
{
    const struct share_right *right;
    char change[64];

    (void)state;
    become_user("on");
    for (size_t i = 0; (right = share_right_at(i)) != NULL; i++) {
        struct share_server found;

        if (right->kind == SHARE_RIGHT_EXCESS || strcmp(right->command, "AUTH") == 0 ||
            strcmp(right->command, "EVAL") == 0) /* AUTH is everybody's */
            continue;
        snprintf(change, sizeof change, "-%s", right->command);
        if (strchr(change, ' ') != NULL)
            *strchr(change, ' ') = '|';
        make_user(change);
        found = check(&b);
        assert_true(found.rights_known);
        assert_false(found.may[i]);
        assert_int_equal(count_of(&found, SHARE_RIGHT_NEEDED, false),
                         right->kind == SHARE_RIGHT_NEEDED);
    }
}

static void the_default_user_may_everything(void **state)
{
    struct share_server found = check(&a);

    (void)state;
    assert_true(found.rights_known && found.info_known);
    assert_int_equal(count_of(&found, SHARE_RIGHT_NEEDED, false), 0);
    assert_int_equal(count_of(&found, SHARE_RIGHT_EXCESS, false), 0);
    assert_string_equal(found.info.policy, "noeviction");
    assert_int_equal(found.info.max_octets, 0);
    assert_true(found.info.used_octets > 100000);
    assert_true(found.info.appends);
}

static void keys_of_others(void **state)
{
    struct share_server found;

    (void)state;
    become_user("~*");
    found = check(&b);
    assert_int_equal(count_of(&found, SHARE_RIGHT_EXCESS, true), 2); /* GET and SET */
}

static void who_may_not_ask(void **state)
{
    struct share_server found;

    (void)state;
    become_user("on");
    make_user("-info");
    found = check(&b);
    assert_false(found.info_known);
    assert_non_null(strstr(found.info_why, "NOPERM"));
    assert_true(found.rights_known);
    make_user("-eval");
    found = check(&b);
    assert_false(found.rights_known);
    assert_non_null(strstr(found.rights_why, "NOPERM"));
    assert_non_null(strstr(found.rights_why, "eval"));
}

/* Nothing is changed by it. */
static void nothing_is_tried(void **state)
{
    const struct record answer = answer_of(VERDICT_VERIFY, VERDICT_VERIFY, 5000);

    (void)state;
    put(&a, &answer);
    check(&a);
    find(&b);
    assert_true(b.has_answer);
    assert_int_equal(stats_of(&a).emptied, 0);
}

static void a_server_that_ends(void **state)
{
    struct checking checking = {.checked = 0}, cancelled = {.checked = 0};

    (void)state;
    assert_int_equal(kill(server.pid, SIGSTOP), 0);
    assert_int_equal(share_check(&checking.check, a.share, on_checked, &checking), 0);
    assert_int_equal(share_check(&cancelled.check, a.share, on_checked, &cancelled), 0);
    share_check_cancel(&cancelled.check);
    real_valkey_kill(&server);
    run_until(&checking.checked, 1);
    assert_false(checking.server.info_known || checking.server.rights_known);
    assert_string_equal(checking.server.rights_why, "the connection ended");
    assert_int_equal(cancelled.checked, 0);
    assert_int_equal(share_check(&checking.check, a.share, on_checked, &checking), UV_ENOTCONN);
}

static void names_in_the_table(void **state)
{
    char prefix[65], text[SHARE_RIGHT_TEXT_MAX];
    const struct share_right *right;

    (void)state;
    memset(prefix, 'p', 64);
    prefix[64] = '\0';
    for (size_t i = 0; (right = share_right_at(i)) != NULL; i++) {
        assert_true(share_right_text(text, right, prefix, false));
        assert_true(share_right_text(text, right, "mxcrypt", true));
        if (strcmp(right->command, "XREAD") == 0)
            assert_string_equal(text, "XREAD mxcrypt:1:news");
        if (strcmp(right->command, "KEYS") == 0)
            assert_string_equal(text, "KEYS");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_user_of_the_file_has_enough_and_no_more, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(each_right_is_missed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_default_user_may_everything, set_up, tear_down),
        cmocka_unit_test_setup_teardown(keys_of_others, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_may_not_ask, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_is_tried, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_server_that_ends, set_up, tear_down),
        cmocka_unit_test(names_in_the_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
