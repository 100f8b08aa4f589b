/*
 * evidence: what was observed about one next-hop at one moment. Plain data, no behaviour.
 *
 * probe/ fills it, policy/ judges it. All memory belongs to the arena of the lookup, or of the cache
 * entry it was copied to. Every fact starts as UNKNOWN (zero): not asked, or not answered yet.
 * verdict_decide takes evidence of any completeness.
 *
 * Glossary
 *   next-hop        what the operator's Postfix delivers to: a domain, or a [host]
 *   MX host         one name of the MX RRset; the domain itself when there is none (implicit MX)
 *   secure          validated by DNSSEC: the AD bit of a configured resolver
 *   TLSA base domain the name TLSA records were found at: RFC 7672 §2.2.2
 *   policy domain   the domain an MTA-STS policy speaks for: RFC 8461 §2
 *   valid until     milliseconds on the clock of base/clock.h
 *   TTL             seconds as in the DNS
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/net/ip.h"

/* Limits; docs/conformance.md or an RFC gives the reason for each. */
#define EVIDENCE_MX_MAX        50       /* MX hosts examined; more: never dane-only */
#define EVIDENCE_ADDRESSES_MAX 16       /* per family and MX host */
#define EVIDENCE_TLSA_MAX      100      /* TLSA records of one RRset */
#define STS_ID_MAX             32       /* RFC 8461 §3.1 */
#define STS_MAX_AGE_MAX        31557600 /* seconds, RFC 8461 §3.2 */
#define STS_MX_MAX             1000     /* mx lines of a policy */
#define STS_BODY_MAX           65536    /* octets of a policy file */

/* For a list X(constant, word, ...): the constants of an enum, and their words, which logs, JSON
 * and metrics use. */
#define ENUM_CONSTANT(constant, ...)   constant,
#define ENUM_WORD(constant, word, ...) [constant] = word,

/* ---- DANE ---- */

struct tlsa {
    uint8_t usage;
    uint8_t selector;
    uint8_t matching_type;
    bool usable;     /* by the rules of RFC 7672 §3.1 and the length of its data */
    uint16_t length; /* of data; 0 for a record of 3 octets */
    const uint8_t *data;
};

#define HOST_DANE_STATES(X)                                                                        \
    X(HOST_DANE_UNKNOWN, "unknown")   /* not answered yet */                                       \
    X(HOST_DANE_USABLE, "usable")     /* secure address, at least one usable TLSA */               \
    X(HOST_DANE_UNUSABLE, "unusable") /* secure TLSA, none of them usable */                       \
    /* proven to have no TLSA; or an insecure address, whose TLSA is not asked for */              \
    X(HOST_DANE_NONE, "none")                                                                      \
    X(HOST_DANE_ERROR, "error") /* the TLSA lookup failed */                                       \
    X(HOST_DANE_DEAD, "dead")   /* the name or its addresses do not exist */                       \
    X(HOST_DANE_LOST, "lost")   /* the address lookup failed: dead while other hosts live */
enum host_dane { HOST_DANE_STATES(ENUM_CONSTANT) };

/* ---- STARTTLS ---- */

/* X(constant, word, sentence for people) */
#define STARTTLS_STATES(X)                                                                         \
    X(STARTTLS_UNKNOWN, "unknown", "not asked yet")                                                \
    /* a forbidden or excluded address, or probing is off */                                       \
    X(STARTTLS_SKIPPED, "skipped", "never connected to")                                           \
    /* no connection, no greeting in time, closed before an answer */                              \
    X(STARTTLS_SILENT, "silent", "did not answer")                                                 \
    /* greeting or EHLO in TLS not 2xx, 421, protocol error, plaintext after 220 */                \
    X(STARTTLS_ERROR, "error", "no usable answer")                                                 \
    X(STARTTLS_CLEAR, "clear", "STARTTLS is not offered")                                          \
    X(STARTTLS_TEMPFAIL, "tempfail", "STARTTLS is refused for now (4xx)")                          \
    /* Postfix would bounce at encrypt */                                                          \
    X(STARTTLS_REFUSED, "refused", "STARTTLS is refused (5xx)")                                    \
    /* offered and accepted, no handshake or no EHLO came of it */                                 \
    X(STARTTLS_BROKEN, "broken", "TLS does not work")                                              \
    /* EHLO was answered in TLS */                                                                 \
    X(STARTTLS_TLS, "tls", "TLS without a valid certificate")                                      \
    /* and the chain is valid for the MX host's name */                                            \
    X(STARTTLS_VERIFIED, "verified", "TLS, certificate valid")
