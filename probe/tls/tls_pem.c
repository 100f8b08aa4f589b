/*
 * tls_pem: see tls_pem.h. A file that is not what it should be is refused as a whole: a TLSA record
 * must never be made from half of it.
 */
#include "probe/tls/tls_pem.h"

#include <string.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/net/hostname.h"
#include "probe/tls/tls_internal.h"

#define BLOCKS_MAX 100 /* of one file, keys and parameters too */

static const char no_memory[] = "no memory";

/* ---- certificates ---- */

/* Adds a block that is a certificate. NULL, or what is wrong. */
static const char *add(struct tls_shown *out, struct arena *arena, const unsigned char *data,
                       long length)
{
    struct tls_der *der = &out->certificates[out->count];
    X509 *certificate;

    if (out->count == TLS_SHOWN_MAX)
        return "too many certificates";
    *der = (struct tls_der){arena_memdup(arena, data, (size_t)length), (size_t)length};
    if (der->data == NULL)
        return no_memory;
    certificate = tls_der_read(der);
    if (certificate == NULL)
        return "a certificate cannot be read";
    X509_free(certificate);
    out->count++;
    return NULL;
}

/* Whether one certificate issued another, by names and signature. */
static bool has_issued(X509 *issuer, X509 *subject)
{
    EVP_PKEY *key = X509_get0_pubkey(issuer);

    return X509_check_issued(issuer, subject) == X509_V_OK && key != NULL &&
           tls_chain_too_costly(issuer, NULL) == NULL && X509_verify(subject, key) == 1;
}

static const char *check_order(const struct tls_shown *shown)
{
    const char *why = NULL;
    X509 *subject = tls_der_read(&shown->certificates[0]);

    for (size_t i = 1; i < shown->count && why == NULL; i++) {
        X509 *issuer = tls_der_read(&shown->certificates[i]);

        if (subject == NULL || issuer == NULL)
            why = no_memory;
        else if (!has_issued(issuer, subject))
            why = "a certificate is not issued by the one that follows it";
        X509_free(subject);
        subject = issuer;
    }
    X509_free(subject);
    return why;
}

static const char *read_blocks(struct tls_shown *out, struct arena *arena, BIO *bio)
{
    const char *why = NULL;
    unsigned char *data;
    char *name, *header;
    long length;
    int i;

    for (i = 0; i < BLOCKS_MAX && why == NULL; i++) {
        if (PEM_read_bio(bio, &name, &header, &data, &length) != 1)
            break;
        if (strcmp(name, PEM_STRING_X509) == 0)
            why = add(out, arena, data, length);
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_clear_free(data, (size_t)length);
    }
    if (why != NULL)
        return why;
    if (i == BLOCKS_MAX)
        return "too many blocks";
    if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
        return "a block of it is not PEM";
    return out->count == 0 ? "there is no certificate in it" : NULL;
}

const char *tls_pem_read(struct tls_shown *out, struct arena *arena, const char *text,
                         size_t length)
{
    BIO *bio = length > TLS_PEM_MAX ? NULL : BIO_new_mem_buf(text, (int)length);
    const char *why = length > TLS_PEM_MAX ? "it is too large" : no_memory;

    *out = (struct tls_shown){.count = 0};
    ERR_clear_error();
    if (bio != NULL)
        why = read_blocks(out, arena, bio);
    if (why == NULL)
        why = check_order(out);
    BIO_free(bio);
    ERR_clear_error();
    return why;
}

/* ---- keys ---- */

/* Nobody is asked for a passphrase. */
static int no_passphrase(char *out, int size, int writing, void *context)
{
    (void)out, (void)size, (void)writing, (void)context;
    return -1;
}

const char *tls_pem_key(const char *text, size_t length, const struct tls_der *certificate)
{
    BIO *bio = length > TLS_PEM_MAX ? NULL : BIO_new_mem_buf(text, (int)length);
    EVP_PKEY *key = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    X509 *leaf = tls_der_read(certificate);
    const char *why = NULL;

    if (key == NULL || leaf == NULL)
        why = "there is no private key in it that can be read";
    else if (X509_check_private_key(leaf, key) != 1)
        why = "its private key is not that of the certificate";
    X509_free(leaf);
    EVP_PKEY_free(key);
    BIO_free(bio);
    ERR_clear_error();
    return why;
}

bool tls_der_names(const struct tls_der *certificate, const char *host)
{
    X509 *leaf = tls_der_read(certificate);
    bool named = leaf != NULL && X509_check_host(leaf, host, 0,
                                                 X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
                                                     X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS,
                                                 NULL) == 1;

    X509_free(leaf);
    ERR_clear_error();
    return named;
}

size_t tls_der_hosts(const char **out, size_t max, struct arena *arena,
                     const struct tls_der *certificate)
{
    X509 *leaf = tls_der_read(certificate);
    GENERAL_NAMES *names =
        leaf == NULL ? NULL : X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
    int total = names == NULL ? 0 : sk_GENERAL_NAME_num(names);
    size_t count = 0;

    for (int i = 0; i < total; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        const char *text;
        size_t length;

        if (name->type != GEN_DNS)
            continue;
        text = (const char *)ASN1_STRING_get0_data(name->d.dNSName);
        length = (size_t)ASN1_STRING_length(name->d.dNSName);
        if (!hostname_valid(text, length, HOSTNAME_LDH))
            continue;
        if (count < max) {
            char *copy = arena_strndup(arena, text, length);

            if (copy != NULL)
                hostname_fold(copy, length);
            out[count] = copy;
        }
        count++;
    }
    GENERAL_NAMES_free(names);
    X509_free(leaf);
    ERR_clear_error();
    return count;
}

/* ---- TLSA data ---- */

static bool fill(struct tls_association out[TLS_MATCHING_TYPES], struct arena *arena,
                 const unsigned char *data, int length)
{
    uint8_t *sha256 = arena_alloc(arena, SHA256_DIGEST_LENGTH);
    uint8_t *sha512 = arena_alloc(arena, SHA512_DIGEST_LENGTH);
    uint8_t *whole = length <= 0 ? NULL : arena_memdup(arena, data, (size_t)length);

    if (sha256 == NULL || sha512 == NULL || whole == NULL ||
        SHA256(whole, (size_t)length, sha256) == NULL ||
        SHA512(whole, (size_t)length, sha512) == NULL)
        return false;
    out[0] = (struct tls_association){(size_t)length, whole};
    out[1] = (struct tls_association){SHA256_DIGEST_LENGTH, sha256};
    out[2] = (struct tls_association){SHA512_DIGEST_LENGTH, sha512};
    return true;
}

bool tls_associations_read(struct tls_associations *out, struct arena *arena,
                           const struct tls_der *certificate)
{
    X509 *read = tls_der_read(certificate);
    unsigned char *key = NULL;
    int length;
    bool ok = false;

    if (read != NULL && X509_get0_pubkey(read) != NULL) {
        length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(read), &key);
        ok = fill(out->of[0], arena, certificate->data, (int)certificate->length) &&
             fill(out->of[1], arena, key, length);
    }
    OPENSSL_free(key);
    X509_free(read);
    ERR_clear_error();
    return ok;
}
