/*
 * tls_verify: what the certificate of a finished handshake is worth; see tls_session_judge.
 *
 * Two verdicts from one handshake: PKIX as Postfix's `verify` would see it (chain to our anchors,
 * security level 1, the MX host in a DNS SAN), and DANE by OpenSSL's own code (RFC 7671, RFC 7672
 * §3.2), which wants an SSL of its own to hold the records. Nothing here reads the network; the
 * cost is bounded by the limits in tls_internal.h. No revocation, as smtp(8).
 */
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "base/escape.h"
#include "base/net/hostname.h"
#include "probe/tls/tls.h"
#include "probe/tls/tls_internal.h"
#include "probe/tls/tlsa.h"

#define NAME_WORDS_MAX 160
#define DETAIL_MAX     600
#define AUTH_LEVEL     1
#define DIGEST_OCTETS  16
/* Certificates of a chain that the digest covers: more than one that verifies can have. */
#define TLS_CERTIFICATES_MAX 32

struct tls_peer {
    SSL *ssl;
    X509 *leaf;             /* owned; NULL with an anonymous cipher */
    STACK_OF(X509) * chain; /* the session's, leaf included */
};

/* One run of X509_verify_cert. */
struct verdict_run {
    int error; /* X509_V_OK when it went well */
    int depth;
    char words[DETAIL_MAX / 2];
};

/* ---- words ---- */

static void date_words(char *out, size_t size, const ASN1_TIME *time)
{
    struct tm tm;

    if (ASN1_TIME_to_tm(time, &tm) != 1)
        snprintf(out, size, "at an unreadable date");
    else
        snprintf(out, size, "%04d-%02d-%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
}

/* The common name, else the whole name in one line. */
static void name_words(char *out, size_t size, const X509_NAME *name)
{
    int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
    char line[NAME_WORDS_MAX];

    if (at >= 0) {
        const ASN1_STRING *text = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));

        escape_bytes(out, size, ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text));
        return;
    }
    if (X509_NAME_oneline(name, line, (int)sizeof line) == NULL)
        line[0] = '\0';
    escape_bytes(out, size, line, strlen(line));
}

/* Writes the first DNS name of the certificate and returns how many there are. */
static int dns_names(char *out, size_t size, X509 *certificate)
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

static void wrong_name_words(char *out, size_t size, X509 *leaf, const char *host)
{
    char name[NAME_WORDS_MAX] = "";
    int count = dns_names(name, sizeof name, leaf);

    if (count > 1) {
        snprintf(out, size, "certificate is for %s and %d more, not for %s", name, count - 1, host);
    } else if (count == 1) {
        snprintf(out, size, "certificate is for %s, not for %s", name, host);
    } else {
        name_words(name, sizeof name, X509_get_subject_name(leaf));
        snprintf(out, size, "certificate has no DNS name, only the subject %s, not for %s", name,
                 host);
    }
}

/* What X509_verify_cert found, for people; `at` is the certificate it was found in, or NULL. */
static void error_words(char *out, size_t size, int error, int depth, X509 *at)
{
    char name[NAME_WORDS_MAX] = "", date[32] = "";
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
        name_words(name, sizeof name, X509_get_subject_name(at));
        snprintf(out, size, "issuer unknown: the root %s is not trusted here", name);
        return;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        name_words(name, sizeof name, X509_get_issuer_name(at));
        snprintf(out, size, "issuer unknown: %s", name);
        return;
    default:
        snprintf(out, size, "%s: %s", whose, X509_verify_cert_error_string(error));
    }
}

/* ---- PKIX and DANE ---- */

/* Runs the verification that `dane` (may be NULL) and the reference names ask for; `flags` are
 * X509_V_FLAG_*. */
