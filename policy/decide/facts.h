/*
 * facts: the states of docs/verdicts.md §2, gathered from the evidence. For the table in verdict.c;
 * nothing outside policy/ needs it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "policy/evidence.h"
#include "policy/decide/verdict.h"

struct facts {
    enum mx_state mx;   /* MX_ERROR for what is unknown in complete evidence */
    bool mx_secure;     /* an absent MX RRset and a [host] key count as secure, as in smtp(8) */
    bool no_host;       /* every name is proven to lead nowhere */
    bool hosts_pending; /* the DNS of some host has not answered yet */
    bool hosts_cut;     /* some have not when the answer is due: docs/verdicts.md §5 */
    enum dane_state dane;
    bool every_host_tlsa; /* no live host is without TLSA records */
    bool truncated;       /* some MX hosts or TLSA records were not looked at */
    bool short_tlsa;      /* a live host has a TLSA record of 3 octets */
    enum starttls_state starttls;
    bool probes_outstanding;
    bool sts_pending;
    bool sts_enforced;
    bool sts_testing; /* sts_enforced comes from a policy in testing mode */
};

/*
 * `at_deadline`: the answer is due. A host whose addresses are still awaited then counts as dead,
 * one whose TLSA records are as in error, as in evidence that is complete (docs/verdicts.md §5).
 */
void facts_gather(struct facts *out, const struct evidence *evidence,
                  const struct verdict_options *options, int64_t now, bool at_deadline);

/* True unless the DNS has said that the host has no address, or has failed to say. */
bool facts_host_live(const struct mx_host *host);
/* True when `sts` holds a policy that is in force at `now`, whatever its mode. */
bool facts_policy_in_force(const struct sts_evidence *sts, int64_t now);
