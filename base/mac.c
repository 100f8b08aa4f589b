/* mac: see mac.h. */
#include "base/mac.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdint.h>
#include <stdio.h>

#define DIGEST_OCTETS 32

static bool add_pieces(EVP_MAC_CTX *context, const struct mac_piece *pieces, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        unsigned char length[8];
        uint64_t rest = pieces[i].length;

        for (int octet = 7; octet >= 0; octet--, rest >>= 8)
            length[octet] = (unsigned char)rest;
        if (EVP_MAC_update(context, length, sizeof length) != 1 ||
            EVP_MAC_update(context, pieces[i].octets, pieces[i].length) != 1)
            return false;
    }
    return true;
}

bool mac_make(char out[MAC_TEXT_MAX], const void *key, size_t key_length,
              const struct mac_piece *pieces, size_t count)
{
    static char sha256[] = "SHA256";
    const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string("digest", sha256, 0),
                                 OSSL_PARAM_construct_end()};
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *context = mac == NULL ? NULL : EVP_MAC_CTX_new(mac);
    unsigned char digest[DIGEST_OCTETS];
    size_t length = 0;
    bool made = context != NULL && EVP_MAC_init(context, key, key_length, params) == 1 &&
                add_pieces(context, pieces, count) &&
                EVP_MAC_final(context, digest, &length, sizeof digest) == 1 &&
                length == sizeof digest;

    EVP_MAC_CTX_free(context);
    EVP_MAC_free(mac);
    for (size_t i = 0; made && i < sizeof digest; i++)
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
    return made;
}

bool mac_equal(const char *a, const char *b)
{
    return CRYPTO_memcmp(a, b, MAC_TEXT_MAX - 1) == 0;
}
