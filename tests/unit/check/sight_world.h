/*
 * sight_world: scripted name servers and a scripted mail host, for what a rollover sees. The resolver
 * is 127.0.0.1, name servers are 127.0.0.2 and on, all at one port; they run in a loop, and on a
 * thread, of their own.
 */
#pragma once

#include "tests/unit/support/dns_responder.h"
#include "tests/unit/support/smtp_seen.h"

#include "base/escape.h"
#include "check/rollover/sight_uv.h"

#define HOST    "mx.example"
#define LINES   40
#define SERVERS 3 /* the resolver is the first */
#define ROUNDS  20

struct script {
    size_t count;
    struct responder_line lines[LINES];
};

struct world {
    uv_loop_t loop;
    uv_thread_t thread;
    uv_async_t stop;
    struct arena *arena;
    struct script scripts[SERVERS];
    struct responder responders[SERVERS];
    struct server mail;
    char owner[64];    /* of the TLSA records */
    char question[80]; /* for them */
    struct prober_options options;
    struct rollover rollover;
    struct rollover_seen seen;
};

static struct world world;

static const char *const servers[SERVERS] = {"127.0.0.1", "127.0.0.2", "127.0.0.3"};

/* ---- scripts ---- */

static inline struct responder_line *line(size_t server, const char *name, uint16_t type,
                                          uint16_t flags)
{
    struct script *script = &world.scripts[server];
    struct responder_line *out = &script->lines[script->count++];

    assert_true(script->count <= LINES);
    *out = (struct responder_line){.reply = {.name = name, .type = type, .flags = flags}};
    return out;
}

static inline void add(struct responder_line *to, const char *record)
{
    size_t count = 0;

    while (to->reply.answer[count] != NULL)
        count++;
    to->reply.answer[count] = record;
}

static inline void give(size_t server, const char *name, uint16_t type, const char *rest)
{
    add(line(server, name, type, server == 0 ? PACKET_AD : PACKET_AA),
        arena_printf(world.arena, "%s. %s", name, rest));
}

/* A zone whose servers are those between `first` and `last`. */
static inline void give_zone(const char *zone, size_t first, size_t last)
{
    struct responder_line *ns = line(0, zone, DNS_NS, PACKET_AD);

    for (size_t i = first; i <= last; i++) {
        const char *name = arena_printf(world.arena, "ns%zu.%s", i, zone);

        add(ns, arena_printf(world.arena, "%s. 300 IN NS %s.", zone, name));
        give(0, name, DNS_A, arena_printf(world.arena, "300 IN A %s", servers[i]));
        line(0, name, DNS_AAAA, PACKET_AD);
        line(i, zone, DNS_SOA, PACKET_AA);
    }
}

/* No zone begins at these names. */
static inline void give_no_cut(const char *name)
{
    line(0, name, DNS_NS, PACKET_AD);
}

#define DIGEST "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define TLSA   "3600 IN TLSA 3 1 1 " DIGEST

/* ---- the world ---- */

static inline void on_stop(uv_async_t *stop)
{
    for (size_t i = 0; i < SERVERS; i++)
        responder_stop(&world.responders[i]);
    server_close(&world.mail);
    uv_close((uv_handle_t *)stop, NULL);
}

static inline void serve(void *loop)
{
    uv_run(loop, UV_RUN_DEFAULT);
}

/* With a mail host that follows `mail`; afterwards scripts may be written. */
static inline void begin(const struct line *mail)
{
    uint16_t port = 0;

    alarm(60);
    memset(&world, 0, sizeof world);
    world.arena = arena_new((size_t)16 << 20);
    assert_int_equal(uv_loop_init(&world.loop), 0);
    uv_async_init(&world.loop, &world.stop, on_stop);
    world.mail = (struct server){.script = mail, .tls = ground.tls};
    server_open(&world.mail, &world.loop, "127.25.0.1", 0);
    for (unsigned round = 0, at = 0; at < SERVERS; round++) {
        assert_true(round < ROUNDS);
        port = at == 0 ? 0 : port;
        if (responder_start_at(&world.responders[at], &world.loop, servers[at], port,
                               world.scripts[at].lines, LINES)) {
            port = world.responders[at++].port;
            continue;
        }
        while (at > 0) /* somebody has the port at another address */
            responder_stop(&world.responders[--at]);
        uv_run(&world.loop, UV_RUN_NOWAIT);
    }
    snprintf(world.owner, sizeof world.owner, "_%u._tcp." HOST, world.mail.port);
    snprintf(world.question, sizeof world.question, "TLSA %s", world.owner);
    give_zone("example", 1, 2);
    give(0, HOST, DNS_A, "300 IN A 127.25.0.1");
    line(0, HOST, DNS_AAAA, PACKET_AD);
    give_no_cut(world.owner);
    give_no_cut("_tcp." HOST);
    give_no_cut(HOST);
}

static inline void look(uint64_t timeout_ms)
{
    struct prober_options *options = &world.options;
    char why[SIGHT_WHY_MAX] = "";

    options->dns = (struct dns_options){
        .server_count = 1, .timeout_ms = timeout_ms, .tries = 1, .in_flight_max = 100};
    options->dns.servers[0] = responder_server(&world.responders[0]);
    options->filter = ground.filter;
    options->probes.smtp = options_for(&world.loop);
    options->probes.connections_max = options->probes.connections_prefix_max = 10;
    options->probes.entries_max = 10;
    options->dane = options->probe = true;
    options->smtp_port = world.mail.port;
    world.rollover.host_count = 1;
    world.rollover.port = world.mail.port;
    strcpy(world.rollover.hosts[0], HOST);
    for (size_t i = 0; i < SERVERS; i++)
        world.responders[i].line_count = world.scripts[i].count;
    assert_int_equal(uv_thread_create(&world.thread, serve, &world.loop), 0);
    if (!sight_now(&world.seen, world.arena, &world.rollover, options, world.responders[0].port,
                   why))
        fail_msg("%s", why);
    uv_async_send(&world.stop);
    uv_thread_join(&world.thread);
}

static inline void end(void)
{
    assert_int_equal(uv_loop_close(&world.loop), 0);
    buf_fini(&world.mail.heard);
    arena_free(world.arena);
}

static inline const struct rollover_rrset *server_at(const char *address)
{
    for (size_t i = 0; i < world.seen.server_count; i++)
        if (world.seen.servers[i].address != NULL &&
            strcmp(world.seen.servers[i].address, address) == 0)
            return &world.seen.servers[i];
    return NULL;
}

static inline void expect(const char *address, bool known, size_t count, uint32_t ttl)
{
    const struct rollover_rrset *rrset = server_at(address);

    assert_non_null(rrset);
    assert_int_equal(rrset->known, known);
    assert_int_equal(rrset->count, count);
    assert_int_equal(rrset->ttl, ttl);
}

static inline void expect_why(const char *address, const char *words)
{
    const struct rollover_rrset *rrset = server_at(address);

    assert_non_null(rrset);
    assert_false(rrset->known);
    expect_detail(rrset->why, words);
}
