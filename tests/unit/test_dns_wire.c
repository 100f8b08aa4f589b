/* dns_wire and dns_guard: replies as resolvers send them, and as nobody should. */
#include "probe/dns_wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include "probe/dns_guard.h"
#include "tests/unit/dns_packet.h"

#define ID          0x1234
#define ARENA_LIMIT (4u << 20)
#define SOA(zone)   zone " 900 IN SOA ns.example. root.example. 1 2 3 4 600"

static struct arena *arena;
static struct packet packet;

static int set_up(void **state)
{
    (void)state;
    arena = arena_new(ARENA_LIMIT);
    return arena == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

static enum dns_wire_result answer_to(struct dns_answer *out, const char *name, uint16_t type)
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

/* ---- queries ---- */

static void test_query(void **state)
{
    uint8_t octets[512];
    size_t length;
    ldns_pkt *query = NULL;

    (void)state;
    assert_int_equal(dns_wire_query(octets, sizeof octets, &length, ID, "_25._tcp.MX.example.", 52),
                     0);
    assert_int_equal(ldns_wire2pkt(&query, octets, length), LDNS_STATUS_OK);
    assert_int_equal(ldns_pkt_id(query), ID);
    assert_true(ldns_pkt_rd(query));
    assert_true(ldns_pkt_ad(query)); /* C-8 */
    assert_false(ldns_pkt_cd(query));
    assert_true(ldns_pkt_edns(query));
    assert_true(ldns_pkt_edns_do(query)); /* C-8 */
    assert_int_equal(ldns_pkt_edns_udp_size(query), DNS_UDP_MAX);
    assert_int_equal(ldns_pkt_qdcount(query), 1);
    ldns_pkt_free(query);
}

/* A name of `length` octets in text, in labels of at most 63. */
static char *long_name(size_t length)
{
    static char name[400];

    memset(name, 'a', length);
    for (size_t i = 63; i < length; i += 64)
        name[i] = '.';
    name[length] = '\0';
    return name;
}

static void test_query_names(void **state)
{
    static const struct {
        const char *name;
        int want;
    } rows[] = {{".", 0},
                {"a", 0},
                {"a.", 0},
                {"", -1},
                {"a..b", -1},
                {".a", -1},
                {"\\001.example", 0},
                {"\\999.example", -1},
                {"a\\", -1},
                {"a b.c", 0}};
    uint8_t octets[512];
    char name[400];
    size_t length;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(dns_wire_query(octets, sizeof octets, &length, ID, rows[i].name, DNS_MX),
                         rows[i].want);
    assert_int_equal(dns_wire_query(octets, sizeof octets, &length, ID, long_name(252), DNS_A), 0);
    assert_int_equal(dns_wire_query(octets, sizeof octets, &length, ID, long_name(253), DNS_A), 0);
    assert_int_equal(dns_wire_query(octets, sizeof octets, &length, ID, long_name(254), DNS_A), -1);
    assert_int_equal(dns_wire_query(octets, 40, &length, ID, long_name(60), DNS_A), -1);
    memset(name, 'b', 64);
    name[64] = '\0';
    assert_int_equal(dns_wire_query(octets, sizeof octets, &length, ID, name, DNS_A), -1);
    /* C-10 */
    snprintf(name, sizeof name, "_25._tcp.%s", long_name(253));
    assert_int_equal(dns_wire_query(octets, sizeof octets, &length, ID, name, DNS_TLSA), -1);
    snprintf(name, sizeof name, "_25._tcp.%s", long_name(244));
    assert_int_equal(dns_wire_query(octets, sizeof octets, &length, ID, name, DNS_TLSA), 0);
}

/* ---- whole replies ---- */

struct row {
    const char *title;
    struct packet_spec spec;
    const char *asked; /* NULL: spec.name */
    enum dns_outcome outcome;
    bool secure;
    uint32_t ttl;
    size_t count;
    const char *owner; /* NULL: not looked at */
    unsigned aliases;
    const char *why;
};

static const struct row rows[] = {
    {"B-1 one A with AD",
     {.name = "mx.example",
      .type = 1,
      .flags = PACKET_AD,
      .answer = {"mx.example. 300 IN A 192.0.2.1"}},
     .outcome = DNS_RECORDS,
     .secure = true,
     .ttl = 300,
     .count = 1,
     .owner = "mx.example"},
    {"B-2 without AD",
     {.name = "mx.example", .type = 1, .answer = {"mx.example. 300 IN A 192.0.2.1"}},
     .outcome = DNS_RECORDS,
     .ttl = 300,
     .count = 1},
    {"C-8 hostile 25: AD beside CD does not count",
     {.name = "mx.example",
      .type = 1,
      .flags = PACKET_AD | PACKET_CD,
      .answer = {"mx.example. 300 IN A 192.0.2.1"}},
     .outcome = DNS_RECORDS,
     .ttl = 300,
     .count = 1},
    {"C-5 smallest TTL of the RRset",
     {.name = "mx.example",
      .type = 1,
      .answer = {"mx.example. 300 IN A 192.0.2.1", "mx.example. 20 IN A 192.0.2.2"}},
     .outcome = DNS_RECORDS,
     .ttl = 20,
     .count = 2},
    {"question in another case",
     {.name = "MX.Example", .type = 1, .answer = {"mX.eXample. 300 IN A 192.0.2.1"}},
     .asked = "mx.example",
     .outcome = DNS_RECORDS,
     .ttl = 300,
     .count = 1,
     .owner = "mx.example"},
    {"B-21 F-3 CNAME chain, order mixed up",
     {.name = "a.example",
      .type = 1,
      .flags = PACKET_AD,
      .answer = {"c.example. 300 IN A 192.0.2.1", "b.example. 50 IN CNAME c.example.",
                 "a.example. 400 IN CNAME B.example."}},
     .outcome = DNS_RECORDS,
     .secure = true,
     .ttl = 50,
     .count = 1,
     .owner = "c.example",
     .aliases = 2},
    {"B-29 DNAME with its synthesised CNAME",
     {.name = "mx.old.example",
      .type = 1,
      .answer = {"old.example. 100 IN DNAME new.example.",
                 "mx.old.example. 100 IN CNAME mx.new.example.",
                 "mx.new.example. 300 IN A 192.0.2.1"}},
     .outcome = DNS_RECORDS,
     .ttl = 100,
     .count = 1,
     .owner = "mx.new.example",
     .aliases = 1},
    {"CNAME asked for is not followed",
     {.name = "a.example",
      .type = 5,
      .flags = PACKET_AD,
      .answer = {"a.example. 300 IN CNAME b.example.", "b.example. 300 IN CNAME c.example."}},
     .outcome = DNS_RECORDS,
     .secure = true,
     .ttl = 300,
     .count = 1,
     .owner = "a.example"},
    {"hostile 25: other owners, types and classes are not ours",
     {.name = "mx.example",
      .type = 1,
      .answer = {"other.example. 1 IN A 192.0.2.66", "mx.example. 2 CH A 192.0.2.67",
                 "mx.example. 3 IN AAAA 2001:db8::1", "mx.example. 300 IN A 192.0.2.1"},
      .additional = {"mx.example. 4 IN A 192.0.2.68"}},
     .outcome = DNS_RECORDS,
     .ttl = 300,
     .count = 1},
    {"only foreign records are NODATA",
     {.name = "mx.example", .type = 1, .answer = {"other.example. 1 IN A 192.0.2.66"}},
     .outcome = DNS_NODATA,
     .ttl = 60},
    {"RRSIG beside the records",
     {.name = "mx.example",
      .type = 1,
      .flags = PACKET_AD,
      .answer =
          {"mx.example. 300 IN A 192.0.2.1",
           "mx.example. 300 IN RRSIG A 13 2 300 20300101000000 20200101000000 1 example. AAAA"}},
     .outcome = DNS_RECORDS,
     .secure = true,
     .ttl = 300,
     .count = 1},
    {"B-30 CNAME to itself",
     {.name = "a.example",
      .type = 1,
      .flags = PACKET_AD,
      .answer = {"a.example. 300 IN CNAME a.example."}},
     .outcome = DNS_FAILED,
     .why = "CNAME loop"},
    {"B-30 CNAME loop of two",
     {.name = "a.example",
      .type = 1,
      .answer = {"a.example. 300 IN CNAME b.example.", "b.example. 300 IN CNAME a.example."}},
     .outcome = DNS_FAILED,
     .why = "CNAME loop"},
    {"two different CNAMEs at one name",
     {.name = "a.example",
      .type = 1,
      .answer = {"a.example. 300 IN CNAME b.example.", "a.example. 300 IN CNAME c.example.",
                 "b.example. 300 IN A 192.0.2.1"}},
     .outcome = DNS_FAILED,
     .why = "malformed answer"},
    {"the same CNAME twice",
     {.name = "a.example",
      .type = 1,
      .answer = {"a.example. 300 IN CNAME b.example.", "a.example. 9 IN CNAME b.example.",
                 "b.example. 300 IN A 192.0.2.1"}},
     .outcome = DNS_RECORDS,
     .ttl = 9,
     .count = 1,
     .aliases = 1},
    {"I-1 NODATA, SOA TTL larger than MINIMUM",
     {.name = "mx.example", .type = 52, .flags = PACKET_AD, .authority = {SOA("example.")}},
     .outcome = DNS_NODATA,
     .secure = true,
     .ttl = 600,
     .owner = "mx.example"},
    {"I-1 NXDOMAIN, SOA TTL smaller than MINIMUM",
     {.name = "mx.example",
      .type = 52,
      .rcode = 3,
      .authority = {"example. 30 IN SOA ns.example. root.example. 1 2 3 4 600"}},
     .outcome = DNS_NXDOMAIN,
     .ttl = 30},
    {"I-2 no SOA",
     {.name = "mx.example", .type = 52, .rcode = 3},
     .outcome = DNS_NXDOMAIN,
     .ttl = 60},
    {"I-2 SOA of a zone the name is not in",
     {.name = "mx.example", .type = 52, .authority = {SOA("mple."), SOA("x.mx.example.")}},
     .outcome = DNS_NODATA,
     .ttl = 60},
    {"I-8 CNAME and NODATA: the target's SOA",
     {.name = "a.example",
      .type = 52,
      .flags = PACKET_AD,
      .answer = {"a.example. 5000 IN CNAME b.test."},
      .authority = {"example. 10 IN SOA n. r. 1 2 3 4 10", SOA("test.")}},
     .outcome = DNS_NODATA,
     .secure = true,
     .ttl = 600,
     .owner = "b.test",
     .aliases = 1},
    {"I-8 CNAME with a smaller TTL",
     {.name = "a.example",
      .type = 52,
      .answer = {"a.example. 7 IN CNAME b.test."},
      .authority = {SOA("test.")}},
     .outcome = DNS_NODATA,
     .ttl = 7,
     .owner = "b.test",
     .aliases = 1},
    {"CNAME and NXDOMAIN (RFC 6604)",
     {.name = "a.example",
      .type = 1,
      .rcode = 3,
      .flags = PACKET_AD,
      .answer = {"a.example. 700 IN CNAME b.test."},
      .authority = {SOA("test.")}},
     .outcome = DNS_NXDOMAIN,
     .secure = true,
     .ttl = 600,
     .owner = "b.test",
     .aliases = 1},
    {"the nearest SOA of several",
     {.name = "a.b.example",
      .type = 1,
      .authority = {"example. 10 IN SOA n. r. 1 2 3 4 10",
                    "b.example. 90 IN SOA n. r. 1 2 3 4 90"}},
     .outcome = DNS_NODATA,
     .ttl = 90},
    {"SOA of the root",
     {.name = "a.nowhere", .type = 1, .rcode = 3, .authority = {SOA(".")}},
     .outcome = DNS_NXDOMAIN,
     .ttl = 600},
    {"I-7 TTL of 2^31 - 1",
     {.name = "mx.example", .type = 1, .answer = {"mx.example. 2147483647 IN A 192.0.2.1"}},
     .outcome = DNS_RECORDS,
     .ttl = 2147483647,
     .count = 1},
    {"I-7 hostile 26: TTL of 2^31 is zero",
     {.name = "mx.example", .type = 1, .answer = {"mx.example. 2147483648 IN A 192.0.2.1"}},
     .outcome = DNS_RECORDS,
     .ttl = 0,
     .count = 1},
    {"I-6 TTL 0",
     {.name = "mx.example", .type = 1, .answer = {"mx.example. 0 IN A 192.0.2.1"}},
     .outcome = DNS_RECORDS,
     .ttl = 0,
     .count = 1},
    {"hostile 26: huge MINIMUM",
     {.name = "mx.example",
      .type = 1,
      .authority = {"example. 900 IN SOA n. r. 1 2 3 4 2147483647"}},
     .outcome = DNS_NODATA,
     .ttl = 900},
    {"records at a name that does not exist",
     {.name = "mx.example", .type = 1, .rcode = 3, .answer = {"mx.example. 300 IN A 192.0.2.1"}},
     .outcome = DNS_FAILED,
     .why = "malformed answer"},
    {"B-5 SERVFAIL",
     {.name = "mx.example", .type = 52, .rcode = 2, .flags = PACKET_AD},
     .outcome = DNS_FAILED,
     .why = "SERVFAIL"},
    {"B-5 FORMERR",
     {.name = "mx.example", .type = 52, .rcode = 1},
     .outcome = DNS_FAILED,
     .why = "FORMERR"},
    {"B-5 NOTIMP",
     {.name = "mx.example", .type = 52, .rcode = 4},
     .outcome = DNS_FAILED,
     .why = "NOTIMPL"},
    {"B-5 REFUSED",
     {.name = "mx.example", .type = 52, .rcode = 5},
     .outcome = DNS_FAILED,
     .why = "REFUSED"},
    {"unknown rcode",
     {.name = "mx.example", .type = 52, .rcode = 14},
     .outcome = DNS_FAILED,
     .why = "RCODE 14"},
    {"SERVFAIL with records is a failure",
     {.name = "mx.example", .type = 1, .rcode = 2, .answer = {"mx.example. 300 IN A 192.0.2.1"}},
     .outcome = DNS_FAILED,
     .why = "SERVFAIL"},
    {"B-5 bogus, told by RFC 8914",
     {.name = "mx.example", .type = 52, .rcode = 2, .ede = 7},
     .outcome = DNS_FAILED,
     .why = "SERVFAIL (EDE 6: DNSSEC Bogus)"},
    {"hostile 45: foreign text of an extended error is escaped",
     {.name = "mx.example", .type = 52, .rcode = 2, .ede = 7, .ede_text = "no\n\x1b[31m keys"},
     .outcome = DNS_FAILED,
     .why = "SERVFAIL (EDE 6: DNSSEC Bogus, no\\x0a\\x1b[31m keys)"},
    {"unknown extended error",
     {.name = "mx.example", .type = 52, .rcode = 2, .ede = 4001},
     .outcome = DNS_FAILED,
     .why = "SERVFAIL (EDE 4000)"},
    {"extended rcode",
     {.name = "mx.example", .type = 52, .ede = 1, .extended_rcode = 1},
     .outcome = DNS_FAILED,
     .why = "RCODE 16 (EDE 0: Other Error)"},
    {"extended error beside records says nothing",
     {.name = "mx.example", .type = 1, .ede = 4, .answer = {"mx.example. 300 IN A 192.0.2.1"}},
     .outcome = DNS_RECORDS,
     .ttl = 300,
     .count = 1},
    {"referral instead of recursion",
     {.name = "mx.example",
      .type = 1,
      .without = PACKET_RA,
      .authority = {"example. 9 IN NS ns.example."}},
     .outcome = DNS_FAILED,
     .why = "a referral: this server does no recursion"},
    {"NS beside an SOA is no referral",
     {.name = "mx.example",
      .type = 1,
      .without = PACKET_RA,
      .authority = {"example. 9 IN NS ns.example.", SOA("example.")}},
     .outcome = DNS_NODATA,
     .ttl = 600},
};

static const char *expected(const char *text)
{
    return text == NULL ? "(none)" : text;
}

static void test_replies(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *row = &rows[i];
        struct packet_spec spec = row->spec;
        struct dns_answer out;

        print_message("  %s\n", row->title);
        spec.id = ID;
        packet_build(&packet, &spec);
        assert_int_equal(answer_to(&out, row->asked != NULL ? row->asked : spec.name, spec.type),
                         DNS_WIRE_OK);
        assert_string_equal(expected(out.why), expected(row->why));
        assert_int_equal(out.outcome, row->outcome);
        assert_int_equal(out.secure, row->secure);
        assert_int_equal(out.ttl, row->ttl);
        assert_int_equal(out.count, row->count);
        assert_non_null(out.owner);
        if (row->owner != NULL)
            assert_string_equal(out.owner, row->owner);
        if (row->outcome != DNS_FAILED)
            assert_int_equal(out.aliases, row->aliases);
    }
}

