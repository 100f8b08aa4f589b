/*
 * tls_cost: what a peer's keys and names would cost us, known before anything is computed with
 * them.
 *
 * OpenSSL's own bounds let one handshake take half a second: a DH prime of 10,000 bits, ten DSA
 * signatures of as many, RSA exponents as long as the modulus, a million name comparisons for each
 * of ten certificates. No honest server is near the limits here.
 */
#include <openssl/core_names.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "probe/tls/tls_internal.h"

static bool rsa_too_costly(const EVP_PKEY *key)
{
    BIGNUM *exponent = NULL;
    bool costly = EVP_PKEY_get_bits(key) > TLS_RSA_BITS_MAX;

    if (!costly && EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &exponent) == 1)
        costly = BN_num_bits(exponent) > TLS_RSA_EXPONENT_MAX;
    BN_free(exponent);
    return costly;
}

/* A curve of the certificate's own making, for which there is no fast code. */
static bool curve_is_explicit(const EVP_PKEY *key)
{
    int is_explicit = 0;

    EVP_PKEY_get_int_param(key, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS, &is_explicit);
    return is_explicit == 1;
}

static bool key_too_costly(X509 *certificate)
{
    EVP_PKEY *key = X509_get0_pubkey(certificate);

    switch (key == NULL ? EVP_PKEY_NONE : EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
    case EVP_PKEY_RSA_PSS:
        return rsa_too_costly(key);
    case EVP_PKEY_DSA:
        return EVP_PKEY_get_bits(key) > TLS_FINITE_BITS_MAX;
    case EVP_PKEY_EC:
        return curve_is_explicit(key);
    default:
        return false;
    }
}

static uint64_t count_names(X509 *certificate)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    int count = X509_NAME_entry_count(X509_get_subject_name(certificate));

    if (names != NULL)
        count += sk_GENERAL_NAME_num(names);
    GENERAL_NAMES_free(names);
    return count > 0 ? (uint64_t)count : 0;
}

static uint64_t count_constraints(X509 *certificate)
{
    NAME_CONSTRAINTS *all = X509_get_ext_d2i(certificate, NID_name_constraints, NULL, NULL);
    int count = 0;

    if (all != NULL && all->permittedSubtrees != NULL)
        count += sk_GENERAL_SUBTREE_num(all->permittedSubtrees);
    if (all != NULL && all->excludedSubtrees != NULL)
        count += sk_GENERAL_SUBTREE_num(all->excludedSubtrees);
    NAME_CONSTRAINTS_free(all);
    return (uint64_t)count;
}

const char *tls_chain_too_costly(X509 *leaf, const STACK_OF(X509) * chain)
{
    uint64_t names = count_names(leaf), constraints = 0;
    int count = chain == NULL ? 0 : sk_X509_num(chain);

    if (key_too_costly(leaf))
        return "certificate has a key that costs too much to verify with";
    for (int i = 0; i < count; i++) {
        X509 *certificate = sk_X509_value(chain, i);

        if (certificate == leaf)
            continue;
        if (key_too_costly(certificate))
            return "chain has a key that costs too much to verify with";
        names += count_names(certificate);
        constraints += count_constraints(certificate);
    }
    if (names * constraints > TLS_NAME_CHECKS_MAX)
        return "chain has too many names and name constraints";
    return NULL;
}

typedef int (*security_callback)(const SSL *ssl, const SSL_CTX *ctx, int op, int bits, int nid,
                                 void *other, void *ex);
/* The library's own, the same for every context: written once, before there are threads. */
static security_callback openssl_callback;

static int refuse_costly_groups(const SSL *ssl, const SSL_CTX *ctx, int op, int bits, int nid,
                                void *other, void *ex)
{
    char group[80];

    if (op == SSL_SECOP_TMP_DH && other != NULL && EVP_PKEY_get_bits(other) > TLS_FINITE_BITS_MAX &&
        EVP_PKEY_get_group_name(other, group, sizeof group, NULL) != 1)
        return 0; /* a well-known group is cheap: its exponents are short */
    return openssl_callback(ssl, ctx, op, bits, nid, other, ex);
}

void tls_refuse_costly_groups(SSL_CTX *ssl_ctx)
{
    security_callback current = SSL_CTX_get_security_callback(ssl_ctx);

    if (current == refuse_costly_groups)
        return;
    if (openssl_callback == NULL)
        openssl_callback = current;
    SSL_CTX_set_security_callback(ssl_ctx, refuse_costly_groups);
}
