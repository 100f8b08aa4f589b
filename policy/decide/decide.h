/*
 * decide: the parts of verdict_decide, in the order they are used. Nothing outside policy/ needs it.
 *
 *   facts.c      the states of docs/verdicts.md §2, gathered from the evidence
 *   verdict.c    the table of §3
 *   validity.c   how long a verdict may be kept (§4, docs/conformance.md C-5 and I)
 *   remember.c   what earlier lookups proved, where it counts for more than the evidence, and what
 *                to remember next (§4, §5)
 *   listed.c     what a policy list adds where DANE and MTA-STS say nothing (§3)
 */
#pragma once

#include "policy/decide/verdict.h"

struct facts {
    enum mx_state mx;   /* MX_ERROR for what is unknown in complete evidence */
    bool mx_secure;     /* an absent MX RRset and a [host] key count as secure, as in smtp(8) */
    bool no_host;       /* every name is proven to lead nowhere */
    bool hosts_pending; /* the DNS of some host has not answered yet */
    bool hosts_cut;     /* some had not when the answer was due: docs/verdicts.md §5 */
    enum dane_state dane;
    bool every_host_tlsa; /* no live host is without TLSA records */
    bool truncated;       /* some MX hosts or TLSA records were not looked at */
    bool short_tlsa;      /* a live host has a TLSA record of 3 octets */
    enum starttls_state starttls;
    bool probes_outstanding;
    bool sts_pending;
    bool sts_enforced;
    bool sts_testing; /* sts_enforced comes from a policy in testing mode */
    bool sts_watched; /* a policy in testing mode is in force, and not enforced */
};

/* What one decision looks at. */
struct decision {
    const struct evidence *evidence;
    const struct verdict_options *options;
    const struct remembered *before; /* what earlier lookups gave */
    int64_t now;
    struct facts facts;
    bool uses_sts;    /* MTA-STS decides, or would if it said something else */
    bool uses_probes; /* STARTTLS decides */
};

/*
 * Fills decision->facts from the rest. `at_deadline`: the answer is due. A host whose addresses are
 * still awaited then counts as dead, and one whose TLSA records are still awaited as in error, as
 * in evidence that is complete (docs/verdicts.md §5).
 */
void facts_gather(struct decision *decision, bool at_deadline);
/* True unless the DNS says that the host has no address, or its address lookup failed. */
bool facts_host_live(const struct mx_host *host);
/* True when `sts` holds a policy that is in force at `now`, whatever its mode. */
bool facts_policy_in_force(const struct sts_evidence *sts, int64_t now);

/* Fills valid_until and refresh_at of *verdict from its level and the evidence behind it. */
void validity_set(struct verdict *verdict, const struct decision *decision);

/*
 * Makes verdict->remembered the successor of decision->before when the evidence is complete,
 * otherwise a copy of it. On entry *verdict is what the evidence alone says, its validity included.
 */
void remember_next(struct verdict *verdict, const struct decision *decision);
/*
 * Replaces level, reason and held with what verdict->remembered says, where the evidence says less.
 * True when it did: the validity must then be computed again.
 */
bool remember_apply(struct verdict *verdict, const struct decision *decision);

/*
 * Notes what the list says, and raises *verdict to it where nothing live decides. Comes last: what is
 * remembered does not depend on lists, so that one that is replaced or ends leaves nothing behind.
 */
void listed_apply(struct verdict *verdict, const struct decision *decision);

static inline int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}
