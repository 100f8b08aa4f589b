/*
 * tls: TLS without a socket, for the prober; and the strictness of the policy fetch. OpenSSL stays
 * behind this header.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "policy/evidence.h"
#include "probe/tls/tls_settings.h"

/* Frees what OpenSSL allocated for the calling thread. For the end of work on a thread of the pool,
 * which lives until the process ends. */
void tls_thread_end(void);

struct tls_context; /* trust anchors and settings, shared by all sessions */
struct tls_session; /* one client connection */

/*
 * Loads the trust anchors: `ca_file` and `ca_path`, both borrowed as long as the context lives, or
 * the system's store when both are NULL. 0; -1 with *why (static) when there are none: a missing
 * bundle is fatal at start.
 */
int tls_context_new(struct tls_context **out, const char *ca_file, const char *ca_path,
                    const char **why);
void tls_context_free(struct tls_context *context);
/* When those anchors had changed last, wall clock ms; 0 when there is nothing to tell it by. */
int64_t tls_context_anchors_changed_ms(const struct tls_context *context);
/* Sessions made from now on end with these versions and ciphers; without it, with those that
 * Postfix takes by default. False when OpenSSL has none of the ciphers. */
bool tls_context_demand(struct tls_context *context, const struct tls_settings *settings);

/* True when those are fewer than OpenSSL has. */
bool tls_context_is_strict(const struct tls_context *context);
/* The key of the configuration that does not allow a version or a cipher, both by OpenSSL's name
 * and either NULL; NULL when they are allowed. */
const char *tls_context_denies(const struct tls_context *context, const char *version,
                               const char *cipher);

/* A client session as smtp(8) makes it at encrypt, but with aNULL last; SNI `sni`. */
struct tls_session *tls_session_new(struct tls_context *context, const char *sni);
void tls_session_free(struct tls_session *session);
/* What a handshake offers. */
enum tls_offer {
    TLS_OFFER_DEMANDED, /* what tls_context_demand says */
    TLS_OFFER_ALL,      /* all that OpenSSL has, to find out what a host does that refused that */
    TLS_OFFER_OLD,      /* TLS 1.0 and 1.1 */
    TLS_OFFER_WEAK,     /* ciphers that nobody should take, as far as this OpenSSL has them */
    TLS_OFFER_RSA,      /* certificates with RSA keys only, of a host that may have several */
    TLS_OFFER_ECDSA
};
/* Before the first feed; without it TLS_OFFER_DEMANDED. False when OpenSSL has nothing of it. */
bool tls_session_offer(struct tls_session *session, enum tls_offer offer);

enum tls_progress { TLS_WANT_MORE, TLS_READY, TLS_CLOSED, TLS_BROKEN };

/*
 * Feeds octets from the peer (may be none) and goes on with the handshake; what must be sent is
 * appended to `out`. TLS_READY once the handshake is complete, and again on every later call.
 * Records and octets are counted: an endless handshake or key-update flood gives TLS_BROKEN.
 */
enum tls_progress tls_session_feed(struct tls_session *session, const void *data, size_t length,
                                   struct buf *out);
/* Encrypts for the peer, appending to `out`. 0 or -1. */
int tls_session_write(struct tls_session *session, const void *data, size_t length,
                      struct buf *out);
/* Decrypted octets waiting, at most `size`; 0 when there are none. */
size_t tls_session_read(struct tls_session *session, void *data, size_t size);
/* Why the session is TLS_BROKEN, printable ASCII; "" otherwise. The session's. */
const char *tls_session_why(const struct tls_session *session);

/* How a peer refused a handshake: what may help another attempt. */
enum tls_refusal {
    TLS_REFUSAL_NONE,   /* it did not */
    TLS_REFUSAL_OTHER,  /* for a reason that may be the SNI */
    TLS_REFUSAL_VERSION /* protocol_version, insufficient_security, or its choice is not ours */
};
enum tls_refusal tls_session_refusal(const struct tls_session *session);

/* What the certificate is compared with. */
struct tls_reference {
    const char *host;        /* the MX host name, for the chain-and-name check */
    const struct tlsa *tlsa; /* usable and unusable ones; may be none */
    size_t tlsa_count;
    /* usage 2: TLSA base domain, next-hop, expanded next-hop; NULL ends */
    const char *tlsa_names[4];
};

/*
 * After TLS_READY: fills protocol, cipher, subject, shown, not_after, chain_ok, expired, name_ok,
 * tlsa and, when the chain or name fails, detail, of *out; sets state to TLS or VERIFIED. `expired`
 * is true when only its dates keep it from VERIFIED. Strings are the arena's. PKIX: at
 * security level 1, name by DNS SAN only; DANE: RFC 7672 §3.2 with digest agility.
 */
void tls_session_judge(struct tls_session *session, const struct tls_reference *reference,
                       struct arena *arena, struct starttls_result *out);

/* After TLS_READY: fills protocol and cipher of *out only. Strings are the arena's. */
void tls_session_describe(const struct tls_session *session, struct arena *arena,
                          struct starttls_result *out);

/*
 * Makes an SSL_CTX of a policy fetch strict (RFC 8461 §3.3, RFC 6125): the certificate must name
 * `host` in a DNS SAN (no CN, no partial wildcard), no renegotiation, no tickets, chains of at most
 * 100 KB and 10 certificates, no keys that cost too much. `ssl_ctx` is an SSL_CTX *. Its
 * certificate store becomes the one that `context` loaded at start (shared, one reference more),
 * because reading the system's bundle again for every fetch would stall the loop. 0 or -1.
 */
int tls_harden_policy_client(void *ssl_ctx, const char *host, struct tls_context *context);