static void run_verify(struct verdict_run *run, const struct tls_peer *peer, SSL_DANE *dane,
                       const struct tls_reference *reference, unsigned long flags)
{
    X509_STORE *store = SSL_CTX_get_cert_store(SSL_get_SSL_CTX(peer->ssl));
    X509_STORE_CTX *store_ctx = X509_STORE_CTX_new();
    X509_VERIFY_PARAM *param;
    bool ready;

    run->error = X509_V_ERR_OUT_OF_MEM;
    run->depth = 0;
    ready = store_ctx != NULL &&
            X509_STORE_CTX_init(store_ctx, store, peer->leaf, peer->chain) == 1 &&
            X509_STORE_CTX_set_default(store_ctx, "ssl_server") == 1;
    if (ready) {
        param = X509_STORE_CTX_get0_param(store_ctx);
        X509_VERIFY_PARAM_set_depth(param, TLS_CHAIN_DEPTH_MAX);
        X509_VERIFY_PARAM_set_auth_level(param, AUTH_LEVEL);
        X509_VERIFY_PARAM_set_flags(param, flags);
    }
    if (ready && dane != NULL) {
        X509_STORE_CTX_set0_dane(store_ctx, dane);
        X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        for (size_t i = 0; i < 4 && reference->tlsa_names[i] != NULL; i++)
            ready = ready && X509_VERIFY_PARAM_add1_host(param, reference->tlsa_names[i], 0) == 1;
        if (reference->tlsa_names[0] == NULL)
            ready = X509_VERIFY_PARAM_set1_host(param, reference->host, 0) == 1;
    }
    if (ready) {
        bool good = X509_verify_cert(store_ctx) == 1;

        run->error = X509_STORE_CTX_get_error(store_ctx);
        if (!good && run->error == X509_V_OK)
            run->error = X509_V_ERR_UNSPECIFIED;
        run->depth = X509_STORE_CTX_get_error_depth(store_ctx);
        error_words(run->words, sizeof run->words, run->error, run->depth,
                    X509_STORE_CTX_get_current_cert(store_ctx));
    }
    X509_STORE_CTX_free(store_ctx);
}

