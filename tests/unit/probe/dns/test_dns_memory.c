/*
 * A lookup for which there is no memory: hostile 40. This file stands in for the two functions of
 * ldns that make names. ldns 1.8 says success and gives no name when malloc fails; other versions
 * say LDNS_STATUS_MEM_ERR. "Cannot be asked" would read as "does not exist", and be an answer.
 */
#include "probe/dns/dns_wire.h"

#include <stdlib.h>

#include <ldns/ldns.h>

#include "probe/dns/dns_uv.h"
#include "tests/unit/support/rows.h"

static ldns_status says;

ldns_status ldns_str2rdf_dname(ldns_rdf **out, const char *text)
{
    (void)text;
    *out = NULL;
    return says;
}

ldns_status ldns_wire2dname(ldns_rdf **out, const uint8_t *wire, size_t size, size_t *at)
{
    (void)wire;
    (void)size;
    (void)at;
    *out = NULL;
    return says;
}

static const struct row {
    const char *name;
    ldns_status says;
} rows[] = {{"success without a name", LDNS_STATUS_OK}, {"no memory", LDNS_STATUS_MEM_ERR}};

static void never(void *context, const struct dns_answer *answer)
{
    (void)context;
    (void)answer;
    fail();
}

static void test_query(void **state)
{
    const struct row *row = *state;
    uint8_t octets[512];
    size_t length;

    says = row->says;
    assert_int_equal(dns_wire_query(octets, sizeof octets, &length, 1, "mx.example", DNS_TLSA),
                     DNS_WIRE_NO_MEMORY);
}

static void test_answer(void **state)
{
    static const uint8_t reply[12] = {0, 1, 0x80, 0, 0, 1};
    const struct row *row = *state;
    struct arena *arena = arena_new(65536);
    struct dns_answer answer;

    says = row->says;
    assert_int_equal(
        dns_wire_answer(&answer, arena, reply, sizeof reply, 1, "mx.example", DNS_TLSA),
        DNS_WIRE_MEMORY);
    arena_free(arena);
}

static void test_lookup(void **state)
{
    const struct row *row = *state;
    const struct dns_options options = {
        .servers = {{{4, {127, 0, 0, 1}}, 53}},
        .server_count = 1,
        .timeout_ms = 1000,
        .tries = 1,
        .in_flight_max = 1,
    };
    struct arena *arena = arena_new(65536);
    struct dns_query *query;
    struct dns *dns;
    uv_loop_t loop;

    says = row->says;
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(dns_new(&dns, &loop, &options), 0);
    assert_int_equal(dns_start(&query, dns, arena, "mx.example", DNS_MX, never, NULL), UV_ENOMEM);
    dns_close(dns);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    arena_free(arena);
}

int main(void)
{
    ROWS_ADD(rows, test_query);
    ROWS_ADD(rows, test_answer);
    ROWS_ADD(rows, test_lookup);
    return rows_run("dns_memory");
}
