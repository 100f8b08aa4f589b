/* The invariants of docs/verdicts.md §6 over the product of states, with what is remembered. */
#include "tests/unit/support/verdict_product.h"

#define HOUR_MS INT64_C(3600000)
#define AGO     (MAKE_NOW - 40 * HOUR_MS)
#define AHEAD   (MAKE_NOW + 8 * HOUR_MS)

static const struct remembered memories[] = {
    {.dane_only_until = AHEAD, .dane_possible = true},
    {.dane_only_until = MAKE_NOW, .dane_possible = true, .observed = VERDICT_VERIFY},
    {.secure = true},
    {.secure = true, .observed = VERDICT_ENCRYPT},
    {.observed = VERDICT_ENCRYPT},
    {.observed = VERDICT_VERIFY, .verify = {AGO, AHEAD}},
    {.observed = VERDICT_VERIFY, .verify = {AGO, AHEAD}, .encrypt = {AGO, AHEAD}},
    {.observed = VERDICT_VERIFY, .verify = {AGO, MAKE_NOW}, .encrypt = {AGO + 1, MAKE_NOW + 1}},
    {.observed = VERDICT_ENCRYPT, .encrypt = {AGO, MAKE_NOW}},
    {AHEAD, true, true, VERDICT_VERIFY, {AGO, AHEAD}, {AGO, AHEAD}, false},
    {.observed = VERDICT_VERIFY, .verify = {AGO, AHEAD}, .refused = UINT64_MAX},
    {.refused = UINT64_MAX},
};

static bool runs(const struct downgrade *downgrade)
{
    return downgrade->since == 0 || MAKE_NOW < downgrade->until;
}

/* The level that probing proved and whose clock has not run out. */
static enum verdict_level level(const struct verdict_options *options)
{
    if (!options->probe || memory->observed == VERDICT_NO_OPINION)
        return VERDICT_NO_OPINION;
    if (memory->observed == VERDICT_VERIFY && runs(&memory->verify))
        return options->verify ? VERDICT_VERIFY : VERDICT_ENCRYPT;
    return runs(&memory->encrypt) ? VERDICT_ENCRYPT : VERDICT_NO_OPINION;
}

/* True when some host may still refuse STARTTLS as it did before. */
static bool somebody_unasked(const struct evidence *evidence)
{
    for (size_t i = 0; i < evidence->host_count; i++) {
        const struct mx_host *host = &evidence->hosts[i];
        bool asked = host->addresses_known && host->address_count > 0 &&
                     host->dane != HOST_DANE_LOST && host->dane != HOST_DANE_UNKNOWN;

        for (size_t j = 0; j < host->address_count; j++)
            asked &= host->addresses[j].starttls.state != STARTTLS_UNKNOWN;
        if (!asked && host->dane != HOST_DANE_DEAD)
            return true;
    }
    return false;
}

static bool nobody_there(const struct evidence *evidence)
{
    return evidence->mx == MX_NULL || evidence->mx == MX_NXDOMAIN;
}

static void check_remembered_dane(const struct made *made, const struct verdict_options *options,
                                  const struct verdict *plain, const struct verdict *got)
{
    bool counts = options->dane && !look(&made->evidence, options).crashes;

    if (counts && memory->dane_only_until > MAKE_NOW && got->level != VERDICT_DANE_ONLY)
        fail_at("invariant 1, FULL remembered", made, got);
    if (got->level == VERDICT_DANE_ONLY && plain->level != VERDICT_DANE_ONLY &&
        !(counts && memory->dane_only_until > MAKE_NOW))
        fail_at("invariant 2, remembered", made, got);
}

static void check_remembered_sts(const struct made *made, const struct verdict_options *options,
                                 const struct verdict *plain, const struct verdict *got)
{
    const struct evidence *evidence = &made->evidence;
    bool open = evidence->sts.state == STS_UNKNOWN && !evidence->complete;

    if (memory->secure && plain->reason == REASON_MX_ERROR && enforced(evidence, options) &&
        got->level != VERDICT_SECURE && got->level != VERDICT_DANE_ONLY)
        fail_at("invariant 1, ENFORCE remembered", made, got);
    if (memory->secure && open && !nobody_there(evidence) && got->level < VERDICT_SECURE)
        fail_at("invariant 1, ENFORCE not known yet", made, got);
    if (plain->reason == REASON_DANE_ERROR_STS && got->level < VERDICT_DANE_ONLY)
        fail_at("hostile 16", made, got);
}

