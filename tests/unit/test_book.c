/*
 * The book of results: keys and lifetimes as pure functions; the queue against scripted servers on
 * 127.0.0.0/8 in the same loop. Every case of the queue ends with an empty loop.
 */
#include "probe/book_uv.h"

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "probe/book.h"
#include "tests/unit/rows.h"
#include "tests/unit/scripted_smtp.h"

#define MX     "mx.example.test"
#define MINUTE INT64_C(60000)
#define HOUR   (60 * MINUTE)

static const struct book_lifetimes lifetimes = {24 * HOUR, 15 * MINUTE, 6 * HOUR};

/* ---- keys ---- */

static bool same_key(const struct book_subject *a, const struct book_subject *b)
{
    struct book_key x, y;

    assert_true(book_key_make(&x, a));
    assert_true(book_key_make(&y, b));
    return x.length == y.length && memcmp(x.octets, y.octets, x.length) == 0;
}

static void keys(void **state)
{
    static const uint8_t one[32] = {1}, two[32] = {2};
    struct tlsa tlsa[2] = {{3, 1, 1, true, 32, one}, {3, 1, 1, true, 32, two}};
    struct tlsa turned[2] = {tlsa[1], tlsa[0]}, other[2] = {tlsa[0], tlsa[0]};
    struct ip ip, next;
    struct book_subject subject = {&ip, 25, MX, "base.test", tlsa, 2}, changed;

    (void)state;
    assert_true(ip_parse(&ip, "127.0.0.1"));
    assert_true(ip_parse(&next, "127.0.0.2"));
    changed = subject;
    assert_true(same_key(&subject, &changed));
    changed.tlsa = turned;
    assert_true(same_key(&subject, &changed));
    changed.tlsa = other;
    assert_false(same_key(&subject, &changed));
    changed = subject;
    changed.tlsa_count = 1;
    assert_false(same_key(&subject, &changed));
    changed = subject;
    changed.ip = &next;
    assert_false(same_key(&subject, &changed));
    changed = subject;
    changed.port = 587;
    assert_false(same_key(&subject, &changed));
    changed = subject;
    changed.host = "mx.example.tes";
    assert_false(same_key(&subject, &changed));
    changed = subject;
    changed.sni = NULL;
    assert_false(same_key(&subject, &changed));
}

static void key_limits(void **state)
{
    char name[HOSTNAME_MAX + 2];
    struct ip ip;
    struct book_subject subject = {&ip, 25, name, name, NULL, 0};
    struct book_key key;

    (void)state;
    assert_true(ip_parse(&ip, "2620:fe::fe"));
    memset(name, 'a', sizeof name);
    name[HOSTNAME_MAX] = '\0';
    assert_true(book_key_make(&key, &subject));
    assert_int_equal(key.length, BOOK_KEY_MAX);
    name[HOSTNAME_MAX] = 'a';
    name[HOSTNAME_MAX + 1] = '\0';
    assert_false(book_key_make(&key, &subject));
}

/* ---- lifetimes ---- */

static struct book_key key_of(const char *host)
{
    struct book_key key;
    struct ip ip;

    assert_true(ip_parse(&ip, "127.0.0.1"));
    assert_true(book_key_make(&key, &(struct book_subject){.ip = &ip, .port = 25, .host = host}));
    return key;
}

static int64_t put(struct book_store *store, const char *host, enum starttls state, int64_t now_ms)
{
    struct book_key key = key_of(host);
    struct starttls_result result = {.state = state, .not_after = INT64_MAX};

    assert_true(book_store_put(store, &key, &(struct book_moment){now_ms, 1000, false}, &result));
    assert_int_equal(result.probed_at, now_ms);
    return result.valid_until - now_ms;
}

static void expect_about(int64_t got, int64_t want)
{
    assert_in_range(got, want - want / 10, want + want / 10);
}

struct life_case {
    const char *name;
    enum starttls state;
    int64_t first, second, third, sixth;
};

