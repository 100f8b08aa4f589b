/* dns_uv: lookups against scripted resolvers on loopback, in one loop, without a sleep. */
#include "probe/dns/dns_uv.h"

#include "tests/unit/support/dns_fixture.h"

/* The first time-out where one is meant to happen; the next doubles. */
#define SHORT_MS 100

/* ---- the plain way ---- */

static void test_answer(void **state)
{
    static const struct responder_line lines[] = {{A_LINE}};
    struct fixture *f = *state;
    const struct dns_answer *answer;

    add_server(f, lines, COUNT(lines));
    open_dns(f);
    answer = look_up(f, "mx.example", DNS_A);
    assert_int_equal(answer->outcome, DNS_RECORDS);
    assert_true(answer->secure);
    assert_int_equal(answer->count, 1);
    assert_memory_equal(answer->records[0].data, "\300\0\2\1", 4);
    answer = look_up(f, "MX.EXAMPLE.", DNS_A);
    assert_int_equal(answer->outcome, DNS_RECORDS);
    assert_string_equal(answer->owner, "mx.example");
    assert_int_equal(stats_of(f).queries, 2);
    assert_int_equal(stats_of(f).in_flight, 0);
    assert_int_equal(stats_of(f).retransmissions, 0);
}

static void test_ipv6(void **state)
{
    static const struct responder_line lines[] = {{A_LINE}};
    struct fixture *f = *state;

    if (!responder_start(&f->responders[0], &f->loop, "::1", lines, COUNT(lines))) {
        print_message("  no IPv6 here\n");
        f->responder_count = 1;
        return;
    }
    f->responder_count = 1;
    f->options.servers[f->options.server_count++] = responder_server(&f->responders[0]);
    open_dns(f);
    assert_int_equal(look_up(f, "mx.example", DNS_A)->outcome, DNS_RECORDS);
}

static void test_name_too_long(void **state)
{
    struct fixture *f = *state;
    const struct dns_answer *answer;
    char name[300] = "_25._tcp.";

    memset(name + 9, 'a', 253);
    for (size_t i = 9 + 63; i < 262; i += 64)
        name[i] = '.';
    add_server(f, NULL, 0);
    open_dns(f);
    answer = look_up(f, name, DNS_TLSA); /* C-10 */
    assert_int_equal(answer->outcome, DNS_NXDOMAIN);
    assert_false(answer->secure);
    assert_string_equal(answer->owner, name);
    assert_int_equal(f->responders[0].count, 0);
}

/* ---- strangers and lost packets ---- */

static void test_spoofed(void **state)
{
    static const struct responder_line lines[] = {
        {A_LINE, .wrong_id = true, .wrong_question = true}};
    struct fixture *f = *state;

    add_server(f, lines, COUNT(lines));
    open_dns(f);
    assert_int_equal(look_up(f, "mx.example", DNS_A)->outcome, DNS_RECORDS); /* hostile 24 */
    assert_int_equal(stats_of(f).mismatches, 2);
    assert_int_equal(f->responders[0].count, 1);
}

static void test_random_ports(void **state)
{
    static const struct responder_line lines[] = {{A_LINE}};
    struct fixture *f = *state;
    unsigned steps = 0, same_ids = 0;

    add_server(f, lines, COUNT(lines));
    open_dns(f);
    for (unsigned i = 0; i < 32; i++)
        look_up(f, "mx.example", DNS_A);
    for (unsigned i = 1; i < 32; i++) {
        int step = f->responders[0].ports[i] - f->responders[0].ports[i - 1];

        steps += step >= -2 && step <= 2;
        same_ids += f->responders[0].ids[i] == f->responders[0].ids[i - 1];
    }
    assert_true(steps < 4); /* hostile 24: by chance one in 6,000 each */
    assert_true(same_ids < 4);
}

static void test_retransmission(void **state)
{
    static const struct responder_line lines[] = {{A_LINE, .drop = 2}};
    struct fixture *f = *state;

    f->options.timeout_ms = SHORT_MS;
    add_server(f, lines, COUNT(lines));
    open_dns(f);
    assert_int_equal(look_up(f, "mx.example", DNS_A)->outcome, DNS_RECORDS);
    assert_int_equal(f->responders[0].count, 3);
    assert_int_equal(f->responders[0].ports[0], f->responders[0].ports[2]);
    assert_int_equal(stats_of(f).retransmissions, 2);
    assert_int_equal(stats_of(f).timeouts, 2);
    assert_int_equal(stats_of(f).failures, 0);
}