/* ---- record data ---- */

static void test_rdata(void **state)
{
    struct dns_answer out;
    struct packet_spec mx = {.id = ID,
                             .name = "example",
                             .type = DNS_MX,
                             .answer = {"example. 300 IN MX 10 MX_1.Example.",
                                        "example. 300 IN MX 0 .",
                                        "example. 300 IN MX 20 a\\032b\\.c\\@.example."}};
    struct packet_spec txt = {.id = ID,
                              .name = "_mta-sts.example",
                              .type = DNS_TXT,
                              .answer = {"_mta-sts.example. 300 IN TXT \"v=STSv1;\" \" id=1\" \"\"",
                                         "_mta-sts.example. 300 IN TXT \"\""}};
    struct packet_spec aaaa = {.id = ID,
                               .name = "mx.example",
                               .type = DNS_AAAA,
                               .answer = {"mx.example. 300 IN AAAA 2001:db8::1"}};

    (void)state;
    packet_build(&packet, &mx);
    assert_int_equal(answer_to(&out, "example", DNS_MX), DNS_WIRE_OK);
    assert_int_equal(out.count, 3);
    assert_string_equal(out.records[0].name, "mx_1.example"); /* F-6 */
    assert_int_equal(out.records[0].preference, 10);
    assert_string_equal(out.records[1].name, "."); /* E-1 */
    assert_string_equal(out.records[2].name, "a\\032b\\046c\\064.example");
    packet_build(&packet, &txt);
    assert_int_equal(answer_to(&out, "_mta-sts.example", DNS_TXT), DNS_WIRE_OK);
    assert_int_equal(out.count, 2);
    assert_int_equal(out.records[0].length, 13); /* */
    assert_memory_equal(out.records[0].data, "v=STSv1; id=1", 13);
    assert_int_equal(out.records[1].length, 0);
    packet_build(&packet, &aaaa);
    assert_int_equal(answer_to(&out, "mx.example", DNS_AAAA), DNS_WIRE_OK);
    assert_int_equal(out.records[0].length, 16);
    assert_null(out.records[0].name);
}

