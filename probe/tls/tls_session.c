/*
 * tls_session: one TLS client connection between two memory BIOs; see tls.h.
 *
 * Input is handed to OpenSSL in small slices and counted between them, so that no feed takes long
 * and a flood of tickets, key updates or tiny records ends the session (docs/conformance.md hostile
 * 9). After the handshake whatever arrives is decrypted at once into `plain`.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/escape.h"
#include "base/net/hostname.h"
#include "probe/tls/tls.h"
#include "probe/tls/tls_internal.h"

#define SLICE 4096

/* Ciphers by OpenSSL's words; signatures: TLS 1.3 takes the PSS and ECDSA ones, TLS 1.2 all, and
 * old servers need SHA-1. */
#define ALL_CIPHERS "ALL:COMPLEMENTOFALL:@STRENGTH"
#define WEAK_CIPHERS                                                                               \
    "eNULL:EXPORT:LOW:RC4:RC2:3DES:DES:SEED:IDEA:MD5:aDSS:kDHr:kDHd:kECDHr:kECDHe:!PSK:!SRP"
#define RSA_SIGNATURES                                                                             \
    "rsa_pss_rsae_sha256:rsa_pss_rsae_sha384:rsa_pss_rsae_sha512:rsa_pss_pss_sha256:"              \
    "rsa_pss_pss_sha384:rsa_pss_pss_sha512:RSA+SHA256:RSA+SHA384:RSA+SHA512:RSA+SHA224:RSA+SHA1"
#define ECDSA_SIGNATURES                                                                           \
    "ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:ed25519:ed448:ECDSA+SHA224:ECDSA+SHA1"

static const struct {
    unsigned versions;
    const char *ciphers, *signatures; /* NULL: as they are */
} offers[] = {
    [TLS_OFFER_ALL] = {TLS_VERSIONS_ALL, ALL_CIPHERS, NULL},
    [TLS_OFFER_OLD] = {TLS_VERSION_1_0 | TLS_VERSION_1_1, ALL_CIPHERS, NULL},
    [TLS_OFFER_WEAK] = {TLS_VERSIONS_ALL & ~TLS_VERSION_1_3, WEAK_CIPHERS, NULL},
    [TLS_OFFER_RSA] = {TLS_VERSIONS_ALL, "aRSA:!eNULL", RSA_SIGNATURES},
    [TLS_OFFER_ECDSA] = {TLS_VERSIONS_ALL, "aECDSA:!eNULL", ECDSA_SIGNATURES},
};

static void count_message(int sent, int version, int type, const void *data, size_t length,
                          SSL *ssl, void *context)
{
    struct tls_session *session = context;

    (void)version, (void)data, (void)length, (void)ssl;
    if (sent)
        return;
    if (type == SSL3_RT_HEADER)
        session->records++;
    else if (type == SSL3_RT_HANDSHAKE && session->handshaken)
        session->post_messages++;
}

static bool session_set_up(struct tls_session *session, const char *sni)
{
    session->ssl = SSL_new(session->context->ssl_ctx);
    session->in = BIO_new(BIO_s_mem());
    session->out = BIO_new(BIO_s_mem());
    if (session->ssl == NULL || session->in == NULL || session->out == NULL) {
        BIO_free(session->in);
        BIO_free(session->out);
        return false;
    }
    BIO_set_mem_eof_return(session->in, -1);
    BIO_set_mem_eof_return(session->out, -1);
    SSL_set_bio(session->ssl, session->in, session->out);
    SSL_set_connect_state(session->ssl);
    SSL_set_msg_callback(session->ssl, count_message);
    SSL_set_msg_callback_arg(session->ssl, session);
    if (sni == NULL || !hostname_valid(sni, strlen(sni), HOSTNAME_UNDERSCORE))
        return true; /* an address: RFC 6066 §3 allows names only */
    return SSL_set_tlsext_host_name(session->ssl, sni) == 1;
}

struct tls_session *tls_session_new(struct tls_context *context, const char *sni)
{
    struct tls_session *session = calloc(1, sizeof *session);

    if (session == NULL)
        return NULL;
    session->context = context;
    session->progress = TLS_WANT_MORE;
    buf_init(&session->plain, TLS_PLAIN_MAX);
    if (!session_set_up(session, sni)) {
        tls_session_free(session);
        ERR_clear_error();
        return NULL;
    }
    return session;
}

bool tls_session_offer(struct tls_session *session, enum tls_offer offer)
{
    bool ok;

    if (offer == TLS_OFFER_DEMANDED)
        return true;
    SSL_clear_options(session->ssl, tls_version_options(0));
    SSL_set_options(session->ssl, tls_version_options(offers[offer].versions));
    ok = SSL_set_cipher_list(session->ssl, offers[offer].ciphers) == 1;
    SSL_set_security_level(session->ssl, 0); /* the list may name another */
    if (offers[offer].signatures != NULL)
        ok = ok && SSL_set1_sigalgs_list(session->ssl, offers[offer].signatures) == 1;
    ERR_clear_error();
    return ok;
}

