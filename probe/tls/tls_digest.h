/* tls_digest: SHA-256 as text. */
#pragma once

#include <stddef.h>

#define TLS_DIGEST_TEXT 65 /* octets, the NUL included */

/* Writes the digest in hexadecimal; "" when OpenSSL has no memory. */
void tls_digest(char out[TLS_DIGEST_TEXT], const void *data, size_t length);
