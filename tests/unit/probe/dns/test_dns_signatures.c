/* Until when an answer is signed, of the RRSIG records beside it. */
#include "tests/unit/support/dns_wire_fixture.h"

#include "tests/unit/support/rows.h"

#define SIGNED(type, until)                                                                        \
    "mx.example. 300 IN RRSIG " type " 13 2 300 " until " 20200101000000 1 example. AAAA"
#define ADDRESS "mx.example. 300 IN A 192.0.2.1"

#define BEGIN_2020 1577836800u
#define BEGIN_2030 1893456000u
#define BEGIN_2025 1735689600u

struct signed_row {
    const char *name;
    struct packet_spec spec;
    uint32_t until; /* 0: not signed */
};

static const struct signed_row rows[] = {
    {"one signature", {.answer = {ADDRESS, SIGNED("A", "20300101000000")}}, BEGIN_2030},
    {"none", {.answer = {ADDRESS}}, 0},
    {"the first end of several",
     {.answer = {SIGNED("A", "20300101000000"), ADDRESS, SIGNED("A", "20250101000000"),
                 SIGNED("A", "20290101000000")}},
     BEGIN_2025},
    {"ends beyond 2106 come later",
     {.answer = {ADDRESS, SIGNED("A", "21060301000000"), SIGNED("A", "21060101000000")}},
     4291747200u},
    {"an absence is signed in the authority section",
     {.authority = {SOA("example."), SIGNED("SOA", "20300101000000"),
                    SIGNED("NSEC", "20250101000000")}},
     BEGIN_2025},
    {"signatures of other sections do not count",
     {.answer = {ADDRESS},
      .authority = {SIGNED("NS", "20250101000000")},
      .additional = {SIGNED("A", "20250101000000")}},
     0},
    {"nor those of another class",
     {.answer = {ADDRESS, "mx.example. 300 CH RRSIG A 13 2 300 20250101000000 20200101000000 1 "
                          "example. AAAA"}},
     0},
    {"a failure is not signed",
     {.rcode = 2, .answer = {ADDRESS, SIGNED("A", "20300101000000")}},
     0},
};

static void test_signed(void **state)
{
    const struct signed_row *row = *state;
    struct packet_spec spec = row->spec;
    struct dns_answer out;

    spec.id = ID;
    spec.name = "mx.example";
    spec.type = DNS_A;
    assert_int_equal(set_up(NULL), 0);
    packet_build(&packet, &spec);
    assert_int_equal(answer_to(&out, "mx.example", DNS_A), DNS_WIRE_OK);
    assert_int_equal(out.is_signed, row->until != 0);
    assert_int_equal(out.signed_until, row->until);
    assert_int_equal(out.signed_since, row->until != 0 ? BEGIN_2020 : 0);
    tear_down(NULL);
}

/* One that is too short to have an end is none, and spoils nothing. */
static void test_short(void **state)
{
    static const uint8_t data[18] = {0, 1, 13, 2, 0, 0, 1, 44, 0x70, 0xdb, 0xd8, 0x80};
    const struct packet_spec spec = {
        .id = ID, .name = "mx.example", .type = DNS_A, .answer = {ADDRESS}};
    struct dns_answer out;

    (void)state;
    for (unsigned length = 0; length <= sizeof data; length++) {
        assert_int_equal(set_up(NULL), 0);
        packet_build(&packet, &spec);
        packet_put_u16(&packet, 0xc00c);
        packet_put_u16(&packet, 46);
        packet_put_u16(&packet, 1);
        packet_put_u32(&packet, 300);
        packet_put_u16(&packet, length);
        packet_put(&packet, data, length);
        packet_count(&packet, 1, 2);
        assert_int_equal(answer_to(&out, "mx.example", DNS_A), DNS_WIRE_OK);
        assert_int_equal(out.count, 1);
        assert_int_equal(out.is_signed, length == sizeof data);
        assert_int_equal(out.signed_until, length == sizeof data ? BEGIN_2030 : 0);
        tear_down(NULL);
    }
}

static void test_reverse_name(void **state)
{
    struct packet_spec spec = {.id = ID,
                               .name = "1.2.0.192.in-addr.arpa",
                               .type = DNS_PTR,
                               .answer = {"1.2.0.192.in-addr.arpa. 300 IN PTR mx.example."}};
    struct dns_answer out;

    (void)state;
    assert_int_equal(set_up(NULL), 0);
    packet_build(&packet, &spec);
    assert_int_equal(answer_to(&out, spec.name, DNS_PTR), DNS_WIRE_OK);
    assert_int_equal(out.count, 1);
    assert_string_equal(out.records[0].name, "mx.example");
    tear_down(NULL);
}

int main(void)
{
    ROWS_ADD(rows, test_signed);
    ROWS_ADD_TEST(test_short);
    ROWS_ADD_TEST(test_reverse_name);
    return rows_run("dns_signatures");
}
