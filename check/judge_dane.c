/*
 * judge_dane: whether senders look at the TLSA records (RFC 7672 §2), what records there are, and
 * whether they match what each address shows. What comes at the next change is judge_rollover's.
 *
 * A record that matches nothing beside one that matches is for the next key: no fault. Where no
 * record matches because a certificate has ended or names another host, that is the fault.
 */
#include "check/judge_internal.h"

#include <stdio.h>
#include <string.h>

#include "base/escape.h"
#include "check/check_tlsa.h"
#include "probe/tls/tlsa.h"

static const struct judge_at domain;

static bool is_secure(const struct check_rrset *rrset)
{
    return rrset->answer != NULL && rrset->answer->secure;
}

enum judge_dane judge_dane_of(const struct check_facts *facts, const struct check_host *host)
{
    if (judge_answer(&host->tlsa) != JUDGE_RECORDS || host->record_count == 0 ||
        !judge_has_address(host))
        return JUDGE_DANE_NONE;
    if (facts->validating && !(is_secure(&host->tlsa) && host->evidence->address_secure))
        return JUDGE_DANE_UNSIGNED;
    return tlsa_any_usable(host->records, host->record_count) ? JUDGE_DANE_USABLE
                                                              : JUDGE_DANE_UNUSABLE;
}

const char *judge_tlsa_owner(const struct judging *judging, const struct check_host *host)
{
    const struct dns_answer *answer = host->tlsa.answer;

    if (answer != NULL && answer->aliases > 0)
        return answer->owner;
    if (host->tlsa.name != NULL)
        return host->tlsa.name;
    return judge_text(judging, "_25._tcp.%s", host->name);
}

/* ---- whether they count ---- */

static void judge_unsigned(const struct judging *judging, const struct check_host *host)
{
    const struct judge_at at = {.host = host};
    const char *owner = judge_tlsa_owner(judging, host);

    if (is_secure(&host->tlsa))
        judge_add(
            judging, &at, CHECK_FOUND_DANE_ADDRESS_UNSIGNED,
            judge_text(judging, "%s is signed, the addresses of %s are not", owner, host->name),
            judge_text(judging,
                       "sign the zone of %s with DNSSEC: no sender looks at the TLSA "
                       "records of a host whose address may be forged",
                       host->name));
    else
        judge_add(
            judging, &at, CHECK_FOUND_DANE_UNSIGNED,
            judge_text(judging, "%s: %zu record%s, not signed", owner, host->record_count,
                       host->record_count == 1 ? "" : "s"),
            "sign the zone with DNSSEC and have its DS record published in the zone above, or "
            "remove the TLSA records");
}

static void judge_mx_unsigned(const struct judging *judging)
{
    const struct check_facts *facts = judging->facts;
    struct judge_list hosts;
    const char *list;

    judge_list_init(&hosts);
    for (size_t i = 0; i < facts->host_count; i++)
        if (judge_dane_of(judging->facts, &facts->hosts[i]) >= JUDGE_DANE_UNUSABLE)
            judge_list_add(&hosts, facts->hosts[i].name);
    list = judge_list_take(judging, &hosts);
    if (hosts.count > 0 && facts->validating && facts->evidence->mx == MX_LISTED &&
        !facts->evidence->mx_secure)
        judge_add(judging, &domain, CHECK_FOUND_DANE_MX_UNSIGNED,
                  judge_text(judging, "signed TLSA records of %s", list),
                  judge_text(judging,
                             "sign the zone of %s with DNSSEC: else an attacker can name "
                             "other mail hosts",
                             facts->domain));
}

static bool lacks_tlsa(const struct check_host *host)
{
    return judge_answer(&host->tlsa) == JUDGE_EMPTY && judge_has_address(host);
}

static void judge_partial(const struct judging *judging)
{
    const struct check_facts *facts = judging->facts;
    const char *with = NULL;

    for (size_t i = 0; i < facts->host_count && with == NULL; i++)
        if (judge_dane_of(judging->facts, &facts->hosts[i]) == JUDGE_DANE_USABLE)
            with = facts->hosts[i].name;
    for (size_t i = 0; with != NULL && i < facts->host_count; i++)
        if (lacks_tlsa(&facts->hosts[i]))
            judge_add(judging, &(struct judge_at){.host = &facts->hosts[i]},
                      CHECK_FOUND_DANE_PARTIAL,
                      judge_text(judging, "no records at %s, though %s has them",
                                 judge_tlsa_owner(judging, &facts->hosts[i]), with),
                      judge_text(judging,
                                 "publish TLSA records of %s too, in a signed zone: an "
                                 "attacker can keep senders from all other hosts",
                                 facts->hosts[i].name));
}

