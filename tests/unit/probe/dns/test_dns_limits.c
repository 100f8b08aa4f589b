/* dns_uv: its queue, its ends, its want of memory and descriptors, and resolv.conf. */
#include "probe/dns/dns_uv.h"

#include <sys/resource.h>

#include "tests/unit/support/dns_fixture.h"

/* ---- queue, cancel, close ---- */

static void test_queue(void **state)
{
    static const char *const names[] = {"a.example", "b.example", "c.example", "d.example",
                                        "e.example"};
    struct fixture *f = *state;
    char want[40];

    f->options.in_flight_max = 2;
    add_server(f, NULL, 0); /* REFUSED for everything is an answer too */
    open_dns(f);
    for (size_t i = 0; i < COUNT(names); i++)
        ask(f, names[i], DNS_A);
    assert_int_equal(stats_of(f).in_flight, 2); /* hostile 27 */
    assert_int_equal(stats_of(f).queued, 3);
    while (f->answered < COUNT(names)) {
        assert_int_not_equal(uv_run(&f->loop, UV_RUN_ONCE), 0);
        assert_true(stats_of(f).in_flight <= 2);
    }
    for (size_t i = 0; i < COUNT(names); i++) {
        snprintf(want, sizeof want, "A %s", names[i]);
        assert_string_equal(f->responders[0].asked[i], want);
    }
    assert_int_equal(stats_of(f).in_flight + stats_of(f).queued, 0);
}

static void test_queue_deadline(void **state)
{
    static const struct responder_line silent[] = {{A_LINE, .silent = true}};
    struct fixture *f = *state;
    struct dns_query *waiting;

    f->options.in_flight_max = 1;
    add_server(f, silent, COUNT(silent));
    open_dns(f);
    ask(f, "mx.example", DNS_A);
    waiting = ask(f, "mx.example", DNS_A);
    assert_int_equal(waiting->due, uv_now(&f->loop) + DNS_QUEUE_MS);
    dns_deadline_set(waiting, 0); /* thirty seconds went by */
    await(f, 1);
    assert_string_equal(f->answers[0]->why, "too many DNS lookups are waiting");
    assert_int_equal(f->answers[0]->failure, DNS_FAILURE_QUEUE);
}

/* That there are too many is not that there is no memory. */
static void test_queue_limit(void **state)
{
    static const struct responder_line silent[] = {{A_LINE, .silent = true}};
    struct fixture *f = *state;
    struct dns_query *query;

    f->options.in_flight_max = 1;
    add_server(f, silent, COUNT(silent));
    open_dns(f);
    ask(f, "mx.example", DNS_A); /* the one in flight */
    f->dns->stats.queued = DNS_QUEUE_MAX - 1;
    ask(f, "mx.example", DNS_A);
    assert_int_equal(f->dns->stats.queued, DNS_QUEUE_MAX);
    for (unsigned i = 1; i <= 2; i++) {
        assert_int_equal(dns_start(&query, f->dns, f->arena, "mx.example", DNS_A, NULL, NULL),
                         UV_ENOBUFS);
        assert_int_equal(stats_of(f).by_failure[DNS_FAILURE_QUEUE], i);
        assert_int_equal(stats_of(f).by_failure[DNS_FAILURE_LOCAL], 0);
    }
    f->dns->stats.queued = 1;
}

static void test_cancel(void **state)
{
    static const struct responder_line silent[] = {{A_LINE, .silent = true}};
    struct fixture *f = *state;
    struct dns_query *queries[3];

    f->options.in_flight_max = 2;
    add_server(f, silent, COUNT(silent));
    open_dns(f);
    for (size_t i = 0; i < COUNT(queries); i++)
        queries[i] = ask(f, "mx.example", DNS_A);
    dns_cancel(queries[2]); /* queued */
    dns_cancel(queries[0]); /* sent */
    assert_int_equal(stats_of(f).in_flight, 1);
    assert_int_equal(stats_of(f).queued, 0);
    uv_run(&f->loop, UV_RUN_ONCE);
    dns_cancel(queries[1]);
    for (int i = 0; i < 5; i++)
        uv_run(&f->loop, UV_RUN_NOWAIT);
    assert_int_equal(f->answered, 0);
    assert_int_equal(stats_of(f).in_flight, 0);
}

static void test_cancel_in_every_state(void **state)
{
    static const struct responder_line lines[] = {
        {A_LINE, .truncate = true, .tcp = RESPONDER_TCP_SILENT}};
    struct fixture *f = *state;

    add_server(f, lines, COUNT(lines));
    open_dns(f);
    for (int turns = 0; turns < 20; turns++) {
        struct dns_query *query = ask(f, "mx.example", DNS_A);

        for (int i = 0; i < turns; i++)
            uv_run(&f->loop, UV_RUN_NOWAIT);
        dns_cancel(query);
    }
    dns_cancel(ask(f, "..", DNS_A));
    assert_int_equal(f->answered, 0);
}

struct closer {
    struct fixture *fixture;
    struct dns_query *other;
    unsigned called;
};