static const struct life_case life_cases[] = {
    {"life TLS", STARTTLS_TLS, 24 * HOUR, 24 * HOUR, 24 * HOUR, 24 * HOUR},
    {"life verified", STARTTLS_VERIFIED, 24 * HOUR, 24 * HOUR, 24 * HOUR, 24 * HOUR},
    {"life clear", STARTTLS_CLEAR, 24 * HOUR, 24 * HOUR, 24 * HOUR, 24 * HOUR},
    {"life silent", STARTTLS_SILENT, 15 * MINUTE, 30 * MINUTE, 60 * MINUTE, 6 * HOUR},
    {"life error", STARTTLS_ERROR, 15 * MINUTE, 30 * MINUTE, 60 * MINUTE, 6 * HOUR},
    {"G-4 life of 4xx", STARTTLS_TEMPFAIL, 15 * MINUTE, 30 * MINUTE, 60 * MINUTE, 6 * HOUR},
    {"G-4 life of 5xx", STARTTLS_REFUSED, 15 * MINUTE, 30 * MINUTE, 60 * MINUTE, 6 * HOUR},
    {"life broken", STARTTLS_BROKEN, 15 * MINUTE, 30 * MINUTE, 60 * MINUTE, 6 * HOUR},
    {"life skipped", STARTTLS_SKIPPED, 15 * MINUTE, 15 * MINUTE, 15 * MINUTE, 15 * MINUTE},
};

static void run_life_case(void **state)
{
    const struct life_case *row = *state;
    struct book_store *store = book_store_new(10, &lifetimes);

    expect_about(put(store, MX, row->state, 1), row->first);
    expect_about(put(store, MX, row->state, 2), row->second);
    expect_about(put(store, MX, row->state, 3), row->third);
    put(store, MX, row->state, 4);
    put(store, MX, row->state, 5);
    expect_about(put(store, MX, row->state, 6), row->sixth);
    for (int i = 0; i < 100; i++)
        put(store, MX, row->state, 7 + i);
    expect_about(put(store, MX, row->state, 200), row->sixth);
    book_store_free(store);
}

static void good_answer_ends_back_off(void **state)
{
    struct book_store *store = book_store_new(10, &lifetimes);

    (void)state;
    put(store, MX, STARTTLS_SILENT, 1);
    put(store, MX, STARTTLS_SILENT, 2);
    put(store, MX, STARTTLS_TLS, 3);
    expect_about(put(store, MX, STARTTLS_SILENT, 4), 15 * MINUTE);
    expect_about(put(store, MX, STARTTLS_SILENT, 5), 30 * MINUTE);
    book_store_free(store);
}

/* Our own lack of descriptors is no failure of the host. */
static void own_failure_is_short(void **state)
{
    struct book_store *store = book_store_new(10, &lifetimes);
    struct book_key key = key_of(MX);
    struct starttls_result result = {.state = STARTTLS_SILENT};

    (void)state;
    put(store, MX, STARTTLS_SILENT, 1);
    for (int i = 0; i < 5; i++)
        assert_true(
            book_store_put(store, &key, &(struct book_moment){10 + i, 1000, true}, &result));
    expect_about(result.valid_until - 14, BOOK_RETRY_HERE_MS);
    expect_about(put(store, MX, STARTTLS_SILENT, 20), 30 * MINUTE);
    book_store_free(store);
}

static void verified_ends_with_certificate(void **state)
{
    static const int64_t left_s[] = {100, 1, 0, -5, 30 * 3600, INT64_MAX - 1000};
    static const int64_t want_ms[] = {100000, 1000, 1000, 1000, 24 * HOUR, 24 * HOUR};
    struct book_store *store = book_store_new(10, &lifetimes);
    struct book_key key = key_of(MX);

    (void)state;
    for (size_t i = 0; i < COUNT(left_s); i++) {
        struct starttls_result result = {.state = STARTTLS_VERIFIED, .not_after = 1000 + left_s[i]};

        book_store_put(store, &key, &(struct book_moment){5, 1000, false}, &result);
        if (want_ms[i] < HOUR)
            assert_int_equal(result.valid_until, 5 + want_ms[i]);
        else
            expect_about(result.valid_until - 5, want_ms[i]);
    }
    book_store_free(store);
}