/* Question, and one answer record by hand: RDATA `data`, RDLENGTH `told`. */
static void one_record(uint16_t type, const void *data, size_t length, unsigned told)
{
    struct packet_spec spec = {.id = ID, .flags = PACKET_AD, .name = "mx.example", .type = type};

    packet_start(&packet, &spec);
    packet_put_u16(&packet, 0xc00c);
    packet_put_u16(&packet, type);
    packet_put_u16(&packet, 1);
    packet_put_u32(&packet, 300);
    packet_put_u16(&packet, told);
    packet_put(&packet, data, length);
    packet_count(&packet, 1, 1);
}

static void test_short_tlsa(void **state)
{
    static const uint8_t data[] = {3, 1, 1, 0xab};
    struct dns_answer out;

    (void)state;
    for (unsigned length = 0; length <= sizeof data; length++) { /* C-2 */
        one_record(DNS_TLSA, data, length, length);
        assert_int_equal(answer_to(&out, "mx.example", DNS_TLSA), DNS_WIRE_OK);
        assert_int_equal(out.outcome, DNS_RECORDS);
        assert_true(out.secure);
        assert_int_equal(out.count, 1);
        assert_int_equal(out.records[0].length, length);
        assert_memory_equal(out.records[0].data, data, length);
    }
}

