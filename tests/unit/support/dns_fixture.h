/* dns_fixture: a resolver object and up to three scripted servers in one loop. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "probe/dns/dns_query_uv.h"
#include "tests/unit/support/dns_responder.h"

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
    const struct dns_answer *answers[RESPONDER_ASKED_MAX]; /* in the order they came */
};

static inline int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    alarm(60); /* a hanging loop is a failure */
    if (f == NULL || uv_loop_init(&f->loop) != 0)
        return -1;
    f->arena = arena_new(4u << 20);
    f->options.timeout_ms = 30000; /* no test fails because the machine is busy */
    f->options.tries = 3;
    f->options.in_flight_max = 100;
    *state = f;
    return f->arena == NULL ? -1 : 0;
}

/* The same with sockets that are shared. */
static inline int set_up_shared(void **state)
{
    int error = set_up(state);

    if (error == 0)
        ((struct fixture *)*state)->options.questions_per_socket = 8;
    return error;
}

/* A test that holds for both. */
#define BOTH(test)                                                                                 \
    cmocka_unit_test_setup_teardown(test, set_up, tear_down),                                      \
    {                                                                                              \
#test " (shared)", test, set_up_shared, tear_down, NULL                                    \
    }

/* Ends everything: the loop must run dry. */
static inline int tear_down(void **state)
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

static inline void add_server(struct fixture *f, const struct responder_line *lines, size_t count)
{
    struct responder *responder = &f->responders[f->responder_count++];

    assert_true(responder_start(responder, &f->loop, "127.0.0.1", lines, count));
    f->options.servers[f->options.server_count++] = responder_server(responder);
}

/* A port on which nothing listens: bound once, and closed again. */
static inline void add_dead_server(struct fixture *f)
{
    struct responder responder;

    assert_true(responder_start(&responder, &f->loop, "127.0.0.1", NULL, 0));
    f->options.servers[f->options.server_count++] = responder_server(&responder);
    responder_stop(&responder);
    uv_run(&f->loop, UV_RUN_NOWAIT);
}

static inline void open_dns(struct fixture *f)
{
    assert_int_equal(dns_new(&f->dns, &f->loop, &f->options), 0);
}

static inline void on_answer(void *context, const struct dns_answer *answer)
{
    struct fixture *f = context;

    assert_false(f->starting);
    assert_non_null(answer);
    f->answers[f->answered++] = answer;
}

static inline struct dns_query *ask(struct fixture *f, const char *name, enum dns_type type)
{
    struct dns_query *query = NULL;

    f->starting = true;
    assert_int_equal(dns_start(&query, f->dns, f->arena, name, type, on_answer, f), 0);
    f->starting = false;
    return query;
}

static inline void await(struct fixture *f, unsigned count)
{
    while (f->answered < count && uv_run(&f->loop, UV_RUN_ONCE) != 0)
        continue;
    assert_int_equal(f->answered, count);
}

static inline const struct dns_answer *look_up(struct fixture *f, const char *name,
                                               enum dns_type type)
{
    ask(f, name, type);
    await(f, f->answered + 1);
    return f->answers[f->answered - 1];
}

static inline struct dns_stats stats_of(const struct fixture *f)
{
    struct dns_stats stats;

    dns_get_stats(f->dns, &stats);
    return stats;
}
