/*
 * verdict_product: some millions of evidences, hosts x MX x MTA-STS x STARTTLS x options, and the
 * invariants of docs/verdicts.md §6 that hold with and without what is remembered. Each is worked
 * out from the evidence anew, not from what verdict.c thinks of it.
 */
#pragma once

#include "tests/unit/support/rows.h"

#include "tests/unit/support/evidence_make.h"
#include "policy/decide/verdict.h"

static const char host_letters[] = "UBNEDL?";
static const char sts_letters[] = "?nETXZ";
static const char *const probes[] = {"", "?,?,?", "TV,VS,X", "V,C,T", "RV,V,?"};
static const enum mx_state mx_with_hosts[] = {MX_LISTED, MX_IMPLICIT, MX_SELF};
static const enum mx_state mx_alone[] = {MX_UNKNOWN, MX_NULL, MX_NXDOMAIN, MX_UNUSABLE, MX_ERROR};

struct seen {
    bool secure;
    bool enforce; /* a policy in force, and in enforce mode for this operator */
    bool cut, crashes;
    size_t usable, unusable, none, error, unknown, live;
};

/* What is remembered in all of the below; NULL: nothing. */
static const struct remembered *memory;

typedef void (*visitor)(const struct made *made, const struct verdict_options *options);

/* ---- what the evidence says, in the words of docs/verdicts.md ---- */

static inline bool enforced(const struct evidence *evidence, const struct verdict_options *options)
{
    const struct sts_evidence *sts = &evidence->sts;

    if (sts->state != STS_POLICY)
        return false;
    if (MAKE_NOW >= sts->valid_until && sts->policy->max_age != 0)
        return false;
    return sts->policy->mode == STS_MODE_ENFORCE ||
           (sts->policy->mode == STS_MODE_TESTING && options->testing_enforced);
}

static inline struct seen look(const struct evidence *evidence,
                               const struct verdict_options *options)
{
    struct seen seen = {
        .secure = evidence->mx_secure || evidence->mx == MX_IMPLICIT || evidence->mx == MX_SELF,
        .enforce = enforced(evidence, options),
        .cut = evidence->mx_truncated,
    };

    for (size_t i = 0; i < evidence->host_count; i++) {
        const struct mx_host *host = &evidence->hosts[i];
        bool given_up = host->dane == HOST_DANE_UNKNOWN && evidence->complete;
        bool lost = given_up && !host->addresses_known;

        seen.usable += host->dane == HOST_DANE_USABLE;
        seen.unusable += host->dane == HOST_DANE_UNUSABLE;
        seen.none += host->dane == HOST_DANE_NONE;
        seen.error += host->dane == HOST_DANE_ERROR || (given_up && !lost);
        seen.unknown += host->dane == HOST_DANE_UNKNOWN && !given_up;
        if (host->dane != HOST_DANE_DEAD && host->dane != HOST_DANE_LOST && !lost) {
            seen.live++;
            seen.cut |= host->tlsa_truncated;
            seen.crashes |= host->tlsa_short;
        }
    }
    return seen;
}

static inline bool equal(const struct verdict *a, const struct verdict *b)
{
    return a->level == b->level && a->reason == b->reason && a->dane == b->dane &&
           a->starttls == b->starttls && a->sts_enforced == b->sts_enforced &&
           a->settled == b->settled && a->valid_until == b->valid_until &&
           a->refresh_at == b->refresh_at && a->shown_level == b->shown_level &&
           a->shown_reason == b->shown_reason && memcmp(&a->held, &b->held, sizeof a->held) == 0 &&
           a->remembered.dane_only_until == b->remembered.dane_only_until &&
           a->remembered.dane_possible == b->remembered.dane_possible &&
           a->remembered.secure == b->remembered.secure &&
           a->remembered.observed == b->remembered.observed &&
           memcmp(&a->remembered.verify, &b->remembered.verify, 2 * sizeof a->held) == 0;
}

