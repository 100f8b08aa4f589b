/*
 * one_rollover: what the cases of test_rollover_*.c begin with: chain 0 is to be replaced by chain 1
 * at one host with two name servers, a resolver, and two addresses.
 */
#pragma once

#include "tests/unit/check/made_chain.h"
#include "tests/unit/support/unit.h"

#define NOW  1000000
#define TTL  3600
#define WAIT (2 * TTL + 1)

static struct arena *arena;
static struct rollover rollover;
static struct rollover_rrset servers[2];
static struct rollover_shown shown[2];
static struct rollover_seen seen;
static struct rollover_sight sight;
static struct rollover_advice advice;
static struct tlsa records[8];

static inline struct tlsa record_of(unsigned usage, size_t chain)
{
    const struct tls_association *data = &chains[chain].made[usage == 3 ? 0 : 1].of[1][1];

    return (struct tlsa){(uint8_t)usage, 1, 1, true, DATA, data->data};
}

/* Every server has 3 1 1 of both chains, and both addresses show chain 0. */
static inline int set_up(void **state)
{
    (void)state;
    make_chains();
    arena = arena_new(1 << 22);
    records[0] = record_of(3, 0);
    records[1] = record_of(3, 1);
    rollover = (struct rollover){.host_count = 1, .hosts = {"mx.example"}, .port = 25};
    rollover.current = chains[0].chain;
    assert_true(rollover_stage(&rollover, &chains[1].chain, NOW));
    for (size_t i = 0; i < 2; i++) {
        servers[i] = (struct rollover_rrset){.server = i == 0 ? "ns1 [a]" : "ns2 [b]",
                                             .name = i == 0 ? "ns1.example" : "ns2.example",
                                             .address = i == 0 ? "192.0.2.1" : "2001:db8::2",
                                             .known = true,
                                             .why = "timeout",
                                             .ttl = TTL,
                                             .count = 2,
                                             .records = records};
        shown[i] = (struct rollover_shown){.address = "address", .chain = chains[0].chain};
    }
    seen = (struct rollover_seen){.host = "mx.example",
                                  .owner = "_25._tcp.mx.example",
                                  .server_count = 2,
                                  .servers = servers,
                                  .resolver = servers[0],
                                  .address_count = 2,
                                  .addresses = shown};
    seen.resolver.cached = true;
    return 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

static inline void step_at(int64_t now)
{
    rollover_look(&sight, arena, &rollover, &seen);
    rollover_step(&rollover, &sight, now, &advice);
}

static inline void expect(enum rollover_state state, enum rollover_need need, const char *why)
{
    assert_string_equal(rollover_state_name(rollover.state), rollover_state_name(state));
    assert_string_equal(rollover_need_name(advice.need), rollover_need_name(need));
    if (why == NULL)
        assert_null(advice.why);
    else
        assert_string_equal(advice.why, why);
}

static inline void show(size_t address, size_t chain)
{
    shown[address].chain = chains[chain].chain;
}

static inline void hide(size_t address)
{
    shown[address].chain = (struct rollover_chain){.made = NULL};
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
