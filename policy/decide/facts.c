/*
 * facts: counts the hosts of an evidence and names its states; see facts.h, docs/verdicts.md §2.
 *
 * Everything is counted and no position is looked at, so that the order of records cannot matter.
 */
#include "policy/decide/facts.h"

/* No lookup takes longer: the most that job-deadline may be. */
#define LOOKUP_MAX_MS (INT64_C(300) * 1000)

struct host_counts {
    size_t usable, unusable, none, error, dead, lost, unknown;
};

bool facts_host_live(const struct mx_host *host)
{
    return host->dane != HOST_DANE_DEAD && host->dane != HOST_DANE_LOST;
}

bool facts_policy_in_force(const struct sts_evidence *sts, int64_t now)
{
    if (sts->state != STS_POLICY || sts->policy == NULL)
        return false;
    if (now < sts->valid_until)
        return true;
    /* max_age 0: good for the lookup that fetched it and no longer */
    return sts->policy->max_age == 0 && now - sts->fetched_at <= LOOKUP_MAX_MS;
}

/* Where a host is counted whose DNS has not answered yet. `cut`: it is not waited for. */
static size_t *count_of_pending(struct host_counts *counts, const struct mx_host *host, bool cut)
{
    if (!cut)
        return &counts->unknown;
    return host->addresses_known ? &counts->error : &counts->lost;
}

static void count_hosts(struct host_counts *counts, const struct evidence *evidence, bool cut)
{
    for (size_t i = 0; i < evidence->host_count; i++) {
        size_t *const by_state[] = {
            [HOST_DANE_UNKNOWN] = count_of_pending(counts, &evidence->hosts[i], cut),
            [HOST_DANE_USABLE] = &counts->usable,
            [HOST_DANE_UNUSABLE] = &counts->unusable,
            [HOST_DANE_NONE] = &counts->none,
            [HOST_DANE_ERROR] = &counts->error,
            [HOST_DANE_DEAD] = &counts->dead,
            [HOST_DANE_LOST] = &counts->lost,
        };

        (*by_state[evidence->hosts[i].dane])++;
    }
}

/* At least one host has usable records. Hosts in error beside it do not change the answer. */
static enum dane_state some_usable(const struct host_counts *counts, bool mx_secure)
{
    bool others = counts->unusable + counts->none > 0;

    if (mx_secure)
        return others ? DANE_MIXED : DANE_FULL;
    /* at an unsigned MX `dane` is given only where it weakens no other host */
    return others ? DANE_NONE : DANE_UNSIGNED;
}

static enum dane_state judge_hosts(const struct host_counts *counts, bool mx_secure)
{
    if (counts->unknown > 0)
        return DANE_UNKNOWN;
    if (counts->usable > 0)
        return some_usable(counts, mx_secure);
    if (counts->error > 0)
        return DANE_ERROR;
    if (counts->unusable + counts->none == 0 && counts->lost > 0)
        return DANE_ERROR;
    return counts->unusable > 0 && mx_secure ? DANE_UNUSABLE : DANE_NONE;
}

static void gather_mx(struct facts *out, const struct evidence *evidence)
{
    out->mx = evidence->mx;
    if (out->mx == MX_UNKNOWN && evidence->complete)
        out->mx = MX_ERROR;
    out->mx_secure = evidence->mx_secure || out->mx == MX_IMPLICIT || out->mx == MX_SELF;
}

static bool mx_has_hosts(enum mx_state mx)
{
    return mx == MX_LISTED || mx == MX_IMPLICIT || mx == MX_SELF;
}

static bool any_pending(const struct evidence *evidence)
{
    for (size_t i = 0; i < evidence->host_count; i++)
        if (evidence->hosts[i].dane == HOST_DANE_UNKNOWN)
            return true;
    return false;
}

static void gather_dane(struct facts *out, const struct evidence *evidence, bool dane)
{
    struct host_counts counts = {0};
    size_t live;

    if (out->mx == MX_ERROR) {
        out->dane = DANE_ERROR;
        return;
    }
    count_hosts(&counts, evidence, out->hosts_cut);
    out->hosts_pending = counts.unknown > 0;
    live = counts.usable + counts.unusable + counts.none + counts.error;
    out->every_host_tlsa = live > 0 && counts.none + counts.error == 0;
    if (!mx_has_hosts(out->mx)) {
        out->no_host = out->mx == MX_UNUSABLE;
        out->dane = out->mx == MX_UNKNOWN ? DANE_UNKNOWN : DANE_NONE;
    } else if (evidence->host_count == 0) {
        out->no_host = evidence->complete;
        out->dane = evidence->complete ? DANE_NONE : DANE_UNKNOWN;
    } else {
        out->no_host = live + counts.lost + counts.unknown == 0;
        out->dane = dane ? judge_hosts(&counts, out->mx_secure) : DANE_NONE;
    }
}

