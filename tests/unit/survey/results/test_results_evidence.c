/*
 * Evidence that goes through a results file gives the verdict it gave before: the product of hosts,
 * MX, MTA-STS, probes and options (tests/unit/support/verdict_product.h), as one domain each.
 */
#include "tests/unit/survey/results/results_make.h"

#include "policy/sts_match.h"
#include "tests/unit/support/verdict_product.h"

#define ARENA_OCTETS (4u << 20)

static struct results_file file;
static struct arena *arena;

static int open_file(void **state)
{
    struct results_run run = make_run();

    (void)state;
    file_make(&file, &run);
    arena = arena_new(ARENA_OCTETS);
    return arena == NULL;
}

static int remove_file(void **state)
{
    (void)state;
    arena_free(arena);
    file_remove(&file);
    return 0;
}

/* ---- through the file ---- */

static int64_t id_of(const char *sql, const char *name)
{
    int64_t id = 0;

    must(&file, results_query(file.results, sql, &name, 1, take_number, &id));
    return id;
}

static struct unit unit_named(enum unit_kind kind, const char *sql, const char *name)
{
    struct unit unit = {.kind = kind, .id = id_of(sql, name)};

    snprintf(unit.name, sizeof unit.name, "%s", name);
    return unit;
}

static void put_pairs(const struct mx_host *host, int64_t id)
{
    char position[24], sql[128];

    for (size_t i = 0; i < host->address_count; i++) {
        int64_t address;

        snprintf(position, sizeof position, "%zu", i);
        snprintf(sql, sizeof sql,
                 "SELECT address FROM host_address WHERE host = %lld AND position = ?1",
                 (long long)id);
        address = id_of(sql, position);
        if (host->addresses[i].starttls.state != STARTTLS_UNKNOWN)
            must(&file, results_put_pair(file.results, address, id, host->name,
                                         &host->addresses[i].starttls));
    }
}

/* Writes evidence as a survey would have, and reads it back. */
static void through_file(const struct evidence *evidence, struct evidence *out)
{
    struct unit unit;
    int64_t domain;

    add_domain(&file, evidence->domain);
    unit = unit_named(UNIT_DOMAIN, "SELECT id FROM domain WHERE name = ?1", evidence->domain);
    domain = unit.id;
    put_domain(&file, &unit, evidence);
    for (size_t i = 0; i < evidence->host_count; i++) {
        const struct mx_host *host = &evidence->hosts[i];

        unit = unit_named(UNIT_HOST, "SELECT id FROM host WHERE name = ?1", host->name);
        if (host->dane != HOST_DANE_UNKNOWN)
            put_host(&file, &unit, host);
        put_pairs(host, unit.id);
    }
    arena_reset(arena);
    must(&file, results_evidence(file.results, domain, MAKE_NOW, arena, out));
}

/* ---- the product ---- */

/* Names and addresses of its own (`visited` counts), and lines that its policy can be read from again. */
static void make_unlike_others(struct made *made)
{
    static char domain[32], names[MAKE_HOSTS][40], mode[16], max_age[32];
    static const char *const modes[] = {"none", "testing", "enforce"};

    visited++;
    snprintf(domain, sizeof domain, "d%zu.example", visited);
    made->evidence.domain = domain;
    for (size_t i = 0; i < made->evidence.host_count; i++) {
        snprintf(names[i], sizeof names[i], "mx%zu.d%zu.example", i, visited);
        made->hosts[i].name = names[i];
        if (made->hosts[i].tlsa_base != NULL)
            made->hosts[i].tlsa_base = names[i];
        for (size_t j = 0; j < made->hosts[i].address_count; j++)
            made->addresses[i][j].ip.octets[0] = (uint8_t)(10 + i),
            memcpy(made->addresses[i][j].ip.octets + 1, &visited, 2);
    }
    if (made->evidence.sts.state != STS_POLICY)
        return;
    snprintf(mode, sizeof mode, "mode: %s", modes[made->policy.mode]);
    snprintf(max_age, sizeof max_age, "max_age: %u", made->policy.max_age);
    made->lines[1] = mode;
    made->lines[2] = max_age;
    made->lines[3] = "mx: *.example.net";
    made->patterns[0] = "*.example.net";
    made->policy.mx_count = 1;
}

