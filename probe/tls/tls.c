/*
 * tls: the context of the prober and the strictness of the policy fetch; see tls.h.
 *
 * Everything that Debian's openssl.cnf sets (MinProtocol, SECLEVEL) is set again here, because the
 * prober must see what smtp(8) sees: at `encrypt` Postfix sets versions and ciphers itself, and
 * security level 0.
 * Sessions are in tls_session.c, the judgement of certificates in tls_chain.c, trust anchors in
 * anchors_uv.c.
 */
#include "probe/tls/tls.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "probe/tls/tls_internal.h"

/* As Postfix's medium grade, but anonymous ciphers last: we want to see a certificate. */
#define CIPHERS TLS_CIPHERS_MEDIUM TLS_CIPHERS_LAST

/* Accepts every certificate: they are judged after the handshake, by tls_session_judge. */
static int accept_any(X509_STORE_CTX *store_ctx, void *context)
{
    (void)context;
    X509_STORE_CTX_set_error(store_ctx, X509_V_OK);
    return 1;
}

static bool context_set_up(SSL_CTX *ssl_ctx)
{
    SSL_CTX_set_security_level(ssl_ctx, 0);
    tls_refuse_costly_groups(ssl_ctx);
    SSL_CTX_set_options(ssl_ctx, SSL_OP_ALL | SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                     SSL_OP_NO_TICKET);
    SSL_CTX_set_session_cache_mode(ssl_ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_max_cert_list(ssl_ctx, TLS_CERT_LIST_MAX);
    SSL_CTX_set_verify(ssl_ctx, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_cert_verify_callback(ssl_ctx, accept_any, NULL);
    return SSL_CTX_set_min_proto_version(ssl_ctx, TLS1_VERSION) == 1 &&
           SSL_CTX_set_max_proto_version(ssl_ctx, 0) == 1 &&
           SSL_CTX_set_cipher_list(ssl_ctx, CIPHERS) == 1 && SSL_CTX_dane_enable(ssl_ctx) == 1;
}

/* The operator's file and directory, or the system's. */
static struct tls_anchors find_anchors(const char *file, const char *path)
{
    struct tls_anchors anchors = {file, path, .of_system = file == NULL && path == NULL};

    if (anchors.of_system) {
        anchors.file = getenv(X509_get_default_cert_file_env());
        anchors.path = getenv(X509_get_default_cert_dir_env());
        if (anchors.file == NULL)
            anchors.file = X509_get_default_cert_file();
        if (anchors.path == NULL)
            anchors.path = X509_get_default_cert_dir();
    }
    anchors.mark = tls_anchors_look(&anchors);
    return anchors;
}

int tls_context_new(struct tls_context **out, const char *ca_file, const char *ca_path,
                    const char **why)
{
    static char no_anchors[TLS_ANCHORS_WHY_MAX];
    struct tls_context *context = calloc(1, sizeof *context);
    X509_STORE *store = NULL;

    *why = "OpenSSL cannot be set up";
    if (context == NULL)
        return -1;
    context->anchors = find_anchors(ca_file, ca_path);
    context->versions = TLS_VERSIONS_ALL;
    context->ssl_ctx = SSL_CTX_new(TLS_client_method());
    if (context->ssl_ctx != NULL && context_set_up(context->ssl_ctx)) {
        *why = no_anchors;
        store = tls_anchors_load(&context->anchors, no_anchors);
    }
    ERR_clear_error();
    if (store == NULL) {
        tls_context_free(context);
        return -1;
    }
    SSL_CTX_set_cert_store(context->ssl_ctx, store);
    *out = context;
    return 0;
}

int64_t tls_context_anchors_changed_ms(const struct tls_context *context)
{
    return context->anchors.mark.changed_ms;
}

void tls_thread_end(void)
{
    OPENSSL_thread_stop();
}

void tls_context_free(struct tls_context *context)
{
    if (context == NULL)
        return;
    SSL_CTX_free(context->ssl_ctx);
    free(context);
}

uint64_t tls_version_options(unsigned versions)
{
    return ((versions & TLS_VERSION_1_0) != 0 ? 0 : SSL_OP_NO_TLSv1) |
           ((versions & TLS_VERSION_1_1) != 0 ? 0 : SSL_OP_NO_TLSv1_1) |
           ((versions & TLS_VERSION_1_2) != 0 ? 0 : SSL_OP_NO_TLSv1_2) |
           ((versions & TLS_VERSION_1_3) != 0 ? 0 : SSL_OP_NO_TLSv1_3);
}

bool tls_context_demand(struct tls_context *context, const struct tls_settings *settings)
{
    bool ok;

    context->versions = settings->versions;
    context->strict =
        settings->versions != TLS_VERSIONS_ALL || strcmp(settings->cipher_list, CIPHERS) != 0;
    SSL_CTX_clear_options(context->ssl_ctx, tls_version_options(0));
    SSL_CTX_set_options(context->ssl_ctx, tls_version_options(settings->versions));
    ok = SSL_CTX_set_cipher_list(context->ssl_ctx, settings->cipher_list) == 1;
    SSL_CTX_set_security_level(context->ssl_ctx, 0); /* the list may name another */
    ERR_clear_error();
    return ok;
}

bool tls_context_is_strict(const struct tls_context *context)
{
    return context->strict;
}

const char *tls_context_denies(const struct tls_context *context, const char *version,
                               const char *cipher)
{
    unsigned known;

    if (!context->strict)
        return NULL;
    if (version != NULL && tls_versions_parse(&known, version) == NULL &&
        (known & context->versions) == 0)
        return "tls-protocols";
    if (cipher != NULL && !tls_has_cipher(context->ssl_ctx, cipher))
        return "tls-ciphers";
    return NULL;
}

/* Looks at the cost before any signature is verified. */
static int verify_bounded(X509_STORE_CTX *store_ctx, void *context)
{
    (void)context;
    if (tls_chain_too_costly(X509_STORE_CTX_get0_cert(store_ctx),
                             X509_STORE_CTX_get0_untrusted(store_ctx)) != NULL) {
        X509_STORE_CTX_set_error(store_ctx, X509_V_ERR_CERT_REJECTED);
        return 0;
    }
    return X509_verify_cert(store_ctx);
}

int tls_harden_policy_client(void *ssl_ctx, const char *host, struct tls_context *context)
{
    SSL_CTX *ctx = ssl_ctx;
    X509_VERIFY_PARAM *param = SSL_CTX_get0_param(ctx);

    if (X509_VERIFY_PARAM_set1_host(param, host, 0) != 1 ||
        SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1)
        return -1;
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
                                               X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    X509_VERIFY_PARAM_set_depth(param, TLS_CHAIN_DEPTH_MAX);
    SSL_CTX_set1_cert_store(ctx, SSL_CTX_get_cert_store(context->ssl_ctx));
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_cert_verify_callback(ctx, verify_bounded, NULL);
    tls_refuse_costly_groups(ctx);
    SSL_CTX_set_max_cert_list(ctx, TLS_CERT_LIST_MAX);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    /* with it one SSL_read would not return while key updates arrive */
    SSL_CTX_clear_mode(ctx, SSL_MODE_AUTO_RETRY);
    return 0;
}
