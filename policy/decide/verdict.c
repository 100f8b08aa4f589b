/*
 * verdict: the table of docs/verdicts.md §3, with the exceptions that stand below it; see verdict.h
 * for who else decides.
 *
 * Every DANE state has two outcomes: under an MTA-STS policy that is enforced, and otherwise. Both
 * are worked out first; where they agree, MTA-STS need not be waited for. See facts.c for how the
 * states are counted, remember.c for what earlier lookups add, listed.c for what a policy list adds,
 * validity.c for how long a verdict is kept.
 */
#include "policy/decide/verdict.h"

#include "policy/decide/decide.h"
#include "policy/sts_match.h"

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

/* What the MX lookup decides alone; elsewhere REASON_PENDING, which is 0. */
static const struct outcome by_mx[] = {
    [MX_NULL] = {VERDICT_NO_OPINION, REASON_NULL_MX},
    [MX_NXDOMAIN] = {VERDICT_NO_OPINION, REASON_NXDOMAIN},
    [MX_ERROR] = {VERDICT_TEMP, REASON_MX_ERROR},
};

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
    /* `partial-dane` sets both cells of the row */
    if (facts->dane == DANE_MIXED && options->partial_dane != PARTIAL_DANE_TABLE) {
        row.otherwise.level =
            options->partial_dane == PARTIAL_DANE_ONLY ? VERDICT_DANE_ONLY : VERDICT_DANE;
        row.enforced = row.otherwise;
    }
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

/* Fills level, reason and settled, and says in *decision which facts they rest on. */
static void decide_by_table(struct verdict *out, struct decision *decision)
{
    const struct facts *facts = &decision->facts;
    struct row row = row_of(facts, decision->options);
    struct outcome chosen = facts->sts_enforced ? row.enforced : row.otherwise;
    bool mx_decides = by_mx[facts->mx].reason != REASON_PENDING;

    decision->uses_sts = !mx_decides && (row.enforced.level != row.otherwise.level ||
                                         row.enforced.reason != row.otherwise.reason);
    decision->uses_probes =
        !mx_decides && facts->dane == DANE_NONE && !facts->no_host && !facts->sts_enforced;
    /* nothing that is still awaited can change the outcome */
    out->settled =
        mx_decides || (facts->dane != DANE_UNKNOWN && !(decision->uses_sts && facts->sts_pending) &&
                       chosen.reason != REASON_DEADLINE);
    if (mx_decides)
        chosen = by_mx[facts->mx];
    out->level = out->shown_level = chosen.level;
    out->reason = out->shown_reason = chosen.reason;
}

/* Fills the rest of *decision too; see facts_gather. */
static void decide(struct verdict *out, struct decision *decision, bool at_deadline)
{
    static const struct remembered nothing;
    const struct facts *facts = &decision->facts;
    const struct verdict_options *options = decision->options;
    const struct evidence *evidence = decision->evidence;

    if (decision->before == NULL)
        decision->before = &nothing;
    facts_gather(decision, at_deadline);
    *out = (struct verdict){
        .dane = facts->dane,
        .starttls = facts->starttls,
        .sts_enforced = facts->sts_enforced,
        .sts_unfit = facts->sts_enforced ? (unsigned)sts_match_unfit(evidence->sts.policy) : 0,
        .wildcard_hosts = options->wildcard_hosts,
        .without_dane = !options->dane,
        .without_probe = !options->probe,
    };
    decide_by_table(out, decision);
    out->settled &= !facts->hosts_cut || evidence->complete;
    validity_set(out, decision);
    remember_next(out, decision);
    if (!remember_apply(out, decision))
        return;
    decision->uses_sts |= out->reason == REASON_STS_REMEMBERED;
    validity_set(out, decision);
}

void verdict_decide(struct verdict *out, const struct evidence *evidence,
                    const struct remembered *remembered, const struct verdict_options *options,
                    int64_t now)
{
    struct decision decision = {evidence, options, remembered, now, {0}, false, false};

    decide(out, &decision, false);
    listed_apply(out, &decision);
}

/* Without the hosts that have not answered, unless what is remembered is stronger. */
static void decide_at_deadline(struct verdict *out, struct decision *decision)
{
    struct decision whole = *decision;
    struct verdict waiting;

    decide(out, decision, true);
    if (!decision->facts.hosts_cut || decision->evidence->complete)
        return;
    decide(&waiting, &whole, false);
    if (!verdict_is_remembered(&waiting) || waiting.level == VERDICT_TEMP)
        return;
    /* `verify` is for what all hosts show, and one that is late may show less */
    if (out->level == VERDICT_TEMP || out->level < waiting.level ||
        out->reason == REASON_VERIFIED) {
        *out = waiting;
        *decision = whole;
    }
}

void verdict_decide_at_deadline(struct verdict *out, const struct evidence *evidence,
                                const struct remembered *remembered,
                                const struct verdict_options *options, int64_t now)
{
    struct decision decision = {evidence, options, remembered, now, {0}, false, false};

    decide_at_deadline(out, &decision);
    listed_apply(out, &decision);
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

/* ---- words ---- */

const char *verdict_level_name(enum verdict_level level)
{
    static const char *const names[] = {VERDICT_LEVELS(ENUM_WORD)};

    return names[level];
}

const char *dane_state_name(enum dane_state state)
{
    static const char *const names[] = {DANE_STATES(ENUM_WORD)};

    return names[state];
}

const char *starttls_state_name(enum starttls_state state)
{
    static const char *const names[] = {STARTTLS_ALL_STATES(ENUM_WORD)};

    return names[state];
}

static const struct {
    const char *code, *text;
} reasons[] = {
#define X(word, code, text) [REASON_##word] = {code, text},
    VERDICT_REASONS(X)
#undef X
};

const char *verdict_reason_code(enum verdict_reason reason)
{
    return reasons[reason].code;
}

const char *verdict_reason_text(enum verdict_reason reason)
{
    return reasons[reason].text;
}

bool verdict_is_remembered(const struct verdict *verdict)
{
    return verdict->reason == REASON_DANE_REMEMBERED || verdict->reason == REASON_STS_REMEMBERED ||
           verdict->reason == REASON_STARTTLS_REMEMBERED || verdict->reason == REASON_HELD;
}
