/*
 * judge_cert: the certificates that the addresses of a host show, each once, also those that are
 * shown only to senders that ask for RSA or ECDSA.
 *
 * What a fault in a certificate means depends on who looks at it. TLSA records that can be used
 * decide alone (RFC 7672 §3), and judge_dane says how they fare. A policy of MTA-STS asks for a
 * chain and a name (RFC 8461 §4.2): what fails is sts-mx-certificate. Without both hardly any
 * sender looks: a warning.
 *
 * BUGS: an intermediate certificate that ends before the leaf is told only when it has ended.
 */
#include "check/judge_internal.h"

#include <string.h>
#include <strings.h>

#define SHORT_LIVED_DAYS 10 /* RFC 8739, and Let's Encrypt's shortlived: renewed every few days */

/* A certificate, where it was seen, and who looks at it. */
struct leaf {
    const struct judging *judging;
    const struct judge_at *at;
    const struct check_attempt *attempt;
    const struct tls_certificate *certificate; /* the leaf; NULL: none was shown */
    enum sts_mode sts;                         /* NONE: no policy that allows the host */
    enum judge_dane dane;
    bool by_key; /* a usable record with usage 3 matches: only the key counts */
};

static bool matched_usage(const struct leaf *leaf, unsigned usage)
{
    const struct check_host *host = leaf->at->host;

    if (leaf->dane != JUDGE_DANE_USABLE || leaf->attempt->tlsa_matched == NULL)
        return false;
    for (size_t i = 0; i < host->record_count; i++)
        if (leaf->attempt->tlsa_matched[i] && host->records[i].usage == usage)
            return true;
    return false;
}

/* ---- dates ---- */

static const struct {
    unsigned days; /* until the end */
    unsigned part; /* of a short-lived certificate: this part of its life is left */
    enum check_severity severity;
} expiry_steps[] = {
    {3, 12, CHECK_CRITICAL},
    {14, 6, CHECK_WARNING},
    {30, 3, CHECK_NOTICE},
};

/* False: not soon. */
static bool ends_soon(const struct tls_certificate *certificate, int64_t now,
                      enum check_severity *severity)
{
    int64_t life = certificate->not_after - certificate->not_before;
    int64_t left = certificate->not_after - now;

    for (size_t i = 0; i < sizeof expiry_steps / sizeof expiry_steps[0]; i++) {
        int64_t limit = expiry_steps[i].days * (int64_t)DAY_S;

        if (life <= SHORT_LIVED_DAYS * DAY_S)
            limit = life / expiry_steps[i].part;
        *severity = expiry_steps[i].severity;
        if (left <= limit)
            return true;
    }
    return false;
}

static void note_days(struct check_report *report, int64_t left)
{
    int64_t days = left / DAY_S - (left % DAY_S < 0);

    if (!report->expiry_known || days < report->days_to_expiry)
        report->days_to_expiry = days;
    report->expiry_known = true;
}

/* Senders that look at the key only do not mind the date (RFC 7672 §3.1.1). */
static enum check_severity capped(const struct leaf *leaf, enum check_severity severity)
{
    return leaf->by_key && leaf->sts == STS_MODE_NONE ? CHECK_NOTICE : severity;
}

#define FIX_RENEW                                                                                  \
    "renew it, and see why it was not renewed by itself: is the ACME client's timer running, and " \
    "is the mail server reloaded afterwards? See \"mxcrypt rollover\" where TLSA records exist"

static const char *dates_of(const struct leaf *leaf)
{
    return judge_text(leaf->judging, "%s by %s, valid from %s to %s", leaf->certificate->subject,
                      leaf->certificate->issuer,
                      judge_date(leaf->judging, leaf->certificate->not_before),
                      judge_date(leaf->judging, leaf->certificate->not_after));
}

static void put_expired(const struct leaf *leaf, const char *evidence)
{
    judge_put(leaf->judging, leaf->at,
              &(struct check_finding){.code = CHECK_FOUND_CERT_EXPIRED,
                                      .severity = capped(leaf, CHECK_CRITICAL),
                                      .evidence = evidence,
                                      .fix = FIX_RENEW});
}

