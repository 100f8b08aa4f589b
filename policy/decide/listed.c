/*
 * listed: see decide.h. A list is what somebody else says of the domain; DANE and MTA-STS are what
 * its owner says now. So the list decides only where those say nothing. Nothing that is not signed
 * counts as DANE here: who forges an MX record could else name a host with TLSA records of his own.
 *
 * What probes show does not matter: a list is for the first contact, at which STARTTLS may be
 * stripped. So at a first contact they are not waited for.
 */
#include "policy/decide/decide.h"

/* True where TLSA records at a signed MX decide, or a lookup failed that might have shown them. */
static bool dane_decides(const struct verdict *verdict, const struct facts *facts)
{
    bool counts =
        facts->dane == DANE_FULL || facts->dane == DANE_MIXED || facts->dane == DANE_ERROR;

    return verdict->level == VERDICT_DANE_ONLY ||
           (facts->mx_secure && counts && !facts->short_tlsa);
}

static bool is_nobody(const struct facts *facts)
{
    return facts->mx == MX_NULL || facts->mx == MX_NXDOMAIN;
}

/* Of a domain that takes no mail a policy says nothing (docs/verdicts.md §2). */
static bool sts_decides(const struct verdict *verdict, const struct facts *facts)
{
    return verdict->level == VERDICT_SECURE ||
           (!is_nobody(facts) && (facts->sts_enforced || facts->sts_watched));
}

/*
 * Who forges "no such domain" for us, and lets the MX records through to smtp(8), must not get the
 * mail in clear: so only what is signed says that a listed domain takes none. Where it is true,
 * smtp(8) returns the mail whatever it is told.
 *
 * TEMP is for what is not known yet, and for what must not go out whatever a list says. An MX that is
 * not known has another level only where one is remembered: who holds the answer for it back must not
 * make that less than the list's.
 */
static bool open_to_list(const struct verdict *verdict, const struct facts *facts)
{
    bool no_mail = is_nobody(facts) && facts->mx_secure;

    return facts->mx != MX_SELF && !no_mail && verdict->level != VERDICT_TEMP &&
           !dane_decides(verdict, facts) && !sts_decides(verdict, facts);
}

/*
 * A TLSA lookup that failed says nothing. Under `dane` smtp(8) repeats it, and mail goes without TLS
 * where the records then turn out to be absent: so whoever holds back the answer for us needs only to
 * let it through a moment later. The list must not take the place of DANE that may be there, so mail
 * waits, as under MTA-STS.
 */
static bool waits_for_dane(const struct verdict *verdict, const struct evidence *evidence)
{
    return verdict->level == VERDICT_DANE && verdict->reason == REASON_DANE_ERROR &&
           (evidence->mx == MX_IMPLICIT || (evidence->mx == MX_LISTED && evidence->mx_secure));
}

void verdict_by_list(struct verdict *verdict, const struct evidence *evidence)
{
    bool waits = waits_for_dane(verdict, evidence);

    verdict->level = waits ? VERDICT_TEMP : VERDICT_SECURE;
    verdict->reason = waits ? REASON_DANE_ERROR_LIST : REASON_LIST;
}

void listed_apply(struct verdict *verdict, const struct decision *decision)
{
    const struct facts *facts = &decision->facts;
    bool dns_known = facts->dane != DANE_UNKNOWN && !facts->hosts_pending && !facts->hosts_cut;
    /* where more was seen before, a host that refuses STARTTLS now makes mail wait */
    bool probes_matter =
        facts->probes_outstanding && decision->before->observed != VERDICT_NO_OPINION;

    verdict->listed = decision->evidence->list.mode;
    verdict->list_decides =
        open_to_list(verdict, facts) ||
        (waits_for_dane(verdict, decision->evidence) && !sts_decides(verdict, facts));
    if (!verdict->list_decides || verdict->listed != LIST_ENFORCE)
        return;
    verdict_by_list(verdict, decision->evidence);
    verdict->held = (struct downgrade){0};
    verdict->settled |= dns_known && !facts->sts_pending && !probes_matter;
    validity_set(verdict, decision);
}