static void compare(const struct made *made, const struct evidence *back,
                    const struct verdict_options *options)
{
    struct verdict want, got;

    verdict_decide(&want, &made->evidence, NULL, options, MAKE_NOW);
    verdict_decide(&got, back, NULL, options, MAKE_NOW);
    if (want.level != got.level || want.reason != got.reason || want.dane != got.dane ||
        want.starttls != got.starttls || want.sts_enforced != got.sts_enforced ||
        want.sts_unfit != got.sts_unfit || want.wildcard_hosts != got.wildcard_hosts ||
        want.settled != got.settled)
        fail_at("through the file", made, &got);
}

static struct evidence read_back;

static void visit_one(const struct made *made, const struct verdict_options *options)
{
    compare(made, &read_back, options);
}

static void check(struct made *made)
{
    make_unlike_others(made);
    made->evidence.complete = true;
    through_file(&made->evidence, &read_back);
    assert_string_equal(read_back.domain, made->evidence.domain);
    assert_int_equal(read_back.host_count, made->evidence.host_count);
    assert_true(read_back.complete);
    each_option(made, visit_one);
}

static void each_state(enum mx_state mx, const char *hosts, const char *sts)
{
    size_t kinds = *hosts == '\0' ? 1 : COUNT(probes);
    struct made made;

    for (; *sts != '\0'; sts++)
        for (size_t probe = 0; probe < kinds; probe++)
            for (int bits = 0; bits < 6; bits++) {
                size_t left = strlen(hosts);
                char these[16];

                snprintf(these, sizeof these, "%s", probes[probe]);
                for (char *p = these; *p != '\0'; p++)
                    if (*p == ',' && --left == 0)
                        *p-- = '\0';
                make_evidence(&made, mx, bits & 1, hosts, *sts, these);
                made.evidence.mx_truncated = bits / 2 == 1;
                made.hosts[0].tlsa_short = bits / 2 == 2;
                check(&made);
            }
}

static void hosts_and_policies(void **state)
{
    static const char letters[] = "UBNEDL?";

    (void)state;
    for (size_t a = 0; letters[a] != '\0'; a++)
        for (size_t b = a; b <= strlen(letters); b++)
            each_state(MX_LISTED, (const char[]){letters[a], letters[b], '\0'}, "nETZ0");
    each_state(MX_IMPLICIT, "U", "nE");
    each_state(MX_IMPLICIT, "N", "nE");
    each_state(MX_LISTED, "UNE", "nE");
    each_state(MX_LISTED, "NND", "rdfb-E");
    assert_true(visited > 5000);
}

static void without_hosts(void **state)
{
    (void)state;
    each_state(MX_UNUSABLE, "", "nETZ0rdfb-");
    /* the daemon's lookup ends with these: domain_uv.c */
    each_state(MX_NULL, "", "-");
    each_state(MX_NXDOMAIN, "", "-");
    each_state(MX_ERROR, "", "-");
}

/* What is in the file about MTA-STS does not count there either. */
static void a_policy_without_mail(void **state)
{
    static const enum mx_state states[] = {MX_NULL, MX_NXDOMAIN, MX_ERROR};
    struct evidence back;
    struct made made;

    (void)state;
    for (size_t i = 0; i < COUNT(states); i++) {
        make_evidence(&made, states[i], true, "", 'E', "");
        make_unlike_others(&made);
        through_file(&made.evidence, &back);
        assert_int_equal(back.mx, states[i]);
        assert_int_equal(back.sts.state, STS_NOT_ASKED);
        assert_null(back.sts.policy);
    }
}

/* ---- fields ---- */

static const uint8_t octets[32] = {1, 2, 3};

