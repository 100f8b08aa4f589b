/* valkey_uv: finding the server, logging in, losing it; and whatever a server may send. */
#include "tests/unit/support/unit.h"

#include "tests/unit/base/valkey/valkey_owner.h"

/* ---- finding it ---- */

static void it_logs_in(void **state)
{
    static const char *const script[] = {OK, OK, OK, PRIMARY, "+PONG\r\n", NULL};
    struct valkey_options options = usual();
    struct valkey_request request;
    struct scripted server;

    (void)state;
    start(&server, 0, script);
    options.name = "relay-1";
    begin(&options, "valkey://mail:s%20t@127.0.0.1:#/2", server.port, 0);
    assert_false(valkey_is_ready(owner.valkey));
    run_until(&owner.ready, 1);
    assert_int_equal(send_ping(&request), 0);
    run_until(&owner.replies, 1);
    assert_string_equal(owner.reply, "PONG");
    assert_string_equal(buf_text(&server.heard),
                        "AUTH mail s t SELECT 2 CLIENT SETNAME relay-1 ROLE PING ");
    assert_int_equal(owner.not_ready, 0);
    end(&server);
}

static void a_password_file_counts_for_more_than_the_url(void **state)
{
    static const char *const script[] = {OK, PRIMARY, NULL};
    struct valkey_options options = usual();
    struct scripted server;

    (void)state;
    start(&server, 0, script);
    options.password = "file";
    begin(&options, "valkey://:url@127.0.0.1:#", server.port, 0);
    run_until(&owner.ready, 1);
    assert_string_equal(buf_text(&server.heard), "AUTH file ROLE ");
    end(&server);
}

