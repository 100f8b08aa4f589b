/*
 * facts: counts the hosts of an evidence and names its states; see decide.h, docs/verdicts.md §2.
 *
 * Everything is counted and no position is looked at, so that the order of records cannot matter.
 */
#include "policy/decide/decide.h"

/* No lookup takes longer: the most that job-deadline may be. */
#define LOOKUP_MAX_MS (INT64_C(300) * 1000)

static bool is_live(enum host_dane state)
{
    return state != HOST_DANE_DEAD && state != HOST_DANE_LOST;
}

bool facts_host_live(const struct mx_host *host)
{
    return is_live(host->dane);
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

/* The state that a host counts as. `cut`: one whose DNS has not answered is not waited for. */
static enum host_dane counts_as(const struct mx_host *host, bool cut)
{
    if (host->dane != HOST_DANE_UNKNOWN || !cut)
        return host->dane;
    return host->addresses_known ? HOST_DANE_ERROR : HOST_DANE_LOST;
}

/* `hosts`: how many count as each state. Hosts in error beside usable ones change nothing. */
static enum dane_state judge_hosts(const size_t *hosts, bool mx_secure)
{
    bool others = hosts[HOST_DANE_UNUSABLE] + hosts[HOST_DANE_NONE] > 0;

    if (hosts[HOST_DANE_UNKNOWN] > 0)
        return DANE_UNKNOWN;
    if (hosts[HOST_DANE_USABLE] > 0 && mx_secure)
        return others ? DANE_MIXED : DANE_FULL;
    /* at an unsigned MX `dane` is given only where it weakens no other host */
    if (hosts[HOST_DANE_USABLE] > 0)
        return others ? DANE_NONE : DANE_UNSIGNED;
    if (hosts[HOST_DANE_ERROR] > 0 || (!others && hosts[HOST_DANE_LOST] > 0))
        return DANE_ERROR;
    return hosts[HOST_DANE_UNUSABLE] > 0 && mx_secure ? DANE_UNUSABLE : DANE_NONE;
}

static void gather_hosts(struct facts *out, const struct evidence *evidence, bool cut, bool dane)
{
    size_t hosts[HOST_DANE_LOST + 1] = {0};

    out->truncated = evidence->mx_truncated;
    for (size_t i = 0; i < evidence->host_count; i++) {
        const struct mx_host *host = &evidence->hosts[i];
        enum host_dane state = counts_as(host, cut);

        hosts[state]++;
        out->hosts_cut |= state != host->dane;
        out->truncated |= is_live(state) && host->tlsa_truncated;
        out->short_tlsa |= is_live(state) && host->tlsa_short;
    }
    if (out->mx == MX_ERROR) {
        out->dane = DANE_ERROR;
        return;
    }
    out->hosts_pending = hosts[HOST_DANE_UNKNOWN] > 0;
    out->every_host_tlsa = hosts[HOST_DANE_NONE] + hosts[HOST_DANE_ERROR] == 0;
    if (out->mx != MX_LISTED && out->mx != MX_IMPLICIT && out->mx != MX_SELF) {
        out->no_host = out->mx == MX_UNUSABLE;
        out->dane = out->mx == MX_UNKNOWN ? DANE_UNKNOWN : DANE_NONE;
    } else if (evidence->host_count == 0) {
        out->no_host = evidence->complete;
        out->dane = evidence->complete ? DANE_NONE : DANE_UNKNOWN;
    } else {
        out->no_host = hosts[HOST_DANE_DEAD] == evidence->host_count;
        out->dane = dane ? judge_hosts(hosts, out->mx_secure) : DANE_NONE;
    }
}

/* `seen`: how many addresses showed each state. Those that did not answer do not count. */
static enum starttls_state judge_probes(const size_t *seen)
{
    size_t with = seen[STARTTLS_TLS] + seen[STARTTLS_VERIFIED];

    if (seen[STARTTLS_REFUSED] > 0)
        return STARTTLS_SOME_REFUSED;
    if (seen[STARTTLS_CLEAR] + seen[STARTTLS_TEMPFAIL] + seen[STARTTLS_BROKEN] > 0)
        return with > 0 ? STARTTLS_PARTLY : STARTTLS_NOBODY;
    if (with == 0)
        return STARTTLS_ALL_UNKNOWN;
    return seen[STARTTLS_TLS] > 0 ? STARTTLS_ALL_TLS : STARTTLS_ALL_VERIFIED;
}

static void gather_starttls(struct facts *out, const struct evidence *evidence, bool cut)
{
    size_t seen[STARTTLS_VERIFIED + 1] = {0};
    bool outstanding = evidence->host_count == 0;

    for (size_t i = 0; i < evidence->host_count; i++) {
        const struct mx_host *host = &evidence->hosts[i];
        enum host_dane state = counts_as(host, cut);

        if (!is_live(state))
            continue;
        outstanding |= !host->addresses_known || state == HOST_DANE_UNKNOWN;
        for (size_t j = 0; j < host->address_count; j++)
            seen[host->addresses[j].starttls.state]++;
    }
    out->starttls = judge_probes(seen);
    out->probes_outstanding = !evidence->complete && (outstanding || seen[STARTTLS_UNKNOWN] > 0);
}

void facts_gather(struct decision *decision, bool at_deadline)
{
    const struct evidence *evidence = decision->evidence;
    const struct verdict_options *options = decision->options;
    const struct sts_evidence *sts = &evidence->sts;
    bool cut = evidence->complete || at_deadline;
    struct facts *out = &decision->facts;

    *out = (struct facts){.mx = evidence->mx};
    if (out->mx == MX_UNKNOWN && evidence->complete)
        out->mx = MX_ERROR;
    out->mx_secure = evidence->mx_secure || out->mx == MX_IMPLICIT || out->mx == MX_SELF;
    gather_hosts(out, evidence, cut, options->dane);
    if (options->probe)
        gather_starttls(out, evidence, cut);
    out->sts_pending = sts->state == STS_UNKNOWN && !evidence->complete;
    if (!facts_policy_in_force(sts, decision->now))
        return;
    out->sts_testing = sts->policy->mode == STS_MODE_TESTING && options->testing_enforced;
    out->sts_enforced = sts->policy->mode == STS_MODE_ENFORCE || out->sts_testing;
    out->sts_watched = sts->policy->mode == STS_MODE_TESTING && !out->sts_testing;
}