static inline void fail_at(const char *invariant, const struct made *made,
                           const struct verdict *got)
{
    char hosts[MAKE_HOSTS + 1] = "";

    for (size_t i = 0; i < made->evidence.host_count; i++)
        hosts[i] = "?UBNEDL"[made->hosts[i].dane];
    if (memory != NULL)
        print_error("dane until %+lld spoke %d secure %d proven %s verify %+lld encrypt %+lld\n",
                    (long long)(memory->dane_only_until - MAKE_NOW), memory->dane_possible,
                    memory->secure, verdict_level_name(memory->observed),
                    (long long)(memory->verify.until - MAKE_NOW),
                    (long long)(memory->encrypt.until - MAKE_NOW));
    fail_msg("%s: mx %d secure %d hosts %s sts %d complete %d -> %s, %s", invariant,
             made->evidence.mx, made->evidence.mx_secure, hosts, made->evidence.sts.state,
             made->evidence.complete, verdict_level_name(got->level),
             verdict_reason_code(got->reason));
}

/* ---- 1: never weaker than an ENFORCE policy in force ---- */

static inline void check_never_weaker(const struct made *made,
                                      const struct verdict_options *options)
{
    struct seen seen = look(&made->evidence, options);
    struct verdict got;

    if (!seen.enforce)
        return;
    if (made->evidence.mx == MX_NULL || made->evidence.mx == MX_NXDOMAIN)
        return; /* E-5, B-20: there is nobody to deliver to */
    verdict_decide(&got, &made->evidence, memory, options, MAKE_NOW);
    if (got.level >= VERDICT_SECURE)
        return;
    if (got.level == VERDICT_DANE && got.dane == DANE_MIXED &&
        options->partial_dane == PARTIAL_DANE_OPPORTUNISTIC)
        return; /* the operator's word */
    if (got.level == VERDICT_DANE && seen.cut && seen.none + seen.unusable == 0)
        return; /* F-10; every host that was seen is held to its TLSA */
    fail_at("invariant 1", made, &got);
}

/* ---- 6: times ---- */

static inline void check_times(const struct made *made, const struct verdict_options *options)
{
    struct verdict got, again;
    int64_t most = options->ttl_max_ms;

    verdict_decide(&got, &made->evidence, memory, options, MAKE_NOW);
    verdict_decide(&again, &made->evidence, memory, options, MAKE_NOW);
    if (!equal(&got, &again))
        fail_at("invariant 6, not a function", made, &got);
    if (got.level == VERDICT_NO_OPINION)
        most = options->negative_ttl_max_ms;
    if (got.level == VERDICT_TEMP || (verdict_is_remembered(&got) && got.reason != REASON_HELD))
        most = options->temp_ttl_ms;
    if (got.reason == REASON_HELD && got.held.until - MAKE_NOW < most)
        most = got.held.until - MAKE_NOW;
    if (got.reason == REASON_DANE_REMEMBERED && memory->dane_only_until - MAKE_NOW < most)
        most = memory->dane_only_until - MAKE_NOW;
    if (!got.settled && most > 1000)
        most = 1000;
    if (got.valid_until <= MAKE_NOW || got.valid_until > MAKE_NOW + most)
        fail_at("invariant 6, valid until", made, &got);
    if (got.refresh_at >= got.valid_until || got.refresh_at < MAKE_NOW)
        fail_at("invariant 6, refresh", made, &got);
    if (got.level == VERDICT_SECURE && got.reason != REASON_LIST && made->policy.max_age > 0 &&
        got.valid_until > made->evidence.sts.valid_until)
        fail_at("invariant 6, max_age", made, &got);
}

/* ---- 7: order ---- */

