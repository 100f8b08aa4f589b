/*
 * facts: all that was seen of one mail domain from outside, as a sender sees it. Plain data, no
 * behaviour: check/look fills it, check/judge turns it into findings, check/records into records.
 *
 * Everything belongs to one arena. A fact that was not asked for, or could not be had, says so:
 * "not known" is never taken for "not there".
 *
 * Glossary
 *   evidence    what a sender's daemon gathers: policy/evidence.h
 *   RRset       the answer of the configured resolver to one question
 *   server      one address of one authoritative name server of a zone
 *   attempt     one connection to an address with a certain offer in its TLS handshake
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/decide/verdict.h"
#include "policy/evidence.h"
#include "probe/dns/dns.h"
#include "probe/tls/tls_chain.h"
#include "probe/tlsrpt/tlsrpt.h"

#define CHECK_ZONES_MAX   128 /* zones that the names of one domain, or certificate, are in */
#define CHECK_SERVERS_MAX 26  /* addresses of name servers of one zone that are asked */
#define CHECK_LOST_MAX    12  /* name servers of one zone that are told as lost */
#define CHECK_RUA_MAX     8   /* addresses of a TLSRPT record that are looked at */
#define CHECK_FAULTS_MAX  50  /* of one policy file */

/* ---- DNS ---- */

/* One RRset, as the configured resolver gave it. */
struct check_rrset {
    const char *name; /* that was asked; NULL: it was not */
    enum dns_type type;
    bool failed_here; /* our side: nothing is known */
    const struct dns_answer *answer;
    /* Of the authoritative servers' answers that which is signed for the shortest time; NULL: none is
     * known. A cache keeps an answer, while servers may sign it anew as it is asked for. */
    const struct dns_answer *published;
    uint32_t ttl; /* seconds: the longest of the authoritative servers' (a resolver's runs down, and
                     is capped: by unbound at a day); 0: not known */
};

/* Which of them. The first four are of the domain, the others of a host. */
#define CHECK_RRSETS(X)                                                                            \
    X(MX, "MX")                                                                                    \
    X(STS_RECORD, "MTA-STS record")                                                                \
    X(TLSRPT_RECORD, "TLSRPT record")                                                              \
    X(STS_HOST, "address of the policy host")                                                      \
    X(A, "A")                                                                                      \
    X(AAAA, "AAAA")                                                                                \
    X(TLSA, "TLSA")
#define X(word, text) CHECK_##word,
enum check_rrset_kind { CHECK_RRSETS(X) CHECK_RRSET_COUNT };
#undef X

/* What one authoritative server says of one RRset, beside what most of its zone's servers say. */
enum check_agreement {
    CHECK_NOT_ASKED,
    CHECK_SAME,
    CHECK_OTHER,  /* another RRset, or none, with authority: it lags behind, or runs ahead */
    CHECK_SILENT, /* no answer in time, or none with authority: `why` */
};

struct check_server {
    const char *name; /* of the NS record */
    struct ip ip;
    uint32_t serial; /* of its SOA; 0: not known */
    bool serial_known;
    enum check_agreement agreement; /* the worst over all RRsets that it was asked for */
    const char *rrset;              /* OTHER: the first that differs, "TLSA _25._tcp.mx.example" */
    const char *why;                /* SILENT */
};

/* A name server of which not every address is among the servers. */
struct check_lost {
    const char *name; /* of the NS record */
    const char *why;
    bool too_many; /* there are more than are asked: else an address lookup failed */
};

struct check_zone {
    const char *name;
    size_t server_count;
    struct check_server *servers;
    size_t lost_count; /* at most CHECK_LOST_MAX */
    struct check_lost *lost;
};

/* ---- SMTP ---- */

/* What an attempt offers. X(constant, word, what it is for) */
#define CHECK_OFFERS(X)                                                                            \
    X(DEFAULT, "default", "what Postfix offers")                                                   \
    X(RSA, "rsa", "certificates with an RSA key only")                                             \
    X(ECDSA, "ecdsa", "certificates with an ECDSA key only")                                       \
    X(OLD, "old", "TLS 1.0 and 1.1 only")                                                          \
    X(WEAK, "weak", "ciphers that nobody should take: none, export, RC4, 3DES and the like")
#define X(word, name, text) CHECK_OFFER_##word,
enum check_offer { CHECK_OFFERS(X) CHECK_OFFER_COUNT };
#undef X