static void test_timeout(void **state)
{
    static const struct responder_line lines[] = {{A_LINE, .silent = true}};
    struct fixture *f = *state;
    const struct dns_answer *answer;
    uint64_t began;

    f->options.timeout_ms = SHORT_MS;
    add_server(f, lines, COUNT(lines));
    open_dns(f);
    uv_update_time(&f->loop);
    began = uv_now(&f->loop);
    answer = look_up(f, "mx.example", DNS_A);
    assert_int_equal(answer->outcome, DNS_FAILED); /* B-5, B-17 */
    assert_string_equal(answer->why, "timeout");
    assert_int_equal(answer->failure, DNS_FAILURE_TIMEOUT);
    assert_int_equal(stats_of(f).by_failure[DNS_FAILURE_TIMEOUT], 1);
    assert_string_equal(answer->owner, "mx.example");
    assert_int_equal(f->responders[0].count, 3);
    assert_true(uv_now(&f->loop) - began >= SHORT_MS + 2 * SHORT_MS + 4 * SHORT_MS);
    assert_int_equal(stats_of(f).failures, 1);
}

/* ---- several resolvers ---- */

static void test_failover_silent(void **state)
{
    static const struct responder_line silent[] = {{A_LINE, .silent = true}};
    static const struct responder_line lines[] = {{A_LINE}};
    struct fixture *f = *state;

    f->options.timeout_ms = SHORT_MS;
    add_server(f, silent, COUNT(silent));
    add_server(f, lines, COUNT(lines));
    open_dns(f);
    assert_int_equal(look_up(f, "mx.example", DNS_A)->outcome, DNS_RECORDS);
    assert_int_equal(look_up(f, "mx.example", DNS_A)->outcome, DNS_RECORDS);
    assert_int_equal(f->responders[0].count, 1); /* the one that answered is asked first */
    assert_int_equal(f->responders[1].count, 2);
}

static void test_prefers_first_again(void **state)
{
    static const struct responder_line once[] = {{A_LINE, .drop = 1}};
    static const struct responder_line lines[] = {{A_LINE}};
    struct fixture *f = *state;

    f->options.timeout_ms = SHORT_MS;
    add_server(f, once, COUNT(once));
    add_server(f, lines, COUNT(lines));
    open_dns(f);
    look_up(f, "mx.example", DNS_A);
    look_up(f, "mx.example", DNS_A);
    f->dns->preferred_at_ms -= 60000;
    look_up(f, "mx.example", DNS_A);
    assert_int_equal(f->responders[0].count, 2);
    assert_int_equal(f->responders[1].count, 2);
}

static void test_refused_port(void **state)
{
    static const struct responder_line lines[] = {{A_LINE}};
    struct fixture *f = *state;

    add_dead_server(f);
    add_server(f, lines, COUNT(lines));
    open_dns(f);
    assert_int_equal(look_up(f, "mx.example", DNS_A)->outcome, DNS_RECORDS);
    assert_int_equal(stats_of(f).timeouts, 0);
}

static void test_all_refused(void **state)
{
    struct fixture *f = *state;
    const struct dns_answer *answer;

    add_dead_server(f);
    add_dead_server(f);
    open_dns(f);
    answer = look_up(f, "mx.example", DNS_A); /* hostile 40: resolver down */
    assert_int_equal(answer->outcome, DNS_FAILED);
    assert_string_equal(answer->why, "127.0.0.1: connection refused");
    assert_int_equal(answer->failure, DNS_FAILURE_NETWORK);
}

static void test_error_doubted(void **state)
{
    static const struct responder_line failing[] = {
        {.reply = {.name = "mx.example", .type = 1, .rcode = 2}}};
    static const struct responder_line malformed[] = {{A_LINE, .malformed = true}};
    static const struct responder_line lines[] = {{A_LINE}};
    const struct responder_line *first[] = {failing, malformed};

    for (size_t i = 0; i < COUNT(first); i++) {
        void *own = NULL;
        struct fixture *f;

        assert_int_equal(set_up(&own), 0);
        f = own;
        add_server(f, first[i], 1);
        add_server(f, lines, COUNT(lines));
        open_dns(f);
        assert_int_equal(look_up(f, "mx.example", DNS_A)->outcome, DNS_RECORDS);
        assert_int_equal(f->responders[0].count, 1);
        assert_int_equal(stats_of(f).failures, 0);
        assert_int_equal(tear_down(&own), 0);
    }
    (void)state;
}