static inline void check_order(const struct made *made, const struct verdict_options *options)
{
    struct made turned = *made;
    size_t count = made->evidence.host_count;
    struct verdict got, other;

    for (size_t i = 0; i < count; i++) {
        turned.hosts[i] = made->hosts[count - 1 - i];
        turned.hosts[i].addresses = turned.addresses[i];
        for (size_t j = 0; j < turned.hosts[i].address_count; j++)
            turned.addresses[i][j] =
                made->addresses[count - 1 - i][turned.hosts[i].address_count - 1 - j];
    }
    turned.evidence.hosts = turned.hosts;
    verdict_decide(&got, &made->evidence, memory, options, MAKE_NOW);
    verdict_decide(&other, &turned.evidence, memory, options, MAKE_NOW);
    if (!equal(&got, &other))
        fail_at("invariant 7", made, &got);
}

/* ---- settled: whatever comes later, the answer stays ---- */

static inline void finish(struct made *made, char host, char sts, enum starttls starttls)
{
    for (size_t i = 0; i < made->evidence.host_count; i++) {
        struct mx_host *hosts = &made->hosts[i];

        /* a host with an address will not turn out to have none */
        if (hosts->dane == HOST_DANE_UNKNOWN)
            hosts->dane = make_host_state(
                hosts->address_count > 0 && strchr("DL", host) != NULL ? 'N' : host);
        for (size_t j = 0; j < hosts->address_count; j++)
            if (hosts->addresses[j].starttls.state == STARTTLS_UNKNOWN)
                hosts->addresses[j].starttls.state = starttls;
    }
    if (made->evidence.sts.state == STS_UNKNOWN)
        make_sts(made, sts);
    made->evidence.complete = true;
}

static inline void copy_made(struct made *copy, const struct made *made)
{
    *copy = *made;
    copy->evidence.hosts = copy->hosts;
    for (size_t i = 0; i < MAKE_HOSTS; i++)
        copy->hosts[i].addresses = copy->addresses[i];
    if (copy->evidence.sts.policy != NULL)
        copy->evidence.sts.policy = &copy->policy;
}

/* One way the lookup may go on. */
struct end {
    char host, sts;
    enum starttls starttls;
};

static inline void check_end(const struct made *made, const struct verdict_options *options,
                             const struct verdict *got, struct end end)
{
    struct made done;
    struct verdict later;

    copy_made(&done, made);
    finish(&done, end.host, end.sts, end.starttls);
    verdict_decide(&later, &done.evidence, memory, options, MAKE_NOW);
    if (later.level != got->level || later.reason != got->reason)
        fail_at("settled, and then changed", &done, &later);
}

static inline void check_settled(const struct made *made, const struct verdict_options *options)
{
    static const enum starttls ends[] = {STARTTLS_SILENT, STARTTLS_CLEAR, STARTTLS_VERIFIED,
                                         STARTTLS_REFUSED};
    bool host_open = look(&made->evidence, options).unknown > 0;
    struct verdict got;

    verdict_decide(&got, &made->evidence, memory, options, MAKE_NOW);
    if (made->evidence.complete && !got.settled)
        fail_at("complete and not settled", made, &got);
    if (made->evidence.complete || !got.settled)
        return;
    for (const char *host = host_open ? "UBNEDL" : "U"; *host != '\0'; host++)
        for (const char *sts = made->evidence.sts.state == STS_UNKNOWN ? "nET" : "n"; *sts != '\0';
             sts++)
            for (size_t i = 0; i < COUNT(ends); i++)
                check_end(made, options, &got, (struct end){*host, *sts, ends[i]});
}

/* ---- at the deadline ---- */

/* The evidence as it would be had the pending hosts failed: docs/verdicts.md §5. */
static inline void fail_pending(struct made *made)
{
    for (size_t i = 0; i < made->evidence.host_count; i++) {
        struct mx_host *host = &made->hosts[i];

        if (host->dane == HOST_DANE_UNKNOWN)
            host->dane = host->addresses_known ? HOST_DANE_ERROR : HOST_DANE_LOST;
    }
}

