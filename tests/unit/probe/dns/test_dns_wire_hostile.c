/* dns_wire and dns_name: replies as nobody should send them (docs/conformance.md hostile 19 to 26).
 */
#include "probe/dns/dns_name.h"

#include "tests/unit/support/dns_wire_fixture.h"
#include "tests/unit/support/rows.h"

/* ---- record data ---- */

static const struct rdata_row {
    const char *name;
    uint16_t type;
    const char *data;
    uint16_t length, told;
    bool good;
} rdata_rows[] = {
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

static void test_bad_rdata(void **state)
{
    const struct rdata_row *row = *state;
    struct dns_answer out;

    assert_int_equal(set_up(NULL), 0);
    one_record(row->type, row->data, row->length, row->told); /* hostile 23 */
    assert_int_equal(answer_to(&out, "mx.example", row->type), DNS_WIRE_OK);
    assert_int_equal(out.outcome, row->good ? DNS_RECORDS : DNS_FAILED);
    assert_int_equal(out.secure, row->good);
    if (!row->good)
        assert_string_equal(out.why, "malformed answer");
    tear_down(NULL);
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
    assert_int_equal(set_up(NULL), 0);
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
    tear_down(NULL);
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
    assert_int_equal(set_up(NULL), 0);
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
    tear_down(NULL);
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
    assert_int_equal(set_up(NULL), 0);
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
    tear_down(NULL);
}

/* ---- ours or not ---- */

static const struct stranger_row {
    const char *name;
    unsigned offset;
    uint8_t value;
} stranger_rows[] = {
    {"another id", 1, 0x35},          {"a query", 2, 0x01},
    {"opcode NOTIFY", 2, 0xa1},       {"no question", 5, 0},
    {"two questions", 5, 2},          {"another name", 13, 'n'},
    {"another type", 25, 2},          {"another class", 27, 3},
    {"question a pointer", 12, 0xc0}, {"question name too long", 12, 63},
};

static void test_not_ours(void **state)
{
    const struct stranger_row *row = *state;
    struct packet_spec spec = {.id = ID,
                               .name = "mx.example",
                               .type = DNS_A,
                               .answer = {"mx.example. 300 IN A 192.0.2.1"}};
    struct dns_answer out;

    assert_int_equal(set_up(NULL), 0);
    packet_build(&packet, &spec);
    packet.data[row->offset] = row->value; /* hostile 24 */
    assert_int_equal(answer_to(&out, "mx.example", DNS_A), DNS_WIRE_NOT_OURS);
    packet_build(&packet, &spec);
    assert_int_equal(answer_to(&out, "x.example", DNS_A), DNS_WIRE_NOT_OURS);
    assert_int_equal(answer_to(&out, "mx.example.com", DNS_A), DNS_WIRE_NOT_OURS);
    tear_down(NULL);
}

static void test_truncated_and_bare(void **state)
{
    struct packet_spec spec = {.id = ID, .flags = PACKET_TC, .name = "mx.example", .type = DNS_A};
    struct dns_answer out;

    (void)state;
    assert_int_equal(set_up(NULL), 0);
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
    tear_down(NULL);
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
    assert_int_equal(set_up(NULL), 0);
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
    tear_down(NULL);
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
    assert_int_equal(set_up(NULL), 0);
    for (unsigned count = DNS_RECORDS_MAX - 1; count <= DNS_RECORDS_MAX + 1; count++) {
        many_records(count); /* hostile 19, 21 */
        assert_int_equal(answer_to(&out, "example", DNS_MX), DNS_WIRE_OK);
        assert_int_equal(out.outcome, DNS_RECORDS);
        assert_int_equal(out.cut, count > DNS_RECORDS_MAX);
        assert_int_equal(out.count, count > DNS_RECORDS_MAX ? DNS_RECORDS_MAX : count);
    }
    tear_down(NULL);
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
    assert_int_equal(set_up(NULL), 0);
    pointer_bomb(DNS_POINTERS_MAX - 1);
    assert_int_equal(answer_to(&out, "a", DNS_A), DNS_WIRE_OK);
    assert_int_equal(out.outcome, DNS_RECORDS);
    pointer_bomb(DNS_POINTERS_MAX);
    assert_int_equal(answer_to(&out, "a", DNS_A), DNS_WIRE_OK);
    assert_string_equal(out.why, "malformed answer"); /* hostile 23 */
    pointer_bomb(8000);
    assert_int_equal(answer_to(&out, "a", DNS_A), DNS_WIRE_OK);
    assert_string_equal(out.why, "malformed answer");
    tear_down(NULL);
}

/* ---- work ---- */

static unsigned names_read;

bool __wrap_dns_name_read(struct dns_name *out, struct dns_span message, size_t *offset);
bool __real_dns_name_read(struct dns_name *out, struct dns_span message, size_t *offset);

bool __wrap_dns_name_read(struct dns_name *out, struct dns_span message, size_t *offset)
{
    names_read++;
    return __real_dns_name_read(out, message, offset);
}

/* A name of 126 labels that differs from the others in the last; its offset. */
static unsigned put_long_name(unsigned last)
{
    unsigned offset = (unsigned)packet.length;

    for (unsigned i = 0; i < 125; i++)
        packet_put(&packet, "\1x", 2);
    packet_put_u8(&packet, 1);
    packet_put_u8(&packet, 'a' + last);
    packet_put_u8(&packet, 0);
    return offset;
}

static const char *long_name_text(void)
{
    static char text[2 * 125 + 2];

    for (unsigned i = 0; i < 125; i++)
        memcpy(text + 2 * i, "x.", 2);
    text[2 * 125] = 'a';
    return text;
}

static void start_long(void)
{
    struct packet_spec spec = {.id = ID, .name = long_name_text(), .type = DNS_A};

    packet_start(&packet, &spec);
    names_read = 0;
}

/* Fills the message with records of `type` at `owner`; returns how many there were. */
static unsigned fill(unsigned owner, unsigned type, const void *data, unsigned length)
{
    unsigned count = 0;

    for (; packet.length + 12 + length <= sizeof packet.data; count++) {
        packet_put_u16(&packet, 0xc000 | owner);
        packet_put_u16(&packet, type);
        packet_put(&packet, "\0\1\0\0\0\11", 6);
        packet_put_u16(&packet, length);
        packet_put(&packet, data, length);
    }
    return count;
}

/* Names of a full message must not be read once for each alias, nor once for each label: either
 * took more than a tenth of a second. */
static void test_names_are_read_few_times(void **state)
{
    unsigned owner = 12, count;
    struct dns_answer out;

    (void)state;
    assert_int_equal(set_up(NULL), 0);
    start_long(); /* hostile 22 */
    for (unsigned i = 1; i <= DNS_ALIASES_MAX; i++) {
        packet_put_u16(&packet, 0xc000 | owner);
        packet_put(&packet, "\0\5\0\1\0\0\0\11\0\375", 10);
        owner = put_long_name(i);
    }
    count = DNS_ALIASES_MAX + fill(owner, DNS_A, "abcd", 4);
    packet_count(&packet, 1, count);
    assert_int_equal(answer_to(&out, long_name_text(), DNS_A), DNS_WIRE_OK);
    assert_int_equal(out.outcome, DNS_RECORDS);
    assert_int_equal(out.aliases, DNS_ALIASES_MAX);
    assert_in_range(names_read, count, 3 * count + 64);

    start_long();
    owner = (unsigned)packet.length;
    put_long_name(1);
    packet_put(&packet, "\0\6\0\1\0\0\0\11\0\0", 10);
    count = 1 + fill(owner, 6, "", 0);
    packet_count(&packet, 2, count);
    assert_int_equal(answer_to(&out, long_name_text(), DNS_A), DNS_WIRE_OK);
    assert_int_equal(out.outcome, DNS_NODATA);
    assert_int_equal(out.ttl, 60);
    assert_in_range(names_read, count, 3 * count + 64);
    tear_down(NULL);
}

static void test_label_limits(void **state)
{
    static const struct {
        unsigned labels, last; /* labels of 63, then one of `last` */
        bool good;
    } cases[] = {{3, 60, true}, {3, 61, true}, {3, 62, false}, {4, 1, false}};
    uint8_t name[400];

    (void)state;
    assert_int_equal(set_up(NULL), 0);
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
    tear_down(NULL);
}

static void test_no_memory(void **state)
{
    struct packet_spec spec = {.id = ID,
                               .name = "mx.example",
                               .type = DNS_A,
                               .answer = {"mx.example. 300 IN A 192.0.2.1"}};
    struct dns_answer out;

    (void)state;
    assert_int_equal(set_up(NULL), 0);
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
    tear_down(NULL);
}

int main(void)
{
    ROWS_ADD(rdata_rows, test_bad_rdata);
    ROWS_ADD(stranger_rows, test_not_ours);
    ROWS_ADD_TEST(test_lying_counts);
    ROWS_ADD_TEST(test_cut_anywhere);
    ROWS_ADD_TEST(test_bad_opt);
    ROWS_ADD_TEST(test_truncated_and_bare);
    ROWS_ADD_TEST(test_chain_limit);
    ROWS_ADD_TEST(test_record_limit);
    ROWS_ADD_TEST(test_pointer_bomb);
    ROWS_ADD_TEST(test_names_are_read_few_times);
    ROWS_ADD_TEST(test_label_limits);
    ROWS_ADD_TEST(test_no_memory);
    return rows_run("dns_wire_hostile");
}