static void judge_dates(const struct leaf *leaf)
{
    int64_t now = leaf->judging->facts->now_s, left = leaf->certificate->not_after - now;
    enum tls_fault fault = leaf->attempt->shown.finding.fault;
    enum check_severity severity;

    note_days(leaf->judging->report, left);
    if (left < 0 || leaf->certificate->not_before > now)
        put_expired(leaf, dates_of(leaf));
    else if ((fault == TLS_FAULT_EXPIRED || fault == TLS_FAULT_NOT_YET_VALID) && !leaf->by_key)
        put_expired(leaf, judge_text(leaf->judging, "%s",
                                     leaf->attempt->shown.finding.why == NULL
                                         ? "a certificate of the chain"
                                         : leaf->attempt->shown.finding.why));
    else if (ends_soon(leaf->certificate, now, &severity))
        judge_put(
            leaf->judging, leaf->at,
            &(struct check_finding){.code = CHECK_FOUND_CERT_EXPIRES,
                                    .severity = capped(leaf, severity),
                                    .evidence = judge_text(leaf->judging, "%s, %s", dates_of(leaf),
                                                           judge_days(leaf->judging, left)),
                                    .fix = FIX_RENEW});
}

/* ---- strength ---- */

static const struct {
    const char *type;
    unsigned bits_min;
} key_sizes[] = {
    {"RSA", 2048},
    {"RSA-PSS", 2048},
    {"DSA", 2048},
    {"EC", 224},
};

static const char *const weak_signatures[] = {
    "md2WithRSAEncryption",  "md4WithRSAEncryption", "md5WithRSAEncryption", "md5WithRSA",
    "sha1WithRSAEncryption", "sha1WithRSA",          "ecdsa-with-SHA1",      "dsaWithSHA1",
};

static bool key_is_weak(const struct tls_certificate *certificate)
{
    for (size_t i = 0; i < sizeof key_sizes / sizeof key_sizes[0]; i++)
        if (strcmp(key_sizes[i].type, certificate->key_type) == 0)
            return certificate->key_bits < key_sizes[i].bits_min;
    return false;
}

/* Nobody looks at how a certificate has signed itself. */
static bool signature_is_weak(const struct tls_certificate *certificate)
{
    for (size_t i = 0; i < sizeof weak_signatures / sizeof weak_signatures[0]; i++)
        if (strcasecmp(weak_signatures[i], certificate->signature) == 0)
            return !certificate->self_signed;
    return false;
}

static void put_weak(const struct leaf *leaf, enum check_code code, const char *evidence,
                     const char *fix)
{
    bool refused =
        leaf->sts == STS_MODE_ENFORCE && leaf->attempt->shown.finding.fault == TLS_FAULT_WEAK;

    judge_put(leaf->judging, leaf->at,
              &(struct check_finding){.code = code,
                                      .severity = refused ? CHECK_CRITICAL : CHECK_WARNING,
                                      .evidence = evidence,
                                      .fix = fix});
}

/* The first weak key, and the first weak signature, of the chain. True when there is one. */
static bool judge_strength(const struct leaf *leaf)
{
    const struct tls_certificate *key = NULL, *signature = NULL;

    for (size_t i = leaf->attempt->certificate_count; i-- > 0;) {
        const struct tls_certificate *certificate = &leaf->attempt->certificates[i];

        if (key_is_weak(certificate) && !(leaf->by_key && i > 0))
            key = certificate;
        if (signature_is_weak(certificate) && !leaf->by_key)
            signature = certificate;
    }
    if (key != NULL)
        put_weak(leaf, CHECK_FOUND_CERT_KEY,
                 judge_text(leaf->judging, "%s: %s, %u bits", key->subject, key->key_type,
                            key->key_bits),
                 "have a certificate issued for a new key: ECDSA P-256, or RSA with 2048 bits");
    if (signature != NULL)
        put_weak(leaf, CHECK_FOUND_CERT_SIGNATURE,
                 judge_text(leaf->judging, "%s: %s", signature->subject, signature->signature),
                 "have the certificate issued again, signed with SHA-256");
    return key != NULL || signature != NULL;
}

/* ---- chain and name ---- */

struct trust_fault {
    enum check_code code;
    const char *evidence, *fix;
};

/* Where the chain as sent breaks off: the issuer of a certificate is not the next one. NULL: it
 * does not. */