static void test_bad_rdata(void **state)
{
    static const struct {
        const char *title;
        uint16_t type;
        const char *data;
        uint16_t length, told;
        bool good;
    } cases[] = {
        {"A of 4", DNS_A, "abcd", 4, 4, true},
        {"A of 3", DNS_A, "abc", 3, 3, false},
        {"A of 5", DNS_A, "abcde", 5, 5, false},
        {"AAAA of 15", DNS_AAAA, "0123456789abcde", 15, 15, false},
        {"RDLENGTH overrun", DNS_A, "abcd", 4, 5, false},
        {"RDLENGTH 65535", DNS_TXT, "\3abc", 4, 65535, false},
        {"octets after the last record", DNS_TXT, "\3abc", 4, 3, false},
        {"TXT string overruns the RDATA", DNS_TXT, "\4abc", 4, 4, false},
        {"TXT without a string", DNS_TXT, "", 0, 0, true},
        {"MX of 1", DNS_MX, "a", 1, 1, false},
        {"MX of 2: no name", DNS_MX, "\0\1", 2, 2, false},
        {"MX to the root", DNS_MX, "\0\1\0", 3, 3, true},
        {"MX with octets after the name", DNS_MX, "\0\1\0x", 4, 4, false},
        {"MX name runs out of the RDATA", DNS_MX, "\0\1\1a", 4, 4, false},
        {"MX to the question", DNS_MX, "\0\1\300\14", 4, 4, true},
        {"pointer to itself", DNS_NS, "\300\50", 2, 2, false},
        {"pointer forwards", DNS_NS, "\300\60", 2, 2, false},
        {"pointer into the header", DNS_NS, "\300\0", 2, 2, false},
        {"pointer beyond the message", DNS_NS, "\377\377", 2, 2, false},
        {"half a pointer", DNS_NS, "\300", 1, 1, false},
        {"label type 01", DNS_NS, "\100a\0", 3, 3, false},
        {"label type 10", DNS_NS, "\200a\0", 3, 3, false},
        {"pointer loop through a label", DNS_NS, "\1a\300\50", 4, 4, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) { /* hostile 23 */
        struct dns_answer out;

        print_message("  %s\n", cases[i].title);
        one_record(cases[i].type, cases[i].data, cases[i].length, cases[i].told);
        assert_int_equal(answer_to(&out, "mx.example", cases[i].type), DNS_WIRE_OK);
        assert_int_equal(out.outcome, cases[i].good ? DNS_RECORDS : DNS_FAILED);
        assert_int_equal(out.secure, cases[i].good);
        if (!cases[i].good)
            assert_string_equal(out.why, "malformed answer");
    }
}

/* ---- lies about sections ---- */

static void test_lying_counts(void **state)
{
    struct packet_spec spec = {.id = ID,
                               .name = "mx.example",
                               .type = DNS_A,
                               .answer = {"mx.example. 300 IN A 192.0.2.1"}};
    struct dns_answer out;

    (void)state;
    for (unsigned section = 1; section <= 3; section++) {
        packet_build(&packet, &spec);
        packet_count(&packet, section, section == 1 ? 2 : 1);
        assert_int_equal(answer_to(&out, "mx.example", DNS_A), DNS_WIRE_OK);
        assert_string_equal(out.why, "malformed answer");
        packet_build(&packet, &spec);
        packet_count(&packet, section, 65535);
        assert_int_equal(answer_to(&out, "mx.example", DNS_A), DNS_WIRE_OK);
        assert_string_equal(out.why, "malformed answer");
    }
    /* a record that the count denies must not look like an absence */
    packet_build(&packet, &spec);
    packet_count(&packet, 1, 0);
    assert_int_equal(answer_to(&out, "mx.example", DNS_A), DNS_WIRE_OK);
    assert_string_equal(out.why, "malformed answer");
}

static void test_cut_anywhere(void **state)
{
    struct packet_spec spec = {
        .id = ID,
        .name = "mx.example",
        .type = DNS_A,
        .ede = 1,
        .answer = {"mx.example. 300 IN CNAME b.example.", "b.example. 300 IN A 192.0.2.1"},
        .authority = {SOA("example.")}};
    struct dns_answer out;
    size_t whole;

    (void)state;
    packet_build(&packet, &spec);
    whole = packet.length;
    for (size_t length = 0; length < whole; length++) {
        enum dns_wire_result result;

        packet.length = length;
        result = answer_to(&out, "mx.example", DNS_A);
        if (length < 28) { /* no whole question yet */
            assert_int_equal(result, DNS_WIRE_NOT_OURS);
            continue;
        }
        assert_int_equal(result, DNS_WIRE_OK);
        assert_string_equal(out.why, "malformed answer");
    }
    packet.length = whole;
    assert_int_equal(answer_to(&out, "mx.example", DNS_A), DNS_WIRE_OK);
    assert_int_equal(out.outcome, DNS_RECORDS);
}

static void put_opt(const char *owner, const char *rdata, size_t length)
{
    packet_put(&packet, owner, strlen(owner) + 1);
    packet_put_u16(&packet, 41);
    packet_put_u16(&packet, 1232);
    packet_put_u32(&packet, 0);
    packet_put_u16(&packet, (unsigned)length);
    packet_put(&packet, rdata, length);
}

static void test_bad_opt(void **state)
{
    static const struct {
        const char *owner, *rdata;
        size_t length;
        unsigned times;
        const char *why;
    } cases[] = {
        {"", "", 0, 1, "SERVFAIL"},
        {"", "", 0, 2, "malformed answer"},
        {"\1a", "", 0, 1, "malformed answer"},
        {"", "\0\17\0", 3, 1, "malformed answer"},
        {"", "\0\17\0\3\0\6", 6, 1, "malformed answer"},
        {"", "\0\17\0\1\6", 5, 1, "SERVFAIL"},
        {"", "\0\12\0\0\0\17\0\2\0\6\0\17\0\2\0\7", 16, 1, "SERVFAIL (EDE 6: DNSSEC Bogus)"},
    };
    struct packet_spec spec = {.id = ID, .name = "mx.example", .type = DNS_A, .rcode = 2};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct dns_answer out;

        packet_start(&packet, &spec);
        for (unsigned n = 0; n < cases[i].times; n++)
            put_opt(cases[i].owner, cases[i].rdata, cases[i].length);
        packet_count(&packet, 3, cases[i].times);
        assert_int_equal(answer_to(&out, "mx.example", DNS_A), DNS_WIRE_OK);
        assert_int_equal(out.outcome, DNS_FAILED);
        assert_string_equal(out.why, cases[i].why);
    }
}