struct check_attempt {
    bool made;           /* false: nothing below is known */
    bool failed_here;    /* our side failed: nothing is known either */
    enum starttls state; /* TLS: it works; never VERIFIED: the judge decides that */
    int code;            /* the SMTP reply that decided; 0: none did */
    const char *detail;  /* what went wrong, escaped; NULL: nothing */
    const char *failure; /* smtp_failure_name; NULL: none */
    const char *protocol, *cipher;
    bool requiretls;         /* offered in EHLO after TLS */
    struct tls_chain *chain; /* what was shown; a reference of the facts'; NULL: nothing */
    struct tls_shown shown;  /* the same as octets, and whether it verifies */
    size_t certificate_count;
    struct tls_certificate *certificates; /* the leaf first */
    /* of the chain, for the host's name and TLSA records */
    bool name_ok;
    enum tlsa_match tlsa;
    bool *tlsa_matched; /* of each of the host's records; NULL: not compared */
};

/* Whether MAIL without TLS is refused; only with --enforced. */
enum check_enforced { CHECK_ENFORCED_UNKNOWN, CHECK_ENFORCED_YES, CHECK_ENFORCED_NO };

struct check_address {
    struct ip ip;
    bool secure;
    const char *forbidden; /* why it is not connected to: private, excluded; NULL: it is */
    struct check_attempt attempts[CHECK_OFFER_COUNT];
    struct check_rrset reverse; /* PTR */
    bool reverse_confirmed;     /* a name of it leads back to this address */
    enum check_enforced enforced;
    int enforced_code; /* the reply to MAIL; 0: none */
};

struct check_host {
    const char *name;
    uint16_t preference;
    bool alias;                     /* the MX name is a CNAME */
    const struct mx_host *evidence; /* of facts.evidence */
    struct check_rrset a, aaaa;
    struct check_rrset tlsa; /* asked even where the address is not signed */
    size_t stump_count;      /* of `tlsa`: fewer than 3 octets, which is no record at all */
    size_t record_count;     /* of `tlsa`, parsed */
    struct tlsa *records;
    size_t address_count;
    struct check_address *addresses;
};

/* ---- MTA-STS ---- */

/* One fault of a policy file. */
struct check_fault {
    unsigned line; /* from 1; 0: of the whole file */
    bool severe;   /* the file is no policy; else it is one, and may be better */
    const char *text;
};

struct check_policy {
    bool asked;
    bool failed_here;
    int status;               /* of HTTP; 0: no response */
    const char *failure;      /* fetch_failure_name; NULL: fetched */
    const char *why;          /* in words; NULL: fetched */
    const char *content_type; /* as sent, escaped; NULL: none */
    const char *body;         /* escaped nowhere: octets; NULL: none came */
    size_t length;
    size_t fault_count; /* at most CHECK_FAULTS_MAX */
    struct check_fault *faults;
    const struct sts_policy *policy; /* NULL: no valid one */
};

/* ---- TLSRPT ---- */

enum check_reach { CHECK_REACH_UNKNOWN, CHECK_REACH_YES, CHECK_REACH_NO };

struct check_rua {
    const char *uri; /* escaped */
    enum check_reach
        reach;       /* mailto: its domain accepts mail; https: a TLS connection comes about */
    const char *why; /* NO, UNKNOWN */
};

/* ---- what was remembered of an earlier run ---- */

struct check_before {
    bool known;
    char sts_id[STS_ID_MAX + 1];
    char policy_sha256[65]; /* of the policy file's octets */
};

/* ---- senders ---- */

/* Senders by what they look at. X(constant, word, dane, mta_sts) */
#define CHECK_SENDERS(X)                                                                           \
    X(BOTH, "dane-and-mta-sts", true, true)                                                        \
    X(DANE, "dane", true, false)                                                                   \
    X(STS, "mta-sts", false, true)                                                                 \
    X(NEITHER, "opportunistic", false, false)
#define X(word, name, dane, sts) CHECK_SENDER_##word,
enum check_sender { CHECK_SENDERS(X) CHECK_SENDER_COUNT };
#undef X

/* ---- the whole ---- */

struct check_facts {
    const char *domain; /* A-label, lower case */
    int64_t now_s;      /* seconds since 1970 */
    bool validating;    /* the resolver validates: else DNSSEC is not known */
    bool probed;        /* mail hosts were connected to */
    bool enforced;      /* --enforced */

    const struct evidence *evidence; /* as a sender's daemon has it */
    struct verdict verdicts[CHECK_SENDER_COUNT];

    struct check_rrset mx, sts_record, tlsrpt_record, sts_a, sts_aaaa;
    bool null_mx_among;    /* a null MX beside other records: RFC 7505 §3 */
    size_t bad_name_count; /* MX names that are no host names */
    const char *const *bad_names;
    size_t host_count;
    struct check_host *hosts;

    const char *sts_wildcard; /* the name whose address record also answers for a name that nobody
                                 published, with the policy host's addresses; NULL: none */
    struct check_policy policy;
    struct tlsrpt tlsrpt;
    size_t rua_count;
    struct check_rua *ruas;

    size_t zone_count;
    struct check_zone *zones;

    struct check_before before;
};
