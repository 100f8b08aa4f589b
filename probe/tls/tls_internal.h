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
/* See struct tls_shown: strong. */
bool tls_handshake_is_strong(struct ssl_st *ssl);
/* Makes a context refuse Diffie-Hellman groups that cost too much. */
void tls_refuse_costly_groups(struct ssl_ctx_st *ssl_ctx);
