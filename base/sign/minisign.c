/* minisign: the cryptography; see minisign.h. The texts are minisign_text.c. */
#include "base/sign/minisign.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>

#include "base/escape.h"
#include "base/sign/minisign_text.h"

#define HASH           64 /* octets of BLAKE2b-512 */
#define SIGNED_COMMENT (MINISIGN_SIGNATURE + MINISIGN_TEXT_MAX)
#define NO_MEMORY      "OpenSSL cannot do it: no memory, or no Ed25519"

/* ---- Ed25519 and BLAKE2b ---- */

static bool ed25519_verify(const uint8_t key[MINISIGN_KEY], const void *data, size_t length,
                           const uint8_t signature[MINISIGN_SIGNATURE])
{
    EVP_PKEY *public = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key, MINISIGN_KEY);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = public != NULL && context != NULL &&
                EVP_DigestVerifyInit(context, NULL, NULL, NULL, public) == 1 &&
                EVP_DigestVerify(context, signature, MINISIGN_SIGNATURE, data, length) == 1;

    EVP_MD_CTX_free(context);
    EVP_PKEY_free(public);
    return good;
}

static bool ed25519_sign(uint8_t out[MINISIGN_SIGNATURE], const uint8_t seed[MINISIGN_KEY],
                         const void *data, size_t length)
{
    EVP_PKEY *secret = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, MINISIGN_KEY);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    size_t size = MINISIGN_SIGNATURE;
    bool made = secret != NULL && context != NULL &&
                EVP_DigestSignInit(context, NULL, NULL, NULL, secret) == 1 &&
                EVP_DigestSign(context, out, &size, data, length) == 1 &&
                size == MINISIGN_SIGNATURE;

    EVP_MD_CTX_free(context);
    EVP_PKEY_free(secret);
    return made;
}

static bool public_of_seed(uint8_t out[MINISIGN_KEY], const uint8_t seed[MINISIGN_KEY])
{
    EVP_PKEY *secret = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, MINISIGN_KEY);
    size_t size = MINISIGN_KEY;
    bool made = secret != NULL && EVP_PKEY_get_raw_public_key(secret, out, &size) == 1 &&
                size == MINISIGN_KEY;

    EVP_PKEY_free(secret);
    return made;
}

static bool blake2b_512(uint8_t out[HASH], const void *data, size_t length)
{
    return EVP_Digest(data, length, out, NULL, EVP_blake2b512(), NULL) == 1;
}

/* ---- signatures ---- */

/* What the second signature covers: the first, and the trusted comment. Its length. */
static size_t signed_comment(uint8_t out[SIGNED_COMMENT],
                             const struct minisign_signature *signature)
{
    memcpy(out, signature->of_data, MINISIGN_SIGNATURE);
    memcpy(out + MINISIGN_SIGNATURE, signature->comment, signature->comment_length);
    return MINISIGN_SIGNATURE + signature->comment_length;
}

static const char *verify(const struct minisign_public *key, const void *data, size_t length,
                          const struct minisign_signature *read)
{
    uint8_t hash[HASH], comment[SIGNED_COMMENT];

    if (memcmp(read->id, key->id, MINISIGN_ID) != 0)
        return "it was made by another key";
    if (read->hashed && !blake2b_512(hash, data, length))
        return NO_MEMORY;
    if (!ed25519_verify(key->key, read->hashed ? hash : data, read->hashed ? sizeof hash : length,
                        read->of_data))
        return "it is not of this file: one of the two was changed, or is another version";
    if (!ed25519_verify(key->key, comment, signed_comment(comment, read), read->of_comment))
        return "its trusted comment was changed";
    return NULL;
}

const char *minisign_verify(const struct minisign_public *key, const void *data, size_t length,
                            const char *signature, size_t signature_length,
                            char trusted[MINISIGN_COMMENT_MAX])
{
    struct minisign_signature read;
    const char *wrong = minisign_signature_read(&read, signature, signature_length);

    trusted[0] = '\0';
    if (wrong == NULL)
        wrong = verify(key, data, length, &read);
    if (wrong == NULL)
        escape_bytes(trusted, MINISIGN_COMMENT_MAX, read.comment, read.comment_length);
    return wrong;
}

const char *minisign_sign(struct buf *out, const struct minisign_secret *key, const void *data,
                          size_t length, const char *trusted_comment)
{
    struct minisign_signature made = {
        .hashed = true, .comment = trusted_comment, .comment_length = strlen(trusted_comment)};
    uint8_t hash[HASH], comment[SIGNED_COMMENT], public[MINISIGN_KEY];

    if (made.comment_length >= MINISIGN_COMMENT_MAX || strpbrk(trusted_comment, "\r\n") != NULL)
        return "the trusted comment must be one line, and not a long one";
    memcpy(made.id, key->id, MINISIGN_ID);
    if (!public_of_seed(public, key->seed))
        return NO_MEMORY;
    if (memcmp(public, key->key, sizeof public) != 0)
        return "the secret key was damaged: it does not fit its public key";
    if (!blake2b_512(hash, data, length) ||
        !ed25519_sign(made.of_data, key->seed, hash, sizeof hash) ||
        !ed25519_sign(made.of_comment, key->seed, comment, signed_comment(comment, &made)))
        return NO_MEMORY;
    minisign_signature_write(out, &made);
    return out->failed ? NO_MEMORY : NULL;
}

/* ---- keys ---- */

const char *minisign_new(struct minisign_secret *out)
{
    if (RAND_priv_bytes(out->seed, MINISIGN_KEY) == 1 && RAND_bytes(out->id, MINISIGN_ID) == 1 &&
        public_of_seed(out->key, out->seed))
        return NULL;
    minisign_forget(out);
    return NO_MEMORY;
}

void minisign_forget(struct minisign_secret *secret)
{
    OPENSSL_cleanse(secret, sizeof *secret);
}

struct minisign_public minisign_public_of(const struct minisign_secret *secret)
{
    struct minisign_public public;

    memcpy(public.id, secret->id, MINISIGN_ID);
    memcpy(public.key, secret->key, MINISIGN_KEY);
    return public;
}
