/*
 * openpgp: detached OpenPGP signatures, verified by gpgv(1) with one key file, never with a user's
 * keyring. Its exit status does not say enough (it is 0 for a key that has expired), so its status
 * lines decide: one signature, good, by a key whose primary key has the pinned fingerprint, and
 * nothing that has expired or was revoked.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

#define OPENPGP_FINGERPRINT_MAX 64 /* hexadecimal digits: 40 of version 4, 64 of version 5 and 6 */
#define OPENPGP_SIGNATURE_MAX   65536
#define OPENPGP_KEY_MAX         (1024 * 1024) /* octets of a key file */
#define OPENPGP_STATUS_MAX      65536         /* octets of what gpgv says */
#define OPENPGP_WHY_MAX         256

/* "0123 4567 ..." or without blanks, any case; false when it is none. `out` is in upper case. */
bool openpgp_fingerprint(char out[OPENPGP_FINGERPRINT_MAX + 1], const char *text);

/* Judges what gpgv wrote to its status descriptor: NULL, or what is wrong, in `why`. Pure. */
const char *openpgp_status(const char *text, size_t length, const char *fingerprint,
                           char why[OPENPGP_WHY_MAX]);

/* Appends the packets of a public key, or of one signature, with or without ASCII armour. NULL, or
 * what is wrong, in `why`. Pure. */
const char *openpgp_key_read(struct buf *out, const char *text, size_t length,
                             char why[OPENPGP_WHY_MAX]);
const char *openpgp_signature_read(struct buf *out, const char *text, size_t length,
                                   char why[OPENPGP_WHY_MAX]);

struct openpgp_check {
    const void *data, *signature; /* borrowed */
    size_t length, signature_length;
    const char *key_path;    /* a public key, binary or with ASCII armour; read now */
    const char *fingerprint; /* of its primary key; openpgp_fingerprint */
    int deadline_ms;
};
/* Runs gpgv, found by PATH, in a process of its own, and waits for it: it is killed at the deadline.
 * NULL, or what is wrong, in `why`. Any thread may call it. */
const char *openpgp_verify(const struct openpgp_check *check, char why[OPENPGP_WHY_MAX]);
