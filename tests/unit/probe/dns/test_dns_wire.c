/* dns_wire: queries, and replies as resolvers send them. */
#include "probe/dns/dns_wire.h"

#include "tests/unit/support/dns_wire_fixture.h"
#include "tests/unit/support/rows.h"

/* ---- queries ---- */

static void test_query(void **state)
{
    uint8_t octets[DNS_QUERY_OCTETS_MAX];
    size_t length = dns_wire_query(octets, ID, "_25._tcp.MX.example.", 52);
    ldns_pkt *query = NULL;

    (void)state;
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

/* Writes a query for `name`, which ldns must read, or refuse, alike. */
static bool can_be_asked(const char *name)
{
    uint8_t octets[DNS_QUERY_OCTETS_MAX];
    size_t length = dns_wire_query(octets, ID, name, DNS_MX);
    ldns_rdf *want = NULL;
    ldns_status status = ldns_str2rdf_dname(&want, name);

    assert_int_equal(length > 0, status == LDNS_STATUS_OK);
    if (status == LDNS_STATUS_OK) {
        ldns_dname2canonical(want);
        assert_int_equal(length, 27 + ldns_rdf_size(want)); /* header, type, class, OPT */
        assert_memory_equal(octets + 12, ldns_rdf_data(want), ldns_rdf_size(want));
    }
    ldns_rdf_deep_free(want);
    return length > 0;
}

static void test_query_names(void **state)
{
    static const struct {
        const char *name;
        bool good;
    } rows[] = {{".", true},
                {"a", true},
                {"a.", true},
                {"", false},
                {"..", false},
                {"a..", false},
                {"a..b", false},
                {".a", false},
                {"\\001.example", true},
                {"\\065\\.b\\\\\\255.Example", true},
                {"\\999.example", false},
                {"\\256.example", false},
                {"\\12", false},
                {"a\\", false},
                {"a b.c", true},
                {"a\xe9.c", true}};
    char name[512];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(can_be_asked(rows[i].name), rows[i].good);
    assert_true(can_be_asked(long_name(252)));
    assert_true(can_be_asked(long_name(253)));
    assert_false(can_be_asked(long_name(254)));
    assert_false(can_be_asked(long_name(255)));
    for (size_t length = 62; length <= 64; length++) {
        memset(name, 'b', length);
        name[length] = '\0';
        assert_int_equal(can_be_asked(name), length <= 63);
    }
    /* C-10 */
    snprintf(name, sizeof name, "_25._tcp.%s", long_name(253));
    assert_false(can_be_asked(name));
    snprintf(name, sizeof name, "_25._tcp.%s", long_name(244));
    assert_true(can_be_asked(name));
}

/* ---- whole replies ---- */

struct row {
    const char *name;
    struct packet_spec spec;
    const char *asked; /* NULL: spec.name */
    enum dns_outcome outcome;
    bool secure;
    uint32_t ttl;
    size_t count;
    const char *owner; /* NULL: not looked at */
    unsigned aliases;
    const char *why;
    uint32_t longest; /* TTL; 0: not looked at */
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
     .longest = 300,
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
     .longest = 2147483647,
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

static void test_reply(void **state)
{
    const struct row *row = *state;
    struct packet_spec spec = row->spec;
    struct dns_answer out;

    assert_int_equal(set_up(NULL), 0);
    spec.id = ID;
    packet_build(&packet, &spec);
    assert_int_equal(answer_to(&out, row->asked != NULL ? row->asked : spec.name, spec.type),
                     DNS_WIRE_OK);
    assert_string_equal(expected(out.why), expected(row->why));
    assert_int_equal(out.outcome, row->outcome);
    assert_int_equal(out.secure, row->secure);
    assert_int_equal(out.ttl, row->ttl);
    if (row->longest != 0)
        assert_int_equal(out.ttl_longest, row->longest);
    assert_int_equal(out.count, row->count);
    assert_non_null(out.owner);
    if (row->owner != NULL)
        assert_string_equal(out.owner, row->owner);
    if (row->outcome != DNS_FAILED)
        assert_int_equal(out.aliases, row->aliases);
    tear_down(NULL);
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
    assert_int_equal(set_up(NULL), 0);
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
    tear_down(NULL);
}

static void test_short_tlsa(void **state)
{
    static const uint8_t data[] = {3, 1, 1, 0xab};
    struct dns_answer out;

    (void)state;
    assert_int_equal(set_up(NULL), 0);
    for (unsigned length = 0; length <= sizeof data; length++) { /* C-2 */
        one_record(DNS_TLSA, data, length, length);
        assert_int_equal(answer_to(&out, "mx.example", DNS_TLSA), DNS_WIRE_OK);
        assert_int_equal(out.outcome, DNS_RECORDS);
        assert_true(out.secure);
        assert_int_equal(out.count, 1);
        assert_int_equal(out.records[0].length, length);
        assert_memory_equal(out.records[0].data, data, length);
    }
    tear_down(NULL);
}

int main(void)
{
    ROWS_ADD(rows, test_reply);
    ROWS_ADD_TEST(test_query);
    ROWS_ADD_TEST(test_query_names);
    ROWS_ADD_TEST(test_rdata);
    ROWS_ADD_TEST(test_short_tlsa);
    return rows_run("dns_wire");
}