enum starttls { STARTTLS_STATES(ENUM_CONSTANT) };

enum tlsa_match { TLSA_MATCH_NONE, TLSA_MATCH_OK, TLSA_MATCH_MISMATCH };

/* What one connection to one address of an MX host saw. The strings belong to its holder. */
struct starttls_result {
    enum starttls state;
    bool chain_ok; /* the chain ends at a trust anchor, with valid dates and sufficient strength */
    bool expired;  /* only the dates of the chain are wrong */
    bool name_ok;  /* the certificate names the MX host (RFC 6125, no CN) */
    bool distrusted;      /* the certificate that verified before: our trust anchors changed */
    enum tlsa_match tlsa; /* against the TLSA RRset the host had when it was probed */
    bool requiretls;      /* EHLO after TLS lists REQUIRETLS (RFC 8689); recorded only */
    int code;             /* the SMTP reply code that decided, 0 when none did */
    int64_t probed_at;    /* monotonic ms; 0 when never */
    int64_t valid_until;  /* monotonic ms: when it is probed again */
    const char *protocol; /* "TLSv1.3"; NULL without TLS */
    const char *cipher;   /* NULL without TLS */
    const char *subject;  /* first DNS name or subject of the leaf, escaped; NULL without one */
    const char *detail;   /* what went wrong, in words, escaped; else NULL */
    int64_t not_after;    /* leaf expiry, seconds since 1970; 0 without a certificate */
    /* Digests of the leaf and of the rest of the chain as sent, "LEAF CHAIN" in hexadecimal: as
     * shown now (NULL when the fault may be on our side), and as last VERIFIED. For the cache of
     * results; not packed. */
    const char *shown, *verified_as;
};

struct mx_address {
    struct ip ip;
    bool secure;
    struct starttls_result starttls;
};

struct mx_host {
    const char *name; /* lower case, no trailing dot */
    uint16_t preference;
    enum host_dane dane;
    bool address_secure;   /* an address RRset that counts for DANE is secure */
    bool addresses_known;  /* both address lookups have ended, successfully or not */
    bool tlsa_short;       /* a record of exactly 3 octets, which crashes old smtp(8) */
    bool tlsa_truncated;   /* more than EVIDENCE_TLSA_MAX records: some were not looked at */
    const char *tlsa_base; /* TLSA base domain, NULL without TLSA */
    const char *expanded;  /* CNAME-expanded name, NULL when the same */
    const char *why;       /* the cause, for ERROR, DEAD and LOST; else NULL */
    const char *hidden;  /* why not all its addresses are known, where some may be; NULL: they are.
                              Not packed */
    const char *failure; /* the kind of the lookup that failed: dns_failure_name; NULL: none did.
                              For counters; not packed */
    uint32_t ttl;        /* seconds: smallest of the RRsets used; UINT32_MAX when none was */
    size_t tlsa_count;
    struct tlsa *tlsa;
    size_t address_count;
    struct mx_address *addresses;
};

/* ---- MX ---- */

#define MX_STATES(X)                                                                               \
    X(MX_UNKNOWN, "unknown")                                                                       \
    X(MX_LISTED, "listed")     /* an MX RRset with at least one usable name */                     \
    X(MX_IMPLICIT, "implicit") /* NODATA: the domain is its own MX host (RFC 5321 §5.1) */        \
    X(MX_SELF, "self")         /* the key was [host] */                                            \
    X(MX_NULL, "null")         /* RFC 7505 */                                                      \
    X(MX_NXDOMAIN, "nxdomain")                                                                     \
    X(MX_UNUSABLE, "unusable") /* records, but no valid host name among them */                    \
    X(MX_ERROR, "error")       /* SERVFAIL, bogus, timeout */