static void check_remembered_level(const struct made *made, const struct verdict_options *options,
                                   const struct verdict *plain, const struct verdict *got)
{
    bool by_probes = plain->level <= VERDICT_ENCRYPT && plain->reason != REASON_DANE_UNUSABLE &&
                     plain->reason != REASON_DANE_SHORT;
    bool raised = got->level == VERDICT_ENCRYPT || got->level == VERDICT_VERIFY;

    if (by_probes && got->level < level(options))
        fail_at("invariant 1, held", made, got);
    if (plain->level != VERDICT_TEMP && got->level < plain->level &&
        !(memory->refused != 0 && somebody_unasked(&made->evidence)))
        fail_at("weaker than without memory", made, got);
    if (memory->refused != 0 && options->probe && somebody_unasked(&made->evidence) &&
        (got->level == VERDICT_ENCRYPT || got->level == VERDICT_VERIFY) && by_probes &&
        plain->level >= VERDICT_ENCRYPT)
        fail_at("encrypt where a host that refuses was not asked", made, got);
    if (plain->level != VERDICT_TEMP || !raised)
        return;
    if (made->evidence.complete || enforced(&made->evidence, options) ||
        plain->reason == REASON_MX_ERROR)
        fail_at("what was proven by probing in the place of TEMP", made, got);
    if (options->dane && memory->dane_possible)
        fail_at("what was proven by probing in the place of DANE", made, got);
}

static void check_downgrade(const struct made *made, const struct verdict *got,
                            const struct downgrade *before, const struct downgrade *after,
                            bool proven)
{
    if (before->since == 0 || !runs(before))
        return;
    if (after->since == 0 ? !proven : after->since != before->since || after->until < before->until)
        fail_at("a clock cut short", made, got);
}

static void check_successor(const struct made *made, const struct verdict_options *options,
                            const struct verdict *got)
{
    const struct remembered *next = &got->remembered;
    bool verified = options->probe && got->starttls == STARTTLS_ALL_VERIFIED;
    bool tls = verified || (options->probe && got->starttls == STARTTLS_ALL_TLS);

    if (!made->evidence.complete && memcmp(next, memory, sizeof *next) != 0)
        fail_at("learnt from half a lookup", made, got);
    if (next->observed < memory->observed && runs(&memory->verify) && runs(&memory->encrypt))
        fail_at("sunk before its time", made, got);
    if (memory->observed == VERDICT_VERIFY && runs(&memory->encrypt) &&
        next->observed < VERDICT_ENCRYPT)
        fail_at("sunk with the level above", made, got);
    if (next->observed > memory->observed && !tls)
        fail_at("proven by nothing", made, got);
    if (memory->observed == VERDICT_VERIFY)
        check_downgrade(made, got, &memory->verify, &next->verify, verified);
    check_downgrade(made, got, &memory->encrypt, &next->encrypt, tls);
    if (memory->refused != 0 && next->refused == 0 && options->probe &&
        (somebody_unasked(&made->evidence) || made->evidence.mx == MX_ERROR))
        fail_at("a refusal forgotten unasked", made, got);
}

static void check_remembered(const struct made *made, const struct verdict_options *options)
{
    struct verdict plain, got;

    verdict_decide(&plain, &made->evidence, NULL, options, MAKE_NOW);
    for (size_t i = 0; i < COUNT(memories); i++) {
        memory = &memories[i];
        verdict_decide(&got, &made->evidence, memory, options, MAKE_NOW);
        if (got.shown_level != plain.level || got.shown_reason != plain.reason)
            fail_at("shown is not what the evidence says", made, &got);
        check_remembered_dane(made, options, &plain, &got);
        check_remembered_sts(made, options, &plain, &got);
        check_remembered_level(made, options, &plain, &got);
        check_successor(made, options, &got);
        check_never_weaker(made, options);
        check_times(made, options);
        check_order(made, options);
        check_settled(made, options);
        check_due(made, options);
    }
    memory = NULL;
}

/* Fewer options and at most two hosts, for there are ten memories to each. */
static void check_with_memory(const struct made *made, const struct verdict_options *options)
{
    if (options->testing_enforced || options->partial_dane == PARTIAL_DANE_OPPORTUNISTIC ||
        made->evidence.host_count > 2)
        return;
    visited++;
    check_remembered(made, options);
}

static void test_product_with_memory(void **state)
{
    (void)state;
    visited = 0;
    for_all(check_with_memory);
    assert_true(visited > 200000);
    print_message("%zu evidences, each with %zu memories\n", visited, COUNT(memories));
}

int main(void)
{
    rows_add_one("invariants with what is remembered", test_product_with_memory, NULL);
    return rows_run("remembered_invariants");
}
