/*
 * tls_chain: the certificates that a server showed, kept beyond its session, so that they can be
 * judged later and for any number of names without another connection. tls_session_judge is the
 * same judgement for one name, made at once.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "policy/evidence.h"
#include "probe/tls/tls.h"

/* Certificates of a chain that are kept: more than one that verifies can have. */
#define TLS_SHOWN_MAX 32

/* One certificate as sent. */
struct tls_der {
    const uint8_t *data;
    size_t length;
};

/* Why a chain does not verify, in few kinds for counters. X(enum word, name, words for people) */
#define TLS_FAULTS(X)                                                                              \
    X(NONE, "none", "the chain ends at a trust anchor")                                            \
    X(ANONYMOUS, "anonymous", "no certificate was shown")                                          \
    X(SELF_SIGNED, "self-signed", "the certificate is signed by itself")                           \
    X(UNKNOWN_ISSUER, "unknown-issuer", "no chain to a trust anchor was found")                    \
    X(EXPIRED, "expired", "a certificate of the chain has expired")                                \
    X(NOT_YET_VALID, "not-yet-valid", "a certificate of the chain is not valid yet")               \
    X(WEAK, "weak", "a key or signature of the chain is too weak")                                 \
    X(COSTLY, "costly", "the chain would cost too much to verify")                                 \
    X(OTHER, "other", "the chain is not valid for another reason")

#define X(word, name, text) TLS_FAULT_##word,
enum tls_fault { TLS_FAULTS(X) TLS_FAULT_COUNT };
#undef X

/* What verifying a chain came to. It goes with the certificates, so that it is done once. */
struct tls_finding {
    bool verified; /* else the rest is not known */
    enum tls_fault fault;
    bool only_dates; /* the dates are all that is wrong with it */
    const char *why; /* the fault in words, escaped; NULL without one */
};

/* What a server showed. Memory belongs to its holder. */
struct tls_shown {
    size_t count; /* certificates, the leaf first; 0: an anonymous cipher */
    struct tls_der certificates[TLS_SHOWN_MAX];
    /* The handshake would have been made at security level 1 as well, which Postfix sets from
     * `verify` up: version, cipher, key exchange and signature are strong enough. */
    bool strong;
    struct tls_finding finding;
};

const char *tls_fault_name(enum tls_fault fault);

struct tls_chain;

/*
 * Parses what was shown and, unless its finding is known, verifies the chain against the context's
 * trust anchors, at the present time, once for all names. `shown` is borrowed for the call only;
 * octets that are no certificate give a chain with TLS_FAULT_OTHER that names nobody. NULL without
 * memory.
 */
struct tls_chain *tls_chain_new(struct tls_context *context, const struct tls_shown *shown);
/* After TLS_READY: the same of what the session's server showed, verified against the session's trust
 * anchors. NULL without memory. */
struct tls_chain *tls_session_chain(const struct tls_session *session);
/* One more holder of the chain, which may be on another thread; each calls tls_chain_free. Only one
 * of them may judge by it at a time. */
struct tls_chain *tls_chain_share(struct tls_chain *chain);
/* What there was to parse, to be kept: octets and words are the arena's. False without memory. */
bool tls_chain_shown(const struct tls_chain *chain, struct arena *arena, struct tls_shown *out);
void tls_chain_free(struct tls_chain *chain);
/* The chain's. */
const struct tls_finding *tls_chain_finding(const struct tls_chain *chain);

/*
 * Judges the chain for one MX host: fills state (TLS or VERIFIED), chain_ok, expired, name_ok, tlsa,
 * not_after, subject and detail of *out exactly as tls_session_judge does, and leaves the rest of
 * it. Strings are the arena's.
 */
void tls_chain_judge(struct tls_chain *chain, const struct tls_reference *reference,
                     struct arena *arena, struct starttls_result *out);
/* Whether the leaf names `host` in a DNS SAN (RFC 6125, no CN, no partial wildcard). */
bool tls_chain_names(const struct tls_chain *chain, const char *host);
/* Whether one TLSA record alone would match (RFC 7672 §3.2). Not usable: never. */
bool tls_chain_matches(struct tls_chain *chain, const struct tls_reference *reference,
                       const struct tlsa *record);

/* What is in a certificate, for people and for statistics. Strings are the arena's, escaped. */
struct tls_certificate {
    char sha256[65];         /* of the certificate, in hexadecimal */
    char key_sha256[65];     /* of its SubjectPublicKeyInfo: selector 1 of TLSA records */
    const char *subject;     /* common name, else the whole name */
    const char *issuer;      /* organisation, else common name, else the whole name */
    const char *issuer_name; /* common name, else the whole name */
    const char *key_type;    /* "RSA", "EC", "ED25519", ...; "unknown" */
    unsigned key_bits;
    const char *signature;         /* "sha256WithRSAEncryption", "ecdsa-with-SHA384", ... */
    int64_t not_before, not_after; /* seconds since 1970 */
    bool self_signed;              /* subject and issuer are the same, and so is the key */
    unsigned name_count;           /* DNS names in it */
    const char *names;             /* the first of them, joined by blanks, at most 1000 octets */
};
/* The certificate at that place of a chain. False when there is none, or without memory. */
bool tls_chain_certificate(const struct tls_chain *chain, size_t index, struct arena *arena,
                           struct tls_certificate *out);
/* False for octets that are no certificate, or without memory. */
bool tls_certificate_read(struct tls_certificate *out, struct arena *arena,
                          const struct tls_der *der);