static void judge_tlsa_lookup(const struct judging *judging, const struct check_host *host)
{
    const struct judge_at at = {.host = host};
    enum judge_answer answer = judge_answer(&host->tlsa);

    if (answer == JUDGE_UNKNOWN)
        judge_unknown(judging, &at, "the TLSA records", judge_why(&host->tlsa));
    /* no sender asks for those of a host whose addresses are not signed */
    if (answer == JUDGE_FAILED && host->evidence->address_secure)
        judge_add(
            judging, &at, CHECK_FOUND_DANE_LOOKUP,
            judge_text(judging, "%s: %s", judge_tlsa_owner(judging, host), judge_why(&host->tlsa)),
            "look at the name servers of the zone: they must answer questions for TLSA, if "
            "only that there is none, and with signatures that are valid");
}

/* ---- which records ---- */

const char *judge_tlsa_text(const struct judging *judging, const struct tlsa *record)
{
    char data[2 * TLSA_SHOWN_OCTETS + 1];

    escape_hex(data, record->data,
               record->length < TLSA_SHOWN_OCTETS ? record->length : TLSA_SHOWN_OCTETS);
    return judge_text(judging, "%u %u %u %s%s", record->usage, record->selector,
                      record->matching_type, record->length == 0 ? "(nothing)" : data,
                      record->length > TLSA_SHOWN_OCTETS ? "..." : "");
}

static const struct {
    enum check_tlsa is;
    enum check_code code;
    const char *fix;
} record_faults[] = {
    {CHECK_TLSA_PKIX, CHECK_FOUND_TLSA_PKIX,
     "publish a 3 1 1 or 2 1 1 record instead: senders treat usages 0 and 1 as unusable, so that "
     "without another record the host is not authenticated"},
    {CHECK_TLSA_USELESS, CHECK_FOUND_TLSA_UNUSABLE,
     "remove the record, or publish it again as \"mxcrypt records\" writes it"},
    {CHECK_TLSA_UNUSUAL, CHECK_FOUND_TLSA_FORM,
     "publish 3 1 1 (the key) or 2 1 1 (the issuer's key) instead; all senders know SHA-256, and a "
     "key outlives its certificates"},
};

/* `pinned`: 3 0 x records have been told of; `unmatched`: that no record matches has. */
static void judge_records(const struct judging *judging, const struct check_host *host, bool pinned,
                          bool unmatched)
{
    for (size_t i = 0; i < sizeof record_faults / sizeof record_faults[0]; i++) {
        struct judge_list list;
        const char *text;

        if (unmatched && record_faults[i].code == CHECK_FOUND_TLSA_FORM)
            continue;
        judge_list_init(&list);
        for (size_t k = 0; k < host->record_count; k++) {
            const struct tlsa *record = &host->records[k];

            if (check_tlsa_of(record) == record_faults[i].is &&
                !(pinned && record->usable && record->usage == 3 && record->selector == 0))
                judge_list_add(&list, judge_tlsa_text(judging, record));
        }
        text = judge_list_take(judging, &list);
        if (list.count > 0)
            judge_add(judging, &(struct judge_at){.host = host}, record_faults[i].code,
                      judge_text(judging, "%s: %s", judge_tlsa_owner(judging, host), text),
                      record_faults[i].fix);
    }
}

/* A record has three octets at least; one of fewer is none, to senders too. */
static void judge_stumps(const struct judging *judging, const struct check_host *host)
{
    if (host->stump_count > 0)
        judge_add(judging, &(struct judge_at){.host = host}, CHECK_FOUND_TLSA_UNUSABLE,
                  judge_text(judging, "%s: %zu with fewer than 3 octets",
                             judge_tlsa_owner(judging, host), host->stump_count),
                  "remove the record, or publish it again as \"mxcrypt records\" writes it");
}

/* ---- whether they match ---- */

/* Whether the record's digest is of that certificate; what SHA-512 is of cannot be told here. */
static bool names_certificate(const struct tlsa *record, const struct tls_certificate *certificate)
{
    const char *digest = record->selector == 0 ? certificate->sha256 : certificate->key_sha256;
    char text[65];

    return record->matching_type == 1 && record->length == 32 &&
           strcmp(escape_hex(text, record->data, 32), digest) == 0;
}

