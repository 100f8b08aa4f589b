/* Policy lists in the decision: the column of docs/verdicts.md §3 cell by cell, and its invariants over
 * the product of states, with and without what is remembered. */
#include "tests/unit/support/verdict_product.h"

#define AHEAD (MAKE_NOW + INT64_C(8) * 3600000)
#define AGO   (MAKE_NOW - INT64_C(8) * 3600000)

static const char hosts_listed[] = "mx0.example.com\0*.example.net";

static void put_on_list(struct made *made, enum list_mode mode)
{
    made->evidence.list = (struct list_evidence){mode, hosts_listed, 2, "the list", 2000000000};
}

/* ---- the column ---- */

enum {
    OPEN = 1,
    NO_DANE = 2,
    TESTING = 4,
    SHORT = 8,
    CUT = 16,
    DUE = 32,
    WAITS = 64,
    NO_PROBE = 128,
    DANE_DANE = 256, /* partial-dane = dane */
    DANE_ONLY = 512  /* partial-dane = dane-only */
};

struct row {
    const char *name;
    enum mx_state mx;
    bool secure;
    const char *hosts;
    char sts;
    const char *probes;
    int flags;
    enum verdict_level level;
    enum verdict_reason reason;
};

#define SIGNED MX_LISTED, true
#define PLAIN  MX_LISTED, false
#define NF     VERDICT_NO_OPINION
#define SEC    VERDICT_SECURE
#define DA     VERDICT_DANE
#define DO     VERDICT_DANE_ONLY
#define TMP    VERDICT_TEMP

static const struct row rows[] = {
    /* DANE at a signed MX decides as without a list */
    {"FULL", SIGNED, "UU", 'n', "", 0, DO, REASON_DANE_FULL},
    {"MIXED", SIGNED, "UN", 'n', "C,C", 0, DO, REASON_DANE_MIXED_LIST},
    {"MIXED, partial-dane = dane", SIGNED, "UN", 'n', "C,C", DANE_DANE, DA, REASON_DANE_MIXED},
    {"MIXED, partial-dane = dane-only", SIGNED, "UN", 'n', "C,C", DANE_ONLY, DO, REASON_DANE_MIXED},
    {"MIXED, a policy in testing mode", SIGNED, "UN", 'T', "C,C", 0, DA, REASON_DANE_MIXED},
    {"MIXED, not all hosts were looked at", SIGNED, "UN", 'n', "", CUT, SEC, REASON_LIST},
    {"ERROR", SIGNED, "EN", 'n', "C,C", 0, TMP, REASON_DANE_ERROR_LIST},
    {"due: TLSA that is late", SIGNED, "?", 'n', "", OPEN | WAITS | DUE, TMP,
     REASON_DANE_ERROR_LIST},
    {"a policy in testing mode, ERROR", SIGNED, "E", 'T', "C", 0, DA, REASON_DANE_ERROR},
    {"not all hosts were looked at", SIGNED, "UU", 'n', "", CUT, DA, REASON_DANE_TRUNCATED},
    /* where it does not, the list does */
    {"UNUSABLE everywhere", SIGNED, "BB", 'n', "C,C", 0, SEC, REASON_LIST},
    {"UNUSABLE at some", SIGNED, "BN", 'n', "C,C", 0, SEC, REASON_LIST},
    {"UNSIGNED", PLAIN, "UU", 'n', "C,C", 0, SEC, REASON_LIST},
    {"ERROR at an unsigned MX", PLAIN, "EN", 'n', "C,C", 0, SEC, REASON_LIST},
    {"a record of 3 octets, FULL", SIGNED, "U", 'n', "", SHORT, SEC, REASON_LIST},
    {"dane = no, FULL", SIGNED, "U", 'n', "C", NO_DANE, SEC, REASON_LIST},
    {"dane = no, ERROR", SIGNED, "E", 'n', "C", NO_DANE, SEC, REASON_LIST},
    /* whatever probes show */
    {"no STARTTLS", SIGNED, "NN", 'n', "C,C", 0, SEC, REASON_LIST},
    {"verified", PLAIN, "N", 'n', "V", 0, SEC, REASON_LIST},
    {"TLS", PLAIN, "N", 'n', "T", 0, SEC, REASON_LIST},
    {"partly", PLAIN, "NN", 'n', "V,C", 0, SEC, REASON_LIST},
    {"refused", PLAIN, "N", 'n', "R", 0, SEC, REASON_LIST},
    {"nobody answered", PLAIN, "N", 'n', "S", 0, SEC, REASON_LIST},
    {"probe = no", PLAIN, "N", 'n', "?", NO_PROBE, SEC, REASON_LIST},
    {"an implicit MX", MX_IMPLICIT, false, "N", 'n', "C", 0, SEC, REASON_LIST},
    {"no host has an address", SIGNED, "DD", 'n', "", 0, SEC, REASON_LIST},
    {"MX records without a valid name", MX_UNUSABLE, false, "", 'n', "", 0, SEC, REASON_LIST},
    /* MTA-STS decides as without a list */
    {"a policy in enforce mode", PLAIN, "N", 'E', "C", 0, SEC, REASON_STS_ENFORCE},
    {"a policy in testing mode is its owner's word", PLAIN, "N", 'T', "C", 0, NF, REASON_CLEAR},
    {"testing = enforce", PLAIN, "N", 'T', "C", TESTING, SEC, REASON_STS_TESTING},
    {"a policy in enforce mode, MIXED", SIGNED, "UN", 'E', "", 0, DO, REASON_DANE_MIXED_STS},
    {"a policy in enforce mode, ERROR", SIGNED, "EN", 'E', "", 0, TMP, REASON_DANE_ERROR_STS},
    {"mode none asks for nothing", PLAIN, "N", '0', "C", 0, SEC, REASON_LIST},
    {"a policy past its max_age", PLAIN, "N", 'X', "C", 0, SEC, REASON_LIST},
    {"a policy that cannot be fetched", PLAIN, "N", 'f', "C", 0, SEC, REASON_LIST},
    {"a record that cannot be looked up", PLAIN, "N", 'd', "C", 0, SEC, REASON_LIST},
    /* nobody to deliver to, or nothing known */
    {"a signed null MX", MX_NULL, true, "", 'n', "", 0, NF, REASON_NULL_MX},
    {"a signed NXDOMAIN", MX_NXDOMAIN, true, "", 'n', "", 0, NF, REASON_NXDOMAIN},
    {"a null MX that may be forged", MX_NULL, false, "", 'n', "", 0, SEC, REASON_LIST},
    {"an NXDOMAIN that may be forged", MX_NXDOMAIN, false, "", 'n', "", 0, SEC, REASON_LIST},
    {"that beside a policy", MX_NXDOMAIN, false, "", 'E', "", 0, SEC, REASON_LIST},
    {"that before the policy is known", MX_NXDOMAIN, false, "", '?', "", OPEN, SEC, REASON_LIST},
    {"the MX lookup failed", MX_ERROR, false, "", 'n', "", 0, TMP, REASON_MX_ERROR},
    {"[host]", MX_SELF, false, "N", '-', "C", 0, NF, REASON_CLEAR},
    /* in time */
    {"probes are not waited for", PLAIN, "N", 'n', "?", OPEN, SEC, REASON_LIST},
    {"MTA-STS is waited for", PLAIN, "N", '?', "C", OPEN | WAITS, SEC, REASON_LIST},
    {"DANE is waited for", SIGNED, "?", 'n', "", OPEN | WAITS, TMP, REASON_PENDING},
    {"due: a host that is late", SIGNED, "N?", 'n', "C", OPEN | WAITS | DUE, SEC, REASON_LIST},
};