static void what_a_server_refuses_is_told_once(void **state)
{
    static const struct {
        const char *url, *script[4], *why;
    } rows[] = {
        {"valkey://u:p@127.0.0.1:#",
         {"-WRONGPASS invalid username-password pair\r\n", NULL},
         "the server refuses: WRONGPASS invalid username-password pair"},
        {"valkey://127.0.0.1:#/9",
         {"-ERR DB index is out of range\r\n", NULL},
         "the server refuses: ERR DB index"},
        {"valkey://127.0.0.1:#", {REPLICA, NULL}, "it is a replica"},
        {"valkey://127.0.0.1:#", {"*2\r\n$8\r\nsentinel\r\n*0\r\n", NULL}, "it is a Sentinel"},
        {"valkey://127.0.0.1:#", {"*0\r\n", NULL}, "it is a replica"},
        {"valkey://127.0.0.1:#", {"$-1\r\n", NULL}, "it is a replica"},
        {"valkey://127.0.0.1:#", {"-NOAUTH Authentication required.\r\n", NULL}, "NOAUTH"},
        {"valkey://127.0.0.1:#", {SILENCE, NULL}, "it does not answer"},
        {"valkey://127.0.0.1:#", {HANG_UP, NULL}, "connection lost"},
        {"valkey+sentinel://127.0.0.1:#/mail", {"*-1\r\n", NULL}, "knows no primary"},
        {"valkey+sentinel://127.0.0.1:#/mail",
         {"*2\r\n$1\r\na\r\n$1\r\nx\r\n", NULL},
         "no primary"},
        {"valkey+sentinel://127.0.0.1:#/mail", {"*1\r\n$1\r\na\r\n", NULL}, "knows no primary"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct valkey_options options = usual();
        struct scripted server;

        set_up(state);
        start(&server, 0, rows[i].script);
        begin(&options, rows[i].url, server.port, 0);
        run_until(&server.accepted, 4); /* it goes on trying */
        assert_int_equal(owner.not_ready, 1);
        assert_int_equal(owner.ready, 0);
        assert_non_null(strstr(owner.why, rows[i].why));
        assert_non_null(strstr(valkey_why(owner.valkey), rows[i].why));
        end(&server);
    }
}

static void it_waits_for_a_server_that_is_not_there(void **state)
{
    static const char *const script[] = {PRIMARY, NULL};
    const struct valkey_options options = usual();
    struct scripted server;
    uint16_t port;

    (void)state;
    start(&server, 0, script);
    port = server.port;
    scripted_stop(&server);
    uv_run(&owner.loop, UV_RUN_DEFAULT);
    begin(&options, "valkey://127.0.0.1:#", port, 0);
    run_until(&owner.not_ready, 1);
    assert_non_null(strstr(owner.why, "Connection refused"));
    start(&server, port, script);
    run_until(&owner.ready, 1);
    assert_string_equal(valkey_why(owner.valkey), "");
    end(&server);
}

/* Whoever reads the log learns what it is now, but not of each attempt. */
static void another_reason_is_told_after_a_while(void **state)
{
    static const char *const replica[] = {REPLICA, NULL}, *const silent[] = {HANG_UP, NULL};
    const struct valkey_options options = usual();
    struct scripted first, second;
    int64_t told;

    (void)state;
    start(&first, 0, replica);
    start(&second, 0, silent);
    begin(&options, "valkey://127.0.0.1:#,127.0.0.1:#", first.port, second.port);
    run_until(&owner.not_ready, 1);
    assert_non_null(strstr(owner.why, "it is a replica"));
    told = clock_monotonic_ms();
    run_until(&owner.not_ready, 2);
    assert_non_null(strstr(owner.why, "connection lost"));
    assert_in_range(clock_monotonic_ms() - told, VALKEY_TELL_MS, VALKEY_TELL_MS + 10000);
    assert_in_range(first.accepted, 10, 100);
    scripted_stop(&first);
    end(&second);
}

static void of_several_the_primary(void **state)
{
    static const char *const replica[] = {REPLICA, NULL}, *const primary[] = {PRIMARY, NULL};
    const struct valkey_options options = usual();
    struct scripted first, second;
    char where[40];

    (void)state;
    start(&first, 0, replica);
    start(&second, 0, primary);
    begin(&options, "valkey://127.0.0.1:#,127.0.0.1:#", first.port, second.port);
    run_until(&owner.ready, 1);
    assert_int_equal(first.accepted, 1);
    snprintf(where, sizeof where, "127.0.0.1:%u", (unsigned)second.port);
    assert_string_equal(valkey_where(owner.valkey), where);
    scripted_stop(&first);
    end(&second);
}

static void a_sentinel_names_the_primary(void **state)
{
    static const char *const primary[] = {PRIMARY, "+PONG\r\n", NULL};
    const struct valkey_options options = usual();
    struct scripted sentinel, server;
    const char *named[] = {NULL, NULL};
    char answer[80];

    (void)state;
    start(&server, 0, primary);
    snprintf(answer, sizeof answer, "*2\r\n$9\r\n127.0.0.1\r\n$%d\r\n%u\r\n",
             server.port < 10000 ? 4 : 5, (unsigned)server.port);
    named[0] = answer;
    start(&sentinel, 0, named);
    begin(&options, "valkey+sentinel://127.0.0.1:#/mail", sentinel.port, 0);
    run_until(&owner.ready, 1);
    assert_string_equal(buf_text(&sentinel.heard), "SENTINEL get-master-addr-by-name mail ");
    assert_string_equal(buf_text(&server.heard), "ROLE ");
    scripted_stop(&sentinel);
    end(&server);
}

static void a_name_is_looked_up(void **state)
{
    static const char *const script[] = {PRIMARY, NULL};
    const struct valkey_options options = usual();
    struct scripted server;

    (void)state;
    start(&server, 0, script);
    begin(&options, "valkey://localhost:#", server.port, 0);
    run_until(&owner.ready, 1); /* by IPv4, whatever else the name has */
    end(&server);
}

static void a_user_who_may_not_ask_for_the_role(void **state)
{
    static const char *const script[] = {"-NOPERM this user has no permissions\r\n", NULL};
    const struct valkey_options options = usual();
    struct scripted server;

    (void)state;
    start(&server, 0, script);
    begin(&options, "valkey://127.0.0.1:#", server.port, 0);
    run_until(&owner.ready, 1);
    end(&server);
}

/* ---- losing it ---- */

static void a_server_that_stalls_is_lost(void **state)
{
    static const char *const script[] = {PRIMARY, SILENCE, NULL};
    const struct valkey_options options = usual();
    struct valkey_request first, second;
    struct scripted server;

    (void)state;
    start(&server, 0, script);
    begin(&options, "valkey://127.0.0.1:#", server.port, 0);
    run_until(&owner.ready, 1);
    assert_int_equal(send_ping(&first), 0);
    assert_int_equal(send_ping(&second), 0);
    run_until(&owner.not_ready, 1);
    assert_int_equal(owner.lost, 2);
    assert_string_equal(owner.why, "it does not answer");
    run_until(&owner.ready, 2);
    end(&server);
}

/* An idle connection is not lost, however long. */
static void a_server_that_owes_nothing_may_be_silent(void **state)
{
    static const char *const script[] = {PRIMARY, "+PONG\r\n", NULL};
    const struct valkey_options options = usual();
    struct valkey_request request;
    struct scripted server;

    (void)state;
    start(&server, 0, script);
    begin(&options, "valkey://127.0.0.1:#", server.port, 0);
    run_until(&owner.ready, 1);
    for (unsigned i = 1; i <= 3; i++) {
        assert_int_equal(send_ping(&request), 0);
        run_until(&owner.replies, i);
        virtual_clock_pass(3600000);
    }
    assert_int_equal(owner.not_ready, 0);
    assert_int_equal(server.accepted, 1);
    end(&server);
}

static void it_looks_for_another_after_an_error_of_the_server(void **state)
{
    static const char *const errors[] = {"-READONLY You can't write\r\n", "-LOADING\r\n",
                                         "-MOVED 1 192.0.2.1:6379\r\n", "-NOAUTH x\r\n"};

    for (size_t i = 0; i < COUNT(errors); i++) {
        const char *const script[] = {PRIMARY, errors[i], NULL};
        const struct valkey_options options = usual();
        struct valkey_request request;
        struct scripted server;

        set_up(state);
        start(&server, 0, script);
        begin(&options, "valkey://127.0.0.1:#", server.port, 0);
        run_until(&owner.ready, 1);
        assert_int_equal(send_ping(&request), 0);
        run_until(&owner.not_ready, 1);
        assert_int_equal(owner.replies, 1);
        assert_int_equal(owner.lost, 0);
        run_until(&owner.ready, 2);
        end(&server);
    }
}

static void an_error_of_a_command_is_only_that(void **state)
{
    static const char *const script[] = {PRIMARY, "-OOM command not allowed\r\n", "+PONG\r\n",
                                         NULL};
    const struct valkey_options options = usual();
    struct valkey_request request;
    struct scripted server;

    (void)state;
    start(&server, 0, script);
    begin(&options, "valkey://127.0.0.1:#", server.port, 0);
    run_until(&owner.ready, 1);
    assert_int_equal(send_ping(&request), 0);
    run_until(&owner.replies, 1);
    assert_int_equal(send_ping(&request), 0);
    run_until(&owner.replies, 2);
    assert_string_equal(owner.reply, "PONG");
    assert_int_equal(owner.not_ready, 0);
    end(&server);
}

static void requests_are_limited_and_cancelled(void **state)
{
    static const char *const script[] = {PRIMARY, "+PONG\r\n", NULL};
    struct valkey_options options = usual();
    struct valkey_request first, second, third;
    struct scripted server;

    (void)state;
    options.pending_max = 2;
    start(&server, 0, script);
    begin(&options, "valkey://127.0.0.1:#", server.port, 0);
    assert_int_equal(send_ping(&first), UV_ENOTCONN);
    run_until(&owner.ready, 1);
    assert_int_equal(send_ping(&first), 0);
    assert_int_equal(send_ping(&second), 0);
    assert_int_equal(send_ping(&third), UV_ENOBUFS);
    valkey_request_cancel(&first);
    run_until(&owner.replies, 1); /* of the second */
    assert_int_equal(server.asked, 3);
    assert_int_equal(send_ping(&third), 0);
    end(&server); /* forgets the third */
    assert_int_equal(owner.replies, 1);
}

static void it_may_be_closed_whenever_something_is_told(void **state)
{
    static const char *const primary[] = {PRIMARY, NULL}, *const replica[] = {REPLICA, NULL};

    for (int i = 0; i < 2; i++) {
        const struct valkey_options options = usual();
        struct scripted server;

        set_up(state);
        owner.close_when_told = true;
        start(&server, 0, i == 0 ? primary : replica);
        begin(&options, "valkey://127.0.0.1:#", server.port, 0);
        run_until(i == 0 ? &owner.ready : &owner.not_ready, 1);
        end(&server);
    }
}

static void it_may_be_closed_in_any_state(void **state)
{
    static const char *const script[] = {OK, OK, PRIMARY, SILENCE, NULL};

    for (int turns = 0; turns < 12; turns++) {
        const struct valkey_options options = usual();
        struct valkey_request request = {.ticket = NULL};
        struct scripted server;

        set_up(state);
        start(&server, 0, script);
        begin(&options, "valkey://u:p@localhost:#/1", server.port, 0);
        for (int i = 0; i < turns; i++)
            uv_run(&owner.loop, UV_RUN_ONCE);
        if (valkey_is_ready(owner.valkey))
            assert_int_equal(send_ping(&request), 0);
        end(&server);
    }
}

/* ---- whatever is sent ---- */

static void hostile_replies_end_the_connection(void **state)
{
    static const struct {
        const char *reply;
    } rows[] = {
        {"*20001\r\n"},
        {"*2147483647\r\n"},
        {"*4294967297\r\n"},
        {"*9223372036854775807\r\n"},
        {"*-2\r\n"},
        {"*10000\r\n*10000\r\n*10000\r\n"},
        {"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n"},
        {"HTTP/1.1 200 OK\r\n"},
        {"\r\n"},
        {"$abc\r\n"},
        {"+PONG\r\n+PONG\r\n"},
        {"+PONG\r\n:1\r\n"},
        {"+PONG\r\n$-1\r\n"},
        {"+PONG\r\n*0\r\n"},
        {"+PONG\r\n-ERR max number of clients reached\r\n"},
        /* RESP3 */
        {">1\r\n+x\r\n+PONG\r\n"},
        {">2\r\n$9\r\nsubscribe\r\n:1\r\n+PONG\r\n"},
        {"%1\r\n+x\r\n:1\r\n"},
        {"~1\r\n+x\r\n"},
        {",1.5\r\n"},
        {"#t\r\n"},
        {"(12345678901234567890\r\n"},
        {"=8\r\ntxt:PONG\r\n"},
        {"*1\r\n#t\r\n"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *const script[] = {PRIMARY, rows[i].reply, NULL};
        const struct valkey_options options = usual();
        struct valkey_request request;
        struct scripted server;

        set_up(state);
        start(&server, 0, script);
        begin(&options, "valkey://127.0.0.1:#", server.port, 0);
        run_until(&owner.ready, 1);
        assert_int_equal(send_ping(&request), 0);
        run_until(&owner.not_ready, 1);
        assert_int_equal(owner.replies, 1);
        run_until(&owner.ready, 2);
        end(&server);
    }
}

static void a_greeting_is_not_asked_for(void **state)
{
    static const char *const greetings[] = {"+HELLO\r\n+HELLO\r\n",
                                            "-ERR max number of clients\r\n"};
    static const char *const script[] = {SILENCE, NULL};

    for (size_t i = 0; i < COUNT(greetings); i++) {
        const struct valkey_options options = usual();
        struct scripted server;

        set_up(state);
        start(&server, 0, script);
        server.greeting = greetings[i];
        begin(&options, "valkey://127.0.0.1:#", server.port, 0);
        run_until(&owner.not_ready, 1);
        assert_int_equal(owner.ready, 0);
        end(&server);
    }
}

/* The longest reply there may be is read, a longer one ends the connection. */
static void a_reply_has_a_limit(void **state)
{
    for (int over = 0; over < 2; over++) {
        size_t length = VALKEY_REPLY_MAX / 2 + (over != 0 ? VALKEY_REPLY_MAX : 0);
        char *reply = malloc(length + 100);
        const char *const script[] = {PRIMARY, reply, NULL};
        const struct valkey_options options = usual();
        struct valkey_request request;
        struct scripted server;
        int head;

        assert_non_null(reply);
        head = snprintf(reply, 100, "$%zu\r\n", length);
        memset(reply + head, 'x', length);
        strcpy(reply + head + length, "\r\n");
        set_up(state);
        start(&server, 0, script);
        begin(&options, "valkey://127.0.0.1:#", server.port, 0);
        run_until(&owner.ready, 1);
        assert_int_equal(send_ping(&request), 0);
        run_until(over != 0 ? &owner.not_ready : &owner.replies, 1);
        assert_int_equal(owner.lost, over);
        end(&server);
        free(reply);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(it_logs_in, set_up),
        cmocka_unit_test_setup(a_password_file_counts_for_more_than_the_url, set_up),
        cmocka_unit_test(what_a_server_refuses_is_told_once),
        cmocka_unit_test_setup(it_waits_for_a_server_that_is_not_there, set_up),
        cmocka_unit_test_setup(another_reason_is_told_after_a_while, set_up),
        cmocka_unit_test_setup(of_several_the_primary, set_up),
        cmocka_unit_test_setup(a_sentinel_names_the_primary, set_up),
        cmocka_unit_test_setup(a_name_is_looked_up, set_up),
        cmocka_unit_test_setup(a_user_who_may_not_ask_for_the_role, set_up),
        cmocka_unit_test_setup(a_server_that_stalls_is_lost, set_up),
        cmocka_unit_test_setup(a_server_that_owes_nothing_may_be_silent, set_up),
        cmocka_unit_test(it_looks_for_another_after_an_error_of_the_server),
        cmocka_unit_test_setup(an_error_of_a_command_is_only_that, set_up),
        cmocka_unit_test_setup(requests_are_limited_and_cancelled, set_up),
        cmocka_unit_test(it_may_be_closed_whenever_something_is_told),
        cmocka_unit_test(it_may_be_closed_in_any_state),
        cmocka_unit_test(hostile_replies_end_the_connection),
        cmocka_unit_test(a_greeting_is_not_asked_for),
        cmocka_unit_test(a_reply_has_a_limit),
    };

    int failed = cmocka_run_group_tests_name("in clear", tests, NULL, NULL);

    if (valkey_tls_lacking() != NULL)
        printf("skip unit_valkey over TLS: %s\n", valkey_tls_lacking());
    else
        failed += cmocka_run_group_tests_name("over TLS", tests, ground_set_up, ground_tear_down);
    return failed;
}