/* ---- ours or not ---- */

static void test_not_ours(void **state)
{
    static const struct {
        const char *title;
        unsigned offset;
        uint8_t value;
    } cases[] = {
        {"another id", 1, 0x35},          {"a query", 2, 0x01},
        {"opcode NOTIFY", 2, 0xa1},       {"no question", 5, 0},
        {"two questions", 5, 2},          {"another name", 13, 'n'},
        {"another type", 25, 2},          {"another class", 27, 3},
        {"question a pointer", 12, 0xc0}, {"question name too long", 12, 63},
    };
    struct packet_spec spec = {.id = ID,
                               .name = "mx.example",
                               .type = DNS_A,
                               .answer = {"mx.example. 300 IN A 192.0.2.1"}};
    struct dns_answer out;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) { /* hostile 24 */
        print_message("  %s\n", cases[i].title);
        packet_build(&packet, &spec);
        packet.data[cases[i].offset] = cases[i].value;
        assert_int_equal(answer_to(&out, "mx.example", DNS_A), DNS_WIRE_NOT_OURS);
    }
    packet_build(&packet, &spec);
    assert_int_equal(answer_to(&out, "x.example", DNS_A), DNS_WIRE_NOT_OURS);
    assert_int_equal(answer_to(&out, "mx.example.com", DNS_A), DNS_WIRE_NOT_OURS);
}

