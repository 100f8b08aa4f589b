/*
 * minisign: Ed25519 signatures of files in the format of minisign(1): public keys, secret keys
 * without a password, and detached signatures, of the text itself ("Ed") or of its BLAKE2b-512
 * ("ED"). https://jedisct1.github.io/minisign/ describes the format. The cryptography is OpenSSL's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define MINISIGN_ID          8    /* octets of a key id */
#define MINISIGN_ID_TEXT     17   /* with NUL: 16 hexadecimal digits */
#define MINISIGN_KEY         32   /* of a public key, and of the seed of a secret one */
#define MINISIGN_TEXT_MAX    4096 /* octets of a key file or a signature file */
#define MINISIGN_COMMENT_MAX 1024

struct minisign_public {
    uint8_t id[MINISIGN_ID], key[MINISIGN_KEY];
};
struct minisign_secret {
    uint8_t id[MINISIGN_ID], seed[MINISIGN_KEY], key[MINISIGN_KEY];
};

/* A key id as minisign(1) shows it. Returns `out`. */
const char *minisign_id_text(char out[MINISIGN_ID_TEXT], const uint8_t id[MINISIGN_ID]);

/* Each gives NULL, or what is wrong, in words (static). */
const char *minisign_public_read(struct minisign_public *out, const char *text, size_t length);
const char *minisign_secret_read(struct minisign_secret *out, const char *text, size_t length);
/* `trusted`: the trusted comment, escaped. */
const char *minisign_verify(const struct minisign_public *key, const void *data, size_t length,
                            const char *signature, size_t signature_length,
                            char trusted[MINISIGN_COMMENT_MAX]);
const char *minisign_new(struct minisign_secret *out);
/* Overwrites what is secret. */
void minisign_forget(struct minisign_secret *secret);
struct minisign_public minisign_public_of(const struct minisign_secret *secret);
/* The text of a key file or a signature, as minisign(1) writes and reads them. */
void minisign_public_write(struct buf *out, const struct minisign_public *key);
void minisign_secret_write(struct buf *out, const struct minisign_secret *key);
/* A signature of the BLAKE2b-512. The comment is one line of less than MINISIGN_COMMENT_MAX octets. */
const char *minisign_sign(struct buf *out, const struct minisign_secret *key, const void *data,
                          size_t length, const char *trusted_comment);
