/*
 * finding: what can be wrong with a mail domain, in one table, and the report of a check.
 *
 * A finding has a code that never changes, a severity, the section of the RFC it comes from, where
 * it was found, the evidence, and what to do. mxcrypt-check(5) lists them all from this table.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

/* Worst last, but for UNKNOWN, which is told beside the others. X(constant, word, exit status) */
#define CHECK_SEVERITIES(X)                                                                        \
    X(NOTICE, "notice", 0)     /* may be better; nothing fails */                                  \
    X(WARNING, "warning", 1)   /* fails for some, or will fail */                                  \
    X(CRITICAL, "critical", 2) /* mail is deferred, or goes out in clear, now */                   \
    X(UNKNOWN, "unknown", 3)   /* could not be found out */
#define X(word, name, status) CHECK_##word,
enum check_severity { CHECK_SEVERITIES(X) CHECK_SEVERITY_COUNT };
#undef X

/* X(constant, code, severity unless the judge says otherwise, RFC, what it means) */
#define CHECK_MX_FINDINGS(X)                                                                       \
    X(MX_LOOKUP, "mx-lookup-failed", CRITICAL, "RFC 5321 5.1",                                     \
      "the MX records cannot be looked up")                                                        \
    X(MX_NXDOMAIN, "domain-missing", CRITICAL, "RFC 5321 5.1", "the domain does not exist")        \
    X(MX_IMPLICIT, "mx-implicit", NOTICE, "RFC 5321 5.1",                                          \
      "no MX record: the domain's own address is used")                                            \
    X(MX_NULL_AMONG, "mx-null-among-others", CRITICAL, "RFC 7505 3",                               \
      "a null MX beside other MX records")                                                         \
    X(MX_BAD_NAME, "mx-not-a-host", CRITICAL, "RFC 5321 5.1",                                      \
      "an MX record names no valid host name")                                                     \
    X(MX_ALIAS, "mx-alias", WARNING, "RFC 2181 10.3", "an MX record names an alias")               \
    X(HOST_MISSING, "host-without-address", CRITICAL, "RFC 5321 5.1",                              \
      "a mail host has no address")                                                                \
    X(HOST_LOOKUP, "host-lookup-failed", CRITICAL, "RFC 5321 5.1",                                 \
      "the addresses of a mail host cannot be looked up")                                          \
    X(HOST_FORBIDDEN, "address-not-public", WARNING, "RFC 6890",                                   \
      "an address that the Internet cannot reach")                                                 \
    X(HOST_NO_IPV4, "no-ipv4", WARNING, "RFC 3974 4.1", "no mail host has an IPv4 address")        \
    X(HOST_NO_IPV6, "no-ipv6", NOTICE, "RFC 3974 4.1", "no mail host has an IPv6 address")         \
    X(HOST_REVERSE, "reverse-name", NOTICE, "RFC 1912 2.1",                                        \
      "an address has no reverse name that leads back to it")

#define CHECK_TLS_FINDINGS(X)                                                                      \
    X(SMTP_SILENT, "smtp-silent", WARNING, "RFC 5321 3.1",                                         \
      "an address does not answer on port 25")                                                     \
    X(SMTP_ERROR, "smtp-error", WARNING, "RFC 5321 3.1",                                           \
      "a mail host does not talk SMTP as it should")                                               \
    X(STARTTLS_MISSING, "starttls-missing", CRITICAL, "RFC 3207 4", "STARTTLS is not offered")     \
    X(STARTTLS_REFUSED, "starttls-refused", CRITICAL, "RFC 3207 4",                                \
      "STARTTLS is offered and refused")                                                           \
    X(TLS_BROKEN, "tls-broken", CRITICAL, "RFC 3207 4.2",                                          \
      "the TLS handshake, or EHLO in TLS, fails")                                                  \
    X(TLS_OLD_ONLY, "tls-old-only", CRITICAL, "RFC 8996 5", "only TLS 1.0 or 1.1 works")           \
    X(TLS_OLD, "tls-old-offered", NOTICE, "RFC 8996 5", "TLS 1.0 or 1.1 is accepted")              \
    X(TLS_WEAK, "tls-weak-cipher", WARNING, "RFC 9325 4.2", "a weak cipher is accepted")           \
    X(CERT_KEY, "certificate-weak-key", WARNING, "RFC 9325 4.5",                                   \
      "the key of a certificate is short")                                                         \
    X(CERT_SIGNATURE, "certificate-weak-signature", WARNING, "RFC 9325 4.5",                       \
      "a certificate has a weak signature")                                                        \
    X(CERT_CHAIN, "certificate-chain-incomplete", WARNING, "RFC 5246 7.4.2",                       \
      "an intermediate certificate is not sent")                                                   \
    X(CERT_ISSUER, "certificate-untrusted", WARNING, "RFC 8461 4.2",                               \
      "the certificate comes from nobody who is trusted")                                          \
    X(CERT_SELF, "certificate-self-signed", WARNING, "RFC 8461 4.2",                               \
      "the certificate is signed by itself")                                                       \
    X(CERT_NAME, "certificate-name", WARNING, "RFC 6125 6.4",                                      \
      "the certificate does not name the mail host")                                               \
    X(CERT_EXPIRED, "certificate-expired", CRITICAL, "RFC 5280 4.1.2.5",                           \
      "a certificate has expired, or is not valid yet")                                            \
    X(CERT_EXPIRES, "certificate-expires", NOTICE, "RFC 5280 4.1.2.5",                             \
      "a certificate expires soon")                                                                \
    X(CERT_DIFFERS, "certificate-differs", NOTICE, "RFC 7672 3.1",                                 \
      "the addresses of a host show different certificates")