static void test_truncated_and_bare(void **state)
{
    struct packet_spec spec = {.id = ID, .flags = PACKET_TC, .name = "mx.example", .type = DNS_A};
    struct dns_answer out;

    (void)state;
    packet_build(&packet, &spec);
    packet_count(&packet, 1, 7); /* cut in the middle: nothing but the question is read */
    assert_int_equal(answer_to(&out, "mx.example", DNS_A), DNS_WIRE_TRUNCATED);
    packet.data[1]++;
    assert_int_equal(answer_to(&out, "mx.example", DNS_A), DNS_WIRE_NOT_OURS);
    /* FORMERR with nothing but a header */
    memcpy(packet.data, "\x12\x34\x81\x81\0\0\0\0\0\0\0\0", 12);
    packet.length = 12;
    assert_int_equal(answer_to(&out, "mx.example", DNS_A), DNS_WIRE_OK);
    assert_string_equal(out.why, "FORMERR");
    packet.data[3] = 0x80; /* but never an absence */
    assert_int_equal(answer_to(&out, "mx.example", DNS_A), DNS_WIRE_NOT_OURS);
    packet.data[3] = 0x83;
    assert_int_equal(answer_to(&out, "mx.example", DNS_A), DNS_WIRE_NOT_OURS);
}

/* ---- limits ---- */