enum mx_state { MX_STATES(ENUM_CONSTANT) };

/* ---- MTA-STS ---- */

enum sts_mode { STS_MODE_NONE, STS_MODE_TESTING, STS_MODE_ENFORCE };

/* A parsed policy file (RFC 8461 §3.2). */
struct sts_policy {
    enum sts_mode mode;
    uint32_t max_age; /* seconds */
    size_t mx_count;
    const char **mx; /* lower case patterns as published: "mx.example" or "*.example" */
    size_t line_count;
    const char **lines; /* every line of the file as text fit for policy_string */
};

#define STS_STATES(X)                                                                              \
    X(STS_UNKNOWN, "unknown")           /* not answered yet */                                     \
    X(STS_NOT_ASKED, "not-asked")       /* a port other than smtp's, or switched off */            \
    X(STS_NO_RECORD, "no-record")       /* no TXT, none that begins with v=STSv1, or several */    \
    X(STS_BAD_RECORD, "bad-record")     /* one record, with a syntax error */                      \
    X(STS_DNS_ERROR, "dns-error")       /* the TXT lookup failed and nothing is remembered */      \
    X(STS_FETCH_FAILED, "fetch-failed") /* a record; the fetch failed, no policy is remembered */  \
    X(STS_BAD_POLICY, "bad-policy")     /* a policy with a syntax error, and none is remembered */ \
    X(STS_POLICY, "policy")             /* valid; fetched now or remembered within its max_age */
enum sts_state { STS_STATES(ENUM_CONSTANT) };

struct sts_evidence {
    enum sts_state state;
    char id[STS_ID_MAX + 1]; /* of the policy, else of the record; may be "" */
    uint32_t ttl;            /* seconds: of the TXT answer; UINT32_MAX without one */
    const char *why;         /* what went wrong last, also beside a remembered policy */
    /* The kind of what failed in this lookup: dns_failure_name for DNS_ERROR, else
     * fetch_failure_name; NULL: nothing did. For counters; not packed */
    const char *failure;
    const struct sts_policy *policy; /* for STS_POLICY */
    int64_t fetched_at;              /* monotonic ms of the last successful fetch */
    int64_t valid_until;             /* fetched_at + max_age */
    int64_t refresh_at;              /* monotonic ms when the same id is fetched again; 0: never */
    int64_t retry_at;                /* monotonic ms before which no fetch is tried; 0: none */
};

/* ---- policy lists ---- */

#define LIST_MODES(X)                                                                              \
    X(LIST_NONE, "none") /* no list in force has the domain */                                     \
    X(LIST_TESTING, "testing")                                                                     \
    X(LIST_ENFORCE, "enforce")
enum list_mode { LIST_MODES(ENUM_CONSTANT) };

/* What the first list that has the domain says of it (mxcrypt-list(5)). The strings belong to the
 * list, which may be replaced in any turn of the loop: looked up for each decision, never packed. */
struct list_evidence {
    enum list_mode mode;
    const char *mx; /* mx_count patterns, each with its NUL, one behind the other: "mx.example" or
                       "*.example" */
    size_t mx_count;
    const char *list;  /* its name, for people */
    int64_t expires_s; /* wall clock: when the list ends */
};

/* ---- the whole ---- */

struct evidence {
    const char *domain; /* A-label, lower case; the host for a [host] key */
    uint16_t port;

    enum mx_state mx;
    bool mx_secure;
    bool mx_truncated;    /* more than EVIDENCE_MX_MAX hosts */
    uint32_t mx_ttl;      /* seconds; for negative answers by RFC 2308; UINT32_MAX: none */
    const char *mx_why;   /* the cause of MX_ERROR */
    const char *expanded; /* CNAME-expanded next-hop, NULL when the same */

    size_t host_count;
    struct mx_host *hosts; /* by preference, then name */

    struct sts_evidence sts;
    struct list_evidence list; /* not packed */

    bool complete; /* nothing more is awaited; what is UNKNOWN stays UNKNOWN */
};
