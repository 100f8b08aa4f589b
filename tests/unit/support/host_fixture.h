/* host_fixture: the lookup of mx.example against one scripted resolver. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "probe/host_uv.h"
#include "tests/unit/support/dns_responder.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define LINES_MAX    8
#define BUDGET       20

#define DIGEST_A "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define DIGEST_B "ff112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define SOA      "example. 900 IN SOA ns.example. root.example. 1 2 3 4 600"

/* Lines of scripts: name, type, flags, then records. */
#define REPLY(n, t, f, ...)                                                                        \
    {                                                                                              \
        .reply = {.name = n, .type = t, .flags = f, .answer = {__VA_ARGS__} }                      \
    }
#define NOTHING(n, t, f)                                                                           \
    {                                                                                              \
        .reply = {.name = n, .type = t, .flags = f, .authority = {SOA} }                           \
    }
#define NO_NAME(n, t, f)                                                                           \
    {                                                                                              \
        .reply = {.name = n, .type = t, .flags = f, .rcode = 3, .authority = {SOA} }               \
    }
#define RCODE(n, t, r)                                                                             \
    {                                                                                              \
        .reply = {.name = n, .type = t, .rcode = r }                                               \
    }
#define SILENT(n, t)                                                                               \
    {                                                                                              \
        .reply = {.name = n, .type = t}, .silent = true                                            \
    }
#define AD           PACKET_AD
#define A_SECURE     REPLY("mx.example", 1, AD, "mx.example. 300 IN A 192.0.2.1")
#define A_INSECURE   REPLY("mx.example", 1, 0, "mx.example. 300 IN A 192.0.2.1")
#define AAAA_NOTHING NOTHING("mx.example", 28, AD)
#define OWNER        "_25._tcp.mx.example"
#define TLSA_GOOD    REPLY(OWNER, 52, AD, OWNER ". 200 IN TLSA 3 1 1 " DIGEST_A)
#define TO_TARGET    "mx.example. 250 IN CNAME t.example."
#define A_ALIAS(f)   REPLY("mx.example", 1, f, TO_TARGET, "t.example. 300 IN A 192.0.2.1")
#define AAAA_ALIAS(f)                                                                              \
    {                                                                                              \
        .reply = {                                                                                 \
            .name = "mx.example",                                                                  \
            .type = 28,                                                                            \
            .flags = f,                                                                            \
            .answer = {TO_TARGET},                                                                 \
            .authority = {SOA}                                                                     \
        }                                                                                          \
    }
#define TARGET_OWNER   "_25._tcp.t.example"
#define TLSA_AT_TARGET REPLY(TARGET_OWNER, 52, AD, TARGET_OWNER ". 100 IN TLSA 3 1 1 " DIGEST_B)

struct fixture {
    uv_loop_t loop;
    struct arena *arena;
    struct dns *dns;
    struct responder responder;
    struct host_request request;
    struct mx_host host;
    unsigned budget;
    bool starting;
    unsigned done;
};

/* A script with a silent line means a time-out to happen; without one none may, however busy the
 * machine is. */
static inline uint64_t timeout_for(const struct responder_line *lines, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (lines[i].silent)
            return 300;
    return 30000;
}

static inline struct fixture *open_fixture(const struct responder_line *lines, size_t count)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct dns_options options = {.server_count = 1,
                                  .timeout_ms = timeout_for(lines, count),
                                  .tries = 1,
                                  .in_flight_max = 100};

    alarm(60);
    assert_non_null(f);
    assert_int_equal(uv_loop_init(&f->loop), 0);
    f->arena = arena_new(4u << 20);
    assert_non_null(f->arena);
    assert_true(responder_start(&f->responder, &f->loop, "127.0.0.1", lines, count));
    options.servers[0] = responder_server(&f->responder);
    assert_int_equal(dns_new(&f->dns, &f->loop, &options), 0);
    f->budget = BUDGET;
    f->request = (struct host_request){.dns = f->dns,
                                       .arena = f->arena,
                                       .name = "mx.example",
                                       .port = 25,
                                       .dane = true,
                                       .query_budget = &f->budget};
    f->host.preference = 10;
    return f;
}

static inline void close_fixture(struct fixture *f)
{
    dns_close(f->dns);
    responder_stop(&f->responder);
    assert_int_equal(uv_run(&f->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    arena_free(f->arena);
    free(f);
}

static inline void on_done(void *context)
{
    struct fixture *f = context;

    assert_false(f->starting);
    f->done++;
}

static inline struct host_lookup *start(struct fixture *f)
{
    struct host_lookup *lookup = NULL;

    f->starting = true;
    assert_int_equal(host_start(&lookup, &f->request, &f->host, on_done, f), 0);
    f->starting = false;
    return lookup;
}

static inline void look_up(struct fixture *f)
{
    start(f);
    while (f->done == 0)
        assert_int_not_equal(uv_run(&f->loop, UV_RUN_ONCE), 0);
    assert_int_equal(f->done, 1);
    assert_int_equal(f->host.preference, 10);
    assert_true(f->host.addresses_known);
    assert_string_equal(f->host.name, f->request.name);
}

static const char *text(const char *text)
{
    return text == NULL ? "(none)" : text;
}