static void lifetimes_vary(void **state)
{
    struct book_store *store = book_store_new(2000, &lifetimes);
    int64_t least = INT64_MAX, most = 0;
    char host[32];

    (void)state;
    for (int i = 0; i < 1000; i++) {
        int64_t ms;

        snprintf(host, sizeof host, "mx%d.test", i);
        ms = put(store, host, STARTTLS_TLS, 1);
        expect_about(ms, 24 * HOUR);
        least = ms < least ? ms : least;
        most = ms > most ? ms : most;
    }
    assert_true(least < 24 * HOUR * 92 / 100);
    assert_true(most > 24 * HOUR * 108 / 100);
    book_store_free(store);
}

/* ---- the store ---- */

static bool known(struct book_store *store, const char *host, int64_t now_ms)
{
    struct book_key key = key_of(host);

    return book_store_get(store, &key, now_ms) != NULL;
}

static void bounded_oldest_first(void **state)
{
    struct book_store *store = book_store_new(3, &lifetimes);

    (void)state;
    put(store, "a.test", STARTTLS_TLS, 1);
    put(store, "b.test", STARTTLS_TLS, 1);
    assert_int_equal(book_store_entries(store), 2);
    put(store, "c.test", STARTTLS_TLS, 1);
    assert_int_equal(book_store_entries(store), 3);
    assert_true(known(store, "a.test", 2)); /* used: no longer the oldest */
    put(store, "d.test", STARTTLS_TLS, 1);
    assert_int_equal(book_store_entries(store), 3);
    assert_true(known(store, "a.test", 2));
    assert_false(known(store, "b.test", 2));
    assert_true(known(store, "c.test", 2) && known(store, "d.test", 2));
    book_store_free(store);
}

static void lapses(void **state)
{
    struct book_store *store = book_store_new(3, &lifetimes);
    int64_t ms = put(store, MX, STARTTLS_SILENT, 100);

    (void)state;
    assert_true(known(store, MX, 100 + ms - 1));
    assert_false(known(store, MX, 100 + ms));
    book_store_free(store);
}

static void strings_are_the_stores(void **state)
{
    struct book_store *store = book_store_new(3, &lifetimes);
    struct book_key key = key_of(MX);
    char protocol[] = "TLSv1.3", detail[] = "in words";
    struct starttls_result result = {.state = STARTTLS_TLS, .protocol = protocol, .detail = detail};
    const struct starttls_result *got;
    struct starttls_result copy;
    struct arena *arena = arena_new(4096);

    (void)state;
    book_store_put(store, &key, &(struct book_moment){1, 1, false}, &result);
    memset(protocol, 'x', sizeof protocol - 1);
    memset(detail, 'x', sizeof detail - 1);
    got = book_store_get(store, &key, 2);
    assert_string_equal(got->protocol, "TLSv1.3");
    assert_null(got->subject);
    assert_true(starttls_result_copy(&copy, arena, got));
    book_store_free(store);
    assert_string_equal(copy.detail, "in words");
    assert_null(copy.cipher);
    arena_free(arena);
}

static void forgets_an_address(void **state)
{
    struct book_store *store = book_store_new(10, &lifetimes);
    struct ip ip, other;

    (void)state;
    assert_true(ip_parse(&ip, "127.0.0.1"));
    assert_true(ip_parse(&other, "127.0.0.2"));
    put(store, "a.test", STARTTLS_SILENT, 1);
    put(store, "b.test", STARTTLS_TLS, 1);
    book_store_forget(store, &other);
    assert_int_equal(book_store_entries(store), 2);
    book_store_forget(store, &ip);
    assert_int_equal(book_store_entries(store), 0);
    book_store_free(store);
}

/* ---- the queue ---- */

#define SERVERS_MAX 8
#define ASKS_MAX    16

static struct tls_context *context;
static SSL_CTX *tls_good;
static struct cert root, leaf;
static struct ip_prefix loopback;
static const struct address_filter filter = {.allowed = &loopback, .allowed_count = 1};

