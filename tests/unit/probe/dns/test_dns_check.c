/* Does the resolver validate? */
#include "probe/dns/dns_check_uv.h"

#include "tests/unit/support/dns_fixture.h"

#define ROOT(...)                                                                                  \
    {                                                                                              \
        .reply = {.name = ".", .type = DNS_NS, __VA_ARGS__ }                                       \
    }
#define ROOT_NS .answer = {". 300 IN NS a.root-servers.net."}

struct checked {
    unsigned calls;
    struct dns_check check;
};

static void on_checked(void *context, const struct dns_check *check)
{
    struct checked *checked = context;

    checked->calls++;
    checked->check = *check;
}

static void check_once(struct fixture *f, struct checked *checked)
{
    struct dns_checking *checking;

    open_dns(f);
    checking = dns_checking_start(f->dns, on_checked, checked);
    assert_non_null(checking);
    assert_int_equal(checked->calls, 0);
    while (checked->calls == 0)
        assert_int_not_equal(uv_run(&f->loop, UV_RUN_ONCE), 0);
    dns_checking_free(checking);
}

struct check_case {
    struct responder_line line;
    enum dns_check_answer want;
    const char *why;
};

static void test_answers(void **state)
{
    static const struct check_case rows[] = {
        {ROOT(.flags = PACKET_AD, ROOT_NS), DNS_CHECK_SECURE, ""},
        {ROOT(ROOT_NS), DNS_CHECK_INSECURE, ""},
        {ROOT(.flags = PACKET_AD, .rcode = 0), DNS_CHECK_SECURE, ""},
        {ROOT(.rcode = 2), DNS_CHECK_UNREACHABLE, "SERVFAIL"},
        {ROOT(.rcode = 5), DNS_CHECK_UNREACHABLE, "REFUSED"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct checked checked = {0};
        void *own = NULL;
        struct fixture *f;

        assert_int_equal(set_up(&own), 0);
        f = own;
        add_server(f, &rows[i].line, 1);
        check_once(f, &checked);
        assert_int_equal(checked.check.answer, rows[i].want);
        assert_string_equal(checked.check.why, rows[i].why);
        assert_string_equal(checked.check.servers, "127.0.0.1");
        assert_false(checked.check.remote);
        assert_int_equal(tear_down(&own), 0);
    }
}

/* Ended while it waits: no callback. */
static void test_freed(void **state)
{
    static const struct responder_line silent[] = {
        {.reply = {.name = ".", .type = DNS_NS}, .silent = true}};
    struct fixture *f = *state;
    struct checked checked = {0};
    struct dns_checking *checking;

    add_server(f, silent, COUNT(silent));
    open_dns(f);
    checking = dns_checking_start(f->dns, on_checked, &checked);
    while (f->responders[0].count == 0)
        uv_run(&f->loop, UV_RUN_ONCE);
    dns_checking_free(checking);
    dns_checking_free(NULL);
    assert_int_equal(checked.calls, 0);
}

static void test_on_its_own_loop(void **state)
{
    struct fixture *f = *state;
    struct dns_check check;

    add_dead_server(f);
    assert_true(dns_check_now(&check, &f->options));
    assert_int_equal(check.answer, DNS_CHECK_UNREACHABLE);
    assert_string_equal(check.why, "127.0.0.1: connection refused");
    assert_string_equal(check.servers, "127.0.0.1");
}

/* All that can be configured find room. Only the first is asked. */
static void test_eight_servers(void **state)
{
    struct fixture *f = *state;
    struct dns_check check;

    f->options.tries = 1;
    add_dead_server(f);
    for (; f->options.server_count < DNS_RESOLVERS_MAX; f->options.server_count++) {
        struct dns_server *server = &f->options.servers[f->options.server_count];

        server->port = 53;
        assert_true(ip_parse(&server->ip, "2001:db8:1111:2222:3333:4444:5555:6666"));
    }
    assert_true(dns_check_now(&check, &f->options));
    assert_true(check.remote);
    assert_int_equal(strlen(check.servers), 9 + (DNS_RESOLVERS_MAX - 1) * 39);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test_setup_teardown(test_freed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_on_its_own_loop, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_eight_servers, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("dns_check", tests, NULL, NULL);
}
