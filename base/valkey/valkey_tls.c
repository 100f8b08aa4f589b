/*
 * valkey_tls: see valkey_tls.h. hiredis reads and writes by its SSL object and frees it with its
 * context; the session has a reference of its own, to say afterwards why it failed, for which hiredis
 * has no words.
 */
#include "base/valkey/valkey_tls.h"

#include <hiredis/hiredis.h>
#include <stddef.h>
#include <stdio.h>

#if HIREDIS_MAJOR >= 1

#include <errno.h>
#include <hiredis/hiredis_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "base/net/ip.h"

struct valkey_tls {
    SSL_CTX *context;
};

struct valkey_tls_session {
    SSL *ssl;  /* one reference; the other is hiredis's */
    int alert; /* the fatal alert that the server sent; -1: none */
};

const char *valkey_tls_lacking(void)
{
    return NULL;
}

/* ---- what is trusted ---- */

/* No one is there to be asked for the passphrase of a key. */
static int no_passphrase(char *out, int size, int writing, void *context)
{
    (void)out;
    (void)size;
    (void)writing;
    (void)context;
    return 0;
}

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
        return "the key of the client certificate cannot be read, has a passphrase, or is that of "
               "another certificate";
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
    SSL_CTX_set_default_passwd_cb(tls->context, no_passphrase);
    /* however many records without data come, each turn of the loop reads one */
    SSL_CTX_clear_mode(tls->context, SSL_MODE_AUTO_RETRY);
    *why = load(tls->context, ca_file, cert_file, key_file);
    if (*why == NULL)
        return tls;
fail:
    ERR_clear_error();
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

/* ---- a connection ---- */

static void on_info(const SSL *ssl, int where, int value)
{
    struct valkey_tls_session *session = SSL_get_app_data(ssl);

    if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT && session != NULL &&
        value >> 8 == SSL3_AL_FATAL)
        session->alert = value;
}

static bool demand_name(SSL *ssl, const char *name)
{
    struct ip ip;

    if (ip_parse(&ip, name))
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
    return SSL_set1_host(ssl, name) == 1 && SSL_set_tlsext_host_name(ssl, name) == 1;
}

/* hiredis takes the SSL object. Where it fails it leaves its context half changed. */
static bool hand_over(SSL *ssl, redisContext *context)
{
    __typeof__(context->funcs) plain = context->funcs; /* const from 1.1 on */

    SSL_up_ref(ssl);
    if (redisInitiateSSL(context, ssl) == REDIS_OK)
        return true;
    context->funcs = plain;
    SSL_free(ssl);
    return false;
}

struct valkey_tls_session *valkey_tls_begin(const struct valkey_tls *tls, const char *name,
                                            struct redisContext *context,
                                            char why[VALKEY_TLS_WHY_MAX])
{
    struct valkey_tls_session *session = calloc(1, sizeof *session);

    snprintf(why, VALKEY_TLS_WHY_MAX, "no memory");
    if (session == NULL)
        return NULL;
    session->alert = -1;
    session->ssl = SSL_new(tls->context);
    if (session->ssl == NULL || SSL_set_app_data(session->ssl, session) != 1 ||
        !demand_name(session->ssl, name))
        goto fail;
    SSL_set_info_callback(session->ssl, on_info);
    if (hand_over(session->ssl, context))
        return session;
    if (!valkey_tls_failed(session, why))
        snprintf(why, VALKEY_TLS_WHY_MAX, "TLS: %s", context->errstr);
fail:
    valkey_tls_end(session);
    return NULL;
}

void valkey_tls_end(struct valkey_tls_session *session)
{
    if (session == NULL)
        return;
    if (session->ssl != NULL)
        SSL_set_app_data(session->ssl, NULL);
    SSL_free(session->ssl);
    free(session);
}

void valkey_tls_prepare(const struct valkey_tls_session *session)
{
    if (session != NULL)
        ERR_clear_error();
}

bool valkey_tls_in_handshake(const struct valkey_tls_session *session)
{
    return session != NULL && !SSL_is_init_finished(session->ssl);
}

