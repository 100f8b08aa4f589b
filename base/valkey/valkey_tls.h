/*
 * valkey_tls: TLS to a Valkey or Redis server: the handshake for a connection of hiredis. The
 * server's certificate must chain to a trust anchor and have the server's name: hiredis's own
 * contexts check no name. hiredis before 1.0 has no TLS, and so has a build with it.
 */
#pragma once

#include <stdbool.h>

struct valkey_tls;
struct redisContext;

/* What is trusted, and who one is, for every connection of an owner. ca_file NULL: the system's
 * trust anchors; cert_file and key_file NULL: no client certificate. NULL with *why (static) where a
 * file cannot be used, without memory, or where this build has no TLS. */
struct valkey_tls *valkey_tls_new(const char *ca_file, const char *cert_file, const char *key_file,
                                  const char **why);
void valkey_tls_free(struct valkey_tls *tls);

/* For valkey_link_uv: begins TLS on a connection that is being made. `name`: a host name or an
 * address, which the certificate must have. False without memory. */
bool valkey_tls_begin(const struct valkey_tls *tls, const char *name, struct redisContext *context);
