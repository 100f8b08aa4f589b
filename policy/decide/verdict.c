/*
 * verdict: the table of docs/verdicts.md §3, with the exceptions that stand below it; see verdict.h
 * for who else decides.
 *
 * Every DANE state has two outcomes: under an MTA-STS policy that is enforced, and otherwise. Both
 * are worked out first; where they agree, MTA-STS need not be waited for. See facts.c for how the
 * states are counted, remember.c for what earlier lookups add, validity.c for how long a verdict is
 * kept.
 */
#include "policy/decide/verdict.h"

#include "policy/decide/facts.h"
#include "policy/decide/remember.h"
#include "policy/sts_match.h"
#include "policy/decide/validity.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

struct outcome {
    enum verdict_level level;
    enum verdict_reason reason;
};

struct row {
    struct outcome enforced;
    struct outcome otherwise;
};

static const struct row rows[] = {
    [DANE_UNKNOWN] = {{VERDICT_TEMP, REASON_PENDING}, {VERDICT_TEMP, REASON_PENDING}},
    [DANE_FULL] = {{VERDICT_DANE_ONLY, REASON_DANE_FULL}, {VERDICT_DANE_ONLY, REASON_DANE_FULL}},
    [DANE_MIXED] = {{VERDICT_DANE_ONLY, REASON_DANE_MIXED_STS}, {VERDICT_DANE, REASON_DANE_MIXED}},
    [DANE_UNUSABLE] = {{VERDICT_SECURE, REASON_STS_ENFORCE}, {VERDICT_DANE, REASON_DANE_UNUSABLE}},
    [DANE_UNSIGNED] = {{VERDICT_SECURE, REASON_STS_ENFORCE}, {VERDICT_DANE, REASON_DANE_UNSIGNED}},
    [DANE_NONE] = {{VERDICT_SECURE, REASON_STS_ENFORCE}, {VERDICT_NO_OPINION, REASON_UNPROBED}},
    [DANE_ERROR] = {{VERDICT_TEMP, REASON_DANE_ERROR_STS}, {VERDICT_DANE, REASON_DANE_ERROR}},
};

static const struct outcome by_starttls[] = {
    [STARTTLS_ALL_UNKNOWN] = {VERDICT_NO_OPINION, REASON_UNPROBED},
    [STARTTLS_ALL_VERIFIED] = {VERDICT_VERIFY, REASON_VERIFIED},
    [STARTTLS_ALL_TLS] = {VERDICT_ENCRYPT, REASON_TLS},
    [STARTTLS_PARTLY] = {VERDICT_NO_OPINION, REASON_PARTLY},
    [STARTTLS_NOBODY] = {VERDICT_NO_OPINION, REASON_CLEAR},
    [STARTTLS_SOME_REFUSED] = {VERDICT_NO_OPINION, REASON_REFUSED},
};

/* What the MX lookup decides alone. */
static const struct {
    enum mx_state mx;
    struct outcome outcome;
} by_mx[] = {
    {MX_NULL, {VERDICT_NO_OPINION, REASON_NULL_MX}},
    {MX_NXDOMAIN, {VERDICT_NO_OPINION, REASON_NXDOMAIN}},
    {MX_ERROR, {VERDICT_TEMP, REASON_MX_ERROR}},
};

static bool outcome_equal(struct outcome a, struct outcome b)
{
    return a.level == b.level && a.reason == b.reason;
}

static struct outcome starttls_outcome(const struct facts *facts,
                                       const struct verdict_options *options)
{
    struct outcome outcome = by_starttls[facts->starttls];

    if ((facts->hosts_pending || facts->probes_outstanding) &&
        facts->starttls != STARTTLS_SOME_REFUSED)
        return (struct outcome){VERDICT_NO_OPINION, REASON_DEADLINE};
    if (outcome.level == VERDICT_VERIFY && !options->verify)
        outcome.level = VERDICT_ENCRYPT;
    return outcome;
}

/* `partial-dane` sets both cells of the row. */
static void amend_mixed(struct row *row, enum partial_dane partial)
{
    if (partial == PARTIAL_DANE_TABLE)
        return;
    row->otherwise.level = partial == PARTIAL_DANE_ONLY ? VERDICT_DANE_ONLY : VERDICT_DANE;
    row->enforced = row->otherwise;
}

/*
 * With records that were not looked at, never dane-only. Where every host seen has usable TLSA,
 * `dane` demands it of them all. Where some have none, `dane` would not protect those, and MTA-STS
 * does.
 */
static void amend_truncated(struct row *row, enum dane_state dane)
{
    if (row->enforced.level == VERDICT_DANE_ONLY)
        row->enforced = (struct outcome){dane == DANE_FULL ? VERDICT_DANE : VERDICT_SECURE,
                                         REASON_DANE_TRUNCATED};
    if (row->otherwise.level == VERDICT_DANE_ONLY)
        row->otherwise = (struct outcome){VERDICT_DANE, REASON_DANE_TRUNCATED};
}

static bool asks_for_tlsa(struct outcome outcome)
{
    return outcome.level == VERDICT_DANE || outcome.level == VERDICT_DANE_ONLY;
}

/* A record of 3 octets crashes older smtp(8) wherever Postfix itself looks at TLSA. */
static void amend_short(struct row *row)
{
    if (asks_for_tlsa(row->enforced))
        row->enforced = (struct outcome){VERDICT_SECURE, REASON_DANE_SHORT};
    if (asks_for_tlsa(row->otherwise))
        row->otherwise = (struct outcome){VERDICT_ENCRYPT, REASON_DANE_SHORT};
}