static const struct tls_certificate *broken_link(const struct check_attempt *attempt)
{
    for (size_t i = 0; i < attempt->certificate_count; i++) {
        const struct tls_certificate *certificate = &attempt->certificates[i];
        bool last = i + 1 == attempt->certificate_count;

        if (certificate->self_signed || (last && i > 0))
            return NULL;
        if (last || strcmp(certificate->issuer_name, attempt->certificates[i + 1].subject) != 0)
            return certificate;
    }
    return NULL;
}

static struct trust_fault unknown_issuer(const struct leaf *leaf)
{
    const struct tls_certificate *last =
        &leaf->attempt->certificates[leaf->attempt->certificate_count - 1];
    const struct tls_certificate *broken = broken_link(leaf->attempt);

    if (broken != NULL)
        return (struct trust_fault){
            CHECK_FOUND_CERT_CHAIN,
            judge_text(leaf->judging, "%zu sent; the issuer of %s, %s, is not among them",
                       leaf->attempt->certificate_count, broken->subject, broken->issuer_name),
            "send the chain: Postfix: smtpd_tls_chain_files with key, certificate and "
            "intermediates "
            "(certbot: fullchain.pem, not cert.pem)"};
    return (struct trust_fault){
        CHECK_FOUND_CERT_ISSUER,
        judge_text(leaf->judging, "%s was issued by %s, and no trust anchor stands behind %s",
                   leaf->certificate->subject, leaf->certificate->issuer, last->issuer_name),
        "get a certificate of a public certification authority, or publish TLSA records"};
}

#define FIX_PUBLIC                                                                                 \
    "get a certificate of a public certification authority (certbot, acme.sh, ...), or publish a " \
    "3 1 1 TLSA record in a signed zone"

/* Code CHECK_CODE_COUNT: chain and name are right, but for dates and strength. */
static struct trust_fault trust_fault_of(const struct leaf *leaf)
{
    const struct tls_finding *finding = &leaf->attempt->shown.finding;
    const char *why = finding->why == NULL ? "it does not verify" : finding->why;

    if (leaf->certificate == NULL)
        return (struct trust_fault){CHECK_FOUND_CERT_ISSUER, "no certificate is shown", FIX_PUBLIC};
    if (finding->fault == TLS_FAULT_SELF_SIGNED ||
        (finding->fault != TLS_FAULT_NONE && leaf->certificate->self_signed))
        return (struct trust_fault){CHECK_FOUND_CERT_SELF,
                                    judge_text(leaf->judging, "%s, SHA-256 %s",
                                               leaf->certificate->subject,
                                               leaf->certificate->sha256),
                                    FIX_PUBLIC};
    if (finding->fault == TLS_FAULT_UNKNOWN_ISSUER)
        return unknown_issuer(leaf);
    if (finding->fault == TLS_FAULT_COSTLY || finding->fault == TLS_FAULT_OTHER ||
        finding->fault == TLS_FAULT_ANONYMOUS || finding->fault == TLS_FAULT_WEAK)
        return (struct trust_fault){CHECK_FOUND_CERT_ISSUER, why, FIX_PUBLIC};
    if (!leaf->attempt->name_ok)
        return (struct trust_fault){
            CHECK_FOUND_CERT_NAME,
            judge_text(leaf->judging, "it names %s",
                       leaf->certificate->names == NULL || leaf->certificate->names[0] == '\0'
                           ? "nothing"
                           : leaf->certificate->names),
            judge_text(leaf->judging, "have it issued with the DNS name %s", leaf->at->host->name)};
    return (struct trust_fault){.code = CHECK_CODE_COUNT};
}

static void judge_trust(const struct leaf *leaf, bool weak)
{
    struct trust_fault fault = trust_fault_of(leaf);

    if (fault.code == CHECK_CODE_COUNT ||
        (weak && leaf->attempt->shown.finding.fault == TLS_FAULT_WEAK))
        return;
    if (leaf->sts != STS_MODE_NONE)
        judge_put(leaf->judging, leaf->at,
                  &(struct check_finding){
                      .code = CHECK_FOUND_STS_MX_CERT,
                      .severity = leaf->sts == STS_MODE_ENFORCE ? CHECK_CRITICAL : CHECK_WARNING,
                      .evidence = judge_text(leaf->judging, "%s: %s", check_kinds[fault.code].text,
                                             fault.evidence),
                      .fix = fault.fix});
    else if (leaf->dane != JUDGE_DANE_USABLE)
        judge_add(leaf->judging, leaf->at, fault.code, fault.evidence, fault.fix);
}