/* Whether a usage 2 record names a certificate that is sent: then name or dates make it fail. */
static bool anchor_is_sent(const struct check_host *host, const struct check_attempt *attempt)
{
    for (size_t i = 0; i < host->record_count; i++)
        for (size_t k = 0; k < attempt->certificate_count; k++)
            if (host->records[i].usable && host->records[i].usage == 2 &&
                names_certificate(&host->records[i], &attempt->certificates[k]))
                return true;
    return false;
}

static bool only_anchors(const struct check_host *host)
{
    for (size_t i = 0; i < host->record_count; i++)
        if (host->records[i].usable && host->records[i].usage != 2)
            return false;
    return true;
}

static const char *published(const struct judging *judging, const struct check_host *host)
{
    struct judge_list list;

    judge_list_init(&list);
    for (size_t i = 0; i < host->record_count; i++)
        if (host->records[i].usable)
            judge_list_add(&list, judge_tlsa_text(judging, &host->records[i]));
    return judge_list_take(judging, &list);
}

static const char *shown(const struct judging *judging, const struct check_attempt *attempt)
{
    struct judge_list list;

    judge_list_init(&list);
    for (size_t i = 0; i < attempt->certificate_count; i++)
        judge_list_add(&list, judge_text(judging, "%s (%s) %d 1 1 %.16s...",
                                         attempt->certificates[i].subject,
                                         attempt->certificates[i].key_type, i == 0 ? 3 : 2,
                                         attempt->certificates[i].key_sha256));
    if (list.count == 0)
        judge_list_add(&list, "no certificate");
    return judge_list_take(judging, &list);
}

static bool has_pin(const struct check_host *host)
{
    for (size_t i = 0; i < host->record_count; i++)
        if (host->records[i].usable && host->records[i].usage == 3 &&
            host->records[i].selector == 0)
            return true;
    return false;
}

static const char *to_publish(const struct judging *judging, const struct judge_at *at,
                              const struct check_attempt *attempt)
{
    if (attempt->certificate_count == 0)
        return "have the host show its certificate to every sender";
    return judge_text(judging,
                      has_pin(at->host)
                          ? "publish %s. IN TLSA 3 1 1 %s instead: a 3 0 x record ends with its "
                            "certificate, at each renewal"
                          : "publish %s. IN TLSA 3 1 1 %s, or install the key again that a record "
                            "names",
                      judge_tlsa_owner(judging, at->host), attempt->certificates[0].key_sha256);
}

/* A record with SHA-512, which keeps senders from looking at one with SHA-256 of the same usage and
 * selector that matches: of these the strongest digest counts alone (RFC 7671 §9). NULL: there is
 * none. */
static const struct tlsa *outranking(const struct check_host *host,
                                     const struct check_attempt *attempt)
{
    for (size_t i = 0; attempt->tlsa_matched != NULL && i < host->record_count; i++)
        for (size_t k = 0; attempt->tlsa_matched[i] && k < host->record_count; k++) {
            const struct tlsa *weak = &host->records[i], *strong = &host->records[k];

            if (weak->matching_type == 1 && strong->matching_type == 2 && strong->usable &&
                weak->usage == strong->usage && weak->selector == strong->selector)
                return strong;
        }
    return NULL;
}

static void judge_outranked(const struct judging *judging, const struct judge_at *at,
                            enum check_code code, const struct tlsa *strong)
{
    const char *text = judge_tlsa_text(judging, strong);

    judge_add(judging, at, code,
              judge_text(judging,
                         "%s does not match; %u %u 1 would, and is not looked at: of both digests "
                         "the stronger counts",
                         text, strong->usage, strong->selector),
              judge_text(judging, "remove %s from %s: all senders know SHA-256", text,
                         judge_tlsa_owner(judging, at->host)));
}