static struct row row_of(const struct facts *facts, const struct verdict_options *options)
{
    static const struct outcome enforced = {VERDICT_SECURE, REASON_STS_ENFORCE};
    struct row row = rows[facts->dane];

    if (facts->no_host)
        row = (struct row){enforced, {VERDICT_NO_OPINION, REASON_NO_HOST}};
    else if (facts->dane == DANE_NONE)
        row.otherwise = starttls_outcome(facts, options);
    if (facts->dane == DANE_MIXED)
        amend_mixed(&row, options->partial_dane);
    if (facts->dane == DANE_UNUSABLE && facts->every_host_tlsa)
        row.otherwise.level = VERDICT_ENCRYPT;
    /* an unsigned MX never overrides MTA-STS */
    if (facts->dane == DANE_ERROR && !facts->mx_secure)
        row.enforced = enforced;
    if (facts->truncated)
        amend_truncated(&row, facts->dane);
    if (facts->short_tlsa)
        amend_short(&row);
    if (facts->sts_testing && row.enforced.reason == REASON_STS_ENFORCE)
        row.enforced.reason = REASON_STS_TESTING;
    return row;
}

/* True when the facts that are still awaited cannot change the outcome. */
static bool is_settled(const struct facts *facts, const struct row *row)
{
    bool sts_matters = !outcome_equal(row->enforced, row->otherwise);

    if (facts->dane == DANE_UNKNOWN)
        return false;
    if (sts_matters && facts->sts_pending)
        return false;
    if (sts_matters && facts->sts_enforced)
        return true;
    return row->otherwise.reason != REASON_DEADLINE;
}

static bool decide_by_mx(struct verdict *out, enum mx_state mx)
{
    for (size_t i = 0; i < COUNT(by_mx); i++) {
        if (by_mx[i].mx != mx)
            continue;
        out->level = by_mx[i].outcome.level;
        out->reason = by_mx[i].outcome.reason;
        out->settled = true;
        return true;
    }
    return false;
}

static struct validity_use decide_by_table(struct verdict *out, const struct facts *facts,
                                           const struct verdict_options *options)
{
    struct row row = row_of(facts, options);
    struct outcome chosen = facts->sts_enforced ? row.enforced : row.otherwise;

    out->level = chosen.level;
    out->reason = chosen.reason;
    out->settled = is_settled(facts, &row);
    return (struct validity_use){
        .sts = !outcome_equal(row.enforced, row.otherwise),
        .probes = facts->dane == DANE_NONE && !facts->no_host && !facts->sts_enforced,
    };
}

/* What the facts gathered in `view` say. */
static void decide(struct verdict *out, const struct remember_view *view)
{
    struct validity_use use = {false, false};
    const struct evidence *evidence = view->evidence;
    const struct facts facts = *view->facts;
    const struct verdict_options *options = view->options;
    int64_t now = view->now;

    *out = (struct verdict){
        .dane = facts.dane,
        .starttls = facts.starttls,
        .sts_enforced = facts.sts_enforced,
        .sts_unfit = facts.sts_enforced ? (unsigned)sts_match_unfit(evidence->sts.policy) : 0,
        .wildcard_hosts = options->wildcard_hosts,
        .without_dane = !options->dane,
        .without_probe = !options->probe,
    };
    if (!decide_by_mx(out, facts.mx))
        use = decide_by_table(out, &facts, options);
    out->settled &= !facts.hosts_cut || evidence->complete;
    out->shown_level = out->level;
    out->shown_reason = out->reason;
    validity_set(out, evidence, options, use, now);
    remember_next(out, view);
    if (!remember_apply(out, view))
        return;
    use.sts |= out->reason == REASON_STS_REMEMBERED;
    validity_set(out, evidence, options, use, now);
}

static const struct remembered *or_nothing(const struct remembered *remembered)
{
    static const struct remembered nothing;

    return remembered != NULL ? remembered : &nothing;
}

void verdict_decide(struct verdict *out, const struct evidence *evidence,
                    const struct remembered *remembered, const struct verdict_options *options,
                    int64_t now)
{
    struct facts facts;

    facts_gather(&facts, evidence, options, now, false);
    decide(out, &(struct remember_view){evidence, &facts, options, or_nothing(remembered), now});
}

/* Without the hosts that have not answered, unless what is remembered is stronger. */
void verdict_decide_at_deadline(struct verdict *out, const struct evidence *evidence,
                                const struct remembered *remembered,
                                const struct verdict_options *options, int64_t now)
{
    struct verdict waiting;
    struct facts facts;

    facts_gather(&facts, evidence, options, now, true);
    decide(out, &(struct remember_view){evidence, &facts, options, or_nothing(remembered), now});
    if (!facts.hosts_cut || evidence->complete)
        return;
    verdict_decide(&waiting, evidence, remembered, options, now);
    if (!verdict_is_remembered(&waiting) || waiting.level == VERDICT_TEMP)
        return;
    /* `verify` is for what all hosts show, and one that is late may show less */
    if (out->level == VERDICT_TEMP || out->level < waiting.level || out->reason == REASON_VERIFIED)
        *out = waiting;
}

void verdict_without_evidence(struct verdict *out, enum verdict_reason reason, int64_t valid_until)
{
    *out = (struct verdict){
        .level = reason == REASON_KEY ? VERDICT_NO_OPINION : VERDICT_TEMP,
        .reason = reason,
        .settled = true,
        .valid_until = valid_until,
        .refresh_at = valid_until - 1,
    };
}
