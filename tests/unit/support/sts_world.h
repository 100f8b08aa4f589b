/*
 * sts_world: MTA-STS lookups against a scripted resolver and a policy host, in one loop.
 */
#pragma once

#include "base/clock.h"
#include "probe/sts/sts_uv.h"
#include "tests/unit/support/dns_responder.h"
#include "tests/unit/support/https_client.h"

#define DAY        INT64_C(86400000)
#define TXT(text)  "_mta-sts.d.test. 300 IN TXT \"" text "\""
#define RECORD(id) TXT("v=STSv1; id=" id ";")
#define SOA        "d.test. 60 IN SOA ns.d.test. x.d.test. 1 2 3 4 60"
#define NAME       "_mta-sts.d.test"
#define A_HOST                                                                                     \
    {                                                                                              \
        .reply = {.name = HOST, .type = DNS_A, .answer = {HOST ". 300 IN A 127.0.0.1"} }           \
    }
#define NO_AAAA                                                                                    \
    {                                                                                              \
        .reply = {.name = HOST, .type = DNS_AAAA, .authority = {SOA} }                             \
    }
#define RECORDS(...)                                                                               \
    {                                                                                              \
        .reply = {.name = NAME, .type = DNS_TXT, .answer = {__VA_ARGS__} }                         \
    }
#define RCODE(code)                                                                                \
    {                                                                                              \
        .reply = {.name = NAME, .type = DNS_TXT, .rcode = code, .authority = {SOA} }               \
    }
#define PLAIN(body) "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n" body
#define GOOD_FILE   FILE_OF("enforce", "86400")
#define FILE_OF(mode, age)                                                                         \
    PLAIN("version: STSv1\nmode: " mode "\nmx: mx.d.test\nmx: *.e.test\nmax_age: " age "\n")

struct world {
    uv_loop_t loop;
    struct responder responder;
    struct dns *dns;
    struct https *https;
    struct sts *sts;
    struct arena *arena;
    unsigned budget, calls;
    struct sts_evidence out;
};

static inline void world_start(struct world *world, int64_t retry_ms, int64_t refresh_ms)
{
    struct dns_options dns = {.timeout_ms = 2000, .tries = 1, .in_flight_max = 10};
    const struct sts_cache_options sts = {
        .entries_max = 9, .retry_ms = retry_ms, .refresh_ms = refresh_ms};

    memset(world, 0, sizeof *world);
    world->https = client_new(&world->loop, DEADLINE, 10);
    assert_true(responder_start(&world->responder, &world->loop, "127.0.0.1", NULL, 0));
    dns.servers[dns.server_count++] = responder_server(&world->responder);
    assert_int_equal(dns_new(&world->dns, &world->loop, &dns), 0);
    assert_int_equal(sts_new(&world->sts, &world->loop, world->dns, world->https, &sts), 0);
    world->arena = arena_new(16u << 20);
    world->budget = 100;
}

static inline void world_end(struct world *world)
{
    responder_stop(&world->responder);
    sts_close(world->sts);
    dns_close(world->dns);
    client_end(world->https, &world->loop);
    arena_free(world->arena);
}

static inline void looked_up(void *context)
{
    struct world *world = context;

    world->calls++;
}

static inline struct sts_lookup *begin(struct world *world, const struct responder_line *lines,
                                       size_t count, const char *response)
{
    struct sts_lookup *lookup;

    world->responder.lines = lines;
    world->responder.line_count = count;
    world->responder.count = 0;
    world->calls = 0;
    memset(world->responder.dropped, 0, sizeof world->responder.dropped);
    memset(&world->out, 0, sizeof world->out);
    server_says(&server, response);
    assert_int_equal(sts_start(&lookup, world->sts, world->arena, "d.test", &world->budget,
                               &world->out, looked_up, world),
                     0);
    assert_int_equal(world->calls, 0);
    return lookup;
}

/* One lookup; returns the number of requests at the policy host. */
static inline int look_up(struct world *world, const struct responder_line *lines, size_t count,
                          const char *response)
{
    int before = atomic_load(&server.requests);

    begin(world, lines, count, response);
    while (world->calls == 0)
        uv_run(&world->loop, UV_RUN_ONCE);
    assert_int_equal(world->calls, 1);
    return atomic_load(&server.requests) - before;
}

/* The same with one TXT line and a policy host that exists. */
static inline int look_up_txt(struct world *world, const struct responder_line *txt,
                              const char *response)
{
    const struct responder_line lines[] = {*txt, A_HOST, NO_AAAA};

    return look_up(world, lines, COUNT(lines), response);
}

static inline int look_up_id(struct world *world, const char *record, const char *response)
{
    const struct responder_line txt = RECORDS(record);

    return look_up_txt(world, &txt, response);
}

static inline void expect_state(const char *row, const struct world *world, enum sts_state state,
                                const char *why)
{
    const struct sts_evidence *out = &world->out;

    if (out->state != state || (why == NULL) != (out->why == NULL) ||
        (why != NULL && strstr(out->why, why) == NULL))
        fail_msg("%s: state %d, why %s", row, out->state, out->why);
    if ((out->policy != NULL) != (state == STS_POLICY))
        fail_msg("%s: policy %p", row, (const void *)out->policy);
}