static const struct line no_tls[] = {{ACT_SAY, "220 mx\r\n"},  {ACT_HEAR, NULL},
                                     {ACT_SAY, "250 mx\r\n"},  {ACT_HEAR, NULL},
                                     {ACT_SAY, "221 bye\r\n"}, {ACT_HANG_UP, NULL}};
static const struct line with_tls[] = {
    {ACT_SAY, "220 mx\r\n"}, {ACT_HEAR, NULL},        {ACT_SAY, "250-mx\r\n250 STARTTLS\r\n"},
    {ACT_HEAR, NULL},        {ACT_SAY, "220 go\r\n"}, {ACT_TLS, NULL},
    {ACT_HEAR, NULL},        {ACT_SAY, "250 mx\r\n"}, {ACT_HEAR, NULL},
    {ACT_HANG_UP, NULL}};
static const struct line stall[] = {{ACT_STALL, NULL}};
static const struct line hang_up[] = {{ACT_HANG_UP, NULL}};

struct stage;

struct ask {
    struct stage *stage;
    struct book_waiter *waiter;
    unsigned calls;
    struct starttls_result result; /* without its strings */
};

struct stage {
    uv_loop_t loop;
    struct book *book;
    struct book_options options;
    struct server servers[SERVERS_MAX];
    size_t server_count;
    unsigned open, open_max;
    char order[ASKS_MAX * 4]; /* which server had each connection: a, b, ... */
    struct ask asks[ASKS_MAX];
    unsigned expected, calls; /* the servers close when all expected calls have come */
    void (*on_call)(struct ask *ask);
};

static struct stage stage;

static void stage_over(void)
{
    for (size_t i = 0; i < stage.server_count; i++)
        server_close(&stage.servers[i]);
}

static void on_done(void *data, const struct starttls_result *result)
{
    struct ask *ask = data;

    ask->calls++;
    ask->result = *result;
    if (stage.on_call != NULL)
        stage.on_call(ask);
    if (++stage.calls == stage.expected)
        stage_over();
}

static void on_accept(struct server *server)
{
    size_t at = strlen(stage.order);

    if (at + 2 < sizeof stage.order)
        stage.order[at] = (char)('a' + (server - stage.servers));
}

static void stage_open(const struct line *script)
{
    memset(&stage, 0, sizeof stage);
    assert_int_equal(uv_loop_init(&stage.loop), 0);
    stage.options = (struct book_options){
        .smtp = {.loop = &stage.loop,
                 .tls = context,
                 .filter = &filter,
                 .helo_name = "probe.test",
                 .connect_ms = 10000,
                 .greeting_ms = script == stall ? 60 : 10000,
                 .command_ms = 10000,
                 .total_ms = 20000},
        .connections_max = 100,
        .connections_prefix_max = 20,
        .entries_max = 100,
        .good_ms = 24 * HOUR,
        .retry_min_ms = 15 * MINUTE,
        .retry_max_ms = 6 * HOUR,
    };
    for (size_t i = 0; i < SERVERS_MAX; i++) {
        stage.servers[i].script = script;
        stage.servers[i].tls = tls_good;
        stage.servers[i].all_open = &stage.open;
        stage.servers[i].all_open_max = &stage.open_max;
        stage.servers[i].on_accept = on_accept;
    }
}

/* Opens one more server; all have the same port. */
static struct server *stage_serve(const char *address)
{
    struct server *server = &stage.servers[stage.server_count];
    uint16_t port = stage.server_count == 0 ? 0 : stage.servers[0].port;

    server_open(server, &stage.loop, address, port);
    stage.server_count++;
    return server;
}

static struct smtp_target target_of(const char *address, const char *host)
{
    struct smtp_target target = {.port = stage.servers[0].port, .host = host, .sni = host};

    assert_true(ip_parse(&target.ip, address));
    return target;
}

