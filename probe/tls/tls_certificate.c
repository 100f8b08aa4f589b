/* tls_certificate: what is in a certificate, for people and for statistics; see tls_chain.h. */
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/escape.h"
#include "probe/tls/tls_chain.h"
#include "probe/tls/tls_digest.h"
#include "probe/tls/tls_internal.h"

#define NAMES_MAX 1000 /* octets of the names that are told */

X509 *tls_der_read(const struct tls_der *der)
{
    const unsigned char *at = der->data;
    X509 *certificate =
        der->length > TLS_CERT_LIST_MAX ? NULL : d2i_X509(NULL, &at, (long)der->length);

    if (certificate == NULL || at == der->data + der->length)
        return certificate;
    X509_free(certificate);
    return NULL;
}

int64_t tls_seconds(const ASN1_TIME *time)
{
    static const int64_t day = 86400;
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    int days = 0, seconds = 0;
    int64_t at = 0;

    if (epoch != NULL && ASN1_TIME_diff(&days, &seconds, epoch, time) == 1)
        at = days * day + seconds;
    ASN1_TIME_free(epoch);
    return at;
}

static const char *or_unknown(const char *name)
{
    return name == NULL ? "unknown" : name;
}

static void read_key(struct tls_certificate *out, struct arena *arena, X509 *certificate)
{
    EVP_PKEY *key = X509_get0_pubkey(certificate);
    int bits = key == NULL ? 0 : EVP_PKEY_get_bits(key);
    int signature = X509_get_signature_nid(certificate);

    out->key_type =
        arena_strdup(arena, or_unknown(key == NULL ? NULL : EVP_PKEY_get0_type_name(key)));
    out->key_bits = bits > 0 ? (unsigned)bits : 0;
    out->signature =
        arena_strdup(arena, or_unknown(signature == NID_undef ? NULL : OBJ_nid2ln(signature)));
}

/* A name with a blank is counted and not told: it would look like two. */
static void read_names(struct tls_certificate *out, struct arena *arena, X509 *certificate)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    char one[TLS_NAME_WORDS_MAX];
    struct buf all;

    buf_init(&all, NAMES_MAX);
    for (int i = 0; names != NULL && i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

        if (name->type != GEN_DNS)
            continue;
        out->name_count++;
        escape_bytes(one, sizeof one, ASN1_STRING_get0_data(name->d.dNSName),
                     (size_t)ASN1_STRING_length(name->d.dNSName));
        if (strchr(one, ' ') == NULL && all.length + 1 + strlen(one) <= NAMES_MAX)
            buf_addf(&all, "%s%s", all.length > 0 ? " " : "", one);
    }
    out->names = arena_strdup(arena, buf_text(&all));
    buf_fini(&all);
    GENERAL_NAMES_free(names);
}

static void read_digests(struct tls_certificate *out, X509 *certificate)
{
    unsigned char digest[EVP_MAX_MD_SIZE], *key = NULL;
    unsigned length = 0;
    int key_length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &key);

    if (X509_digest(certificate, EVP_sha256(), digest, &length) != 1)
        length = 0;
    escape_hex(out->sha256, digest, length);
    if (key_length > 0)
        tls_digest(out->key_sha256, key, (size_t)key_length);
    OPENSSL_free(key);
}

bool tls_x509_describe(struct tls_certificate *out, struct arena *arena, X509 *certificate)
{
    char words[TLS_NAME_WORDS_MAX];

    *out = (struct tls_certificate){.key_type = NULL};
    read_digests(out, certificate);
    tls_name_words(words, sizeof words, X509_get_subject_name(certificate));
    out->subject = arena_strdup(arena, words);
    tls_organisation_words(words, sizeof words, X509_get_issuer_name(certificate));
    out->issuer = arena_strdup(arena, words);
    tls_name_words(words, sizeof words, X509_get_issuer_name(certificate));
    out->issuer_name = arena_strdup(arena, words);
    out->not_before = tls_seconds(X509_get0_notBefore(certificate));
    out->not_after = tls_seconds(X509_get0_notAfter(certificate));
    out->self_signed = X509_self_signed(certificate, 0) == 1;
    read_key(out, arena, certificate);
    read_names(out, arena, certificate);
    ERR_clear_error();
    return !arena_failed(arena);
}

bool tls_certificate_read(struct tls_certificate *out, struct arena *arena,
                          const struct tls_der *der)
{
    X509 *certificate = tls_der_read(der);
    bool ok;

    *out = (struct tls_certificate){.key_type = NULL};
    if (certificate == NULL)
        return false;
    ok = tls_x509_describe(out, arena, certificate);
    X509_free(certificate);
    return ok;
}