static void test_error_believed(void **state)
{
    static const struct responder_line bogus[] = {
        {.reply = {.name = "mx.example", .type = 1, .rcode = 2, .ede = 7}}};
    static const struct responder_line refused[] = {
        {.reply = {.name = "mx.example", .type = 1, .rcode = 5}}};
    static const struct responder_line silent[] = {{A_LINE, .silent = true}};
    static const struct responder_line lines[] = {{A_LINE}};
    const struct responder_line *second[] = {NULL, refused, silent};

    for (size_t i = 0; i < COUNT(second); i++) {
        const struct dns_answer *answer;
        void *own = NULL;
        struct fixture *f;

        assert_int_equal(set_up(&own), 0);
        f = own;
        f->options.timeout_ms = SHORT_MS;
        add_server(f, bogus, COUNT(bogus));
        if (second[i] != NULL) {
            add_server(f, second[i], 1);
            add_server(f, lines, COUNT(lines)); /* one more is asked, not all */
        }
        open_dns(f);
        answer = look_up(f, "mx.example", DNS_A);
        assert_int_equal(answer->outcome, DNS_FAILED);
        assert_string_equal(answer->why, "SERVFAIL (EDE 6: DNSSEC Bogus)");
        assert_int_equal(f->responders[0].count, 1);
        assert_int_equal(f->responders[1].count, second[i] != NULL);
        assert_int_equal(f->responders[2].count, 0);
        assert_int_equal(tear_down(&own), 0);
    }
    (void)state;
}

/* ---- TCP ---- */

static void test_truncated(void **state)
{
    static const struct responder_line lines[] = {
        {A_LINE, .truncate = true},
        {.reply = {.name = "drip.example", .type = 1, .answer = {"drip.example. 1 IN A 192.0.2.1"}},
         .truncate = true,
         .tcp = RESPONDER_TCP_DRIP},
        {.reply = {.name = "many.example", .type = 1}, .truncate = true, .distinct = 4000}};
    struct fixture *f = *state;
    const struct dns_answer *answer;

    add_server(f, lines, COUNT(lines));
    open_dns(f);
    assert_int_equal(look_up(f, "mx.example", DNS_A)->outcome, DNS_RECORDS);
    assert_int_equal(look_up(f, "drip.example", DNS_A)->outcome, DNS_RECORDS);
    answer = look_up(f, "many.example", DNS_A); /* hostile 20 */
    assert_int_equal(answer->outcome, DNS_RECORDS);
    assert_true(answer->cut);
    assert_int_equal(answer->count, DNS_RECORDS_MAX);
    assert_int_equal(stats_of(f).tcp, 3);
}

static void test_tcp_trouble(void **state)
{
    static const struct {
        enum responder_tcp mode;
        const char *why;
    } cases[] = {
        {RESPONDER_TCP_CLOSE, "TCP to 127.0.0.1: end of file"},
        {RESPONDER_TCP_SILENT, "TCP to 127.0.0.1: connection timed out"},
        {RESPONDER_TCP_HALF, "TCP to 127.0.0.1: end of file"},
        {RESPONDER_TCP_TINY, "TCP to 127.0.0.1: protocol error"},
        {RESPONDER_TCP_WRONG_ID, "TCP to 127.0.0.1: protocol error"},
        {RESPONDER_TCP_TRUNCATED, "TCP to 127.0.0.1: protocol error"},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct responder_line lines[] = {{A_LINE, .truncate = true, .tcp = cases[i].mode}};
        const struct dns_answer *answer;
        void *own = NULL;
        struct fixture *f;

        assert_int_equal(set_up(&own), 0);
        f = own;
        f->options.timeout_ms = SHORT_MS;
        add_server(f, lines, COUNT(lines));
        open_dns(f);
        answer = look_up(f, "mx.example", DNS_A);
        assert_int_equal(answer->outcome, DNS_FAILED);
        assert_string_equal(answer->why, cases[i].why);
        assert_int_equal(tear_down(&own), 0);
    }
    (void)state;
}

static void test_tcp_failover(void **state)
{
    static const struct responder_line broken[] = {
        {A_LINE, .truncate = true, .tcp = RESPONDER_TCP_CLOSE}};
    static const struct responder_line lines[] = {{A_LINE}};
    struct fixture *f = *state;

    add_server(f, broken, COUNT(broken));
    add_server(f, lines, COUNT(lines));
    open_dns(f);
    assert_int_equal(look_up(f, "mx.example", DNS_A)->outcome, DNS_RECORDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(test_answer),
        BOTH(test_ipv6),
        BOTH(test_name_too_long),
        BOTH(test_spoofed),
        cmocka_unit_test_setup_teardown(test_random_ports, set_up, tear_down),
        BOTH(test_retransmission),
        BOTH(test_timeout),
        BOTH(test_failover_silent),
        BOTH(test_prefers_first_again),
        BOTH(test_refused_port),
        BOTH(test_all_refused),
        BOTH(test_error_doubted),
        BOTH(test_error_believed),
        BOTH(test_truncated),
        BOTH(test_tcp_trouble),
        BOTH(test_tcp_failover),
    };

    return cmocka_run_group_tests_name("dns_uv", tests, NULL, NULL);
}