/* As facts_host_live; but when hosts are not waited for, one without an address so far is dead. */
static bool is_live(const struct facts *facts, const struct mx_host *host)
{
    bool dead = facts->hosts_cut && host->dane == HOST_DANE_UNKNOWN && !host->addresses_known;

    return facts_host_live(host) && !dead;
}

static void gather_limits(struct facts *out, const struct evidence *evidence)
{
    out->truncated = evidence->mx_truncated;
    for (size_t i = 0; i < evidence->host_count; i++) {
        const struct mx_host *host = &evidence->hosts[i];

        if (!is_live(out, host))
            continue;
        out->truncated |= host->tlsa_truncated;
        out->short_tlsa |= host->tlsa_short;
    }
}

struct probe_counts {
    size_t verified, tls, without, refused, outstanding;
};

static void count_address(struct probe_counts *counts, enum starttls state)
{
    size_t uncounted = 0;
    size_t *const by_state[] = {
        [STARTTLS_UNKNOWN] = &counts->outstanding,
        [STARTTLS_SKIPPED] = &uncounted,
        [STARTTLS_SILENT] = &uncounted,
        [STARTTLS_ERROR] = &uncounted,
        [STARTTLS_CLEAR] = &counts->without,
        [STARTTLS_TEMPFAIL] = &counts->without,
        [STARTTLS_REFUSED] = &counts->refused,
        [STARTTLS_BROKEN] = &counts->without,
        [STARTTLS_TLS] = &counts->tls,
        [STARTTLS_VERIFIED] = &counts->verified,
    };

    (*by_state[state])++;
}

static enum starttls_state judge_probes(const struct probe_counts *counts)
{
    size_t with = counts->tls + counts->verified;

    if (counts->refused > 0)
        return STARTTLS_SOME_REFUSED;
    if (counts->without > 0)
        return with > 0 ? STARTTLS_PARTLY : STARTTLS_NOBODY;
    if (with == 0)
        return STARTTLS_ALL_UNKNOWN;
    return counts->tls > 0 ? STARTTLS_ALL_TLS : STARTTLS_ALL_VERIFIED;
}

static void gather_starttls(struct facts *out, const struct evidence *evidence)
{
    struct probe_counts counts = {0};

    for (size_t i = 0; i < evidence->host_count; i++) {
        const struct mx_host *host = &evidence->hosts[i];

        if (!is_live(out, host))
            continue;
        if (!host->addresses_known || (host->dane == HOST_DANE_UNKNOWN && !out->hosts_cut))
            counts.outstanding++;
        for (size_t j = 0; j < host->address_count; j++)
            count_address(&counts, host->addresses[j].starttls.state);
    }
    out->starttls = judge_probes(&counts);
    out->probes_outstanding =
        !evidence->complete && (counts.outstanding > 0 || evidence->host_count == 0);
}

static void gather_sts(struct facts *out, const struct evidence *evidence, bool testing_enforced,
                       int64_t now)
{
    const struct sts_evidence *sts = &evidence->sts;

    out->sts_pending = sts->state == STS_UNKNOWN && !evidence->complete;
    if (!facts_policy_in_force(sts, now))
        return;
    out->sts_testing = sts->policy->mode == STS_MODE_TESTING && testing_enforced;
    out->sts_enforced = sts->policy->mode == STS_MODE_ENFORCE || out->sts_testing;
}

void facts_gather(struct facts *out, const struct evidence *evidence,
                  const struct verdict_options *options, int64_t now, bool at_deadline)
{
    bool cut = evidence->complete || at_deadline;

    *out = (struct facts){.hosts_cut = cut && any_pending(evidence)};
    gather_mx(out, evidence);
    gather_dane(out, evidence, options->dane);
    gather_limits(out, evidence);
    if (options->probe)
        gather_starttls(out, evidence);
    gather_sts(out, evidence, options->testing_enforced, now);
}
