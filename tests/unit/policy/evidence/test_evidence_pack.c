/* Evidence to octets and back: nothing is lost, and it is small. */
#include "tests/unit/support/evidence_packed.h"

static void test_product(void **state)
{
    static const char *const hosts[] = {"", "U", "UN", "BEDL?", "UUNNEDLB"};
    static const char *const probes[] = {"", "V", "VT,C", "?KSX,CPRB,TV,,V"};
    size_t seen = 0;

    (void)state;
    for (unsigned mx = MX_UNKNOWN; mx <= MX_ERROR; mx++)
        for (size_t i = 0; i < COUNT(hosts); i++)
            for (size_t j = 0; j < (*hosts[i] == '\0' ? 1 : COUNT(probes)); j++)
                for (const char *sts = "?-nrdfbET0ZX"; *sts != '\0'; sts++)
                    for (unsigned seed = 0; seed < 16; seed++) {
                        char these[24] = "";
                        struct made made;

                        if (strlen(hosts[i]) >= 5 || j < 2)
                            snprintf(these, sizeof these, "%s", probes[j]);
                        make_evidence(&made, (enum mx_state)mx, seed & 1, hosts[i], *sts, these);
                        dress(&made, seed);
                        round_trip(&made.evidence);
                        seen++;
                        arena_free(arena);
                        arena = arena_new(ARENA_OCTETS);
                    }
    assert_true(seen > 10000);
}

/* ---- size ---- */

static void test_size_one_host(void **state)
{
    struct made made;

    (void)state;
    make_usual(&made);
    round_trip(&made.evidence);
    print_message("one host, one address, one TLSA: %zu octets\n", octets.length);
    assert_true(octets.length <= 260);
    made.addresses[0][0].starttls.cipher = "SOME-CIPHER-THAT-IS-NOT-PRESET-SHA512";
    made.addresses[0][0].starttls.subject = "another-name.mail.example.org";
    made.evidence.sts.state = STS_UNKNOWN;
    round_trip(&made.evidence);
    assert_true(octets.length <= 260);
}

static void test_repeated_strings_cost_an_octet(void **state)
{
    struct made made;
    size_t one;

    (void)state;
    make_usual(&made);
    pack(&made.evidence);
    one = octets.length;
    made.addresses[0][1] = made.addresses[0][0];
    made.hosts[0].address_count = 2;
    round_trip(&made.evidence);
    assert_true(octets.length - one <= 25);
}

static void test_patterns_come_from_the_lines(void **state)
{
    struct made made;
    size_t with;

    (void)state;
    make_evidence(&made, MX_LISTED, false, "N", 'E', "V");
    round_trip(&made.evidence);
    with = octets.length;
    made.lines[3] = "mx:    *.Example.NET";
    round_trip(&made.evidence);
    made.lines[3] = "mx: other.example.net";
    round_trip(&made.evidence);
    assert_true(octets.length > with + 10);
    made.lines[3] = "max_age: 86400"; /* fewer patterns in the lines than there are */
    round_trip(&made.evidence);
    made.lines[1] = "mx: *.example.net";
    made.lines[3] = "mx: one.more.example.net"; /* and more */
    round_trip(&made.evidence);
    made.patterns[0] = "hostname"; /* what Postfix cannot be given is kept all the same */
    made.patterns[1] = "*.0.2.1";
    round_trip(&made.evidence);
}

/* ---- times ---- */

static void test_times_are_moved(void **state)
{
    static const struct {
        int64_t shift, probed, want;
    } rows[] = {
        {0, 5, 5},         {1000, 5, 1005},   {-4, 5, 1},
        {-5, 5, 1},        {-900, 5, 1},      {900, 0, 0},
        {-900, 0, 0},      {20, -10, 10},     {0, -10, 1},
        {INT64_MIN, 5, 1}, {INT64_MIN, 0, 0}, {-3, INT64_C(1) << 40, (INT64_C(1) << 40) - 3},
    };
    struct made made;

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct evidence *got;

        make_usual(&made);
        made.addresses[0][0].starttls.probed_at = rows[i].probed;
        pack(&made.evidence);
        got = unpack(rows[i].shift);
        assert_non_null(got);
        assert_int_equal(got->hosts[0].addresses[0].starttls.probed_at, rows[i].want);
        assert_int_equal(got->hosts[0].addresses[0].starttls.not_after, 1900000000);
    }
    made.addresses[0][0].starttls.probed_at = INT64_MAX;
    pack(&made.evidence);
    assert_true(unpack(INT64_MAX)->hosts[0].addresses[0].starttls.probed_at > INT64_C(1) << 59);
}

static void test_every_time_is_moved(void **state)
{
    const struct evidence *got;
    struct made made;

    (void)state;
    make_evidence(&made, MX_LISTED, false, "N", 'E', "V");
    made.addresses[0][0].starttls = full_result();
    made.evidence.sts.refresh_at = MAKE_NOW + 7;
    made.evidence.sts.retry_at = MAKE_NOW + 9;
    pack(&made.evidence);
    got = unpack(-1000);
    assert_non_null(got);
    assert_int_equal(got->sts.fetched_at, MAKE_NOW - 1000);
    assert_int_equal(got->sts.valid_until, MAKE_NOW + 86400 * 1000 - 1000);
    assert_int_equal(got->sts.refresh_at, MAKE_NOW - 993);
    assert_int_equal(got->sts.retry_at, MAKE_NOW - 991);
    assert_int_equal(got->hosts[0].addresses[0].starttls.probed_at, MAKE_NOW - 6000);
    assert_int_equal(got->hosts[0].addresses[0].starttls.valid_until,
                     MAKE_NOW + 86400 * 1000 - 1000);
}

