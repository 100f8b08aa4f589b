/* What must not be packed, and octets that somebody else made (hostile 38). */
#include "tests/unit/support/evidence_packed.h"

static bool packs(const struct evidence *evidence)
{
    buf_clear(&octets);
    evidence_pack(&octets, evidence);
    return !octets.failed;
}

/* ---- what the probes may come up with ---- */

static void test_odd_texts_are_made_fit(void **state)
{
    static char long_text[5000];
    const struct evidence *got;
    struct made made;

    (void)state;
    memset(long_text, 'x', sizeof long_text - 1);
    make_usual(&made);
    made.evidence.mx_why = "bad\noctets\x1b[31m\xff";
    made.hosts[0].why = long_text;
    made.addresses[0][0].starttls.detail = "bad\noctets\x1b[31m\xff";
    made.addresses[0][0].starttls.subject = "";
    pack(&made.evidence);
    got = unpack(0);
    assert_non_null(got);
    assert_string_equal(got->mx_why, "bad?octets?[31m?");
    assert_int_equal(strlen(got->hosts[0].why), 2000);
    assert_string_equal(got->hosts[0].addresses[0].starttls.detail, "bad?octets?[31m?");
    assert_string_equal(got->hosts[0].addresses[0].starttls.subject, "");
    assert_string_equal(got->hosts[0].addresses[0].starttls.cipher, "TLS_AES_256_GCM_SHA384");
}

static void test_odd_aliases_are_left_out(void **state)
{
    const struct evidence *got;
    struct made made;

    (void)state;
    make_usual(&made);
    made.evidence.expanded = "a\\032b.example";
    made.hosts[0].expanded = "*.example.com";
    made.hosts[0].tlsa_base = "10.0.0.1";
    pack(&made.evidence);
    got = unpack(0);
    assert_non_null(got);
    assert_null(got->expanded);
    assert_null(got->hosts[0].expanded);
    assert_null(got->hosts[0].tlsa_base);
}

#define SPOIL(name, statement)                                                                     \
    static void name(struct made *made)                                                            \
    {                                                                                              \
        statement;                                                                                 \
    }

SPOIL(no_domain, made->evidence.domain = NULL)
SPOIL(upper_domain, made->evidence.domain = "Example.com")
SPOIL(address_domain, made->evidence.domain = "192.0.2.1")
SPOIL(dotted_host, made->hosts[0].name = "mx.example.com.")
SPOIL(blank_host, made->hosts[0].name = "mx example.com")
SPOIL(no_host_name, made->hosts[0].name = NULL)
SPOIL(no_address_family, made->addresses[0][0].ip.family = 0)
SPOIL(code_1000, made->addresses[0][0].starttls.code = 1000)
SPOIL(code_negative, made->addresses[0][0].starttls.code = -1)
SPOIL(no_policy, made->evidence.sts.policy = NULL)
SPOIL(odd_id, memcpy(made->evidence.sts.id, "a b", 4))
SPOIL(pattern_colon, made->patterns[0] = "a.example:b.example")
SPOIL(pattern_star, made->patterns[0] = "*.")
SPOIL(pattern_underscore, made->patterns[0] = "_a.example.com")
SPOIL(pattern_upper, made->patterns[0] = "MX0.example.com"; made->lines[2] = "x: y")
SPOIL(pattern_middle, made->patterns[0] = "a.*.example.com")
SPOIL(line_brace, made->lines[0] = "a: }")
SPOIL(line_open_brace, made->lines[0] = "a: {")
SPOIL(line_control, made->lines[0] = "a:\tb")
SPOIL(line_newline, made->lines[0] = "a: b\nmx: c.example")
SPOIL(line_empty, made->lines[0] = "")
SPOIL(line_blank, made->lines[0] = "  ")
SPOIL(no_patterns, made->policy.mx_count = 0; made->policy.line_count = 2)