/* ---- all addresses ---- */

static void judge_shown(const struct judging *judging, const struct judge_at *at,
                        const struct check_attempt *attempt)
{
    struct leaf leaf = {.judging = judging,
                        .at = at,
                        .attempt = attempt,
                        .sts = judge_sts_mode(judging->facts, at->host),
                        .dane = judge_dane_of(judging->facts, at->host)};
    bool weak = false;

    leaf.by_key = matched_usage(&leaf, 3);
    if (attempt->certificate_count > 0) {
        leaf.certificate = &attempt->certificates[0];
        judge_dates(&leaf);
        weak = judge_strength(&leaf);
    }
    judge_trust(&leaf, weak);
}

/* Whether an address shows, to any offer, what the other shows to the usual one. */
static bool shows_too(const struct check_address *address, const struct check_attempt *usual)
{
    for (size_t i = 0; i < JUDGE_LEAVES; i++) {
        const struct check_attempt *attempt = judge_leaf(address, i);

        if (attempt != NULL &&
            strcmp(attempt->certificates[0].sha256, usual->certificates[0].sha256) == 0)
            return true;
    }
    return false;
}

/* Whether each has a TLSA record, as servers of one name with keys of their own have. */
static bool both_match(const struct judging *judging, const struct check_host *host,
                       const struct check_attempt *one, const struct check_attempt *other)
{
    return judge_dane_of(judging->facts, host) == JUDGE_DANE_USABLE && one->tlsa == TLSA_MATCH_OK &&
           other->tlsa == TLSA_MATCH_OK;
}

/* Not where a fault of one of them has been told, which is why they differ. */
static void judge_host_same(const struct judging *judging, const struct check_host *host)
{
    static const enum check_code told[] = {CHECK_FOUND_CERT_KEY,        CHECK_FOUND_CERT_SIGNATURE,
                                           CHECK_FOUND_CERT_CHAIN,      CHECK_FOUND_CERT_SELF,
                                           CHECK_FOUND_CERT_ISSUER,     CHECK_FOUND_CERT_NAME,
                                           CHECK_FOUND_CERT_EXPIRES,    CHECK_FOUND_CERT_EXPIRED,
                                           CHECK_FOUND_STS_MX_CERT,     CHECK_FOUND_TLSA_MISMATCH,
                                           CHECK_FOUND_TLSA_TA_MISSING, CHECK_FOUND_TLSA_ALGORITHM,
                                           CHECK_FOUND_TLSA_RETIRED,    CHECK_CODE_COUNT};
    const struct check_address *first = NULL;

    for (size_t i = 0; i < host->address_count; i++) {
        const struct check_address *address = &host->addresses[i];
        const struct check_attempt *one = first == NULL ? NULL : judge_leaf(first, 0);
        const struct check_attempt *other = judge_leaf(address, 0);

        if (other == NULL)
            continue;
        if (first == NULL)
            first = address;
        else if (!shows_too(address, one) && !shows_too(first, other) &&
                 !both_match(judging, host, one, other) && !judge_has(judging, host, told)) {
            judge_add(judging, &(struct judge_at){.host = host, .address = address},
                      CHECK_FOUND_CERT_DIFFERS,
                      judge_text(judging, "SHA-256 %.16s... here, %.16s... at another address",
                                 other->certificates[0].sha256, one->certificates[0].sha256),
                      "install the same certificate at all addresses, or one TLSA record for each; "
                      "was one left out at the last renewal?");
            return;
        }
    }
}

void judge_certificates(const struct judging *judging, const struct check_host *host)
{
    for (size_t i = 0; i < host->address_count; i++) {
        const struct judge_at at = {.host = host, .address = &host->addresses[i]};
        const struct check_attempt *usual = &at.address->attempts[CHECK_OFFER_DEFAULT];

        if (judge_is_tls(usual) && usual->certificate_count == 0)
            judge_shown(judging, &at, usual);
        for (size_t k = 0; k < JUDGE_LEAVES; k++)
            if (judge_leaf(at.address, k) != NULL)
                judge_shown(judging, &at, judge_leaf(at.address, k));
    }
}

void judge_same(const struct judging *judging)
{
    for (size_t i = 0; judging->facts->probed && i < judging->facts->host_count; i++)
        judge_host_same(judging, &judging->facts->hosts[i]);
}
