/*
 * tls_internal: what the tls*.c files share. OpenSSL's types are named by their tags here, so that
 * this header, as every other, does without theirs.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/file.h"
#include "probe/tls/tls.h"

/* Limits on what a peer may send (docs/conformance.md hostile 8, 9). */
#define TLS_CERT_LIST_MAX        102400 /* octets of a Certificate message */
#define TLS_HANDSHAKE_OCTETS_MAX 262144 /* received before the handshake is complete */
#define TLS_OCTETS_MAX           524288 /* received in the whole session */
#define TLS_RECORDS_MAX          1000   /* received in the whole session */
#define TLS_POST_MESSAGES_MAX    32     /* tickets and key updates after the handshake */
#define TLS_PLAIN_MAX            65536  /* decrypted octets that have not been read yet */

/* Limits on what a peer may make us compute: the loop must not stand still for 50 ms. */
#define TLS_CHAIN_DEPTH_MAX  10 /* intermediate certificates */
#define TLS_RSA_BITS_MAX     8192
#define TLS_RSA_EXPONENT_MAX 64     /* bits of the public exponent */
#define TLS_FINITE_BITS_MAX  4096   /* DSA; DH in a group that is not a well-known one */
#define TLS_NAME_CHECKS_MAX  262144 /* names times name constraints of a chain */

#define TLS_ANCHORS_WHY_MAX 400

/* The options that leave out the versions which are not in the set. */
uint64_t tls_version_options(unsigned versions);

struct x509_st;
struct stack_st_X509;
struct X509_name_st;
struct asn1_string_st;

/* Where the trust anchors are. */
struct tls_anchors {
    const char *file, *path; /* borrowed; NULL: none */
    bool of_system;          /* not named by the operator */
    struct file_mark mark;   /* before they were loaded, so that no change is missed */
};

/* Reads them, on any thread: a new store; NULL with why when there are none, or without memory. */
struct x509_store_st *tls_anchors_load(const struct tls_anchors *anchors,
                                       char why[TLS_ANCHORS_WHY_MAX]);
struct file_mark tls_anchors_look(const struct tls_anchors *anchors);

struct tls_context {
    struct tls_anchors anchors;
    struct ssl_ctx_st *ssl_ctx; /* owned */
    unsigned versions;          /* allowed */
    bool strict;                /* less is allowed than OpenSSL has */
};

struct tls_session {
    struct tls_context *context; /* borrowed */
    struct ssl_st *ssl;          /* owned; owns both BIOs */
    struct bio_st *in, *out;
    enum tls_progress progress;
    bool handshaken;
    enum tls_refusal refusal;
    size_t octets, records, post_messages; /* received */
    struct buf plain;                      /* decrypted, not read yet */
    char why[160];
};

/* Whether a context takes this cipher, by OpenSSL's name. */
bool tls_has_cipher(const struct ssl_ctx_st *context, const char *name);
/* Why a leaf and what came with it (NULL: nothing) would cost too much to verify: static words,
 * NULL when they would not. */
const char *tls_chain_too_costly(struct x509_st *leaf, const struct stack_st_X509 *chain);
/* Makes a context refuse Diffie-Hellman groups that cost too much. */
void tls_refuse_costly_groups(struct ssl_ctx_st *ssl_ctx);

/* ---- certificates ---- */

struct tls_der;

/* The certificates of a peer, as OpenSSL has them. */
struct tls_peer {
    struct ssl_ctx_st *ssl_ctx; /* with the trust anchors */
    struct x509_st *leaf;
    struct stack_st_X509 *certificates; /* leaf included */
};

#define TLS_VERDICT_WORDS_MAX 300

/* One run of OpenSSL's verification. */
struct tls_verdict {
    int error; /* X509_V_OK when it went well */
    int depth;
    char words[TLS_VERDICT_WORDS_MAX];
};

/* By our trust anchors, whatever the name; the dates count unless `at_any_time`. */
void tls_verify_pkix(struct tls_verdict *out, const struct tls_peer *peer, bool at_any_time);
/* By the usable TLSA records; MISMATCH without a fault in *out when that would cost too much. */
enum tlsa_match tls_verify_dane(struct tls_verdict *out, const struct tls_peer *peer,
                                const struct tls_reference *reference);

/* One certificate and nothing after it; NULL for anything else. Owned by the caller. */
struct x509_st *tls_der_read(const struct tls_der *der);
struct tls_certificate;
struct arena;
/* As tls_certificate_read. */
bool tls_x509_describe(struct tls_certificate *out, struct arena *arena,
                       struct x509_st *certificate);
/* Seconds since 1970; 0 for a time that cannot be read. */
int64_t tls_seconds(const struct asn1_string_st *time);

/* Words about certificates, escaped: in tls_words.c. */
#define TLS_NAME_WORDS_MAX 160

/* The common name, else the whole name in one line. */
void tls_name_words(char *out, size_t size, const struct X509_name_st *name);
/* The organisation, else the same. */
void tls_organisation_words(char *out, size_t size, const struct X509_name_st *name);
/* Writes the first DNS name of the certificate and returns how many there are. */
int tls_dns_names(char *out, size_t size, struct x509_st *certificate);
void tls_wrong_name_words(char *out, size_t size, struct x509_st *leaf, const char *host);
/* What the verification found; `at` is the certificate it was found in, or NULL. */
void tls_error_words(char *out, size_t size, int error, int depth, struct x509_st *at);