static void stage_ask(size_t at, const char *address, const char *host)
{
    struct smtp_target target = target_of(address, host);

    if (stage.book == NULL)
        assert_int_equal(book_new(&stage.book, &stage.options), 0);
    stage.asks[at].stage = &stage;
    assert_int_equal(
        book_ask(&stage.asks[at].waiter, stage.book, &target, on_done, &stage.asks[at]), 0);
    stage.expected++;
}

/* Runs until all expected calls have come; the book stays open. */
static void stage_run(void)
{
    unsigned before = stage.calls;

    while (stage.calls < stage.expected)
        assert_true(uv_run(&stage.loop, UV_RUN_ONCE) != 0 || stage.calls >= stage.expected);
    assert_true(stage.calls > before);
}

static void stage_close(void)
{
    stage_over();
    if (stage.book != NULL)
        book_close(stage.book);
    assert_int_equal(uv_run(&stage.loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&stage.loop), 0);
    for (size_t i = 0; i < stage.server_count; i++)
        buf_fini(&stage.servers[i].heard);
}

static void one_probe_for_all(void **state)
{
    struct smtp_target target;
    struct book_stats stats;

    (void)state;
    stage_open(with_tls);
    stage_serve("127.0.0.1");
    for (size_t i = 0; i < 3; i++)
        stage_ask(i, "127.0.0.1", MX);
    assert_int_equal(stage.calls, 0);
    target = target_of("127.0.0.1", MX);
    assert_null(book_peek(stage.book, &target));
    stage_run();
    assert_int_equal(stage.servers[0].accepted, 1);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(stage.asks[i].calls, 1);
        assert_int_equal(stage.asks[i].result.state, STARTTLS_VERIFIED);
        assert_true(stage.asks[i].result.probed_at > 0);
    }
    assert_non_null(book_peek(stage.book, &target));
    book_get_stats(stage.book, &stats);
    assert_int_equal(stats.probes, 1);
    assert_int_equal(stats.by_state[STARTTLS_VERIFIED], 1);
    assert_int_equal(stats.in_flight + stats.queued, 0);
    assert_int_equal(stats.entries, 1);
    stage_close();
}

static void known_answers_come_later(void **state)
{
    (void)state;
    stage_open(no_tls);
    stage_serve("127.0.0.1");
    stage_ask(0, "127.0.0.1", MX);
    stage_run();
    stage_ask(1, "127.0.0.1", MX);
    assert_int_equal(stage.asks[1].calls, 0);
    stage_run();
    assert_int_equal(stage.asks[1].result.state, STARTTLS_CLEAR);
    assert_int_equal(stage.asks[1].result.probed_at, stage.asks[0].result.probed_at);
    assert_int_equal(stage.servers[0].accepted, 1);
    stage_close();
}

static void probes_again_when_lapsed(void **state)
{
    struct smtp_target target;

    (void)state;
    stage_open(no_tls);
    stage.options.good_ms = 2;
    stage_serve("127.0.0.1");
    target = target_of("127.0.0.1", MX);
    stage.expected = 1; /* so that the server stays open */
    stage_ask(0, "127.0.0.1", MX);
    while (stage.asks[0].calls == 0)
        uv_run(&stage.loop, UV_RUN_ONCE);
    while (book_peek(stage.book, &target) != NULL)
        uv_run(&stage.loop, UV_RUN_NOWAIT);
    stage_ask(1, "127.0.0.1", MX);
    while (stage.asks[1].calls == 0)
        uv_run(&stage.loop, UV_RUN_ONCE);
    assert_int_equal(stage.servers[0].accepted, 2);
    stage_close();
}

static void verified_within_certificate(void **state)
{
    const struct starttls_result *result = &stage.asks[0].result;

    (void)state;
    stage_open(with_tls);
    stage.options.good_ms = 365 * 24 * HOUR;
    stage_serve("127.0.0.1");
    stage_ask(0, "127.0.0.1", MX);
    stage_run();
    assert_int_equal(result->state, STARTTLS_VERIFIED);
    assert_true(result->valid_until - result->probed_at <= 24 * HOUR); /* the leaf's day */
    assert_true(result->valid_until - result->probed_at > 23 * HOUR);
    stage_close();
}