static const struct {
    const char *name;
    void (*change)(struct made *made);
} refused[] = {
    {"no domain", no_domain},
    {"a domain in upper case", upper_domain},
    {"an address as domain", address_domain},
    {"a host with a trailing dot", dotted_host},
    {"a host with a blank", blank_host},
    {"a host without name", no_host_name},
    {"an address of no family", no_address_family},
    {"a reply code of 1000", code_1000},
    {"a negative reply code", code_negative},
    {"no policy where there is one", no_policy},
    {"an id with a blank", odd_id},
    {"two patterns in one", pattern_colon},
    {"a lone star", pattern_star},
    {"an underscore in a pattern", pattern_underscore},
    {"a pattern in upper case", pattern_upper},
    {"a star inside a pattern", pattern_middle},
    {"a closing brace", line_brace},
    {"an opening brace", line_open_brace},
    {"a tab in a line", line_control},
    {"two lines in one", line_newline},
    {"an empty line", line_empty},
    {"a blank line", line_blank},
    {"enforce without patterns", no_patterns},
};

static void test_not_packed(void **state)
{
    void (*change)(struct made * made) = refused[*(const size_t *)*state].change;
    struct made made;

    make_evidence(&made, MX_LISTED, true, "U", 'E', "V");
    assert_true(packs(&made.evidence));
    change(&made);
    assert_false(packs(&made.evidence));
}

/* ---- what others may put before the reader ---- */

/* Takes the place of `from` wherever it stands, with as many octets. */
static void forge(const char *from, const char *to)
{
    size_t length = strlen(from);
    size_t done = 0;

    for (size_t i = 0; i + length <= octets.length; i++)
        if (memcmp(octets.data + i, from, length) == 0) {
            memcpy(octets.data + i, to, length);
            done++;
        }
    assert_true(done > 0);
}

static const struct {
    const char *name, *from, *to;
} forged[] = {
    {"domain with a blank", "example.com", "exam le.com"},
    {"domain in upper case", "example.com", "eXample.com"},
    {"domain with a line end", "example.com", "examp\ne.com"},
    {"domain with a slash", "example.com", "exam/le.com"},
    {"host as address", "mx0.example.com", "192.168.000.001"},
    {"host with a trailing dot", "mx0.example.com", "mx0.example.co."},
    {"pattern as two", "*.example.net", "a.ex:mple.net"},
    {"pattern with a blank", "*.example.net", "*.exa ple.net"},
    {"pattern with a star inside", "*.example.net", "a.*.ample.net"},
    {"pattern with an equals sign", "*.example.net", "*.exam=le.net"},
    {"line with a brace", "version: STSv1", "version: STS{1"},
    {"line with a line end", "version: STSv1", "version:\nSTSv1"},
    {"line with a NUL", "version: STSv1", "version:\0STSv1"},
    {"line beyond ASCII", "version: STSv1", "version: STS\xc3\xa9"},
    {"id with a dot", "20240101", "2024.101"},
    {"text with an escape", "no reply", "no\x1breply"},
    {"text beyond ASCII", "no reply", "no\xa0reply"},
};

static void test_forged(void **state)
{
    const size_t i = *(const size_t *)*state;
    struct made made;

    make_evidence(&made, MX_LISTED, true, "U", 'E', "V");
    made.evidence.sts.why = "no reply";
    pack(&made.evidence);
    assert_non_null(unpack(0));
    forge(forged[i].from, forged[i].to);
    assert_null(unpack(0));
}

/* Cut anywhere, or with anything behind it: not ours. */
static void test_cut_and_grown(void **state)
{
    struct made made;
    size_t length;

    (void)state;
    make_evidence(&made, MX_LISTED, true, "UB", 'E', "VC,T");
    dress(&made, 15);
    pack(&made.evidence);
    length = octets.length;
    assert_null(evidence_unpack(arena, octets.data, 0, 0));
    for (size_t i = 1; i < length; i++) {
        char *exact = malloc(i);

        memcpy(exact, octets.data, i);
        assert_null(evidence_unpack(arena, exact, i, 0));
        free(exact);
    }
    buf_add(&octets, "", 1);
    assert_null(unpack(0));
}

