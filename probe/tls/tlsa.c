/*
 * tlsa: see tlsa.h. A record that cannot be used stays, marked: it still means that the domain has
 * TLSA records (RFC 7672 §2.2.3), and its usages 0 and 1 are never trusted for SMTP (§3.1.3).
 */
#include "probe/tls/tlsa.h"

#include <openssl/err.h>
#include <openssl/x509.h>

#define FIXED_OCTETS  3 /* usage, selector, matching type */
#define SHA256_OCTETS 32
#define SHA512_OCTETS 64

enum { USAGE_DANE_TA = 2, USAGE_DANE_EE = 3 };
enum { SELECTOR_CERT = 0, SELECTOR_SPKI = 1 };
enum { MATCHING_FULL = 0, MATCHING_SHA256 = 1, MATCHING_SHA512 = 2 };

/* True when the data is a whole DER certificate or public key. */
static bool is_der(const struct tlsa *tlsa)
{
    const unsigned char *at = tlsa->data;
    X509 *certificate = NULL;
    EVP_PKEY *key = NULL;
    bool ok;

    if (tlsa->selector == SELECTOR_CERT)
        certificate = d2i_X509(NULL, &at, tlsa->length);
    else
        key = d2i_PUBKEY(NULL, &at, tlsa->length);
    ok = (key != NULL || (certificate != NULL && X509_get0_pubkey(certificate) != NULL)) &&
         at == tlsa->data + tlsa->length;
    X509_free(certificate);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return ok;
}

static bool data_fits(const struct tlsa *tlsa)
{
    switch (tlsa->matching_type) {
    case MATCHING_FULL:
        return tlsa->length > 0 && is_der(tlsa);
    case MATCHING_SHA256:
        return tlsa->length == SHA256_OCTETS;
    case MATCHING_SHA512:
        return tlsa->length == SHA512_OCTETS;
    default:
        return false;
    }
}

bool tlsa_parse(struct tlsa *out, const uint8_t *rdata, size_t length)
{
    if (length < FIXED_OCTETS || length - FIXED_OCTETS > UINT16_MAX)
        return false;
    *out = (struct tlsa){.usage = rdata[0],
                         .selector = rdata[1],
                         .matching_type = rdata[2],
                         .length = (uint16_t)(length - FIXED_OCTETS),
                         .data = rdata + FIXED_OCTETS};
    out->usable = (out->usage == USAGE_DANE_TA || out->usage == USAGE_DANE_EE) &&
                  (out->selector == SELECTOR_CERT || out->selector == SELECTOR_SPKI) &&
                  data_fits(out);
    return true;
}

bool tlsa_any_usable(const struct tlsa *records, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (records[i].usable)
            return true;
    return false;
}
