/* tls_chain: see tls_chain.h. */
#include "probe/tls/tls_chain.h"

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "probe/tls/tls_internal.h"

#define LEVEL_BITS 80 /* what OpenSSL's security level 1 asks for */

/* Would this handshake have been made at security level 1, which Postfix sets from `verify` up? */
bool tls_handshake_is_strong(SSL *ssl)
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

bool tls_session_shown(const struct tls_session *session, struct arena *arena,
                       struct tls_shown *out)
{
    STACK_OF(X509) *chain = SSL_get_peer_cert_chain(session->ssl);
    int count = chain == NULL ? 0 : sk_X509_num(chain);

    out->count = 0;
    out->strong = tls_handshake_is_strong(session->ssl);
    for (int i = 0; i < count && i < TLS_SHOWN_MAX; i++) {
        X509 *certificate = sk_X509_value(chain, i);
        int length = i2d_X509(certificate, NULL);
        unsigned char *data = arena_alloc(arena, length > 0 ? (size_t)length : 0), *end = data;

        if (data == NULL || i2d_X509(certificate, &end) != length)
            return false;
        out->certificates[out->count++] = (struct tls_der){data, (size_t)length};
    }
    return true;
}