static void decide_row(struct verdict *got, const struct row *row, enum list_mode mode)
{
    struct verdict_options options = make_options();
    struct made made;

    make_evidence(&made, row->mx, row->secure, row->hosts, row->sts, row->probes);
    made.evidence.complete = !(row->flags & OPEN);
    made.evidence.mx_truncated = row->flags & CUT;
    made.hosts[0].tlsa_short = row->flags & SHORT;
    options.dane = !(row->flags & NO_DANE);
    options.probe = !(row->flags & NO_PROBE);
    options.testing_enforced = row->flags & TESTING;
    options.partial_dane = row->flags & DANE_DANE   ? PARTIAL_DANE_OPPORTUNISTIC
                           : row->flags & DANE_ONLY ? PARTIAL_DANE_ONLY
                                                    : PARTIAL_DANE_TABLE;
    put_on_list(&made, mode);
    if (row->flags & DUE)
        verdict_decide_at_deadline(got, &made.evidence, NULL, &options, MAKE_NOW);
    else
        verdict_decide(got, &made.evidence, NULL, &options, MAKE_NOW);
}

static void test_row(void **state)
{
    const struct row *row = *state;
    struct verdict got, testing, plain;

    decide_row(&got, row, LIST_ENFORCE);
    decide_row(&testing, row, LIST_TESTING);
    decide_row(&plain, row, LIST_NONE);
    assert_int_equal(got.level, row->level);
    assert_int_equal(got.reason, row->reason);
    assert_int_equal(got.settled, !(row->flags & WAITS));
    assert_int_equal(got.listed, LIST_ENFORCE);
    assert_int_equal(got.list_decides, row->reason == REASON_LIST ||
                                           row->reason == REASON_DANE_ERROR_LIST ||
                                           row->reason == REASON_DANE_MIXED_LIST);
    assert_true(equal(&testing, &plain));
    assert_int_equal(testing.list_decides, got.list_decides);
    assert_int_equal(plain.list_decides, got.list_decides);
}

/* ---- the product ---- */

static const struct remembered memories[] = {
    {.observed = VERDICT_NO_OPINION},
    {.dane_only_until = AHEAD, .dane_possible = true},
    {.secure = true, .observed = VERDICT_ENCRYPT},
    {.observed = VERDICT_VERIFY, .verify = {AGO, AHEAD}, .encrypt = {AGO, AHEAD}},
    {.observed = VERDICT_VERIFY, .verify = {AGO, AHEAD}, .refused = UINT64_MAX},
};

