/* tls_words: what is said to people of certificates and of their faults, escaped. */
#include <stdio.h>
#include <string.h>

#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "base/escape.h"
#include "probe/tls/tls_internal.h"

static void date_words(char *out, size_t size, const ASN1_TIME *time)
{
    struct tm tm;

    if (ASN1_TIME_to_tm(time, &tm) != 1)
        snprintf(out, size, "at an unreadable date");
    else
        snprintf(out, size, "%04d-%02d-%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
}

/* One part of a name; false when it has none of that kind. */
static bool part_words(char *out, size_t size, const X509_NAME *name, int kind)
{
    int at = X509_NAME_get_index_by_NID(name, kind, -1);
    const ASN1_STRING *text;

    if (at < 0)
        return false;
    text = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));
    escape_bytes(out, size, ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text));
    return true;
}

void tls_name_words(char *out, size_t size, const X509_NAME *name)
{
    char line[TLS_NAME_WORDS_MAX];

    if (part_words(out, size, name, NID_commonName))
        return;
    if (X509_NAME_oneline(name, line, (int)sizeof line) == NULL)
        line[0] = '\0';
    escape_bytes(out, size, line, strlen(line));
}

void tls_organisation_words(char *out, size_t size, const X509_NAME *name)
{
    if (!part_words(out, size, name, NID_organizationName))
        tls_name_words(out, size, name);
}

int tls_dns_names(char *out, size_t size, X509 *certificate)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    int count = 0, total = names == NULL ? 0 : sk_GENERAL_NAME_num(names);

    for (int i = 0; i < total; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

        if (name->type == GEN_DNS && count++ == 0)
            escape_bytes(out, size, ASN1_STRING_get0_data(name->d.dNSName),
                         (size_t)ASN1_STRING_length(name->d.dNSName));
    }
    GENERAL_NAMES_free(names);
    return count;
}

void tls_wrong_name_words(char *out, size_t size, X509 *leaf, const char *host)
{
    char name[TLS_NAME_WORDS_MAX] = "";
    int count = tls_dns_names(name, sizeof name, leaf);

    if (count > 1) {
        snprintf(out, size, "certificate is for %s and %d more, not for %s", name, count - 1, host);
    } else if (count == 1) {
        snprintf(out, size, "certificate is for %s, not for %s", name, host);
    } else {
        tls_name_words(name, sizeof name, X509_get_subject_name(leaf));
        snprintf(out, size, "certificate has no DNS name, only the subject %s, not for %s", name,
                 host);
    }
}

void tls_error_words(char *out, size_t size, int error, int depth, X509 *at)
{
    char name[TLS_NAME_WORDS_MAX] = "", date[32] = "";
    const char *whose = depth == 0 ? "certificate" : "CA certificate";

    switch (at == NULL ? X509_V_OK : error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        date_words(date, sizeof date, X509_get0_notAfter(at));
        snprintf(out, size, "%s expired %s", whose, date);
        return;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        date_words(date, sizeof date, X509_get0_notBefore(at));
        snprintf(out, size, "%s is not valid before %s", whose, date);
        return;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        snprintf(out, size, "certificate is self-signed");
        return;
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        tls_name_words(name, sizeof name, X509_get_subject_name(at));
        snprintf(out, size, "issuer unknown: the root %s is not trusted here", name);
        return;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        tls_name_words(name, sizeof name, X509_get_issuer_name(at));
        snprintf(out, size, "issuer unknown: %s", name);
        return;
    default:
        snprintf(out, size, "%s: %s", whose, X509_verify_cert_error_string(error));
    }
}
