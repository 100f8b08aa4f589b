/* farm_cert: the certificates of the farm, made when it starts: all have one key. */
#include "farm.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DAY      86400L
#define SAN_ROOM (FARM_NAMES_MAX * 260)

/* How a kind of certificate differs from a good one. */
static const struct certificate_kind {
    const char *name;
    bool self_signed, stranger, other_name;
    long from_days, to_days;
} farm_certificate_kinds[] = {
    {"valid", false, false, false, -1, 90},   {"soon", false, false, false, -80, 5},
    {"wrong", false, false, true, -1, 90},    {"self", true, false, false, -1, 90},
    {"stranger", false, true, false, -1, 90}, {"expired", false, false, false, -90, -1},
    {"none", false, false, false, 0, 0},
};

static const struct certificate_kind *find_kind(const char *name)
{
    for (size_t i = 0; i < sizeof farm_certificate_kinds / sizeof farm_certificate_kinds[0]; i++)
        if (strcmp(farm_certificate_kinds[i].name, name) == 0)
            return &farm_certificate_kinds[i];
    farm_die("the table has an unknown certificate", name);
}

static void must(bool good, const char *what)
{
    if (!good) {
        ERR_print_errors_fp(stderr);
        farm_die("a certificate cannot be made", what);
    }
}

static void set_name(X509_NAME *name, const char *text)
{
    must(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)text, -1, -1,
                                    0) == 1,
         text);
}

static void add_extension(X509 *certificate, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

    must(extension != NULL && X509_add_ext(certificate, extension, -1) == 1, value);
    X509_EXTENSION_free(extension);
}

static X509 *new_certificate(const char *subject, EVP_PKEY *key, long from_days, long to_days)
{
    X509 *certificate = X509_new();
    uint64_t serial;

    must(certificate != NULL && RAND_bytes((unsigned char *)&serial, sizeof serial) == 1, subject);
    X509_set_version(certificate, X509_VERSION_3);
    ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial >> 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), from_days * DAY);
    X509_gmtime_adj(X509_getm_notAfter(certificate), to_days * DAY);
    set_name(X509_get_subject_name(certificate), subject);
    must(X509_set_pubkey(certificate, key) == 1, subject);
    return certificate;
}

static void sign(X509 *certificate, X509 *issuer, EVP_PKEY *key)
{
    must(X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) == 1, "issuer");
    must(X509_sign(certificate, key, EVP_sha256()) > 0, "signature");
}

/* ---- keys ---- */

static FILE *open_file(const char *path)
{
    FILE *file = fopen(path, "r");

    if (file == NULL)
        farm_die("cannot be read", path);
    return file;
}

static EVP_PKEY *load_key(const char *path)
{
    FILE *file = open_file(path);
    EVP_PKEY *key = PEM_read_PrivateKey(file, NULL, NULL, NULL);

    must(key != NULL, path);
    fclose(file);
    return key;
}

void farm_keys_load(struct farm_keys *keys, const char *ca, const char *ca_key,
                    const char *leaf_key)
{
    FILE *file = open_file(ca);

    keys->ca = PEM_read_X509(file, NULL, NULL, NULL);
    must(keys->ca != NULL, ca);
    fclose(file);
    keys->ca_key = load_key(ca_key);
    keys->leaf_key = load_key(leaf_key);
    keys->stranger_key = EVP_EC_gen("P-256");
    must(keys->stranger_key != NULL, "stranger");
    keys->stranger = new_certificate("a CA nobody trusts", keys->stranger_key, -1, 90);
    sign(keys->stranger, keys->stranger, keys->stranger_key);
}

/* ---- leaves ---- */

static X509 *certify(const struct certificate_kind *kind, const struct farm_keys *keys,
                     char **names, size_t count)
{
    static char san[SAN_ROOM];
    const char *subject = kind->other_name || count == 0 ? "other.example" : names[0];
    X509 *leaf = new_certificate("leaf", keys->leaf_key, kind->from_days, kind->to_days);
    size_t used = (size_t)snprintf(san, sizeof san, "DNS:%s", subject);

    for (size_t i = 1; i < count && !kind->other_name && used < sizeof san; i++)
        used += (size_t)snprintf(san + used, sizeof san - used, ",DNS:%s", names[i]);
    add_extension(leaf, NID_subject_alt_name, san);
    if (kind->self_signed)
        sign(leaf, leaf, keys->leaf_key);
    else if (kind->stranger)
        sign(leaf, keys->stranger, keys->stranger_key);
    else
        sign(leaf, keys->ca, keys->ca_key);
    return leaf;
}

void farm_certify(struct farm_host *host, const struct farm_keys *keys)
{
    const struct certificate_kind *kind = find_kind(host->kind);
    size_t count = host->by_sni ? host->name_count : 1;

    if (strcmp(kind->name, "none") == 0)
        return;
    host->certificates = calloc(count + 1, sizeof(X509 *));
    must(host->certificates != NULL, "memory");
    if (!host->by_sni)
        host->certificates[0] = certify(kind, keys, host->names, host->name_count);
    for (size_t i = 0; host->by_sni && i < count; i++)
        host->certificates[i] = certify(kind, keys, &host->names[i], 1);
}

X509 *farm_certificate(const struct farm_host *host, const char *sni)
{
    for (size_t i = 0; host->by_sni && sni != NULL && i < host->name_count; i++)
        if (strcasecmp(host->names[i], sni) == 0)
            return host->certificates[i];
    return host->certificates != NULL ? host->certificates[0] : NULL;
}
