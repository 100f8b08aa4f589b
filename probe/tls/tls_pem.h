/*
 * tls_pem: certificates in files, as an ACME client leaves them, and what TLSA records say of them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "probe/tls/tls_chain.h"

#define TLS_PEM_MAX 262144 /* octets of a file; a chain has about 6,000 */

/*
 * Reads the certificates of a PEM file (RFC 7468), the leaf first, each issued by the one that
 * follows; other blocks, as private keys, are passed over. Fills count and certificates of *out,
 * which are the arena's. NULL, or what is wrong (static).
 */
const char *tls_pem_read(struct tls_shown *out, struct arena *arena, const char *text,
                         size_t length);
/* Whether the first private key of a PEM file is that of a certificate. NULL, or what is wrong
 * (static). A key under a passphrase cannot be read. */
const char *tls_pem_key(const char *text, size_t length, const struct tls_der *certificate);

/* Whether a certificate names `host` in a DNS SAN (RFC 6125, no CN, no partial wildcard). */
bool tls_der_names(const struct tls_der *certificate, const char *host);

/* The DNS names of a certificate that are host names, in lower case; a wildcard is none. Writes at
 * most `max`, the arena's, and returns how many there are. */
size_t tls_der_hosts(const char **out, size_t max, struct arena *arena,
                     const struct tls_der *certificate);

/* The data of the TLSA records that a certificate matches. */
struct tls_association {
    size_t length;
    const uint8_t *data;
};

#define TLS_SELECTORS      2
#define TLS_MATCHING_TYPES 3

/* By selector and matching type (RFC 6698 §2.1.2, §2.1.3). */
struct tls_associations {
    struct tls_association of[TLS_SELECTORS][TLS_MATCHING_TYPES];
};

/* Data is the arena's. False for octets that are no certificate, or without memory. */
bool tls_associations_read(struct tls_associations *out, struct arena *arena,
                           const struct tls_der *certificate);
