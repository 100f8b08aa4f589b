/* signature: a detached signature of either kind, chosen by the key file; see minisign.h and
 * openpgp.h. */
#pragma once

#include "base/sign/openpgp.h"

#define SIGNATURE_MAX     OPENPGP_SIGNATURE_MAX /* octets */
#define SIGNATURE_KEY_MAX 96                    /* of the name of a key, with NUL */

enum signature_kind { SIGNATURE_MINISIGN, SIGNATURE_OPENPGP };

/* By the content of a public key's file; false, with `why`, when it is neither. */
bool signature_kind_of(enum signature_kind *out, const char *key_path, char why[OPENPGP_WHY_MAX]);
/* ".minisig" or ".asc": what comes behind the name of the file that was signed. */
const char *signature_suffix(enum signature_kind kind);
/* "minisign" or "openpgp" */
const char *signature_kind_name(enum signature_kind kind);

struct signature_check {
    enum signature_kind kind;
    const void *data, *signature;
    size_t length, signature_length;
    const char *key_path;
    const char *fingerprint; /* NULL for minisign, whose key file is the pin */
    int deadline_ms;         /* of gpgv */
};
/* NULL, or what is wrong, in `why`. Waits. */
const char *signature_verify(const struct signature_check *check, char why[OPENPGP_WHY_MAX]);

/* The key as people know it: the id of minisign, the pinned fingerprint of OpenPGP; "" when the file
 * cannot be read. Returns `out`. */
const char *signature_key_name(char out[SIGNATURE_KEY_MAX], enum signature_kind kind,
                               const char *key_path, const char *fingerprint);
