/* dns_uv: lookups against scripted resolvers on loopback, in one loop, without a sleep. */
#include "probe/dns_uv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "probe/dns_query_uv.h"
#include "tests/unit/dns_responder.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define A_RECORD     "mx.example. 300 IN A 192.0.2.1"
#define A_LINE       .reply = {.name = "mx.example", .type = 1, .flags = PACKET_AD, .answer = {A_RECORD}}

struct fixture {
    uv_loop_t loop;
    struct arena *arena;
    struct dns *dns;
    struct responder responders[3];
    unsigned responder_count;
    struct dns_options options;
    unsigned answered;
    bool starting;
    const struct dns_answer *answers[64]; /* in the order they came */
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    alarm(60); /* a hanging loop is a failure */
    if (f == NULL || uv_loop_init(&f->loop) != 0)
        return -1;
    f->arena = arena_new(4u << 20);
    f->options.timeout_ms = 20;
    f->options.tries = 3;
    f->options.in_flight_max = 100;
    *state = f;
    return f->arena == NULL ? -1 : 0;
}

/* Ends everything: the loop must run dry. */
static int tear_down(void **state)
{
    struct fixture *f = *state;
    int alive, closed;

    if (f->dns != NULL)
        dns_close(f->dns);
    for (unsigned i = 0; i < f->responder_count; i++)
        responder_stop(&f->responders[i]);
    alive = uv_run(&f->loop, UV_RUN_DEFAULT);
    closed = uv_loop_close(&f->loop);
    arena_free(f->arena);
    free(f);
    return alive == 0 && closed == 0 ? 0 : -1;
}

static void add_server(struct fixture *f, const struct responder_line *lines, size_t count)
{
    struct responder *responder = &f->responders[f->responder_count++];

    assert_true(responder_start(responder, &f->loop, "127.0.0.1", lines, count));
    f->options.servers[f->options.server_count++] = responder_server(responder);
}

/* A port on which nothing listens: bound once, and closed again. */
static void add_dead_server(struct fixture *f)
{
    struct responder responder;

    assert_true(responder_start(&responder, &f->loop, "127.0.0.1", NULL, 0));
    f->options.servers[f->options.server_count++] = responder_server(&responder);
    responder_stop(&responder);
    uv_run(&f->loop, UV_RUN_NOWAIT);
}

static void open_dns(struct fixture *f)
{
    assert_int_equal(dns_new(&f->dns, &f->loop, &f->options), 0);
}

static void on_answer(void *context, const struct dns_answer *answer)
{
    struct fixture *f = context;

    assert_false(f->starting);
    assert_non_null(answer);
    f->answers[f->answered++] = answer;
}

static struct dns_query *ask(struct fixture *f, const char *name, enum dns_type type)
{
    struct dns_query *query = NULL;

    f->starting = true;
    assert_int_equal(dns_start(&query, f->dns, f->arena, name, type, on_answer, f), 0);
    f->starting = false;
    return query;
}

static void await(struct fixture *f, unsigned count)
{
    while (f->answered < count)
        assert_int_not_equal(uv_run(&f->loop, UV_RUN_ONCE), 0);
    assert_int_equal(f->answered, count);
}

static const struct dns_answer *look_up(struct fixture *f, const char *name, enum dns_type type)
{
    ask(f, name, type);
    await(f, f->answered + 1);
    return f->answers[f->answered - 1];
}

static struct dns_stats stats_of(const struct fixture *f)
{
    struct dns_stats stats;

    dns_get_stats(f->dns, &stats);
    return stats;
}

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

    add_server(f, lines, COUNT(lines));
    open_dns(f);
    uv_update_time(&f->loop);
    began = uv_now(&f->loop);
    answer = look_up(f, "mx.example", DNS_A);
    assert_int_equal(answer->outcome, DNS_FAILED); /* B-5, B-17 */
    assert_string_equal(answer->why, "timeout");
    assert_string_equal(answer->owner, "mx.example");
    assert_int_equal(f->responders[0].count, 3);
    assert_true(uv_now(&f->loop) - began >= 20 + 40 + 80);
    assert_int_equal(stats_of(f).failures, 1);
}

/* ---- several resolvers ---- */

static void test_failover_silent(void **state)
{
    static const struct responder_line silent[] = {{A_LINE, .silent = true}};
    static const struct responder_line lines[] = {{A_LINE}};
    struct fixture *f = *state;

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

    f->options.timeout_ms = 30000; /* at once, not after a time-out */
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

    f->options.timeout_ms = 30000;
    add_dead_server(f);
    add_dead_server(f);
    open_dns(f);
    answer = look_up(f, "mx.example", DNS_A); /* hostile 40: resolver down */
    assert_int_equal(answer->outcome, DNS_FAILED);
    assert_string_equal(answer->why, "127.0.0.1: connection refused");
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
        f->options.timeout_ms = 30000;
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
        {.reply = {.name = "many.example", .type = 1}, .truncate = true, .padding = 4000}};
    struct fixture *f = *state;
    const struct dns_answer *answer;

    f->options.timeout_ms = 10000;
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

    f->options.timeout_ms = 30000;
    add_server(f, broken, COUNT(broken));
    add_server(f, lines, COUNT(lines));
    open_dns(f);
    assert_int_equal(look_up(f, "mx.example", DNS_A)->outcome, DNS_RECORDS);
}

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
    f->options.timeout_ms = 60000;
    add_server(f, silent, COUNT(silent));
    open_dns(f);
    ask(f, "mx.example", DNS_A);
    waiting = ask(f, "mx.example", DNS_A);
    assert_int_equal(uv_timer_get_repeat(&waiting->timer), 0);
    uv_timer_start(&waiting->timer, waiting->timer.timer_cb, 0, 0); /* thirty seconds went by */
    await(f, 1);
    assert_string_equal(f->answers[0]->why, "too many lookups are waiting");
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

    f->options.timeout_ms = 30000;
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
    static const struct responder_line lines[] = {{A_LINE}};
    struct fixture *f = *state;
    struct rlimit limit, none;

    add_server(f, lines, COUNT(lines));
    open_dns(f);
    look_up(f, "mx.example", DNS_A);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = limit;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    look_up(f, "mx.example", DNS_A); /* hostile 40 */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(f->answers[1]->outcome, DNS_FAILED);
    assert_string_equal(f->answers[1]->why, "too many open files");
    assert_int_equal(look_up(f, "mx.example", DNS_A)->outcome, DNS_RECORDS);
}

static void test_no_memory(void **state)
{
    static const struct responder_line lines[] = {{A_LINE}};
    struct fixture *f = *state;
    struct arena *none = arena_new(0), *little = arena_new(64);
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
#define CASE(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(test_answer),
        CASE(test_ipv6),
        CASE(test_name_too_long),
        CASE(test_spoofed),
        CASE(test_random_ports),
        CASE(test_retransmission),
        CASE(test_timeout),
        CASE(test_failover_silent),
        CASE(test_prefers_first_again),
        CASE(test_refused_port),
        CASE(test_all_refused),
        CASE(test_error_doubted),
        CASE(test_error_believed),
        CASE(test_truncated),
        CASE(test_tcp_trouble),
        CASE(test_tcp_failover),
        CASE(test_queue),
        CASE(test_queue_deadline),
        CASE(test_cancel),
        CASE(test_cancel_in_every_state),
        CASE(test_close_in_callback),
        CASE(test_no_descriptors),
        CASE(test_no_memory),
        CASE(test_resolv_conf),
    };

    return cmocka_run_group_tests_name("dns_uv", tests, NULL, NULL);
}
