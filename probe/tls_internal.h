/*
 * tls_internal: what the tls*.c files share. OpenSSL's types are named by their tags here, so that
 * this header, as every other, does without theirs.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "probe/tls.h"

/* Limits on what a peer may send or make us verify (CONFORMANCE hostile 8, 9). */
#define TLS_CERT_LIST_MAX        102400 /* octets of a Certificate message */
#define TLS_CHAIN_DEPTH_MAX      10     /* intermediate certificates */
#define TLS_RSA_BITS_MAX         8192
#define TLS_HANDSHAKE_OCTETS_MAX 262144 /* received before the handshake is complete */
#define TLS_OCTETS_MAX           524288 /* received in the whole session */
#define TLS_RECORDS_MAX          1000   /* received in the whole session */
#define TLS_POST_MESSAGES_MAX    32     /* tickets and key updates after the handshake */
#define TLS_PLAIN_MAX            65536  /* decrypted octets that nobody has read yet */

struct x509_st;
struct stack_st_X509;

struct tls_context {
    struct ssl_ctx_st *ssl_ctx; /* owned */
};

struct tls_session {
    struct tls_context *context; /* borrowed */
    struct ssl_st *ssl;          /* owned; owns both BIOs */
    struct bio_st *in, *out;
    enum tls_progress progress;
    bool handshaken;
    size_t octets, records, post_messages; /* received */
    struct buf plain;                      /* decrypted, not read yet */
    char why[160];
};

/* True when the certificate has an RSA key that costs too much to verify with. */
bool tls_key_too_large(const struct x509_st *certificate);
/* The same for any of a chain; NULL is none. */
bool tls_chain_too_large(const struct stack_st_X509 *chain);
