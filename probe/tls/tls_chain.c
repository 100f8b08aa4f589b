/*
 * tls_chain: the one judgement of certificates, for a session that has just ended its handshake and
 * for octets that were kept; see tls_chain.h.
 *
 * What does not depend on a name or a TLSA record is found out once, by tls_verify. Then each
 * reference costs a comparison of names and, with usable records, a verification by DANE.
 */
#include "probe/tls/tls_chain.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "base/escape.h"
#include "base/net/hostname.h"
#include "probe/tls/tls_internal.h"
#include "probe/tls/tlsa.h"

#define DETAIL_MAX    600
#define DIGEST_OCTETS 16
#define LEVEL_BITS    80 /* what OpenSSL's security level 1 asks for */
#define NO_MEMORY     "no memory for the certificates"

struct tls_chain {
    atomic_uint holders;
    struct tls_peer peer; /* leaf and certificates are owned */
    bool strong;
    bool anonymous;         /* no certificate was shown */
    const char *missing;    /* why there is no leaf; NULL: there is one */
    const char *too_costly; /* NULL: it was verified */
    struct tls_verdict pkix;
    struct tls_finding finding;
};

/* ---- what was shown ---- */

/* Would this handshake have been made at security level 1, which Postfix sets from `verify` up? */
static bool handshake_is_strong(SSL *ssl)
{
    const SSL_CIPHER *cipher = SSL_get_current_cipher(ssl);
    EVP_PKEY *exchange = NULL;
    int digest = NID_undef;
    bool strong = SSL_version(ssl) >= TLS1_2_VERSION && cipher != NULL &&
                  SSL_CIPHER_get_bits(cipher, NULL) >= LEVEL_BITS &&
                  SSL_CIPHER_get_auth_nid(cipher) != NID_auth_null;

    if (SSL_get_peer_tmp_key(ssl, &exchange) == 1 && exchange != NULL) {
        strong = strong && EVP_PKEY_get_security_bits(exchange) >= LEVEL_BITS;
        EVP_PKEY_free(exchange);
    }
    if (SSL_get_peer_signature_nid(ssl, &digest) == 1)
        strong = strong && digest != NID_sha1 && digest != NID_md5 && digest != NID_md5_sha1;
    return strong;
}

/* ---- verified once ---- */

/* Adds a certificate, which is taken; false when it is NULL, or without memory. */
static bool chain_add(struct tls_chain *chain, X509 *take)
{
    if (take != NULL && sk_X509_push(chain->peer.certificates, take) > 0)
        return true;
    X509_free(take);
    return false;
}

static bool chain_add_sent(struct tls_chain *chain, const STACK_OF(X509) * sent)
{
    int count = sent == NULL ? 0 : sk_X509_num(sent);

    for (int i = 0; i < count && i < TLS_SHOWN_MAX; i++) {
        X509 *certificate = sk_X509_value(sent, i);

        if (X509_up_ref(certificate) != 1 || !chain_add(chain, certificate))
            return false;
    }
    return true;
}