static void every_field_of_a_host(const struct mx_host *host, const struct ip *ip)
{
    const struct starttls_result *result = &host->addresses[0].starttls;

    assert_int_equal(host->preference, 10);
    assert_int_equal(host->ttl, MAKE_TTL);
    assert_true(host->address_secure && host->addresses_known && host->tlsa_truncated);
    assert_false(host->tlsa_short);
    assert_string_equal(host->tlsa_base, "base.example.org");
    assert_string_equal(host->expanded, "base.example.org");
    assert_int_equal(host->tlsa_count, 2);
    assert_int_equal(host->tlsa[0].usage, 3);
    assert_int_equal(host->tlsa[0].length, 32);
    assert_memory_equal(host->tlsa[0].data, octets, 32);
    assert_true(host->tlsa[0].usable);
    assert_false(host->tlsa[1].usable);
    assert_int_equal(host->tlsa[1].length, 0);
    assert_true(host->addresses[0].secure);
    assert_true(ip_equal(&host->addresses[0].ip, ip));
    assert_int_equal(result->state, STARTTLS_VERIFIED);
    assert_true(result->chain_ok && result->name_ok && !result->expired);
    assert_int_equal(result->tlsa, TLSA_MATCH_MISMATCH);
    assert_int_equal(result->code, 220);
    assert_string_equal(result->detail, "TLSA: no record");
}

static void every_field(void **state)
{
    struct tlsa tlsa[] = {{3, 1, 1, true, 32, octets}, {2, 0, 0, false, 0, octets}};
    struct made made;
    struct evidence back;

    (void)state;
    make_evidence(&made, MX_LISTED, true, "UN", 'E', "V,C");
    make_unlike_others(&made);
    made.evidence.expanded = "target.example.org";
    made.evidence.mx_truncated = true;
    made.hosts[0].tlsa = tlsa;
    made.hosts[0].tlsa_count = 2;
    made.hosts[0].tlsa_base = "base.example.org";
    made.hosts[0].expanded = "base.example.org";
    made.hosts[0].tlsa_truncated = true;
    made.addresses[0][0].secure = true;
    made.addresses[0][0].starttls = (struct starttls_result){.state = STARTTLS_VERIFIED,
                                                             .chain_ok = true,
                                                             .name_ok = true,
                                                             .tlsa = TLSA_MATCH_MISMATCH,
                                                             .code = 220,
                                                             .detail = "TLSA: no record"};
    through_file(&made.evidence, &back);
    assert_string_equal(back.expanded, "target.example.org");
    assert_true(back.mx_secure && back.mx_truncated);
    assert_int_equal(back.mx_ttl, MAKE_TTL);
    assert_string_equal(back.sts.id, "20240101");
    assert_int_equal(back.sts.ttl, MAKE_TTL);
    assert_int_equal(back.sts.policy->max_age, 86400);
    assert_int_equal(back.sts.policy->line_count, 4);
    assert_int_equal(back.sts.valid_until, MAKE_NOW + 86400 * 1000);
    every_field_of_a_host(&back.hosts[0], &made.addresses[0][0].ip);
    assert_int_equal(back.hosts[1].addresses[0].starttls.state, STARTTLS_CLEAR);
    assert_int_equal(back.hosts[1].ttl, MAKE_TTL);
}

static void a_domain_that_is_not_there(void **state)
{
    struct evidence back;
    int64_t id;

    (void)state;
    add_domain(&file, "never.example");
    assert_false(results_evidence(file.results, 12345, MAKE_NOW, arena, &back));
    assert_string_equal(results_error(file.results), "");
    id = id_of("SELECT id FROM domain WHERE name = ?1", "never.example");
    assert_false(results_evidence(file.results, id, MAKE_NOW, arena, &back));
    assert_string_equal(results_error(file.results), "");
}

/* ---- how many addresses are connected to ---- */

struct many {
    struct evidence evidence;
    struct mx_host hosts[4];
    struct mx_address addresses[4][32];
    char names[4][32];
};

