/*
 * certs: certificates made at run time for the tests; EC keys, dates relative to now.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/check.h"
#include "probe/tls/tls.h"

#define CERT_DAY 86400L

struct cert {
    X509 *x509;
    EVP_PKEY *key;
};

/* One subjectAltName; the octets may be anything. */
struct cert_name {
    int type; /* GEN_DNS, ... ; 0 ends */
    const char *octets;
    int length; /* 0: strlen */
};

struct cert_spec {
    const char *cn;
    const struct cert_name *names;
    const struct cert *issuer; /* NULL: self-signed */
    bool ca;
    long from_s, until_s;   /* relative to now; both 0: from yesterday to tomorrow */
    EVP_PKEY *key;          /* taken; NULL: a new P-256 key */
    const char *extended;   /* extendedKeyUsage */
    const char *constraint; /* nameConstraints */
};

static inline void cert_extend(X509 *x509, const X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509_EXTENSION *extension;

    X509V3_set_ctx(&context, (X509 *)(uintptr_t)issuer, x509, NULL, NULL, 0);
    extension = X509V3_EXT_nconf_nid(NULL, &context, nid, value);
    assert_non_null(extension);
    assert_int_equal(X509_add_ext(x509, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

static inline void cert_add_names(X509 *x509, const struct cert_name *names)
{
    GENERAL_NAMES *list = sk_GENERAL_NAME_new_null();

    for (; names->type != 0; names++) {
        int type = names->type == GEN_IPADD ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING;
        GENERAL_NAME *name = GENERAL_NAME_new();
        ASN1_STRING *text = ASN1_STRING_type_new(type);
        int length = names->length > 0 ? names->length : (int)strlen(names->octets);

        assert_int_equal(ASN1_STRING_set(text, names->octets, length), 1);
        GENERAL_NAME_set0_value(name, names->type, text);
        assert_true(sk_GENERAL_NAME_push(list, name) > 0);
    }
    assert_int_equal(X509_add1_ext_i2d(x509, NID_subject_alt_name, list, 0, 0), 1);
    GENERAL_NAMES_free(list);
}

static inline struct cert cert_make(const struct cert_spec *spec)
{
    static long serial = 1;
    bool dated = spec->from_s != 0 || spec->until_s != 0;
    struct cert cert = {X509_new(), spec->key != NULL ? spec->key : EVP_EC_gen("P-256")};
    const struct cert *issuer = spec->issuer != NULL ? spec->issuer : &cert;
    X509_NAME *name = X509_get_subject_name(cert.x509);

    assert_non_null(cert.key);
    X509_set_version(cert.x509, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert.x509), serial++);
    X509_gmtime_adj(X509_getm_notBefore(cert.x509), dated ? spec->from_s : -CERT_DAY);
    X509_gmtime_adj(X509_getm_notAfter(cert.x509), dated ? spec->until_s : CERT_DAY);
    assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                                (const unsigned char *)spec->cn, -1, -1, 0),
                     1);
    X509_set_issuer_name(cert.x509, X509_get_subject_name(issuer->x509));
    X509_set_pubkey(cert.x509, cert.key);
    cert_extend(cert.x509, cert.x509, NID_basic_constraints,
                spec->ca ? "critical,CA:TRUE" : "CA:FALSE");
    if (spec->ca)
        cert_extend(cert.x509, cert.x509, NID_key_usage, "critical,keyCertSign");
    if (spec->names != NULL)
        cert_add_names(cert.x509, spec->names);
    if (spec->extended != NULL)
        cert_extend(cert.x509, cert.x509, NID_ext_key_usage, spec->extended);
    if (spec->constraint != NULL)
        cert_extend(cert.x509, cert.x509, NID_name_constraints, spec->constraint);
    assert_true(X509_sign(cert.x509, issuer->key, EVP_sha256()) > 0);
    return cert;
}

static inline void cert_free(struct cert *cert)
{
    X509_free(cert->x509);
    EVP_PKEY_free(cert->key);
    memset(cert, 0, sizeof *cert);
}

/* A context that trusts `root` and nobody else. */
static inline struct tls_context *cert_context(const struct cert *root)
{
    char path[] = "/tmp/mxcrypt-test-XXXXXX";
    struct tls_context *context = NULL;
    const char *why = NULL;
    int fd = mkstemp(path);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");

    CHECK(file != NULL && PEM_write_X509(file, root->x509) == 1);
    fclose(file);
    CHECK(tls_context_new(&context, path, NULL, &why) == 0);
    unlink(path);
    return context;
}

/* A server's SSL_CTX with a leaf and what it sends along; takes any TLS version. */
static inline SSL_CTX *cert_server(const struct cert *leaf, const struct cert *const *along)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

    assert_non_null(ctx);
    SSL_CTX_set_security_level(ctx, 0);
    SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    if (leaf == NULL)
        return ctx;
    assert_int_equal(SSL_CTX_use_certificate(ctx, leaf->x509), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(ctx, leaf->key), 1);
    for (; along != NULL && *along != NULL; along++)
        assert_int_equal(SSL_CTX_add1_chain_cert(ctx, (*along)->x509), 1);
    return ctx;
}

/* An RSA key of any size whose private half nobody has: for what must not be verified with. The
 * public exponent has `e_bits` bits. */
static inline EVP_PKEY *cert_large_key(int bits, int e_bits)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    BIGNUM *n = BN_new(), *e = BN_new();
    EVP_PKEY *key = NULL;
    OSSL_PARAM *params;

    assert_true(BN_set_bit(n, bits - 1) && BN_set_bit(n, 0));
    assert_true(BN_set_bit(e, e_bits - 1) && BN_set_bit(e, 0));
    OSSL_PARAM_BLD_push_BN(build, "n", n);
    OSSL_PARAM_BLD_push_BN(build, "e", e);
    params = OSSL_PARAM_BLD_to_param(build);
    assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
    assert_int_equal(EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params), 1);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    BN_free(n);
    BN_free(e);
    EVP_PKEY_CTX_free(ctx);
    return key;
}