static bool chain_add_shown(struct tls_chain *chain, const struct tls_shown *shown)
{
    for (size_t i = 0; i < shown->count; i++)
        if (!chain_add(chain, tls_der_read(&shown->certificates[i])))
            return false;
    return true;
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

static enum tls_fault fault_of(const struct tls_chain *chain)
{
    static const struct {
        int error;
        enum tls_fault fault;
    } faults[] = {
        {X509_V_OK, TLS_FAULT_NONE},
        {X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, TLS_FAULT_SELF_SIGNED},
        {X509_V_ERR_CERT_HAS_EXPIRED, TLS_FAULT_EXPIRED},
        {X509_V_ERR_CERT_NOT_YET_VALID, TLS_FAULT_NOT_YET_VALID},
        {X509_V_ERR_EE_KEY_TOO_SMALL, TLS_FAULT_WEAK},
        {X509_V_ERR_CA_KEY_TOO_SMALL, TLS_FAULT_WEAK},
        {X509_V_ERR_CA_MD_TOO_WEAK, TLS_FAULT_WEAK},
    };

    if (chain->missing != NULL)
        return chain->anonymous ? TLS_FAULT_ANONYMOUS : TLS_FAULT_OTHER;
    if (chain->too_costly != NULL)
        return TLS_FAULT_COSTLY;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
        if (faults[i].error == chain->pkix.error)
            return faults[i].fault;
    return is_distrust(chain->pkix.error) ? TLS_FAULT_UNKNOWN_ISSUER : TLS_FAULT_OTHER;
}

static const char *why_of(const struct tls_chain *chain)
{
    if (chain->missing != NULL)
        return chain->missing;
    if (chain->too_costly != NULL)
        return chain->too_costly;
    return chain->pkix.error == X509_V_OK ? NULL : chain->pkix.words;
}

static void chain_verify(struct tls_chain *chain)
{
    tls_verify_pkix(&chain->pkix, &chain->peer, false);
    /* OpenSSL ends at the first fault */
    if (chain->pkix.error == X509_V_ERR_CERT_HAS_EXPIRED ||
        chain->pkix.error == X509_V_ERR_CERT_NOT_YET_VALID) {
        struct tls_verdict timeless = {0};

        tls_verify_pkix(&timeless, &chain->peer, true);
        chain->finding.only_dates = timeless.error == X509_V_OK;
    }
}

/* Takes the certificates; chain->missing says why there is no leaf. Of `sent` and `shown` one is
 * NULL. False without memory. */
static bool chain_parse(struct tls_chain *chain, const STACK_OF(X509) * sent,
                        const struct tls_shown *shown)
{
    struct tls_peer *peer = &chain->peer;

    chain->missing = NO_MEMORY;
    if (peer->certificates == NULL)
        return false;
    if (!(shown != NULL ? chain_add_shown(chain, shown) : chain_add_sent(chain, sent)))
        chain->missing = "the certificates cannot be read";
    else
        chain->missing = NULL;
    chain->anonymous = chain->missing == NULL && sk_X509_num(peer->certificates) == 0;
    if (chain->anonymous)
        chain->missing = "no certificate: anonymous cipher";
    if (chain->missing == NULL)
        peer->leaf = sk_X509_value(peer->certificates, 0);
    return true;
}

/* As chain_parse. The finding is worked out, or taken from `shown`. */
static bool chain_init(struct tls_chain *chain, SSL_CTX *ssl_ctx, const STACK_OF(X509) * sent,
                       const struct tls_shown *shown)
{
    const struct tls_finding *known = shown == NULL ? NULL : &shown->finding;

    *chain = (struct tls_chain){.holders = 1, .peer = {ssl_ctx, NULL, sk_X509_new_null()}};
    if (!chain_parse(chain, sent, shown))
        return false;
    if (chain->missing == NULL)
        chain->too_costly = tls_chain_too_costly(chain->peer.leaf, chain->peer.certificates);
    if (known != NULL && known->verified && chain->missing == NULL && chain->too_costly == NULL) {
        chain->finding = *known;
        snprintf(chain->pkix.words, sizeof chain->pkix.words, "%s",
                 known->why == NULL ? "" : known->why);
        chain->finding.why = known->why == NULL ? NULL : chain->pkix.words;
        return true;
    }
    if (chain->missing == NULL && chain->too_costly == NULL)
        chain_verify(chain);
    chain->finding.verified = true;
    chain->finding.fault = fault_of(chain);
    chain->finding.why = why_of(chain);
    return true;
}

static void chain_fini(struct tls_chain *chain)
{
    sk_X509_pop_free(chain->peer.certificates, X509_free);
    ERR_clear_error();
}

struct tls_chain *tls_chain_new(struct tls_context *context, const struct tls_shown *shown)
{
    struct tls_chain *chain = malloc(sizeof *chain);

    if (chain == NULL)
        return NULL;
    if (!chain_init(chain, context->ssl_ctx, NULL, shown)) {
        tls_chain_free(chain);
        return NULL;
    }
    chain->strong = shown->strong;
    ERR_clear_error();
    return chain;
}

void tls_chain_free(struct tls_chain *chain)
{
    if (chain == NULL || atomic_fetch_sub(&chain->holders, 1) > 1)
        return;
    chain_fini(chain);
    free(chain);
}

struct tls_chain *tls_chain_share(struct tls_chain *chain)
{
    if (chain != NULL)
        atomic_fetch_add(&chain->holders, 1);
    return chain;
}

bool tls_chain_shown(const struct tls_chain *chain, struct arena *arena, struct tls_shown *out)
{
    const STACK_OF(X509) *certificates = chain->peer.certificates;

    *out = (struct tls_shown){.strong = chain->strong, .finding = chain->finding};
    out->finding.why = arena_strdup(arena, chain->finding.why);
    for (int i = 0; i < sk_X509_num(certificates); i++) {
        X509 *certificate = sk_X509_value(certificates, i);
        int length = i2d_X509(certificate, NULL);
        unsigned char *data = arena_alloc(arena, length > 0 ? (size_t)length : 0), *end = data;

        if (data == NULL || i2d_X509(certificate, &end) != length)
            return false;
        out->certificates[out->count++] = (struct tls_der){data, (size_t)length};
    }
    return !arena_failed(arena);
}

bool tls_chain_certificate(const struct tls_chain *chain, size_t index, struct arena *arena,
                           struct tls_certificate *out)
{
    return index < (size_t)sk_X509_num(chain->peer.certificates) &&
           tls_x509_describe(out, arena, sk_X509_value(chain->peer.certificates, (int)index));
}

const struct tls_finding *tls_chain_finding(const struct tls_chain *chain)
{
    return &chain->finding;
}

const char *tls_fault_name(enum tls_fault fault)
{
#define X(word, name, text) name,
    static const char *const names[] = {TLS_FAULTS(X)};
#undef X

    return names[fault];
}

/* ---- judged by a reference ---- */

bool tls_chain_names(const struct tls_chain *chain, const char *host)
{
    /* an address or a name that could not be one never matches (J-4) */
    return chain->peer.leaf != NULL && hostname_valid(host, strlen(host), HOSTNAME_UNDERSCORE) &&
           X509_check_host(chain->peer.leaf, host, 0,
                           X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
                               X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS,
                           NULL) == 1;
}

/* Only what was verified can match. */
static enum tlsa_match match_records(struct tls_verdict *dane, struct tls_chain *chain,
                                     const struct tls_reference *reference)
{
    if (chain->missing == NULL && chain->too_costly == NULL)
        return tls_verify_dane(dane, &chain->peer, reference);
    return tlsa_any_usable(reference->tlsa, reference->tlsa_count) ? TLSA_MATCH_MISMATCH
                                                                   : TLSA_MATCH_NONE;
}

bool tls_chain_matches(struct tls_chain *chain, const struct tls_reference *reference,
                       const struct tlsa *record)
{
    struct tls_reference alone = *reference;
    struct tls_verdict dane = {0};
    enum tlsa_match match;

    alone.tlsa = record;
    alone.tlsa_count = 1;
    match = match_records(&dane, chain, &alone);
    ERR_clear_error();
    return match == TLSA_MATCH_OK;
}

static void add_detail(struct buf *detail, const char *prefix, const char *words)
{
    buf_addf(detail, "%s%s%s", detail->length > 0 ? "; " : "", prefix, words);
}

/* What is wrong with a chain that was verified. */
static void add_faults(struct buf *detail, const struct tls_chain *chain,
                       const struct tls_reference *reference, const struct tls_verdict *dane,
                       const struct starttls_result *result)
{
    bool other = dane->error == X509_V_ERR_CERT_HAS_EXPIRED ||
                 dane->error == X509_V_ERR_CERT_NOT_YET_VALID ||
                 dane->error == X509_V_ERR_HOSTNAME_MISMATCH;
    char words[DETAIL_MAX];

    if (!result->chain_ok)
        add_detail(detail, "", chain->pkix.words);
    if (!result->name_ok) {
        tls_wrong_name_words(words, sizeof words, chain->peer.leaf, reference->host);
        add_detail(detail, "", words);
    }
    if (result->tlsa == TLSA_MATCH_MISMATCH)
        add_detail(detail, "TLSA: ", other ? dane->words : "no record matches the certificate");
}

/* What the leaf says of itself. */
static void describe_leaf(X509 *leaf, struct arena *arena, struct starttls_result *out)
{
    char name[TLS_NAME_WORDS_MAX] = "";

    out->not_after = tls_seconds(X509_get0_notAfter(leaf));
    if (tls_dns_names(name, sizeof name, leaf) == 0)
        tls_name_words(name, sizeof name, X509_get_subject_name(leaf));
    out->subject = arena_strdup(arena, name);
}

void tls_chain_judge(struct tls_chain *chain, const struct tls_reference *reference,
                     struct arena *arena, struct starttls_result *out)
{
    struct tls_verdict dane = {0};
    struct buf detail;
    bool sound;

    buf_init(&detail, DETAIL_MAX * 3);
    out->state = STARTTLS_TLS;
    out->not_after = 0;
    out->subject = NULL;
    out->chain_ok = chain->finding.fault == TLS_FAULT_NONE;
    out->name_ok = tls_chain_names(chain, reference->host);
    out->tlsa = match_records(&dane, chain, reference);
    if (chain->peer.leaf != NULL)
        describe_leaf(chain->peer.leaf, arena, out);
    if (chain->missing != NULL || chain->too_costly != NULL)
        add_detail(&detail, "", chain->finding.why);
    else
        add_faults(&detail, chain, reference, &dane, out);
    sound = out->name_ok && out->tlsa != TLSA_MATCH_MISMATCH && chain->strong;
    out->expired = chain->finding.only_dates && sound;
    if (out->chain_ok && sound)
        out->state = STARTTLS_VERIFIED;
    else if (out->chain_ok && out->name_ok && out->tlsa != TLSA_MATCH_MISMATCH)
        add_detail(&detail, out->protocol == NULL ? "TLS" : out->protocol,
                   " as negotiated is too weak for a verified connection");
    out->detail = detail.length > 0 ? arena_strdup(arena, buf_text(&detail)) : NULL;
    buf_fini(&detail);
    ERR_clear_error();
}

/* ---- a session ---- */

/* The first octets of the SHA-256 of what was sent, in hexadecimal: the leaf, or all the others. */
static const char *digest_words(char out[2 * DIGEST_OCTETS + 1], const STACK_OF(X509) * sent,
                                bool leaf)
{
    unsigned char all[TLS_SHOWN_MAX * SHA256_DIGEST_LENGTH], digest[EVP_MAX_MD_SIZE];
    size_t used = 0;
    unsigned length;

    for (int i = 0; i < sk_X509_num(sent) && used < sizeof all; i++) {
        X509 *one = sk_X509_value(sent, i);

        if ((X509_cmp(one, sk_X509_value(sent, 0)) == 0) == leaf &&
            X509_digest(one, EVP_sha256(), all + used, &length) == 1)
            used += SHA256_DIGEST_LENGTH;
    }
    if (used == 0 || EVP_Digest(all, used, digest, &length, EVP_sha256(), NULL) != 1)
        return "-";
    return escape_hex(out, digest, DIGEST_OCTETS);
}

void tls_session_describe(const struct tls_session *session, struct arena *arena,
                          struct starttls_result *out)
{
    out->protocol = arena_strdup(arena, SSL_get_version(session->ssl));
    out->cipher = arena_strdup(arena, SSL_get_cipher_name(session->ssl));
}

struct tls_chain *tls_session_chain(const struct tls_session *session)
{
    struct tls_chain *chain = malloc(sizeof *chain);

    if (chain == NULL)
        return NULL;
    if (!chain_init(chain, SSL_get_SSL_CTX(session->ssl), SSL_get_peer_cert_chain(session->ssl),
                    NULL)) {
        tls_chain_free(chain);
        return NULL;
    }
    chain->strong = handshake_is_strong(session->ssl);
    ERR_clear_error();
    return chain;
}

void tls_session_judge(struct tls_session *session, const struct tls_reference *reference,
                       struct arena *arena, struct starttls_result *out)
{
    STACK_OF(X509) *sent = SSL_get_peer_cert_chain(session->ssl);
    char mine[2 * DIGEST_OCTETS + 1], others[2 * DIGEST_OCTETS + 1];
    struct tls_chain chain;

    chain_init(&chain, SSL_get_SSL_CTX(session->ssl), sent, NULL);
    chain.strong = handshake_is_strong(session->ssl);
    tls_session_describe(session, arena, out);
    tls_chain_judge(&chain, reference, arena, out);
    out->shown = NULL;
    if (chain.missing == NULL && chain.too_costly == NULL &&
        (out->chain_ok || is_distrust(chain.pkix.error)))
        out->shown = arena_printf(arena, "%s %s", digest_words(mine, sent, true),
                                  digest_words(others, sent, false));
    chain_fini(&chain);
}
