/* valkey_tls: see valkey_tls.h. */
#include "base/valkey/valkey_tls.h"

#include <hiredis/hiredis.h>
#include <stddef.h>

#if HIREDIS_MAJOR >= 1

#include <hiredis/hiredis_ssl.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "base/net/ip.h"

struct valkey_tls {
    SSL_CTX *context;
};

/* NULL, or why the files cannot be used. */
static const char *load(SSL_CTX *context, const char *ca_file, const char *cert_file,
                        const char *key_file)
{
    if (ca_file == NULL ? SSL_CTX_set_default_verify_paths(context) != 1
                        : SSL_CTX_load_verify_locations(context, ca_file, NULL) != 1)
        return "the file of trust anchors cannot be read, or has none";
    if ((cert_file == NULL) != (key_file == NULL))
        return "a client certificate needs its key, and a key its certificate";
    if (cert_file == NULL)
        return NULL;
    if (SSL_CTX_use_certificate_chain_file(context, cert_file) != 1)
        return "the file of the client certificate cannot be read, or has none";
    if (SSL_CTX_use_PrivateKey_file(context, key_file, SSL_FILETYPE_PEM) != 1)
        return "the key of the client certificate cannot be read, or is another one's";
    return NULL;
}

struct valkey_tls *valkey_tls_new(const char *ca_file, const char *cert_file, const char *key_file,
                                  const char **why)
{
    struct valkey_tls *tls = calloc(1, sizeof *tls);

    *why = "no memory";
    if (tls == NULL)
        return NULL;
    tls->context = SSL_CTX_new(TLS_client_method());
    if (tls->context == NULL || SSL_CTX_set_min_proto_version(tls->context, TLS1_2_VERSION) != 1)
        goto fail;
    SSL_CTX_set_verify(tls->context, SSL_VERIFY_PEER, NULL);
    *why = load(tls->context, ca_file, cert_file, key_file);
    if (*why == NULL)
        return tls;
fail:
    valkey_tls_free(tls);
    return NULL;
}

void valkey_tls_free(struct valkey_tls *tls)
{
    if (tls == NULL)
        return;
    SSL_CTX_free(tls->context);
    free(tls);
}

bool valkey_tls_begin(const struct valkey_tls *tls, const char *name, struct redisContext *context)
{
    SSL *ssl = SSL_new(tls->context);
    struct ip ip;
    bool good;

    if (ssl == NULL)
        return false;
    if (ip_parse(&ip, name))
        good = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
    else
        good = SSL_set1_host(ssl, name) == 1 && SSL_set_tlsext_host_name(ssl, name) == 1;
    if (good && redisInitiateSSL(context, ssl) == REDIS_OK)
        return true; /* it has taken it */
    SSL_free(ssl);
    return false;
}

#else

struct valkey_tls *valkey_tls_new(const char *ca_file, const char *cert_file, const char *key_file,
                                  const char **why)
{
    (void)ca_file;
    (void)cert_file;
    (void)key_file;
    *why = "this build has no TLS for it, because its hiredis is older than 1.0: use a Unix socket "
           "or stunnel, or a system with a later hiredis, as Debian 13";
    return NULL;
}

void valkey_tls_free(struct valkey_tls *tls)
{
    (void)tls;
}

bool valkey_tls_begin(const struct valkey_tls *tls, const char *name, struct redisContext *context)
{
    (void)tls;
    (void)name;
    (void)context;
    return false;
}

#endif
