/* The queue of the probe cache against scripted servers. */
#include "tests/unit/probe/smtp/probe_stage.h"

static void one_probe_for_all(void **state)
{
    struct smtp_target target;
    struct probe_cache_stats stats;

    (void)state;
    stage_open(with_tls);
    stage_serve("127.0.0.1");
    for (size_t i = 0; i < 3; i++)
        stage_ask(i, "127.0.0.1", MX);
    assert_int_equal(stage.calls, 0);
    target = target_of("127.0.0.1", MX);
    assert_null(probe_cache_peek(stage.probes, &target, 0));
    stage_run();
    assert_int_equal(stage.servers[0].accepted, 1);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(stage.asks[i].calls, 1);
        assert_int_equal(stage.asks[i].result.state, STARTTLS_VERIFIED);
        assert_true(stage.asks[i].result.probed_at > 0);
    }
    assert_non_null(probe_cache_peek(stage.probes, &target, 0));
    probe_cache_get_stats(stage.probes, &stats);
    assert_int_equal(stats.probes, 1);
    assert_int_equal(stats.by_state[STARTTLS_VERIFIED], 1);
    assert_int_equal(stats.in_flight + stats.queued, 0);
    assert_int_equal(stats.entries, 1);
    stage_close();
}

static void known_answers_need_no_probe(void **state)
{
    (void)state;
    stage_open(no_tls);
    stage_serve("127.0.0.1");
    stage_ask(0, "127.0.0.1", MX);
    stage_run();
    stage_ask(1, "127.0.0.1", MX);
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
    while (probe_cache_peek(stage.probes, &target, 0) != NULL)
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
    probe_cache_cancel(&stage.asks[0].waiter);
    stage.expected--;
    stage_run();
    assert_int_equal(stage.asks[0].calls, 0);
    assert_int_equal(stage.asks[1].calls, 1);
    target = target_of("127.0.0.1", MX);
    assert_non_null(probe_cache_peek(stage.probes, &target, 0)); /* the probe went on */
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
    probe_cache_close(ask->stage->probes);
    ask->stage->probes = NULL;
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
    struct smtp_target target = target_of("127.0.0.1", "other.test");

    if (ask == &stage.asks[0]) {
        probe_cache_cancel(&stage.asks[1].waiter);
        assert_int_equal(probe_cache_ask(&stage.asks[3].waiter, stage.probes, &target, 0, on_done,
                                         &stage.asks[3]),
                         0);
        assert_int_equal(stage.asks[3].calls, 0);
    }
}

/* A call may cancel other waiters of the same probe, and ask for another. */
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
    assert_int_equal(stage.servers[0].accepted, 2);
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
    probe_cache_forget(stage.probes, &target.ip, 1);
    assert_null(probe_cache_peek(stage.probes, &target, 0));
    stage_close();
}

/* A restored result ends with its certificate too, whatever it says itself. */
static void restored_within_certificate(void **state)
{
    struct smtp_target target;
    struct probe_saved saved = {.host = MX,
                                .sni = MX,
                                .result = {.state = STARTTLS_VERIFIED,
                                           .chain_ok = true,
                                           .name_ok = true,
                                           .probed_at = clock_monotonic_ms(),
                                           .valid_until = clock_monotonic_ms() + HOUR,
                                           .not_after = clock_wall_s() + 100}};
    const struct starttls_result *known;

    (void)state;
    stage_open(no_tls);
    stage_serve("127.0.0.1");
    target = target_of("127.0.0.1", MX);
    saved.ip = target.ip;
    saved.port = target.port;
    assert_int_equal(probe_cache_new(&stage.probes, &stage.tools, &stage.options), 0);
    assert_true(probe_cache_load(stage.probes, &saved));
    known = probe_cache_peek(stage.probes, &target, 0);
    assert_non_null(known);
    assert_true(known->valid_until <= clock_monotonic_ms() + 100 * 1000);
    stage_close();
}

