/*
 * probe_stage: the probe cache and scripted servers on 127.0.0.0/8 in one loop. Every case ends with
 * an empty loop.
 */
#pragma once

#include "probe/smtp/probe_cache_uv.h"

#include "base/clock.h"
#include "tests/unit/support/rows.h"
#include "tests/unit/support/scripted_smtp.h"

#define MINUTE      INT64_C(60000)
#define HOUR        (60 * MINUTE)
#define SERVERS_MAX 8
#define ASKS_MAX    16

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

static inline void expect_about(int64_t got, int64_t want)
{
    assert_in_range(got, want - want / 10, want + want / 10);
}

struct stage;

struct ask {
    struct stage *stage;
    struct probe_cache_waiter waiter;
    unsigned calls;
    struct starttls_result result; /* without its strings */
};

struct stage {
    uv_loop_t loop;
    struct probe_cache *probes;
    struct smtp_tools tools;
    struct probe_cache_options options;
    struct server servers[SERVERS_MAX];
    size_t server_count;
    unsigned open, open_max;
    char order[ASKS_MAX * 4]; /* which server had each connection: a, b, ... */
    struct ask asks[ASKS_MAX];
    unsigned expected, calls; /* the servers close when all expected calls have come */
    void (*on_call)(struct ask *ask);
};

static struct stage stage;

static inline void stage_over(void)
{
    for (size_t i = 0; i < stage.server_count; i++)
        server_close(&stage.servers[i]);
}

static inline void on_done(void *data, const struct starttls_result *result)
{
    struct ask *ask = data;

    ask->calls++;
    ask->result = *result;
    if (stage.on_call != NULL)
        stage.on_call(ask);
    if (++stage.calls == stage.expected)
        stage_over();
}

static inline void on_accept(struct server *server)
{
    size_t at = strlen(stage.order);

    if (at + 2 < sizeof stage.order)
        stage.order[at] = (char)('a' + (server - stage.servers));
}

static inline void stage_open(const struct line *script)
{
    memset(&stage, 0, sizeof stage);
    assert_int_equal(uv_loop_init(&stage.loop), 0);
    stage.tools = (struct smtp_tools){&stage.loop, ground.context, &ground.filter};
    stage.options = (struct probe_cache_options){
        .smtp = {.helo_name = "probe.test",
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
        stage.servers[i].tls = ground.tls;
        stage.servers[i].all_open = &stage.open;
        stage.servers[i].all_open_max = &stage.open_max;
        stage.servers[i].on_accept = on_accept;
    }
}

/* Opens one more server; all have the same port. */
static inline struct server *stage_serve(const char *address)
{
    struct server *server = &stage.servers[stage.server_count];
    uint16_t port = stage.server_count == 0 ? 0 : stage.servers[0].port;

    server_open(server, &stage.loop, address, port);
    stage.server_count++;
    return server;
}

static inline struct smtp_target target_of(const char *address, const char *host)
{
    struct smtp_target target = {.port = stage.servers[0].port, .host = host, .sni = host};

    assert_true(ip_parse(&target.ip, address));
    return target;
}

static inline void stage_ask(size_t at, const char *address, const char *host)
{
    struct smtp_target target = target_of(address, host);
    const struct starttls_result *known;

    if (stage.probes == NULL)
        assert_int_equal(probe_cache_new(&stage.probes, &stage.tools, &stage.options), 0);
    stage.asks[at].stage = &stage;
    stage.expected++;
    known = probe_cache_peek(stage.probes, &target, 0);
    if (known != NULL)
        on_done(&stage.asks[at], known);
    else
        assert_int_equal(probe_cache_ask(&stage.asks[at].waiter, stage.probes, &target, 0, on_done,
                                         &stage.asks[at]),
                         0);
}

/* Runs until all expected calls have come; the probe cache stays open. */
static inline void stage_run(void)
{
    unsigned before = stage.calls;

    while (stage.calls < stage.expected)
        assert_true(uv_run(&stage.loop, UV_RUN_ONCE) != 0 || stage.calls >= stage.expected);
    assert_true(stage.calls > before);
}

static inline void stage_close(void)
{
    stage_over();
    if (stage.probes != NULL)
        probe_cache_close(stage.probes);
    assert_int_equal(uv_run(&stage.loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&stage.loop), 0);
    for (size_t i = 0; i < stage.server_count; i++)
        buf_fini(&stage.servers[i].heard);
}