static void chain_of(unsigned aliases)
{
    struct packet_spec spec = {.id = ID, .name = "n0.example", .type = DNS_A};
    char text[100];

    packet_start(&packet, &spec);
    for (unsigned i = 0; i < aliases; i++) {
        snprintf(text, sizeof text, "n%u.example. 300 IN CNAME n%u.example.", i, i + 1);
        packet_put_rr(&packet, text);
    }
    snprintf(text, sizeof text, "n%u.example. 300 IN A 192.0.2.1", aliases);
    packet_put_rr(&packet, text);
    packet_count(&packet, 1, aliases + 1);
}

static void test_chain_limit(void **state)
{
    struct dns_answer out;

    (void)state;
    for (unsigned aliases = DNS_ALIASES_MAX - 1; aliases <= DNS_ALIASES_MAX; aliases++) {
        chain_of(aliases); /* hostile 22, B-30 */
        assert_int_equal(answer_to(&out, "n0.example", DNS_A), DNS_WIRE_OK);
        assert_int_equal(out.outcome, DNS_RECORDS);
        assert_int_equal(out.aliases, aliases);
    }
    chain_of(DNS_ALIASES_MAX + 1);
    assert_int_equal(answer_to(&out, "n0.example", DNS_A), DNS_WIRE_OK);
    assert_int_equal(out.outcome, DNS_FAILED);
    assert_string_equal(out.why, "CNAME chain too long");
}