/* Adds every usable record; returns how many OpenSSL took. */
static size_t add_records(SSL *ssl, const struct tls_reference *reference)
{
    size_t added = 0;

    if (SSL_dane_enable(ssl, reference->host) <= 0)
        return 0;
    SSL_dane_set_flags(ssl, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
    for (size_t i = 0; i < reference->tlsa_count; i++) {
        const struct tlsa *record = &reference->tlsa[i];

        if (record->usable &&
            SSL_dane_tlsa_add(ssl, record->usage, record->selector, record->matching_type,
                              record->data, record->length) == 1)
            added++;
    }
    return added;
}

/* The same for a chain that whole certificates among the records (2 0 0) may take part in. */
static bool records_too_costly(const struct tls_peer *peer, const struct tls_reference *reference)
{
    STACK_OF(X509) *all = sk_X509_dup(peer->chain);
    STACK_OF(X509) *ours = sk_X509_new_null();
    bool costly = true;

    for (size_t i = 0; i < reference->tlsa_count; i++) {
        const struct tlsa *record = &reference->tlsa[i];
        const unsigned char *data = record->data;
        X509 *certificate;

        if (!record->usable || record->usage != 2 || record->selector != 0 ||
            record->matching_type != 0)
            continue;
        certificate = d2i_X509(NULL, &data, record->length);
        if (certificate == NULL)
            continue;
        if (ours == NULL || sk_X509_push(ours, certificate) <= 0) {
            X509_free(certificate);
            goto out;
        }
        if (all == NULL || sk_X509_push(all, certificate) <= 0)
            goto out;
    }
    costly = tls_chain_too_costly(peer->leaf, all) != NULL;
out:
    sk_X509_pop_free(ours, X509_free);
    sk_X509_free(all);
    return costly;
}

static enum tlsa_match judge_dane(struct verdict_run *run, const struct tls_peer *peer,
                                  const struct tls_reference *reference)
{
    enum tlsa_match match = TLSA_MATCH_NONE;
    SSL *holder;

    run->error = X509_V_OK;
    if (!tlsa_any_usable(reference->tlsa, reference->tlsa_count))
        return TLSA_MATCH_NONE;
    if (records_too_costly(peer, reference))
        return TLSA_MATCH_MISMATCH;
    holder = SSL_new(SSL_get_SSL_CTX(peer->ssl));
    if (holder != NULL && add_records(holder, reference) > 0) {
        run_verify(run, peer, SSL_get0_dane(holder), reference, 0);
        match = run->error == X509_V_OK ? TLSA_MATCH_OK : TLSA_MATCH_MISMATCH;
    }
    SSL_free(holder);
    return match;
}

static bool names_host(X509 *leaf, const char *host)
{
    /* an address or a name that could not be one never matches (J-4) */
    return hostname_valid(host, strlen(host), HOSTNAME_UNDERSCORE) &&
           X509_check_host(leaf, host, 0,
                           X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
                               X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS,
                           NULL) == 1;
}

/* ---- the whole ---- */

static int64_t expiry(X509 *leaf)
{
    static const int64_t day = 86400;
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    int days = 0, seconds = 0;
    int64_t at = 0;

    if (epoch != NULL && ASN1_TIME_diff(&days, &seconds, epoch, X509_get0_notAfter(leaf)) == 1)
        at = days * day + seconds;
    ASN1_TIME_free(epoch);
    return at;
}

static void add_detail(struct buf *detail, const char *prefix, const char *words)
{
    buf_addf(detail, "%s%s%s", detail->length > 0 ? "; " : "", prefix, words);
}

/* The first fault found is a date; is it the only one? OpenSSL ends at the first. */
static bool only_dates_wrong(const struct verdict_run *pkix, const struct tls_peer *peer,
                             const struct tls_reference *reference)
{
    struct verdict_run timeless = {0};

    if (pkix->error != X509_V_ERR_CERT_HAS_EXPIRED && pkix->error != X509_V_ERR_CERT_NOT_YET_VALID)
        return false;
    run_verify(&timeless, peer, NULL, reference, X509_V_FLAG_NO_CHECK_TIME);
    return timeless.error == X509_V_OK;
}

/* What an issuer that is not trusted here looks like; anything else may be our own fault. */
static bool is_distrust(int error)
{
    static const int errors[] = {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT,
                                 X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
                                 X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE,
                                 X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN,
                                 X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT,
                                 X509_V_ERR_CERT_UNTRUSTED,
                                 X509_V_ERR_CERT_REJECTED};

    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
        if (errors[i] == error)
            return true;
    return false;
}

/* The first octets of the SHA-256 of what was sent, in hexadecimal: the leaf, or all the others. */
static const char *digest_words(char out[2 * DIGEST_OCTETS + 1], const struct tls_peer *peer,
                                bool leaf)
{
    unsigned char all[TLS_CERTIFICATES_MAX * SHA256_DIGEST_LENGTH], digest[EVP_MAX_MD_SIZE];
    size_t used = 0;
    unsigned length;

    for (int i = 0; i < sk_X509_num(peer->chain) && used < sizeof all; i++) {
        X509 *one = sk_X509_value(peer->chain, i);

        if ((X509_cmp(one, peer->leaf) == 0) == leaf &&
            X509_digest(one, EVP_sha256(), all + used, &length) == 1)
            used += SHA256_DIGEST_LENGTH;
    }
    if (used == 0 || EVP_Digest(all, used, digest, &length, EVP_sha256(), NULL) != 1)
        return "-";
    for (size_t i = 0; i < DIGEST_OCTETS; i++)
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
    return out;
}

static void judge_certificate(const struct tls_peer *peer, const struct tls_reference *reference,
                              struct arena *arena, struct buf *detail, struct starttls_result *out)
{
    struct verdict_run pkix = {0}, dane = {0};
    const char *too_costly;
    char words[DETAIL_MAX], mine[2 * DIGEST_OCTETS + 1], others[2 * DIGEST_OCTETS + 1];

    out->not_after = expiry(peer->leaf);
    out->name_ok = names_host(peer->leaf, reference->host);
    too_costly = tls_chain_too_costly(peer->leaf, peer->chain);
    if (too_costly != NULL) {
        add_detail(detail, "", too_costly);
        out->tlsa = tlsa_any_usable(reference->tlsa, reference->tlsa_count) ? TLSA_MATCH_MISMATCH
                                                                            : TLSA_MATCH_NONE;
        return;
    }
    run_verify(&pkix, peer, NULL, reference, 0);
    out->chain_ok = pkix.error == X509_V_OK;
    if (out->chain_ok || is_distrust(pkix.error))
        out->shown = arena_printf(arena, "%s %s", digest_words(mine, peer, true),
                                  digest_words(others, peer, false));
    out->expired = only_dates_wrong(&pkix, peer, reference);
    if (!out->chain_ok)
        add_detail(detail, "", pkix.words);
    if (!out->name_ok) {
        wrong_name_words(words, sizeof words, peer->leaf, reference->host);
        add_detail(detail, "", words);
    }
    out->tlsa = judge_dane(&dane, peer, reference);
    if (out->tlsa == TLSA_MATCH_MISMATCH) {
        bool other = dane.error == X509_V_ERR_CERT_HAS_EXPIRED ||
                     dane.error == X509_V_ERR_CERT_NOT_YET_VALID ||
                     dane.error == X509_V_ERR_HOSTNAME_MISMATCH;

        add_detail(detail, "TLSA: ", other ? dane.words : "no record matches the certificate");
    }
}

void tls_session_describe(const struct tls_session *session, struct arena *arena,
                          struct starttls_result *out)
{
    out->protocol = arena_strdup(arena, SSL_get_version(session->ssl));
    out->cipher = arena_strdup(arena, SSL_get_cipher_name(session->ssl));
}

void tls_session_judge(struct tls_session *session, const struct tls_reference *reference,
                       struct arena *arena, struct starttls_result *out)
{
    struct tls_peer peer = {session->ssl, SSL_get1_peer_certificate(session->ssl),
                            SSL_get_peer_cert_chain(session->ssl)};
    char name[NAME_WORDS_MAX] = "";
    struct buf detail;
    bool sound;

    buf_init(&detail, DETAIL_MAX * 3);
    out->state = STARTTLS_TLS;
    out->chain_ok = out->name_ok = out->expired = false;
    out->tlsa = TLSA_MATCH_NONE;
    out->not_after = 0;
    out->subject = out->shown = NULL;
    tls_session_describe(session, arena, out);
    if (peer.leaf == NULL) {
        add_detail(&detail, "", "no certificate: anonymous cipher");
        out->tlsa = tlsa_any_usable(reference->tlsa, reference->tlsa_count) ? TLSA_MATCH_MISMATCH
                                                                            : TLSA_MATCH_NONE;
    } else {
        judge_certificate(&peer, reference, arena, &detail, out);
        if (dns_names(name, sizeof name, peer.leaf) == 0)
            name_words(name, sizeof name, X509_get_subject_name(peer.leaf));
        out->subject = arena_strdup(arena, name);
    }
    sound =
        out->name_ok && out->tlsa != TLSA_MATCH_MISMATCH && tls_handshake_is_strong(session->ssl);
    out->expired = out->expired && sound;
    if (out->chain_ok && sound)
        out->state = STARTTLS_VERIFIED;
    else if (out->chain_ok && out->name_ok && out->tlsa != TLSA_MATCH_MISMATCH)
        add_detail(&detail, SSL_get_version(session->ssl),
                   " as negotiated is too weak for a verified connection");
    out->detail = detail.length > 0 ? arena_strdup(arena, buf_text(&detail)) : NULL;
    buf_fini(&detail);
    X509_free(peer.leaf);
    ERR_clear_error();
}
