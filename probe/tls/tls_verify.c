/*
 * tls_verify: what a chain of certificates is worth, by OpenSSL's verification.
 *
 * Two ways: PKIX as Postfix's `verify` would see it (a chain to our anchors, security level 1), and
 * DANE by OpenSSL's own code (RFC 7671, RFC 7672 §3.2), which wants an SSL of its own to hold the
 * records. Nothing here reads the network; the cost is bounded by the limits in tls_internal.h. No
 * revocation, as smtp(8).
 */
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "probe/tls/tls_internal.h"
#include "probe/tls/tlsa.h"

#define AUTH_LEVEL 1

/* Runs the verification that `dane` (may be NULL) and the reference names ask for; `flags` are
 * X509_V_FLAG_*. */
static void run_verify(struct tls_verdict *run, const struct tls_peer *peer, SSL_DANE *dane,
                       const struct tls_reference *reference, unsigned long flags)
{
    X509_STORE *store = SSL_CTX_get_cert_store(peer->ssl_ctx);
    X509_STORE_CTX *store_ctx = X509_STORE_CTX_new();
    X509_VERIFY_PARAM *param;
    bool ready;

    run->error = X509_V_ERR_OUT_OF_MEM;
    run->depth = 0;
    ready = store_ctx != NULL &&
            X509_STORE_CTX_init(store_ctx, store, peer->leaf, peer->certificates) == 1 &&
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
        tls_error_words(run->words, sizeof run->words, run->error, run->depth,
                        X509_STORE_CTX_get_current_cert(store_ctx));
    }
    X509_STORE_CTX_free(store_ctx);
}

void tls_verify_pkix(struct tls_verdict *run, const struct tls_peer *peer, bool at_any_time)
{
    run_verify(run, peer, NULL, NULL, at_any_time ? X509_V_FLAG_NO_CHECK_TIME : 0);
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

/* As tls_chain_too_costly, for a chain that whole certificates among the records (2 0 0) may take part in. */
static bool records_too_costly(const struct tls_peer *peer, const struct tls_reference *reference)
{
    STACK_OF(X509) *all = sk_X509_dup(peer->certificates);
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

enum tlsa_match tls_verify_dane(struct tls_verdict *run, const struct tls_peer *peer,
                                const struct tls_reference *reference)
{
    enum tlsa_match match = TLSA_MATCH_NONE;
    SSL *holder;

    run->error = X509_V_OK;
    if (!tlsa_any_usable(reference->tlsa, reference->tlsa_count))
        return TLSA_MATCH_NONE;
    if (records_too_costly(peer, reference))
        return TLSA_MATCH_MISMATCH;
    holder = SSL_new(peer->ssl_ctx);
    if (holder != NULL && add_records(holder, reference) > 0) {
        run_verify(run, peer, SSL_get0_dane(holder), reference, 0);
        match = run->error == X509_V_OK ? TLSA_MATCH_OK : TLSA_MATCH_MISMATCH;
    }
    SSL_free(holder);
    return match;
}