static void judge_mismatch(const struct judging *judging, const struct judge_at *at,
                           const struct check_attempt *attempt, bool other_matches)
{
    static const enum check_code expired[] = {CHECK_FOUND_CERT_EXPIRED, CHECK_CODE_COUNT};
    const char *evidence = judge_text(judging, "shown: %s; published: %s", shown(judging, attempt),
                                      published(judging, at->host));
    bool sent = anchor_is_sent(at->host, attempt), misnamed = sent && !attempt->name_ok;
    const struct tlsa *strong = outranking(at->host, attempt);

    if (sent && judge_has(judging, at->host, expired))
        return;
    if (misnamed && judge_sts_mode(judging->facts, at->host) == STS_MODE_ENFORCE)
        return; /* judge_cert has said so */
    if (strong != NULL)
        judge_outranked(judging, at,
                        other_matches ? CHECK_FOUND_TLSA_ALGORITHM : CHECK_FOUND_TLSA_MISMATCH,
                        strong);
    else if (other_matches)
        judge_add(judging, at, CHECK_FOUND_TLSA_ALGORITHM, evidence,
                  to_publish(judging, at, attempt));
    else if (misnamed)
        judge_put(
            judging, at,
            &(struct check_finding){
                .code = CHECK_FOUND_CERT_NAME,
                .severity = CHECK_CRITICAL,
                .evidence = judge_text(judging, "a 2 x x record asks for the name; it names %s",
                                       attempt->certificates[0].names),
                .fix = judge_text(judging,
                                  "have it issued with the DNS name %s, or publish a "
                                  "3 1 1 record: %s",
                                  at->host->name, attempt->certificates[0].key_sha256)});
    else if (judge_all_retired(at->host))
        return; /* judge_rollover has said so */
    else if (only_anchors(at->host) && attempt->certificate_count > 0 && !sent)
        judge_add(judging, at, CHECK_FOUND_TLSA_TA_MISSING, evidence,
                  "send the certificate that the record names, after the others, in "
                  "smtpd_tls_chain_files; or publish 2 1 1 of an issuer that is sent");
    else
        judge_add(judging, at, CHECK_FOUND_TLSA_MISMATCH, evidence,
                  to_publish(judging, at, attempt));
}

/* The certificates of one address. Where none matches, that is told once. */
static void judge_tlsa_at(const struct judging *judging, const struct judge_at *at)
{
    const struct check_attempt *usual = &at->address->attempts[CHECK_OFFER_DEFAULT], *leaf;
    bool any_matches = false, told = false;

    for (size_t i = 0; i < JUDGE_LEAVES; i++) {
        leaf = judge_leaf(at->address, i);
        any_matches |= leaf != NULL && leaf->tlsa == TLSA_MATCH_OK;
    }
    if (judge_is_tls(usual) && usual->certificate_count == 0 && !any_matches) {
        judge_mismatch(judging, at, usual, false);
        told = true;
    }
    for (size_t i = 0; i < JUDGE_LEAVES; i++) {
        leaf = judge_leaf(at->address, i);
        if (leaf == NULL || leaf->tlsa != TLSA_MATCH_MISMATCH || (told && !any_matches))
            continue;
        judge_mismatch(judging, at, leaf, any_matches);
        told = true;
    }
}

/* ---- the whole ---- */

static void judge_usable(const struct judging *judging, const struct check_host *host)
{
    static const enum check_code unmatched[] = {CHECK_FOUND_TLSA_MISMATCH, CHECK_CODE_COUNT};
    bool pinned = judge_rollover(judging, host);

    for (size_t i = 0; i < host->address_count; i++)
        judge_tlsa_at(judging, &(struct judge_at){.host = host, .address = &host->addresses[i]});
    judge_records(judging, host, pinned, judge_has(judging, host, unmatched));
}

void judge_dane(const struct judging *judging)
{
    const struct check_facts *facts = judging->facts;
    bool any = false;

    for (size_t i = 0; i < facts->host_count; i++) {
        const struct check_host *host = &facts->hosts[i];
        enum judge_dane dane = judge_dane_of(judging->facts, host);

        any |= dane != JUDGE_DANE_NONE;
        judge_tlsa_lookup(judging, host);
        judge_stumps(judging, host);
        if (dane == JUDGE_DANE_UNSIGNED)
            judge_unsigned(judging, host);
        if (dane == JUDGE_DANE_UNUSABLE)
            judge_records(judging, host, false, false);
        if (dane == JUDGE_DANE_USABLE)
            judge_usable(judging, host);
    }
    if (any && !facts->validating)
        judge_unknown(judging, &domain, "whether senders look at the TLSA records",
                      "the resolver does not validate DNSSEC");
    judge_mx_unsigned(judging);
    judge_partial(judging);
}