void tls_session_free(struct tls_session *session)
{
    if (session == NULL)
        return;
    SSL_free(session->ssl);
    buf_fini(&session->plain);
    free(session);
}

static enum tls_progress broken(struct tls_session *session, const char *why)
{
    if (session->progress != TLS_BROKEN)
        escape_bytes(session->why, sizeof session->why, why, strlen(why));
    session->progress = TLS_BROKEN;
    return TLS_BROKEN;
}

/* Reads it from OpenSSL's reason, in which an alert that was received has an offset. */
static enum tls_refusal refusal_of(int reason)
{
    switch (reason) {
    case SSL_AD_REASON_OFFSET + SSL_AD_PROTOCOL_VERSION:
    case SSL_AD_REASON_OFFSET + SSL_AD_INSUFFICIENT_SECURITY:
    case SSL_R_UNSUPPORTED_PROTOCOL:
        return TLS_REFUSAL_VERSION;
    default:
        return reason > SSL_AD_REASON_OFFSET ? TLS_REFUSAL_OTHER : TLS_REFUSAL_NONE;
    }
}

/* Turns OpenSSL's error into ours. */
static enum tls_progress note_error(struct tls_session *session, int result)
{
    int error = SSL_get_error(session->ssl, result);
    const char *reason;

    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
        return session->progress;
    if (error == SSL_ERROR_ZERO_RETURN)
        return session->progress = TLS_CLOSED;
    if (!session->handshaken)
        session->refusal = refusal_of(ERR_GET_REASON(ERR_peek_error()));
    reason = ERR_reason_error_string(ERR_peek_error());
    return broken(session, reason == NULL ? "TLS protocol error" : reason);
}

static enum tls_progress check_limits(struct tls_session *session)
{
    if (session->records > TLS_RECORDS_MAX)
        return broken(session, "too many TLS records");
    if (session->post_messages > TLS_POST_MESSAGES_MAX)
        return broken(session, "too many tickets or key updates");
    if (!session->handshaken && session->octets > TLS_HANDSHAKE_OCTETS_MAX)
        return broken(session, "TLS handshake too long");
    if (session->octets > TLS_OCTETS_MAX || session->plain.failed)
        return broken(session, "too much data");
    return session->progress;
}

static void decrypt(struct tls_session *session)
{
    char plain[SLICE];
    size_t count;
    int result;

    while ((result = SSL_read_ex(session->ssl, plain, sizeof plain, &count)) == 1) {
        buf_add(&session->plain, plain, count);
        if (check_limits(session) == TLS_BROKEN)
            return;
    }
    note_error(session, result);
}

/* Lets OpenSSL work on what it has been given so far. */
static void advance(struct tls_session *session)
{
    int result;

    ERR_clear_error();
    if (!session->handshaken) {
        result = SSL_do_handshake(session->ssl);
        if (result != 1) {
            note_error(session, result);
        } else {
            session->handshaken = true;
            session->progress = TLS_READY;
        }
    }
    if (session->progress == TLS_READY)
        decrypt(session);
    check_limits(session);
    ERR_clear_error();
}

static void collect(struct tls_session *session, struct buf *out)
{
    char data[SLICE];
    int count;

    while ((count = BIO_read(session->out, data, sizeof data)) > 0)
        buf_add(out, data, (size_t)count);
    if (out->failed)
        broken(session, "output buffer full");
}

enum tls_progress tls_session_feed(struct tls_session *session, const void *data, size_t length,
                                   struct buf *out)
{
    const char *next = data;

    do {
        size_t slice = length < SLICE ? length : SLICE;

        if (session->progress == TLS_BROKEN || session->progress == TLS_CLOSED)
            break;
        if (slice > 0) {
            if (BIO_write(session->in, next, (int)slice) != (int)slice)
                return broken(session, "no memory");
            session->octets += slice;
            next += slice;
            length -= slice;
        }
        advance(session);
    } while (length > 0);
    collect(session, out);
    return session->progress;
}

int tls_session_write(struct tls_session *session, const void *data, size_t length, struct buf *out)
{
    size_t written;

    if (session->progress != TLS_READY)
        return -1;
    ERR_clear_error();
    if (SSL_write_ex(session->ssl, data, length, &written) != 1 || written != length) {
        broken(session, "cannot encrypt");
        ERR_clear_error();
        return -1;
    }
    collect(session, out);
    return session->progress == TLS_READY ? 0 : -1;
}

size_t tls_session_read(struct tls_session *session, void *data, size_t size)
{
    size_t count = session->plain.length < size ? session->plain.length : size;

    if (count > 0) {
        memcpy(data, buf_text(&session->plain), count);
        buf_consume(&session->plain, count);
    }
    return count;
}

enum tls_refusal tls_session_refusal(const struct tls_session *session)
{
    return session->refusal;
}

const char *tls_session_why(const struct tls_session *session)
{
    return session->why;
}