/* hostile-29: one connection at a time per address. */
static void hostile_29_serial_per_address(void **state)
{
    static const char *const hosts[] = {"a.test", "b.test", "c.test", "d.test"};

    (void)state;
    stage_open(no_tls);
    stage_serve("127.0.0.1");
    for (size_t i = 0; i < COUNT(hosts); i++)
        stage_ask(i, "127.0.0.1", hosts[i]);
    stage_run();
    assert_int_equal(stage.servers[0].accepted, 4);
    assert_int_equal(stage.servers[0].open_max, 1);
    stage_close();
}

static void hostile_29_cap_per_prefix(void **state)
{
    static const char *const addresses[] = {"127.0.1.1", "127.0.1.2", "127.0.1.3", "127.0.1.4",
                                            "127.0.1.5"};

    (void)state;
    stage_open(stall);
    stage.options.connections_prefix_max = 2;
    for (size_t i = 0; i < COUNT(addresses); i++)
        stage_serve(addresses[i]);
    for (size_t i = 0; i < COUNT(addresses); i++)
        stage_ask(i, addresses[i], MX);
    stage_run();
    assert_int_equal(stage.open_max, 2);
    for (size_t i = 0; i < COUNT(addresses); i++)
        assert_int_equal(stage.asks[i].result.state, STARTTLS_SILENT);
    stage_close();
}

static void hostile_29_cap_for_all(void **state)
{
    static const char *const addresses[] = {"127.0.1.1", "127.0.2.1", "127.0.3.1", "127.0.4.1",
                                            "127.0.5.1"};

    (void)state;
    stage_open(stall);
    stage.options.connections_max = 3;
    for (size_t i = 0; i < COUNT(addresses); i++)
        stage_serve(addresses[i]);
    for (size_t i = 0; i < COUNT(addresses); i++)
        stage_ask(i, addresses[i], MX);
    stage_run();
    assert_int_equal(stage.open_max, 3);
    stage_close();
}

static void fair_between_prefixes(void **state)
{
    (void)state;
    stage_open(no_tls);
    stage.options.connections_max = 1;
    stage_serve("127.0.1.1");
    stage_serve("127.0.1.2");
    stage_serve("127.0.1.3");
    stage_serve("127.0.2.1");
    stage_ask(0, "127.0.1.1", MX);
    stage_ask(1, "127.0.1.1", "other.test");
    stage_ask(2, "127.0.1.2", MX);
    stage_ask(3, "127.0.1.3", MX);
    stage_ask(4, "127.0.2.1", MX);
    stage_run();
    assert_string_equal(stage.order, "adbca");
    stage_close();
}

static void cancelled_waiter_is_not_called(void **state)
{
    struct smtp_target target;

    (void)state;
    stage_open(no_tls);
    stage_serve("127.0.0.1");
    stage_ask(0, "127.0.0.1", MX);
    stage_ask(1, "127.0.0.1", "other.test");
    book_cancel(stage.asks[0].waiter);
    stage.expected--;
    stage_run();
    assert_int_equal(stage.asks[0].calls, 0);
    assert_int_equal(stage.asks[1].calls, 1);
    target = target_of("127.0.0.1", MX);
    assert_non_null(book_peek(stage.book, &target)); /* the probe went on */
    stage_close();
}

/* Closed after every number of turns of the loop: nobody is called, and the loop ends empty. */
static void close_at_any_time(void **state)
{
    bool ended = false;

    (void)state;
    for (int turns = 0; !ended; turns++) {
        unsigned calls;

        stage_open(with_tls);
        stage.options.connections_max = 1;
        stage_serve("127.0.0.1");
        stage_ask(0, "127.0.0.1", MX);
        stage_ask(1, "127.0.0.1", MX);
        stage_ask(2, "127.0.0.1", "other.test");
        stage_ask(3, "127.0.9.1", MX);
        for (int i = 0; i < turns && stage.calls < 4; i++)
            uv_run(&stage.loop, UV_RUN_ONCE);
        calls = stage.calls;
        ended = calls == 4;
        stage_close();
        assert_int_equal(stage.calls, calls);
        assert_true(turns < 1000);
    }
}

