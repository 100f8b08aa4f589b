/*
 * judge_mx: the MX records, the hosts that they name, and the addresses of these (RFC 5321 §5.1).
 *
 * A host without an address is critical where no other has one; mail finds the others.
 */
#include "check/judge_internal.h"

#include <stdio.h>

static const struct judge_at domain;

/* ---- the MX records ---- */

static const struct {
    enum mx_state state;
    enum check_code code;
    const char *evidence; /* where evidence.mx_why says nothing */
    const char *fix;
} mx_faults[] = {
    {MX_ERROR, CHECK_FOUND_MX_LOOKUP, "no answer",
     "look at the name servers of the zone and, where it is signed, at its signatures and DS "
     "records; senders defer all mail until the lookup succeeds"},
    {MX_NXDOMAIN, CHECK_FOUND_MX_NXDOMAIN, "NXDOMAIN",
     "register the domain, or add it to the zone above it; is its name spelled right?"},
};

static void judge_mx_state(const struct judging *judging)
{
    const struct evidence *evidence = judging->facts->evidence;

    for (size_t i = 0; i < sizeof mx_faults / sizeof mx_faults[0]; i++)
        if (mx_faults[i].state == evidence->mx)
            judge_add(judging, &domain, mx_faults[i].code,
                      evidence->mx_why == NULL ? mx_faults[i].evidence : evidence->mx_why,
                      mx_faults[i].fix);
}

/* An implicit MX counts only where the domain has an address at all. */
static void judge_implicit(const struct judging *judging, bool has_address)
{
    const struct check_facts *facts = judging->facts;

    if (facts->evidence->mx == MX_IMPLICIT && has_address)
        judge_add(judging, &domain, CHECK_FOUND_MX_IMPLICIT,
                  judge_text(judging, "%s has addresses and no MX record", facts->domain),
                  judge_text(judging, "publish: %s. IN MX 10 %s.", facts->domain, facts->domain));
}

static void judge_names(const struct judging *judging)
{
    const struct check_facts *facts = judging->facts;

    if (facts->null_mx_among)
        judge_add(judging, &domain, CHECK_FOUND_MX_NULL_AMONG,
                  judge_text(judging, "\"0 .\" and %zu other MX records", facts->host_count),
                  judge_text(judging, "remove: %s. IN MX 0 .", facts->domain));
    for (size_t i = 0; i < facts->bad_name_count; i++)
        judge_put(
            judging, &domain,
            &(struct check_finding){
                .code = CHECK_FOUND_MX_BAD_NAME,
                .severity = facts->host_count > 0 ? CHECK_WARNING : CHECK_CRITICAL,
                .evidence = judge_text(judging, "MX names \"%s\"", facts->bad_names[i]),
                .fix = "name a host in the MX record, with letters, digits, hyphens and dots; an "
                       "address or a URL is not allowed there"});
}

/* ---- hosts ---- */

static bool any_has_addresses(const struct check_facts *facts)
{
    for (size_t i = 0; i < facts->host_count; i++)
        if (judge_has_address(&facts->hosts[i]))
            return true;
    return false;
}

static void judge_host_lookup(const struct judging *judging, const struct check_host *host)
{
    const struct judge_at at = {.host = host};
    const struct check_rrset *const rrsets[] = {&host->a, &host->aaaa};
    static const char *const types[] = {"A", "AAAA"};
    struct judge_list failed;
    const char *text;

    judge_list_init(&failed);
    for (size_t i = 0; i < 2; i++) {
        text = judge_text(judging, "%s records: %s", types[i], judge_why(rrsets[i]));
        if (judge_answer(rrsets[i]) == JUDGE_UNKNOWN)
            judge_unknown(judging, &at, text, NULL);
        else if (judge_answer(rrsets[i]) == JUDGE_FAILED)
            judge_list_add(&failed, text);
    }
    text = judge_list_take(judging, &failed);
    if (failed.count > 0)
        judge_put(
            judging, &at,
            &(struct check_finding){
                .code = CHECK_FOUND_HOST_LOOKUP,
                .severity = any_has_addresses(judging->facts) ? CHECK_WARNING : CHECK_CRITICAL,
                .evidence = text,
                .fix = "look at the name servers of the host's zone and, where it is signed, at "
                       "its signatures and DS records"});
}

