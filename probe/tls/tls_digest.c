/* tls_digest: see tls_digest.h. */
#include "probe/tls/tls_digest.h"

#include <openssl/sha.h>

#include "base/escape.h"

void tls_digest(char out[TLS_DIGEST_TEXT], const void *data, size_t length)
{
    unsigned char octets[SHA256_DIGEST_LENGTH];

    out[0] = '\0';
    if (SHA256(data, length, octets) != NULL)
        escape_hex(out, octets, sizeof octets);
}