static void close_in_call(struct ask *ask)
{
    book_close(ask->stage->book);
    ask->stage->book = NULL;
}

static void close_inside_a_call(void **state)
{
    (void)state;
    stage_open(no_tls);
    stage.on_call = close_in_call;
    stage_serve("127.0.0.1");
    stage_ask(0, "127.0.0.1", MX);
    stage_ask(1, "127.0.0.1", MX);
    stage_ask(2, "127.0.0.1", "other.test");
    stage.expected = 1;
    stage_run();
    stage_close();
    assert_int_equal(stage.calls, 1);
}

static void again_in_call(struct ask *ask)
{
    struct smtp_target target = target_of("127.0.0.1", MX);

    if (ask == &stage.asks[0]) {
        book_cancel(stage.asks[1].waiter);
        assert_int_equal(
            book_ask(&stage.asks[3].waiter, stage.book, &target, on_done, &stage.asks[3]), 0);
        assert_int_equal(stage.asks[3].calls, 0);
    }
}

/* A call may cancel other waiters of the same probe, and ask again. */
static void ask_and_cancel_inside_a_call(void **state)
{
    (void)state;
    stage_open(no_tls);
    stage.on_call = again_in_call;
    stage_serve("127.0.0.1");
    for (size_t i = 0; i < 3; i++)
        stage_ask(i, "127.0.0.1", MX);
    stage_run();
    assert_int_equal(stage.asks[0].calls, 1);
    assert_int_equal(stage.asks[1].calls, 0);
    assert_int_equal(stage.asks[2].calls, 1);
    assert_int_equal(stage.asks[3].calls, 1);
    assert_int_equal(stage.servers[0].accepted, 1);
    stage_close();
}

static void failures_are_kept(void **state)
{
    (void)state;
    stage_open(hang_up);
    stage_serve("127.0.0.1");
    stage_ask(0, "127.0.0.1", MX);
    stage_run();
    assert_int_equal(stage.asks[0].result.state, STARTTLS_SILENT);
    expect_about(stage.asks[0].result.valid_until - stage.asks[0].result.probed_at, 15 * MINUTE);
    stage_ask(1, "127.0.0.1", MX);
    stage_run();
    assert_int_equal(stage.servers[0].accepted, 1);
    stage_close();
}

static void forbidden_is_skipped(void **state)
{
    (void)state;
    stage_open(no_tls);
    stage_serve("127.0.0.1");
    stage_ask(0, "10.0.0.1", MX);
    stage_run();
    assert_int_equal(stage.asks[0].result.state, STARTTLS_SKIPPED);
    stage_close();
}

static void forget_probes_again(void **state)
{
    struct smtp_target target;

    (void)state;
    stage_open(no_tls);
    stage_serve("127.0.0.1");
    target = target_of("127.0.0.1", MX);
    stage_ask(0, "127.0.0.1", MX);
    stage_run();
    book_forget(stage.book, &target.ip);
    assert_null(book_peek(stage.book, &target));
    stage_close();
}

static void hostile_40_no_descriptors(void **state)
{
    struct rlimit limit, none;
    int lowest;

    (void)state;
    stage_open(no_tls);
    stage_serve("127.0.0.1");
    lowest = dup(0);
    close(lowest);
    getrlimit(RLIMIT_NOFILE, &limit);
    none = limit;
    none.rlim_cur = (rlim_t)lowest;
    setrlimit(RLIMIT_NOFILE, &none);
    stage_ask(0, "127.0.0.1", MX);
    stage_run();
    setrlimit(RLIMIT_NOFILE, &limit);
    assert_int_equal(stage.asks[0].result.state, STARTTLS_SILENT);
    expect_about(stage.asks[0].result.valid_until - stage.asks[0].result.probed_at,
                 BOOK_RETRY_HERE_MS);
    stage_close();
}