/* Whatever octet is changed, and to whatever: nothing crashes, and other versions are not read. */
static void test_every_octet_changed(void **state)
{
    struct made made;

    (void)state;
    make_evidence(&made, MX_LISTED, true, "UB", 'E', "VC,T");
    dress(&made, 15);
    pack(&made.evidence);
    for (size_t i = 0; i < octets.length; i++)
        for (unsigned value = 0; value < 256; value++) {
            char was = octets.data[i];
            const struct evidence *got;

            octets.data[i] = (char)value;
            got = unpack(0);
            assert_true(i > 0 || value == EVIDENCE_PACK_VERSION || got == NULL);
            octets.data[i] = was;
            arena_free(arena);
            arena = arena_new(ARENA_OCTETS);
        }
}

/* A few octets that promise a thousand lines cost no memory for them. */
static void test_counts_are_not_believed(void **state)
{
    static const uint8_t few[] = {EVIDENCE_PACK_VERSION, MX_LISTED, 8, 'a', '.', 'b', 0, 0, 0, 50};
    static const uint8_t long_string[] = {EVIDENCE_PACK_VERSION,
                                          MX_LISTED,
                                          0xfe,
                                          0xff,
                                          0xff,
                                          0xff,
                                          0xff,
                                          0xff,
                                          0xff,
                                          0xff,
                                          0xff,
                                          1,
                                          'a'};

    (void)state;
    assert_null(evidence_unpack(arena, few, sizeof few, 0));
    assert_null(evidence_unpack(arena, long_string, sizeof long_string, 0));
    assert_true(arena_octets(arena) < 4096);
}

/* One evidence, one string of octets: a number has no second spelling. */
static void test_numbers_have_one_spelling(void **state)
{
    struct made made;
    struct buf other;
    uint8_t tag;

    (void)state;
    make_usual(&made);
    pack(&made.evidence);
    tag = (uint8_t)octets.data[2]; /* of the domain, after version and flags */
    assert_int_equal(tag, 2 * strlen("example.com") + 2);
    buf_init(&other, OCTETS_MAX);
    buf_add(&other, octets.data, 2);
    tag |= 0x80;
    buf_add(&other, &tag, 1);
    buf_add(&other, "", 1);
    buf_add(&other, octets.data + 3, octets.length - 3);
    assert_null(evidence_unpack(arena, other.data, other.length, 0));
    buf_fini(&other);
}

/* A policy that says it lives longer than its max_age is not believed. */
static void test_policy_beyond_its_max_age(void **state)
{
    struct made made;
    const struct evidence *got;

    (void)state;
    make_evidence(&made, MX_LISTED, false, "N", 'E', "V");
    made.evidence.sts.valid_until += 1000;
    pack(&made.evidence);
    got = unpack(0);
    assert_non_null(got);
    assert_int_equal(got->sts.valid_until, MAKE_NOW + 86400 * 1000);
    forge("\x80\xa3\x05", "\xff\xa2\x05"); /* max_age 86399, a second less than it lives */
    assert_null(unpack(0));
}

static void test_no_memory(void **state)
{
    struct made made;

    (void)state;
    make_evidence(&made, MX_LISTED, true, "UB", 'E', "VC,T");
    dress(&made, 15);
    pack(&made.evidence);
    for (size_t limit = 0;; limit += 100) {
        struct arena *small = arena_new(limit);
        bool enough = evidence_unpack(small, octets.data, octets.length, 0) != NULL;

        arena_free(small);
        if (enough)
            break;
        assert_true(limit < 100000);
    }
}

int main(void)
{
    static size_t numbers[COUNT(refused) + COUNT(forged)];

    for (size_t i = 0; i < COUNT(numbers); i++)
        numbers[i] = i;
    for (size_t i = 0; i < COUNT(refused); i++)
        packed_add(refused[i].name, test_not_packed, &numbers[i]);
    for (size_t i = 0; i < COUNT(forged); i++)
        packed_add(forged[i].name, test_forged, &numbers[i]);
    PACKED_ADD(test_odd_texts_are_made_fit);
    PACKED_ADD(test_odd_aliases_are_left_out);
    PACKED_ADD(test_cut_and_grown);
    PACKED_ADD(test_every_octet_changed);
    PACKED_ADD(test_counts_are_not_believed);
    PACKED_ADD(test_numbers_have_one_spelling);
    PACKED_ADD(test_policy_beyond_its_max_age);
    PACKED_ADD(test_no_memory);
    return rows_run("evidence_unpack");
}