static bool has_policy(const struct evidence *evidence)
{
    return evidence->sts.state == STS_POLICY &&
           (MAKE_NOW < evidence->sts.valid_until || evidence->sts.policy->max_age == 0) &&
           evidence->sts.policy->mode != STS_MODE_NONE && evidence->mx != MX_NULL &&
           evidence->mx != MX_NXDOMAIN;
}

/* True when DANE or MTA-STS says something, in the words of docs/verdicts.md. */
static bool owner_decides(const struct made *made, const struct verdict_options *options,
                          const struct verdict *plain)
{
    const struct seen seen = look(&made->evidence, options);

    return has_policy(&made->evidence) || plain->level == VERDICT_DANE_ONLY ||
           (seen.secure && !seen.crashes &&
            (plain->dane == DANE_FULL || (plain->dane == DANE_MIXED && !seen.cut) ||
             plain->dane == DANE_ERROR));
}

/* All but a host of its own, and a domain that provably takes no mail. */
static bool is_listed_kind(const struct evidence *evidence)
{
    bool nobody = evidence->mx == MX_NULL || evidence->mx == MX_NXDOMAIN;

    return evidence->mx != MX_SELF && !(nobody && evidence->mx_secure);
}

/* What the list makes of a verdict; as it is where others decide. */
static enum verdict_reason wanted(const struct made *made, const struct verdict_options *options,
                                  const struct verdict *plain)
{
    const struct seen seen = look(&made->evidence, options);
    bool dane = plain->level == VERDICT_DANE && seen.secure && !has_policy(&made->evidence);

    if (!is_listed_kind(&made->evidence))
        return plain->reason;
    if (dane && plain->reason == REASON_DANE_ERROR)
        return REASON_DANE_ERROR_LIST;
    if (dane && plain->reason == REASON_DANE_MIXED)
        return seen.cut ? REASON_LIST : REASON_DANE_MIXED_LIST;
    return plain->level == VERDICT_TEMP || plain->level == VERDICT_SECURE ||
                   owner_decides(made, options, plain)
               ? plain->reason
               : REASON_LIST;
}

static void check_enforce(const struct made *made, const struct verdict_options *options,
                          const struct verdict *plain)
{
    enum verdict_reason want = wanted(made, options, plain);
    enum verdict_level level = want == REASON_LIST              ? VERDICT_SECURE
                               : want == REASON_DANE_MIXED_LIST ? VERDICT_DANE_ONLY
                               : want == REASON_DANE_ERROR_LIST ? VERDICT_TEMP
                                                                : plain->level;
    struct verdict got;

    verdict_decide(&got, &made->evidence, memory, options, MAKE_NOW);
    if (got.level < plain->level)
        fail_at("weaker than without a list", made, &got);
    if (got.reason != want || got.level != level)
        fail_at("not as the list wants it", made, &got);
    if (want == plain->reason && !equal(&got, plain))
        fail_at("a list where others decide", made, &got);
    if (got.shown_level != plain->shown_level || got.shown_reason != plain->shown_reason ||
        memcmp(&got.remembered, &plain->remembered, sizeof got.remembered) != 0)
        fail_at("a list that is remembered", made, &got);
    if (plain->settled && !got.settled)
        fail_at("a list that is waited for", made, &got);
}

static void check_listed(const struct made *made, const struct verdict_options *options)
{
    struct made listed;
    struct verdict plain, got;

    copy_made(&listed, made);
    verdict_decide(&plain, &made->evidence, memory, options, MAKE_NOW);
    put_on_list(&listed, LIST_TESTING);
    verdict_decide(&got, &listed.evidence, memory, options, MAKE_NOW);
    if (!equal(&got, &plain))
        fail_at("a list in testing mode that counts", made, &got);
    put_on_list(&listed, LIST_ENFORCE);
    check_enforce(&listed, options, &plain);
    check_never_weaker(&listed, options);
    check_times(&listed, options);
    check_order(&listed, options);
    check_settled(&listed, options);
    check_due(&listed, options);
}

/* Fewer options and at most two hosts, for there are five memories to each. */
static void check_each_memory(const struct made *made, const struct verdict_options *options)
{
    struct verdict_options own = *options;

    if (options->partial_dane != PARTIAL_DANE_TABLE || made->evidence.host_count > 2)
        return;
    own.verify = true;
    visited++;
    for (size_t i = 0; i < COUNT(memories); i++) {
        memory = &memories[i];
        check_listed(made, &own);
    }
    memory = NULL;
}

static void test_product(void **state)
{
    (void)state;
    for_all(check_each_memory);
    assert_true(visited > 200000);
    print_message("%zu evidences, each with %zu memories\n", visited, COUNT(memories));
}

int main(void)
{
    ROWS_ADD(rows, test_row);
    rows_add_one("invariants with a policy list, over the product of states", test_product, NULL);
    return rows_run("listed");
}