/* A prefix may have 2,000 probes waiting, and then others still find room. */
static void queue_is_bounded(void **state)
{
    struct book_waiter *waiter;
    struct smtp_target target;
    struct book_stats stats;
    char host[32];

    (void)state;
    stage_open(no_tls);
    stage_serve("127.0.0.1");
    assert_int_equal(book_new(&stage.book, &stage.options), 0);
    for (int i = 0; i < 2000; i++) {
        snprintf(host, sizeof host, "mx%d.test", i);
        target = target_of("127.0.1.1", host);
        target.ip.octets[3] = (uint8_t)i;
        assert_int_equal(book_ask(&waiter, stage.book, &target, on_done, &stage.asks[0]), 0);
    }
    target = target_of("127.0.1.1", "more.test");
    assert_int_equal(book_ask(&waiter, stage.book, &target, on_done, &stage.asks[0]), UV_ENOBUFS);
    target = target_of("127.0.1.0", "mx0.test");
    assert_int_equal(book_ask(&waiter, stage.book, &target, on_done, &stage.asks[0]), 0);
    target = target_of("127.0.2.1", MX);
    assert_int_equal(book_ask(&waiter, stage.book, &target, on_done, &stage.asks[0]), 0);
    book_get_stats(stage.book, &stats);
    assert_int_equal(stats.queued, 2001);
    stage_close();
    assert_int_equal(stage.calls, 0);
}

static void make_certificates(void)
{
    static const struct cert_name names[] = {{GEN_DNS, MX, 0}, {0, NULL, 0}};
    char ca[] = "/tmp/mxcrypt-test-ca-XXXXXX";
    const char *why = NULL;
    int fd = mkstemp(ca);

    root = cert_make(&(struct cert_spec){.cn = "Root", .ca = true});
    leaf = cert_make(&(struct cert_spec){.cn = MX, .names = names, .issuer = &root});
    tls_good = cert_server(&leaf, NULL);
    cert_write(&root, ca);
    CHECK(tls_context_new(&context, ca, NULL, &why) == 0);
    close(fd);
    unlink(ca);
    CHECK(ip_prefix_parse(&loopback, "127.0.0.0/8"));
}

int main(void)
{
    int failed;

    signal(SIGPIPE, SIG_IGN);
    make_certificates();
    ROWS_ADD_TEST(keys);
    ROWS_ADD_TEST(key_limits);
    ROWS_ADD(life_cases, run_life_case);
    ROWS_ADD_TEST(good_answer_ends_back_off);
    ROWS_ADD_TEST(own_failure_is_short);
    ROWS_ADD_TEST(verified_ends_with_certificate);
    ROWS_ADD_TEST(lifetimes_vary);
    ROWS_ADD_TEST(bounded_oldest_first);
    ROWS_ADD_TEST(lapses);
    ROWS_ADD_TEST(strings_are_the_stores);
    ROWS_ADD_TEST(forgets_an_address);
    ROWS_ADD_TEST(one_probe_for_all);
    ROWS_ADD_TEST(known_answers_come_later);
    ROWS_ADD_TEST(probes_again_when_lapsed);
    ROWS_ADD_TEST(verified_within_certificate);
    ROWS_ADD_TEST(hostile_29_serial_per_address);
    ROWS_ADD_TEST(hostile_29_cap_per_prefix);
    ROWS_ADD_TEST(hostile_29_cap_for_all);
    ROWS_ADD_TEST(fair_between_prefixes);
    ROWS_ADD_TEST(cancelled_waiter_is_not_called);
    ROWS_ADD_TEST(close_at_any_time);
    ROWS_ADD_TEST(close_inside_a_call);
    ROWS_ADD_TEST(ask_and_cancel_inside_a_call);
    ROWS_ADD_TEST(failures_are_kept);
    ROWS_ADD_TEST(forbidden_is_skipped);
    ROWS_ADD_TEST(forget_probes_again);
    ROWS_ADD_TEST(hostile_40_no_descriptors);
    ROWS_ADD_TEST(queue_is_bounded);
    failed = rows_run("book");
    tls_context_free(context);
    SSL_CTX_free(tls_good);
    cert_free(&root);
    cert_free(&leaf);
    return failed;
}