static void close_from_inside(void *context, const struct dns_answer *answer)
{
    struct closer *closer = context;

    (void)answer;
    closer->called++;
    dns_cancel(closer->other);
    dns_close(closer->fixture->dns);
    closer->fixture->dns = NULL;
}

static void test_close_in_callback(void **state)
{
    static const struct responder_line lines[] = {
        {A_LINE}, {.reply = {.name = "slow.example", .type = 1}, .silent = true}};
    struct fixture *f = *state;
    struct closer closer = {.fixture = f};
    struct dns_query *query;

    add_server(f, lines, COUNT(lines));
    open_dns(f);
    closer.other = ask(f, "slow.example", DNS_A);
    ask(f, "slow.example", DNS_A);
    assert_int_equal(
        dns_start(&query, f->dns, f->arena, "mx.example", DNS_A, close_from_inside, &closer), 0);
    while (closer.called == 0)
        uv_run(&f->loop, UV_RUN_ONCE);
    assert_int_equal(f->answered, 0);
}

static void test_no_descriptors(void **state)
{
    static const struct responder_line lines[] = {
        {A_LINE}, {.reply = {.name = "long.example", .type = 1}, .truncate = true}};
    struct fixture *f = *state;
    struct rlimit limit, none;

    add_server(f, lines, COUNT(lines));
    open_dns(f);
    look_up(f, "mx.example", DNS_A);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = limit;
    none.rlim_cur = 0;
    ask(f, "long.example", DNS_A);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    await(f, 2);                     /* hostile 40: none for TCP */
    look_up(f, "mx.example", DNS_A); /* and none for UDP */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    for (unsigned i = 1; i <= 2; i++) {
        assert_int_equal(f->answers[i]->outcome, DNS_FAILED);
        assert_int_equal(f->answers[i]->failure, DNS_FAILURE_LOCAL);
        assert_string_equal(f->answers[i]->why, "too many open files");
    }
    assert_int_equal(look_up(f, "mx.example", DNS_A)->outcome, DNS_RECORDS);
}

static void test_no_memory(void **state)
{
    static const struct responder_line lines[] = {{A_LINE}};
    struct fixture *f = *state;
    struct arena *none = arena_new(0),
                 *little = arena_new((sizeof(struct dns_answer) + 15) / 16 * 16);
    struct dns_query *query;

    add_server(f, lines, COUNT(lines));
    open_dns(f);
    assert_int_equal(dns_start(&query, f->dns, none, "mx.example", DNS_A, on_answer, f), UV_ENOMEM);
    assert_int_equal(dns_start(&query, f->dns, little, "mx.example", DNS_A, on_answer, f), 0);
    await(f, 1);
    assert_int_equal(f->answers[0]->outcome, DNS_FAILED);
    assert_string_equal(f->answers[0]->why, "no memory");
    arena_free(none);
    arena_free(little);
}

/* ---- resolv.conf ---- */

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static const char *first_address(struct fixture *f, char text[IP_TEXT_MAX])
{
    struct dns_server servers[DNS_RESOLVERS_MAX];

    /* a second later, a lookup starts */
    f->dns->looked_at_ms = uv_now(&f->loop) - 1000;
    dns_cancel(ask(f, "..", DNS_A));
    assert_true(dns_servers(f->dns, servers) >= 1);
    assert_int_equal(servers[0].port, 53);
    return ip_text(&servers[0].ip, text);
}

static void test_resolv_conf(void **state)
{
    struct fixture *f = *state;
    struct dns_server servers[DNS_RESOLVERS_MAX];
    char path[] = "/tmp/test_dns_uv.XXXXXX", text[IP_TEXT_MAX];
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    close(fd);
    unlink(path);
    f->options.resolv_conf = path;
    open_dns(f);
    assert_string_equal(first_address(f, text), "127.0.0.1");
    write_file(path, "nameserver 192.0.2.53\nnameserver 2001:db8::53\n");
    assert_string_equal(first_address(f, text), "192.0.2.53");
    assert_int_equal(dns_servers(f->dns, servers), 2);
    write_file(path, "nameserver 192.0.2.54 # longer\n");
    dns_cancel(ask(f, "..", DNS_A)); /* not twice in a second */
    assert_int_equal(dns_servers(f->dns, servers), 2);
    assert_string_equal(first_address(f, text), "192.0.2.54");
    unlink(path);
    assert_string_equal(first_address(f, text), "192.0.2.54");
    write_file(path, "search example\n");
    assert_string_equal(first_address(f, text), "127.0.0.1");
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(test_queue),
        BOTH(test_queue_deadline),
        BOTH(test_queue_limit),
        BOTH(test_cancel),
        BOTH(test_cancel_in_every_state),
        BOTH(test_close_in_callback),
        cmocka_unit_test_setup_teardown(test_no_descriptors, set_up, tear_down),
        BOTH(test_no_memory),
        BOTH(test_resolv_conf),
    };

    return cmocka_run_group_tests_name("dns_limits", tests, NULL, NULL);
}