/* `probed` addresses with valid certificates, then one in clear; every fourth host's first address
 * is skipped. */
static void make_many(struct many *many, int hosts, size_t each)
{
    memset(many, 0, sizeof *many);
    many->evidence = (struct evidence){.domain = "many.example",
                                       .port = 25,
                                       .mx = MX_LISTED,
                                       .mx_ttl = 60,
                                       .sts = {.state = STS_NO_RECORD},
                                       .host_count = (size_t)hosts,
                                       .hosts = many->hosts};
    for (int i = 0; i < hosts; i++) {
        snprintf(many->names[i], sizeof many->names[i], "mx%d.many.example", i);
        many->hosts[i] = (struct mx_host){.name = many->names[i],
                                          .preference = (uint16_t)i,
                                          .dane = HOST_DANE_NONE,
                                          .addresses_known = true,
                                          .address_count = each,
                                          .addresses = many->addresses[i],
                                          .ttl = 60};
        for (size_t j = 0; j < each; j++) {
            many->addresses[i][j].ip = (struct ip){4, {172, 16, (uint8_t)i, (uint8_t)j}};
            many->addresses[i][j].starttls.state = STARTTLS_VERIFIED;
        }
    }
}

static size_t count_skipped(const struct evidence *evidence)
{
    size_t count = 0;

    for (size_t i = 0; i < evidence->host_count; i++)
        for (size_t j = 0; j < evidence->hosts[i].address_count; j++)
            count += evidence->hosts[i].addresses[j].starttls.state == STARTTLS_SKIPPED;
    return count;
}

struct limit_row {
    const char *name;
    int hosts;
    size_t each, skipped_before, want;
};

static const struct limit_row limit_rows[] = {
    {"59 addresses", 1, 32, 0, 0},
    {"60 addresses", 3, 20, 0, 0},
    {"63 addresses", 3, 21, 0, 3},
    {"63 addresses, 2 of which may not be connected to", 3, 21, 2, 3},
    {"66 addresses, 6 of which may not be connected to", 3, 22, 6, 6},
    {"128 addresses", 4, 32, 0, 68},
};

static void limit(void **state)
{
    const struct limit_row *row = *state;
    static struct many many;
    struct evidence back;

    open_file(NULL);
    make_many(&many, row->hosts, row->each);
    for (size_t i = 0; i < row->skipped_before; i++)
        many.addresses[0][i].starttls = (struct starttls_result){.state = STARTTLS_SKIPPED};
    through_file(&many.evidence, &back);
    assert_int_equal(count_skipped(&back), row->want);
    if (row->want > row->skipped_before) {
        const struct mx_host *last = &back.hosts[row->hosts - 1];

        assert_string_equal(last->addresses[row->each - 1].starttls.detail,
                            "too many addresses at this next-hop");
    }
    remove_file(NULL);
}

/* A survey that connects to nobody says why. */
static void without_probes(void **state)
{
    struct results_run run = make_run();
    struct evidence back;
    struct made made;

    (void)state;
    run.verdict.probe = false;
    must(&file, results_set_run(file.results, &run));
    make_evidence(&made, MX_LISTED, true, "N", 'n', "?");
    make_unlike_others(&made);
    through_file(&made.evidence, &back);
    assert_int_equal(back.hosts[0].addresses[0].starttls.state, STARTTLS_SKIPPED);
    assert_string_equal(back.hosts[0].addresses[0].starttls.detail, "probing is switched off");
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, open_file, remove_file)
    const struct CMUnitTest tests[] = {
        TEST(hosts_and_policies),         TEST(without_hosts),
        TEST(a_policy_without_mail),      TEST(every_field),
        TEST(a_domain_that_is_not_there), TEST(without_probes),
    };

    ROWS_ADD(limit_rows, limit);
    return cmocka_run_group_tests_name("results_evidence", tests, NULL, NULL) +
           rows_run("results_evidence, limits");
}