#define CHECK_DANE_FINDINGS(X)                                                                     \
    X(DANE_LOOKUP, "tlsa-lookup-failed", CRITICAL, "RFC 7672 2.1.2",                               \
      "the TLSA records cannot be looked up: mail is deferred")                                    \
    X(DANE_MX_UNSIGNED, "dane-mx-unsigned", WARNING, "RFC 7672 2.2.1",                             \
      "TLSA records, but the MX records are not signed")                                           \
    X(DANE_ADDRESS_UNSIGNED, "dane-address-unsigned", WARNING, "RFC 7672 2.2.2",                   \
      "TLSA records, but the host's addresses are not signed")                                     \
    X(DANE_UNSIGNED, "tlsa-unsigned", WARNING, "RFC 7672 2.2", "TLSA records that are not signed") \
    X(DANE_PARTIAL, "dane-partial", WARNING, "RFC 7672 2.2.1",                                     \
      "some mail hosts have TLSA records, others have none")                                       \
    X(TLSA_MISMATCH, "tlsa-mismatch", CRITICAL, "RFC 7672 3.1",                                    \
      "no TLSA record matches what an address shows")                                              \
    X(TLSA_TA_MISSING, "tlsa-ta-not-sent", CRITICAL, "RFC 7672 3.1.2",                             \
      "the trust anchor of a 2 x x record is not in the handshake")                                \
    X(TLSA_ALGORITHM, "tlsa-second-certificate", CRITICAL, "RFC 7671 5.1",                         \
      "the certificate for RSA or that for ECDSA matches no TLSA record")                          \
    X(TLSA_PKIX, "tlsa-pkix-usage", WARNING, "RFC 7672 3.1.3",                                     \
      "usages 0 and 1 do not work for SMTP")                                                       \
    X(TLSA_UNUSABLE, "tlsa-unusable", WARNING, "RFC 7672 2.2",                                     \
      "a TLSA record that cannot be used")                                                         \
    X(TLSA_FORM, "tlsa-not-recommended", NOTICE, "RFC 7672 3.1",                                   \
      "a TLSA record that is none of 3 1 1, 2 1 1 and 2 0 1")                                      \
    X(TLSA_PINNED, "rollover-certificate-pinned", WARNING, "RFC 7671 5.1",                         \
      "a 3 0 x record ends with its certificate, which will be renewed")                           \
    X(TLSA_ALONE, "rollover-not-ready", NOTICE, "RFC 7671 8.1",                                    \
      "no record for a next key, or for a trust anchor")                                           \
    X(TLSA_RETIRED, "rollover-issuer-retired", WARNING, "RFC 7671 5.2",                            \
      "a 2 x x record names an issuer that issues no more")                                        \
    X(DNSSEC_EXPIRES, "signature-expires", WARNING, "RFC 6781 4.4.2",                              \
      "a DNSSEC signature expires soon")                                                           \
    X(DNS_TTL, "ttl-long", NOTICE, "RFC 7671 8.1", "a TTL that makes every change slow")           \
    X(DNS_LAGS, "name-server-lags", WARNING, "RFC 1034 4.3.5",                                     \
      "the name servers of a zone give different answers")                                         \
    X(DNS_SILENT, "name-server-silent", WARNING, "RFC 2182 4",                                     \
      "a name server of a zone does not answer")

