/* The invariants of docs/verdicts.md §6 over the product of states, from the evidence alone. */
#include "tests/unit/support/verdict_product.h"

/* ---- 2: never dane-only without a secure MX and usable TLSA on every host it must reach ---- */

static void check_dane_only(const struct made *made, const struct verdict_options *options)
{
    struct seen seen = look(&made->evidence, options);
    struct verdict got;
    bool partly;

    verdict_decide(&got, &made->evidence, memory, options, MAKE_NOW);
    if (got.level != VERDICT_DANE_ONLY && got.level != VERDICT_DANE)
        return;
    if (!options->dane || seen.crashes)
        fail_at("dane where Postfix must not look at TLSA", made, &got);
    if (got.level == VERDICT_DANE)
        return;
    if (!seen.secure || seen.usable == 0 || seen.cut || seen.unknown > 0)
        fail_at("invariant 2", made, &got);
    partly = seen.unusable + seen.none > 0;
    if (partly && !seen.enforce && options->partial_dane != PARTIAL_DANE_ONLY)
        fail_at("invariant 2, partly", made, &got);
}

/* ---- 3: never secure without a policy that names hosts ---- */

static void check_secure(const struct made *made, const struct verdict_options *options)
{
    struct verdict got;

    verdict_decide(&got, &made->evidence, memory, options, MAKE_NOW);
    if (got.level == VERDICT_SECURE && !enforced(&made->evidence, options))
        fail_at("invariant 3", made, &got);
}

/* ---- 4: MTA-STS never overrides DANE at a secure MX; an unsigned MX never overrides MTA-STS ----
 */

static void check_precedence(const struct made *made, const struct verdict_options *options)
{
    struct seen seen = look(&made->evidence, options);
    struct verdict got;
    bool dane_rules = options->dane && seen.secure && (seen.usable > 0 || seen.error > 0);

    verdict_decide(&got, &made->evidence, memory, options, MAKE_NOW);
    if (dane_rules && got.level == VERDICT_SECURE && got.reason != REASON_DANE_SHORT &&
        !(got.reason == REASON_DANE_TRUNCATED && got.dane == DANE_MIXED))
        fail_at("invariant 4", made, &got);
    if (dane_rules && seen.unknown == 0 && !seen.crashes && got.level < VERDICT_DANE)
        fail_at("invariant 4, DANE ignored", made, &got);
    if (!seen.secure && seen.enforce && seen.live > 0 && seen.unknown == 0 &&
        made->evidence.mx == MX_LISTED && got.level != VERDICT_SECURE)
        fail_at("invariant 4, unsigned MX", made, &got);
}

/* ---- at the deadline ---- */

static void check_due_addresses_known(const struct made *made,
                                      const struct verdict_options *options)
{
    struct made known;

    if (made->evidence.complete || look(&made->evidence, options).unknown == 0)
        return;
    copy_made(&known, made);
    for (size_t i = 0; i < known.evidence.host_count; i++)
        known.hosts[i].addresses_known = true;
    check_due(&known, options);
}

/* ---- the product ---- */

static void check_all(const struct made *made, const struct verdict_options *options)
{
    visited++;
    check_never_weaker(made, options);
    check_dane_only(made, options);
    check_secure(made, options);
    check_precedence(made, options);
    check_times(made, options);
    check_order(made, options);
    check_settled(made, options);
    check_due(made, options);
    check_due_addresses_known(made, options);
}

static void test_product(void **state)
{
    (void)state;
    for_all(check_all);
    assert_true(visited > 1000000);
    print_message("%zu evidences\n", visited);
}

/* ---- F-1: 100 shuffles of one long MX list ---- */

#define MANY 24

static uint32_t pseudo_random(uint32_t *seed)
{
    *seed = *seed * 1664525U + 1013904223U;
    return *seed >> 8;
}

static void test_f_1_shuffle_100_times(void **state)
{
    static const char letters[] = "UNEBDLUNUNUUNNEUBUUNDLNU";
    struct mx_host hosts[MANY];
    struct made made;
    struct verdict want, got;
    struct verdict_options options = make_options();
    uint32_t seed = 7;

    (void)state;
    make_evidence(&made, MX_LISTED, true, "N", 'E', "");
    for (size_t i = 0; i < MANY; i++) {
        hosts[i] = made.hosts[0];
        hosts[i].dane = make_host_state(letters[i]);
        hosts[i].preference = 10;
        hosts[i].ttl = (uint32_t)(600 + i);
    }
    made.evidence.hosts = hosts;
    made.evidence.host_count = MANY;
    made.evidence.complete = true;
    verdict_decide(&want, &made.evidence, NULL, &options, MAKE_NOW);
    assert_int_equal(want.level, VERDICT_DANE_ONLY);
    for (int round = 0; round < 100; round++) {
        for (size_t i = MANY - 1; i > 0; i--) {
            size_t j = pseudo_random(&seed) % (i + 1);
            struct mx_host host = hosts[i];

            hosts[i] = hosts[j];
            hosts[j] = host;
        }
        verdict_decide(&got, &made.evidence, NULL, &options, MAKE_NOW);
        assert_true(equal(&want, &got));
    }
}

int main(void)
{
    rows_add_one("invariants over the product of states", test_product, NULL);
    rows_add_one("F-1 the order of MX records, 100 shuffles", test_f_1_shuffle_100_times, NULL);
    return rows_run("verdict_invariants");
}