static inline void check_due(const struct made *made, const struct verdict_options *options)
{
    struct verdict due, waiting, failed;
    struct made other;

    if (made->evidence.complete || look(&made->evidence, options).unknown == 0)
        return;
    verdict_decide_at_deadline(&due, &made->evidence, memory, options, MAKE_NOW);
    verdict_decide(&waiting, &made->evidence, memory, options, MAKE_NOW);
    copy_made(&other, made);
    fail_pending(&other);
    verdict_decide(&failed, &other.evidence, memory, options, MAKE_NOW);
    if (due.settled)
        fail_at("due, and settled", made, &due);
    if (memory != NULL && memcmp(&due.remembered, memory, sizeof due.remembered) != 0)
        fail_at("due, and remembered", made, &due);
    if (verdict_is_remembered(&waiting) && waiting.level != VERDICT_TEMP &&
        due.level < waiting.level)
        fail_at("due, and weaker than what is remembered", made, &due);
    if (memory != NULL && memory->refused && due.reason != REASON_DANE_ERROR)
        return; /* what others do says nothing of the host that refuses */
    if (due.level == VERDICT_TEMP && failed.level != VERDICT_TEMP)
        fail_at("due, and mail waits without need", made, &due);
    if (due.reason == REASON_LIST && failed.level == VERDICT_DANE_ONLY)
        fail_at("due, and a list in the place of DANE", made, &due);
    if (!verdict_is_remembered(&due) && due.reason != REASON_LIST && due.reason != failed.reason)
        fail_at("due, and not as if the hosts had failed", made, &due);
}

/* ---- the product ---- */

static inline void each_option(const struct made *made, visitor visit)
{
    for (int bits = 0; bits < 8; bits++)
        for (int partial = 0; partial < 3; partial++) {
            struct verdict_options options = make_options();

            options.dane = !(bits & 1);
            options.probe = !(bits & 2);
            options.testing_enforced = bits & 4;
            options.verify = partial != 0;
            options.partial_dane = (enum partial_dane)partial;
            visit(made, &options);
        }
}

static inline void each_fact(enum mx_state mx, const char *hosts, visitor visit)
{
    size_t probe_kinds = *hosts == '\0' ? 1 : COUNT(probes);
    struct made made;

    for (const char *sts = sts_letters; *sts != '\0'; sts++)
        for (size_t probe = 0; probe < probe_kinds; probe++)
            for (int bits = 0; bits < 12; bits++) {
                size_t hosts_probed = strlen(hosts);
                char these[16];

                snprintf(these, sizeof these, "%s", probes[probe]);
                for (char *p = these; *p != '\0'; p++)
                    if (*p == ',' && --hosts_probed == 0)
                        *p-- = '\0';
                make_evidence(&made, mx, bits & 1, hosts, *sts, these);
                made.evidence.complete = bits & 2;
                made.evidence.mx_truncated = bits / 4 == 1;
                made.hosts[0].tlsa_short = bits / 4 == 2;
                each_option(&made, visit);
            }
}

/* Every multiset of one to three host states; order is check_order's business. */
static inline void each_host_set(enum mx_state mx, visitor visit)
{
    size_t n = strlen(host_letters);
    char hosts[4] = "";

    for (size_t a = 0; a < n; a++)
        for (size_t b = a; b <= n; b++)
            for (size_t c = b; c <= n; c++) {
                hosts[0] = host_letters[a];
                hosts[1] = b < n ? host_letters[b] : '\0';
                hosts[2] = b < n && c < n ? host_letters[c] : '\0';
                each_fact(mx, hosts, visit);
            }
}

static size_t visited;

static inline void for_all(visitor visit)
{
    for (size_t i = 0; i < COUNT(mx_with_hosts); i++)
        each_host_set(mx_with_hosts[i], visit);
    for (size_t i = 0; i < COUNT(mx_alone); i++)
        each_fact(mx_alone[i], "", visit);
}