/* What was seen with other settings for TLS is seen anew. */
static void G_18_other_settings(void **state)
{
    static const struct other {
        enum starttls state;
        const char *protocol, *cipher;
        enum loaded want;
    } rows[] = {
        {STARTTLS_TLS, "TLSv1.2", "ECDHE-RSA-AES256-GCM-SHA384", LOADED_NEW},
        {STARTTLS_TLS, "TLSv1.3", "TLS_AES_128_GCM_SHA256", LOADED_NEW},
        {STARTTLS_TLS, "TLSv1.1", "ECDHE-RSA-AES256-SHA", LOADED_KNOWN},
        {STARTTLS_TLS, "TLSv1.2", "ECDHE-RSA-AES128-GCM-SHA256", LOADED_KNOWN},
        {STARTTLS_BROKEN, "TLSv1.1", "ECDHE-RSA-AES256-SHA", LOADED_NEW},
        {STARTTLS_BROKEN, "TLSv1.2", "ECDHE-RSA-AES256-SHA", LOADED_KNOWN},
        {STARTTLS_BROKEN, NULL, NULL, LOADED_NEW},
    };
    struct tls_settings settings = {TLS_VERSION_1_2 | TLS_VERSION_1_3, "HIGH:!AES128"};
    struct tls_settings lax = {TLS_VERSIONS_ALL, TLS_CIPHERS_MEDIUM TLS_CIPHERS_LAST};

    (void)state;
    stage_open(no_tls);
    assert_true(tls_context_demand(ground.context, &settings));
    assert_int_equal(probe_cache_new(&stage.probes, &stage.tools, &stage.options), 0);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct probe_saved saved = {.host = MX, .sni = MX, .port = 25};

        assert_true(ip_parse(&saved.ip, "192.0.2.1"));
        saved.ip.octets[3] = (uint8_t)i;
        saved.result = (struct starttls_result){.state = rows[i].state,
                                                .protocol = rows[i].protocol,
                                                .cipher = rows[i].cipher,
                                                .probed_at = clock_monotonic_ms(),
                                                .valid_until = clock_monotonic_ms() + HOUR};
        assert_int_equal(probe_cache_load(stage.probes, &saved), rows[i].want);
    }
    stage_close();
    assert_true(tls_context_demand(ground.context, &lax));
}

static void hostile_40_no_descriptors(void **state)
{
    struct rlimit before;

    (void)state;
    stage_open(no_tls);
    stage_serve("127.0.0.1");
    descriptors_out(&before);
    stage_ask(0, "127.0.0.1", MX);
    stage_run();
    descriptors_back(&before);
    assert_int_equal(stage.asks[0].result.state, STARTTLS_UNKNOWN);
    expect_about(stage.asks[0].result.valid_until - stage.asks[0].result.probed_at,
                 PROBE_RETRY_HERE_MS);
    stage_close();
}

/* A prefix may have 2,000 probes waiting, and then others still find room. */
static void queue_is_bounded(void **state)
{
    static struct probe_cache_waiter waiters[2003], *waiter = waiters;
    struct smtp_target target;
    struct probe_cache_stats stats;
    char host[32];

    (void)state;
    stage_open(no_tls);
    stage_serve("127.0.0.1");
    assert_int_equal(probe_cache_new(&stage.probes, &stage.tools, &stage.options), 0);
    for (int i = 0; i < 2000; i++) {
        snprintf(host, sizeof host, "mx%d.test", i);
        target = target_of("127.0.1.1", host);
        target.ip.octets[3] = (uint8_t)i;
        assert_int_equal(
            probe_cache_ask(waiter++, stage.probes, &target, 0, on_done, &stage.asks[0]), 0);
    }
    target = target_of("127.0.1.1", "more.test");
    assert_int_equal(probe_cache_ask(waiter++, stage.probes, &target, 0, on_done, &stage.asks[0]),
                     UV_ENOBUFS);
    target = target_of("127.0.1.0", "mx0.test");
    assert_int_equal(probe_cache_ask(waiter++, stage.probes, &target, 0, on_done, &stage.asks[0]),
                     0);
    target = target_of("127.0.2.1", MX);
    assert_int_equal(probe_cache_ask(waiter++, stage.probes, &target, 0, on_done, &stage.asks[0]),
                     0);
    probe_cache_get_stats(stage.probes, &stats);
    assert_int_equal(stats.queued, 2001);
    stage_close();
    assert_int_equal(stage.calls, 0);
}

int main(void)
{
    int failed;

    ground_set_up();
    ROWS_ADD_TEST(one_probe_for_all);
    ROWS_ADD_TEST(known_answers_need_no_probe);
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
    ROWS_ADD_TEST(restored_within_certificate);
    ROWS_ADD_TEST(G_18_other_settings);
    ROWS_ADD_TEST(hostile_40_no_descriptors);
    ROWS_ADD_TEST(queue_is_bounded);
    failed = rows_run("probe_queue");
    ground_tear_down();
    return failed;
}
