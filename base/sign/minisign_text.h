/* minisign_text: what the lines of minisign's files hold, octet by octet. For minisign.c alone. Pure. */
#pragma once

#include "base/sign/minisign.h"

#define MINISIGN_SIGNATURE 64 /* octets of an Ed25519 signature */

/* A signature file. The comment is a part of the text that was read. */
struct minisign_signature {
    bool hashed; /* of the BLAKE2b-512 */
    uint8_t id[MINISIGN_ID], of_data[MINISIGN_SIGNATURE], of_comment[MINISIGN_SIGNATURE];
    const char *comment;
    size_t comment_length;
};

const char *minisign_signature_read(struct minisign_signature *out, const char *text,
                                    size_t length);
void minisign_signature_write(struct buf *out, const struct minisign_signature *signature);