static void many_records(unsigned count)
{
    struct packet_spec spec = {.id = ID, .name = "example", .type = DNS_MX};

    packet_start(&packet, &spec);
    for (unsigned i = 0; i < count; i++) {
        packet_put(&packet, "\300\14\0\17\0\1\0\0\0\1\0\6", 12);
        packet_put_u16(&packet, i);
        packet_put(&packet, "\1a\300\14", 4);
    }
    packet_count(&packet, 1, count);
}

static void test_record_limit(void **state)
{
    struct dns_answer out;

    (void)state;
    for (unsigned count = DNS_RECORDS_MAX - 1; count <= DNS_RECORDS_MAX + 1; count++) {
        many_records(count); /* hostile 19, 21 */
        assert_int_equal(answer_to(&out, "example", DNS_MX), DNS_WIRE_OK);
        assert_int_equal(out.outcome, DNS_RECORDS);
        assert_int_equal(out.cut, count > DNS_RECORDS_MAX);
        assert_int_equal(out.count, count > DNS_RECORDS_MAX ? DNS_RECORDS_MAX : count);
    }
}

/* A record of type 65296 whose RDATA is `links` pointers, each to the one before, the first to the
 * question; then as many A records owned by the last as the message holds. */
static void pointer_bomb(unsigned links)
{
    struct packet_spec spec = {.id = ID, .name = "a", .type = DNS_A};
    unsigned count = 1, target = 12;

    packet_start(&packet, &spec);
    packet_put(&packet, "\300\14\377\20\0\1\0\0\0\0", 10);
    packet_put_u16(&packet, 2 * links);
    for (unsigned i = 0; i < links; i++) {
        unsigned here = (unsigned)packet.length;

        packet_put_u16(&packet, 0xc000 | target);
        target = here;
    }
    for (; packet.length + 16 <= sizeof packet.data; count++) {
        packet_put_u16(&packet, 0xc000 | target);
        packet_put(&packet, "\0\1\0\1\0\0\0\0\0\4abcd", 14);
    }
    packet_count(&packet, 1, count);
}

static void test_pointer_bomb(void **state)
{
    struct dns_answer out;

    (void)state;
    pointer_bomb(DNS_GUARD_POINTERS_MAX - 1);
    assert_int_equal(answer_to(&out, "a", DNS_A), DNS_WIRE_OK);
    assert_int_equal(out.outcome, DNS_RECORDS);
    pointer_bomb(DNS_GUARD_POINTERS_MAX);
    assert_int_equal(answer_to(&out, "a", DNS_A), DNS_WIRE_OK);
    assert_string_equal(out.why, "malformed answer"); /* hostile 23 */
    pointer_bomb(8000);
    assert_int_equal(answer_to(&out, "a", DNS_A), DNS_WIRE_OK);
    assert_string_equal(out.why, "malformed answer");
}

static void test_label_limits(void **state)
{
    static const struct {
        unsigned labels, last; /* labels of 63, then one of `last` */
        bool good;
    } cases[] = {{3, 60, true}, {3, 61, true}, {3, 62, false}, {4, 1, false}};
    uint8_t name[400];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct dns_answer out;
        size_t length = 0;

        for (unsigned n = 0; n <= cases[i].labels; n++) {
            unsigned size = n == cases[i].labels ? cases[i].last : 63;

            name[length++] = (uint8_t)size;
            memset(name + length, 'x', size);
            length += size;
        }
        name[length++] = 0;
        one_record(DNS_NS, name, length, (unsigned)length);
        assert_int_equal(answer_to(&out, "mx.example", DNS_NS), DNS_WIRE_OK);
        assert_int_equal(out.outcome, cases[i].good ? DNS_RECORDS : DNS_FAILED);
    }
}

static void test_no_memory(void **state)
{
    struct packet_spec spec = {.id = ID,
                               .name = "mx.example",
                               .type = DNS_A,
                               .answer = {"mx.example. 300 IN A 192.0.2.1"}};
    struct dns_answer out;

    (void)state;
    packet_build(&packet, &spec);
    for (size_t limit = 0; limit < 96; limit += 16) {
        struct arena *small = arena_new(limit);

        assert_non_null(small);
        memset(&out, 0, sizeof out);
        assert_int_equal(
            dns_wire_answer(&out, small, packet.data, packet.length, ID, "mx.example", DNS_A),
            DNS_WIRE_MEMORY);
        arena_free(small);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_query, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_query_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_replies, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rdata, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_short_tlsa, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bad_rdata, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lying_counts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cut_anywhere, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bad_opt, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_not_ours, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_truncated_and_bare, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_chain_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_record_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_pointer_bomb, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_label_limits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_memory, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("dns_wire", tests, NULL, NULL);
}
