/* dns_wire_fixture: one reply at a time, held against dns_wire. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "probe/dns/dns_wire.h"
#include "tests/unit/support/dns_packet.h"

#define ID          0x1234
#define ARENA_LIMIT (4u << 20)
#define SOA(zone)   zone " 900 IN SOA ns.example. root.example. 1 2 3 4 600"

static struct arena *arena;
static struct packet packet;

static inline int set_up(void **state)
{
    (void)state;
    arena = arena_new(ARENA_LIMIT);
    return arena == NULL ? -1 : 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

static inline enum dns_wire_result answer_to(struct dns_answer *out, const char *name,
                                             uint16_t type)
{
    /* a copy of the exact size, so that the sanitizer sees one octet too many */
    uint8_t *copy = malloc(packet.length + (packet.length == 0));
    enum dns_wire_result result;

    assert_non_null(copy);
    memcpy(copy, packet.data, packet.length);
    memset(out, 0, sizeof *out);
    result = dns_wire_answer(out, arena, copy, packet.length, ID, name, type);
    free(copy);
    return result;
}

/* Question, and one answer record by hand: RDATA `data`, RDLENGTH `told`. */
static inline void one_record(uint16_t type, const void *data, size_t length, unsigned reply)
{
    struct packet_spec spec = {.id = ID, .flags = PACKET_AD, .name = "mx.example", .type = type};

    packet_start(&packet, &spec);
    packet_put_u16(&packet, 0xc00c);
    packet_put_u16(&packet, type);
    packet_put_u16(&packet, 1);
    packet_put_u32(&packet, 300);
    packet_put_u16(&packet, reply);
    packet_put(&packet, data, length);
    packet_count(&packet, 1, 1);
}