static void judge_host_addresses(const struct judging *judging, const struct check_host *host)
{
    const struct judge_at at = {.host = host};
    bool others = any_has_addresses(judging->facts);

    judge_host_lookup(judging, host);
    if (judge_answer(&host->a) == JUDGE_EMPTY && judge_answer(&host->aaaa) == JUDGE_EMPTY)
        judge_put(judging, &at,
                  &(struct check_finding){
                      .code = CHECK_FOUND_HOST_MISSING,
                      .severity = others ? CHECK_WARNING : CHECK_CRITICAL,
                      .evidence = host->a.answer->outcome == DNS_NXDOMAIN
                                      ? "the name does not exist"
                                      : "neither A nor AAAA records",
                      .fix = judge_text(judging,
                                        "publish an address of %s, or take the host out of the MX "
                                        "records of %s",
                                        host->name, judging->facts->domain)});
    if (host->alias)
        judge_add(
            judging, &at, CHECK_FOUND_MX_ALIAS,
            judge_text(judging, "%s is a CNAME of %s", host->name,
                       host->a.answer != NULL && host->a.answer->owner != NULL
                           ? host->a.answer->owner
                           : "another name"),
            "name the host itself in the MX record, and in the certificate; senders differ in "
            "what they make of an alias");
}

/* ---- addresses ---- */

static bool is_forbidden(const struct check_address *address)
{
    return address->forbidden != NULL && !ip_is_global(&address->ip);
}

static void judge_public(const struct judging *judging, const struct judge_at *at)
{
    const struct check_facts *facts = judging->facts;
    bool any_public = false;

    for (size_t i = 0; i < facts->host_count; i++)
        for (size_t k = 0; k < facts->hosts[i].address_count; k++)
            any_public |= !is_forbidden(&facts->hosts[i].addresses[k]);
    if (is_forbidden(at->address))
        judge_put(judging, at,
                  &(struct check_finding){.code = CHECK_FOUND_HOST_FORBIDDEN,
                                          .severity = any_public ? CHECK_WARNING : CHECK_CRITICAL,
                                          .evidence = at->address->forbidden,
                                          .fix = "take the address out of the public zone: senders "
                                                 "on the Internet cannot reach it"});
    else if (at->address->forbidden != NULL && facts->probed)
        judge_unknown(judging, at, "the address is not connected to", at->address->forbidden);
}

static void judge_reverse(const struct judging *judging, const struct judge_at *at)
{
    const struct check_rrset *reverse = &at->address->reverse;
    const char *evidence = NULL;

    switch (judge_answer(reverse)) {
    case JUDGE_UNASKED:
        break;
    case JUDGE_UNKNOWN:
        judge_unknown(judging, at, "the reverse name", judge_why(reverse));
        break;
    case JUDGE_FAILED:
        evidence = judge_text(judging, "the PTR lookup failed: %s", judge_why(reverse));
        break;
    case JUDGE_EMPTY:
        evidence = "no PTR record";
        break;
    case JUDGE_RECORDS:
        if (!at->address->reverse_confirmed)
            evidence = judge_text(judging, "the PTR record names %s, whose addresses are others",
                                  reverse->answer->count > 0 && reverse->answer->records[0].name
                                      ? reverse->answer->records[0].name
                                      : "nothing");
    }
    if (evidence != NULL)
        judge_add(
            judging, at, CHECK_FOUND_HOST_REVERSE, evidence,
            judge_text(judging,
                       "have the owner of the network publish a PTR record that names %s; many "
                       "receivers refuse mail from an address without one",
                       at->host->name));
}

/* ---- families ---- */

static void judge_family(const struct judging *judging, bool four)
{
    const struct check_facts *facts = judging->facts;

    if (!any_has_addresses(facts))
        return;
    for (size_t i = 0; i < facts->host_count; i++) {
        const struct check_host *host = &facts->hosts[i];

        if (judge_answer(four ? &host->a : &host->aaaa) != JUDGE_EMPTY)
            return;
    }
    if (four)
        judge_add(judging, &domain, CHECK_FOUND_HOST_NO_IPV4, "only AAAA records",
                  "publish an A record of a mail host: most senders have IPv4 only");
    else
        judge_add(judging, &domain, CHECK_FOUND_HOST_NO_IPV6, "only A records",
                  "publish an AAAA record of a mail host that listens on IPv6");
}

/* ---- the whole ---- */

void judge_mx(const struct judging *judging)
{
    const struct check_facts *facts = judging->facts;

    if (facts->mx.failed_here || facts->evidence->mx == MX_UNKNOWN) {
        judge_unknown(judging, &domain, "the MX records", facts->evidence->mx_why);
        return;
    }
    judge_mx_state(judging);
    if (facts->evidence->mx_truncated)
        judge_unknown(judging, &domain,
                      judge_text(judging, "mail hosts beyond the first %zu", facts->host_count),
                      "there are more MX records than are looked at");
    judge_implicit(judging, any_has_addresses(facts));
    judge_names(judging);
    for (size_t i = 0; i < facts->host_count; i++) {
        judge_host_addresses(judging, &facts->hosts[i]);
        for (size_t k = 0; k < facts->hosts[i].address_count; k++) {
            const struct judge_at at = {.host = &facts->hosts[i],
                                        .address = &facts->hosts[i].addresses[k]};

            judge_public(judging, &at);
            if (!is_forbidden(at.address))
                judge_reverse(judging, &at);
        }
    }
    judge_family(judging, true);
    judge_family(judging, false);
}