#define CHECK_STS_FINDINGS(X)                                                                      \
    X(STS_LOOKUP, "sts-lookup-failed", WARNING, "RFC 8461 3.1",                                    \
      "the MTA-STS record cannot be looked up")                                                    \
    X(STS_RECORD, "sts-record-bad", WARNING, "RFC 8461 3.1", "the MTA-STS record is not valid")    \
    X(STS_HOST, "sts-host-missing", WARNING, "RFC 8461 3.3", "the policy host has no address")     \
    X(STS_WILDCARD, "sts-wildcard", WARNING, "RFC 8461 3.3",                                       \
      "a wildcard record answers for the policy host")                                             \
    X(STS_FETCH, "sts-fetch-failed", WARNING, "RFC 8461 3.3", "the policy cannot be fetched")      \
    X(STS_CERT, "sts-certificate", WARNING, "RFC 8461 3.3",                                        \
      "the certificate of the policy host is not valid")                                           \
    X(STS_TYPE, "sts-media-type", WARNING, "RFC 8461 3.2",                                         \
      "the policy is not served as text/plain")                                                    \
    X(STS_GRAMMAR, "sts-policy-bad", WARNING, "RFC 8461 3.2", "a fault in the policy file")        \
    X(STS_TESTING, "sts-testing", NOTICE, "RFC 8461 5", "the policy is only being tested")         \
    X(STS_NONE, "sts-none", NOTICE, "RFC 8461 5", "the policy is switched off")                    \
    X(STS_MAX_AGE, "sts-max-age-short", WARNING, "RFC 8461 3.2",                                   \
      "max_age is so short that the policy hardly protects")                                       \
    X(STS_UNMATCHED, "sts-mx-unmatched", CRITICAL, "RFC 8461 4.1",                                 \
      "a mail host that the policy does not allow")                                                \
    X(STS_UNUSED, "sts-pattern-unused", NOTICE, "RFC 8461 4.1",                                    \
      "an mx line that no mail host matches")                                                      \
    X(STS_SAME_ID, "sts-id-unchanged", WARNING, "RFC 8461 3.1",                                    \
      "the policy has changed and its id has not")                                                 \
    X(STS_MX_CERT, "sts-mx-certificate", CRITICAL, "RFC 8461 4.2",                                 \
      "a mail host's certificate does not satisfy the policy")                                     \
    X(NO_POLICY, "no-policy", NOTICE, "RFC 8461 1",                                                \
      "neither DANE nor MTA-STS: an attacker can strip STARTTLS")

#define CHECK_OTHER_FINDINGS(X)                                                                    \
    X(TLSRPT_LOOKUP, "tlsrpt-lookup-failed", WARNING, "RFC 8460 3",                                \
      "the TLSRPT record cannot be looked up")                                                     \
    X(TLSRPT_MISSING, "tlsrpt-missing", NOTICE, "RFC 8460 3",                                      \
      "a policy without a TLSRPT record: nobody will tell")                                        \
    X(TLSRPT_BAD, "tlsrpt-bad", WARNING, "RFC 8460 3", "the TLSRPT record is not valid")           \
    X(TLSRPT_MAIL, "tlsrpt-mail", WARNING, "RFC 8460 3",                                           \
      "the domain that reports are mailed to accepts no mail")                                     \
    X(TLSRPT_HTTPS, "tlsrpt-https", WARNING, "RFC 8460 3",                                         \
      "the address that reports are posted to is not reachable")                                   \
    X(NOT_ENFORCED, "tls-not-enforced", WARNING, "RFC 3207 4", "mail is accepted without TLS")     \
    X(NOT_FOUND_OUT, "not-found-out", UNKNOWN, "", "a fact could not be had")

#define CHECK_FINDINGS(X)                                                                          \
    CHECK_MX_FINDINGS(X)                                                                           \
    CHECK_TLS_FINDINGS(X) CHECK_DANE_FINDINGS(X) CHECK_STS_FINDINGS(X) CHECK_OTHER_FINDINGS(X)

#define X(word, code, severity, rfc, text) CHECK_FOUND_##word,
enum check_code { CHECK_FINDINGS(X) CHECK_CODE_COUNT };
#undef X

struct check_kind {
    const char *code, *rfc, *text;
    enum check_severity severity;
};
extern const struct check_kind check_kinds[CHECK_CODE_COUNT];

const char *check_severity_name(enum check_severity severity);
/* The exit status that a finding of it brings. */
int check_severity_exit(enum check_severity severity);

#define CHECK_REPORT_MAX 400  /* findings; a further one only counts */
#define CHECK_TEXT_MAX   2000 /* octets of a place, of evidence, or of a fix, and its NUL */

struct check_finding {
    enum check_code code;
    enum check_severity severity;
    const char *where;    /* "mx1.example [192.0.2.1] [2001:db8::1]"; "": the domain */
    const char *evidence; /* what was seen */
    const char *fix;      /* what to do */
    const char *host;     /* the mail host; NULL: it is not about one */
    const char *cause; /* of one host and one cause there is one finding, with the evidence of the
                             first address; NULL: the evidence is the cause */
};

/* Words of all findings are printable ASCII. */

struct check_report {
    struct arena *arena; /* of the strings; borrowed. When it has failed, the report is not whole */
    size_t count, dropped;
    /* Worst first: critical, unknown, warning, notice; then as they were found. */
    struct check_finding findings[CHECK_REPORT_MAX];
    bool expiry_known;
    int64_t days_to_expiry; /* of the certificate that ends first; negative: days since */
};
