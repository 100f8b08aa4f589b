/* issuers: issuers of certificates that issue no more, by the digests of their keys. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ISSUER_DIGEST_OCTETS 32

/* The name of the retired issuer whose SubjectPublicKeyInfo has this SHA-256; NULL: it is not known
 * to have retired. */
const char *issuer_retired(const uint8_t *digest, size_t length);
/* The same of a digest as 64 hexadecimal digits, lower case. */
const char *issuer_retired_text(const char *digest);
/* For tests: the i-th of the table, its digest in hexadecimal; NULL past the end. */
const char *issuer_digest(size_t i);