bool valkey_tls_wants_write(const struct valkey_tls_session *session)
{
    return session != NULL && SSL_want_write(session->ssl);
}

/* ---- why it failed ---- */

/* OpenSSL 3 has no words for the alert of TLS 1.3 that operators meet most. */
static const char *alert_text(int alert)
{
    return (alert & 0xff) == TLS13_AD_CERTIFICATE_REQUIRED ? "certificate required"
                                                           : SSL_alert_desc_string_long(alert);
}

static void say_certificate(long result, char why[VALKEY_TLS_WHY_MAX])
{
    const char *text = X509_verify_cert_error_string(result);

    if (result == X509_V_ERR_HOSTNAME_MISMATCH || result == X509_V_ERR_IP_ADDRESS_MISMATCH)
        text = "it is for another name";
    snprintf(why, VALKEY_TLS_WHY_MAX, "TLS: the server's certificate is refused: %s", text);
}

/* The reason of OpenSSL's last error, or NULL; "" of one that has no words. */
static const char *last_error(void)
{
    unsigned long error = ERR_peek_last_error();
    const char *text = error == 0 ? NULL : ERR_reason_error_string(error);

    if (error != 0 && ERR_GET_LIB(error) == ERR_LIB_SSL &&
        ERR_GET_REASON(error) == SSL_R_WRONG_VERSION_NUMBER)
        return "the server does not speak TLS at this port";
    if (error != 0 && ERR_GET_LIB(error) == ERR_LIB_SSL &&
        ERR_GET_REASON(error) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
        return "the server closed the connection";
    return error != 0 && text == NULL ? "" : text;
}

bool valkey_tls_failed(const struct valkey_tls_session *session, char why[VALKEY_TLS_WHY_MAX])
{
    const char *text = last_error();
    long result;

    if (session == NULL)
        return false;
    result = SSL_get_verify_result(session->ssl);
    if (session->alert >= 0)
        snprintf(why, VALKEY_TLS_WHY_MAX, "TLS: the server refuses this client: %s",
                 alert_text(session->alert));
    else if (result != X509_V_OK)
        say_certificate(result, why);
    else if (valkey_tls_in_handshake(session))
        snprintf(why, VALKEY_TLS_WHY_MAX, "TLS: the handshake failed: %s",
                 text != NULL ? text : "the connection ended");
    else if (text != NULL)
        snprintf(why, VALKEY_TLS_WHY_MAX, "TLS: %s", text);
    else
        return false;
    return true;
}

#else

#define LACKING                                                                                    \
    "this build has no TLS to Valkey, because its hiredis is older than 1.0: use a Unix socket "   \
    "or a tunnel (stunnel), or a system with a later hiredis, such as Debian 13"

const char *valkey_tls_lacking(void)
{
    return LACKING;
}

struct valkey_tls *valkey_tls_new(const char *ca_file, const char *cert_file, const char *key_file,
                                  const char **why)
{
    (void)ca_file;
    (void)cert_file;
    (void)key_file;
    *why = LACKING;
    return NULL;
}

void valkey_tls_free(struct valkey_tls *tls)
{
    (void)tls;
}

struct valkey_tls_session *valkey_tls_begin(const struct valkey_tls *tls, const char *name,
                                            struct redisContext *context,
                                            char why[VALKEY_TLS_WHY_MAX])
{
    (void)tls;
    (void)name;
    (void)context;
    snprintf(why, VALKEY_TLS_WHY_MAX, "%s", LACKING);
    return NULL;
}

void valkey_tls_end(struct valkey_tls_session *session)
{
    (void)session;
}

void valkey_tls_prepare(const struct valkey_tls_session *session)
{
    (void)session;
}

bool valkey_tls_in_handshake(const struct valkey_tls_session *session)
{
    (void)session;
    return false;
}

bool valkey_tls_wants_write(const struct valkey_tls_session *session)
{
    (void)session;
    return false;
}

bool valkey_tls_failed(const struct valkey_tls_session *session, char why[VALKEY_TLS_WHY_MAX])
{
    (void)session;
    (void)why;
    return false;
}

#endif