/* A policy fetched and over before this machine started does not look like one of max_age 0. */
static void test_a_policy_long_over_stays_over(void **state)
{
    struct verdict_options options = make_options();
    struct verdict verdict;
    struct made made;
    const struct evidence *got;

    (void)state;
    make_evidence(&made, MX_LISTED, false, "N", 'E', "C");
    made.evidence.complete = true;
    pack(&made.evidence);
    got = unpack(-2 * MAKE_NOW);
    assert_non_null(got);
    assert_int_equal(got->sts.fetched_at, got->sts.valid_until);
    verdict_decide(&verdict, got, NULL, &options, MAKE_NOW);
    assert_int_equal(verdict.level, VERDICT_NO_OPINION);
}

/* ---- limits ---- */

static struct evidence *at_limits(size_t hosts, size_t tlsa, size_t addresses)
{
    static const uint8_t data[64] = {1, 2, 3};
    struct evidence *evidence = arena_alloc(arena, sizeof *evidence);

    *evidence = (struct evidence){.domain = "example.com", .port = 25, .host_count = hosts};
    evidence->hosts = arena_array(arena, hosts, sizeof *evidence->hosts);
    for (size_t i = 0; i < hosts; i++) {
        struct mx_host *host = &evidence->hosts[i];

        host->name = arena_printf(arena, "host-%zu.example.net", i);
        host->tlsa_base = host->name;
        host->tlsa_count = tlsa;
        host->tlsa = arena_array(arena, tlsa, sizeof *host->tlsa);
        for (size_t j = 0; j < tlsa; j++)
            host->tlsa[j] = (struct tlsa){3, 1, 2, true, 64, data};
        host->address_count = addresses;
        host->addresses = arena_array(arena, addresses, sizeof *host->addresses);
        for (size_t j = 0; j < addresses; j++) {
            host->addresses[j].ip = (struct ip){4, {192, 0, 2, (uint8_t)j}};
            host->addresses[j].starttls.subject = arena_printf(arena, "s%zu.example.net", j);
        }
    }
    return evidence;
}

static bool packs(const struct evidence *evidence)
{
    buf_clear(&octets);
    evidence_pack(&octets, evidence);
    return !octets.failed;
}

static void test_limits(void **state)
{
    (void)state;
    round_trip(at_limits(EVIDENCE_MX_MAX, 3, 2));
    round_trip(at_limits(2, EVIDENCE_TLSA_MAX, 2 * EVIDENCE_ADDRESSES_MAX));
    round_trip(
        at_limits(EVIDENCE_MX_MAX - 1, EVIDENCE_TLSA_MAX - 1, 2 * EVIDENCE_ADDRESSES_MAX - 1));
    assert_false(packs(at_limits(EVIDENCE_MX_MAX + 1, 0, 0)));
    assert_false(packs(at_limits(1, EVIDENCE_TLSA_MAX + 1, 0)));
    assert_false(packs(at_limits(1, 0, 2 * EVIDENCE_ADDRESSES_MAX + 1)));
}

static void test_policy_limits(void **state)
{
    static const char *patterns[STS_MX_MAX + 1], *lines[STS_MX_MAX + 1];
    struct made made;

    (void)state;
    make_evidence(&made, MX_LISTED, false, "N", 'E', "V");
    for (size_t i = 0; i <= STS_MX_MAX; i++) {
        patterns[i] = arena_printf(arena, "m%zu.example.net", i);
        lines[i] = arena_printf(arena, "mx: %s", patterns[i]);
    }
    made.policy.mx = patterns;
    made.policy.lines = lines;
    made.policy.mx_count = made.policy.line_count = STS_MX_MAX;
    round_trip(&made.evidence);
    made.policy.line_count = STS_MX_MAX - 1;
    round_trip(&made.evidence);
    made.policy.mx_count = STS_MX_MAX + 1;
    assert_false(packs(&made.evidence));
    made.policy.mx_count = 1;
    made.policy.max_age = STS_MAX_AGE_MAX + 1;
    assert_false(packs(&made.evidence));
}

/* What is beyond the room given fails; nothing is written over. */
static void test_no_room(void **state)
{
    struct made made;
    struct buf small;

    (void)state;
    make_usual(&made);
    pack(&made.evidence);
    buf_init(&small, octets.length - 1);
    evidence_pack(&small, &made.evidence);
    assert_true(small.failed);
    buf_fini(&small);
    buf_init(&small, octets.length);
    evidence_pack(&small, &made.evidence);
    assert_false(small.failed);
    buf_fini(&small);
}

int main(void)
{
    PACKED_ADD(test_product);
    PACKED_ADD(test_size_one_host);
    PACKED_ADD(test_repeated_strings_cost_an_octet);
    PACKED_ADD(test_patterns_come_from_the_lines);
    PACKED_ADD(test_times_are_moved);
    PACKED_ADD(test_every_time_is_moved);
    PACKED_ADD(test_a_policy_long_over_stays_over);
    PACKED_ADD(test_limits);
    PACKED_ADD(test_policy_limits);
    PACKED_ADD(test_no_room);
    return rows_run("evidence_pack");
}
