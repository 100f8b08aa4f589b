/*
 * valkey_tls: TLS to a Valkey or Redis server: the handshake for a connection of hiredis, and what
 * became of it. The server's certificate must chain to a trust anchor and be valid for the server's
 * name: hiredis's own contexts check no name. TLS 1.2 at least. Nothing but the handshake is sent
 * before the certificate is verified.
 *
 * hiredis before 1.0 has no TLS, and so has a build with it.
 */
#pragma once

#include <stdbool.h>

struct valkey_tls;
struct valkey_tls_session;
struct redisContext;

#define VALKEY_TLS_WHY_MAX 200 /* with NUL */

/* Why this build has no TLS, and what to do instead (static); NULL: it has. */
const char *valkey_tls_lacking(void);

/* What is trusted, and the client's certificate, for every connection of an owner. The files are
 * read now. ca_file NULL: the system's trust anchors; cert_file and key_file NULL: no client
 * certificate. NULL with *why (static) where a file cannot be used, without memory, or where this
 * build has no TLS. */
struct valkey_tls *valkey_tls_new(const char *ca_file, const char *cert_file, const char *key_file,
                                  const char **why);
void valkey_tls_free(struct valkey_tls *tls);

/* ---- for valkey_link_uv ---- */

/* Begins TLS on a connection that is made, on which nothing was sent. `name`: a host name or an
 * address, which the certificate must be valid for; copied. NULL with the reason in `why`: the
 * connection is as it was. */
struct valkey_tls_session *valkey_tls_begin(const struct valkey_tls *tls, const char *name,
                                            struct redisContext *context,
                                            char why[VALKEY_TLS_WHY_MAX]);
/* The connection may have ended before or not. NULL is allowed. */
void valkey_tls_end(struct valkey_tls_session *session);
/* To be called before hiredis reads or writes: OpenSSL's errors of others on this thread would be
 * taken for this connection's. NULL is allowed. */
void valkey_tls_prepare(const struct valkey_tls_session *session);
/* The handshake is under way; false for NULL. */
bool valkey_tls_in_handshake(const struct valkey_tls_session *session);
/* What is to be sent waits for room in the socket; false for NULL. */
bool valkey_tls_wants_write(const struct valkey_tls_session *session);
/* Whether the connection failed by TLS, with the reason in `why`; right after hiredis gave it up.
 * False for NULL. */
bool valkey_tls_failed(const struct valkey_tls_session *session, char why[VALKEY_TLS_WHY_MAX]);
