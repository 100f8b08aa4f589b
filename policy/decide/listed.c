/*
 * listed: see decide.h. A list is what somebody else says of the domain; DANE and MTA-STS are what
 * its owner says now. So the list decides only where those say nothing, or leave a host open to an
 * attacker on the path. Nothing that is not signed counts as DANE here: an attacker who forges an MX
 * record could otherwise name a host with TLSA records of his own.
 *
 * What probes show does not matter: a list is for the first contact, at which STARTTLS may be
 * stripped. So at a first contact they are not waited for.
 */
#include "policy/decide/decide.h"

/* True where TLSA records at a signed MX decide, or a lookup failed that might have shown them. Where
 * not all hosts were looked at, and some have no records, `dane` would not protect those. */
static bool dane_decides(const struct verdict *verdict, const struct decision *decision)
{
    const struct facts *facts = &decision->facts;
    bool mixed =
        facts->dane == DANE_MIXED &&
        (!facts->truncated || decision->options->partial_dane == PARTIAL_DANE_OPPORTUNISTIC);
    bool counts = facts->dane == DANE_FULL || mixed || facts->dane == DANE_ERROR;

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
 * An attacker who forges "no such domain" for us, and lets the MX records through to smtp(8), must not
 * get the mail in clear. So only a signed answer says that a listed domain takes no mail. Where that is
 * true, smtp(8) returns the mail whatever it is told.
 *
 * TEMP is for what is not known yet, and for what must not go out whatever a list says. While the MX is
 * not known, another level than TEMP is a remembered one. An attacker who delays the MX answer must not
 * get less than the list's level by it.
 */
static bool open_to_list(const struct verdict *verdict, const struct decision *decision)
{
    const struct facts *facts = &decision->facts;
    bool no_mail = is_nobody(facts) && facts->mx_secure;

    return facts->mx != MX_SELF && !no_mail && verdict->level != VERDICT_TEMP &&
           !dane_decides(verdict, decision) && !sts_decides(verdict, facts);
}

/*
 * A TLSA lookup that failed says nothing. Under `dane` smtp(8) repeats it, and mail goes without TLS
 * where the records then turn out to be absent. So an attacker needs only to delay our answer and to
 * let the next one through. The list must not take the place of DANE that may be there: mail waits, as
 * under MTA-STS.
 */
static bool waits_for_dane(const struct verdict *verdict, const struct evidence *evidence)
{
    return verdict->level == VERDICT_DANE && verdict->reason == REASON_DANE_ERROR &&
           (evidence->mx == MX_IMPLICIT || (evidence->mx == MX_LISTED && evidence->mx_secure));
}

/* Under `dane` a host without TLSA records gets mail in clear where STARTTLS is stripped, and an attacker
 * on the path chooses the host, by blocking the others. */
static bool is_mixed(const struct verdict *verdict)
{
    return verdict->level == VERDICT_DANE && verdict->reason == REASON_DANE_MIXED;
}

/* dane-only is for records that were all looked at. */
static bool is_cut(const struct evidence *evidence)
{
    bool cut = evidence->mx_truncated;

    for (size_t i = 0; i < evidence->host_count; i++)
        cut |= facts_host_live(&evidence->hosts[i]) && evidence->hosts[i].tlsa_truncated;
    return cut;
}

static void put(struct verdict *verdict, enum verdict_level level, enum verdict_reason reason)
{
    verdict->level = level;
    verdict->reason = reason;
}

void verdict_by_list(struct verdict *verdict, const struct evidence *evidence)
{
    if (waits_for_dane(verdict, evidence))
        put(verdict, VERDICT_TEMP, REASON_DANE_ERROR_LIST);
    else if (is_mixed(verdict) && !is_cut(evidence))
        put(verdict, VERDICT_DANE_ONLY, REASON_DANE_MIXED_LIST);
    else
        put(verdict, VERDICT_SECURE, REASON_LIST);
}

/* Where DANE decides it is as MTA-STS would have it, but for partial-dane, the operator's word. */
static bool amends_dane(const struct verdict *verdict, const struct decision *decision)
{
    const struct facts *facts = &decision->facts;
    bool mixed = is_mixed(verdict) && decision->options->partial_dane == PARTIAL_DANE_TABLE;

    return facts->mx != MX_SELF && !sts_decides(verdict, facts) &&
           (mixed || waits_for_dane(verdict, decision->evidence));
}

void listed_apply(struct verdict *verdict, const struct decision *decision)
{
    const struct facts *facts = &decision->facts;
    bool dns_known = facts->dane != DANE_UNKNOWN && !facts->hosts_pending && !facts->hosts_cut;
    /* where more was seen before, a host that refuses STARTTLS now makes mail wait */
    bool probes_matter =
        facts->probes_outstanding && decision->before->observed != VERDICT_NO_OPINION;

    verdict->listed = decision->evidence->list.mode;
    verdict->list_decides = open_to_list(verdict, decision) || amends_dane(verdict, decision);
    if (!verdict->list_decides || verdict->listed != LIST_ENFORCE)
        return;
    verdict_by_list(verdict, decision->evidence);
    verdict->held = (struct downgrade){0};
    verdict->settled |= dns_known && !facts->sts_pending && !probes_matter;
    validity_set(verdict, decision);
}
