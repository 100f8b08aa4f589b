/* signature: see signature.h. */
#include "base/sign/signature.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/sign/armour.h"
#include "base/sign/minisign.h"
#include "base/sign/packet.h"

#define MINISIGN_BEGIN "untrusted comment:"

static const struct {
    const char *name, *suffix;
} kinds[] = {
    [SIGNATURE_MINISIGN] = {"minisign", ".minisig"}, [SIGNATURE_OPENPGP] = {"openpgp", ".asc"}};

const char *signature_suffix(enum signature_kind kind)
{
    return kinds[kind].suffix;
}

const char *signature_kind_name(enum signature_kind kind)
{
    return kinds[kind].name;
}

bool signature_kind_of(enum signature_kind *out, const char *key_path, char why[OPENPGP_WHY_MAX])
{
    struct buf file;
    bool known = false;

    buf_init(&file, OPENPGP_KEY_MAX);
    if (file_read(&file, key_path) != 0)
        snprintf(why, OPENPGP_WHY_MAX, "%.150s: %s", key_path, strerror(errno));
    else if (file.length > strlen(MINISIGN_BEGIN) &&
             memcmp(file.data, MINISIGN_BEGIN, strlen(MINISIGN_BEGIN)) == 0) {
        *out = SIGNATURE_MINISIGN;
        known = true;
    } else if (armour_is(file.data, file.length) || packet_first(file.data, file.length) >= 0) {
        *out = SIGNATURE_OPENPGP;
        known = true;
    } else
        snprintf(why, OPENPGP_WHY_MAX,
                 "%.150s: it is a public key neither of minisign nor of OpenPGP", key_path);
    buf_fini(&file);
    return known;
}

/* NULL, or what is wrong, in `why`. */
static const char *read_minisign(struct minisign_public *out, const char *key_path,
                                 char why[OPENPGP_WHY_MAX])
{
    const char *wrong = NULL;
    struct buf file;

    buf_init(&file, MINISIGN_TEXT_MAX);
    if (file_read(&file, key_path) != 0)
        wrong = strerror(errno);
    else
        wrong = minisign_public_read(out, file.data, file.length);
    if (wrong != NULL)
        snprintf(why, OPENPGP_WHY_MAX, "%.150s: %s", key_path, wrong);
    buf_fini(&file);
    return wrong == NULL ? NULL : why;
}

static const char *verify_minisign(const struct signature_check *check, char why[OPENPGP_WHY_MAX])
{
    char trusted[MINISIGN_COMMENT_MAX];
    struct minisign_public key;
    const char *wrong = read_minisign(&key, check->key_path, why);

    if (wrong != NULL)
        return wrong;
    wrong = minisign_verify(&key, check->data, check->length, check->signature,
                            check->signature_length, trusted);
    if (wrong == NULL)
        return NULL;
    snprintf(why, OPENPGP_WHY_MAX, "%s", wrong);
    return why;
}

const char *signature_verify(const struct signature_check *check, char why[OPENPGP_WHY_MAX])
{
    const struct openpgp_check openpgp = {
        .data = check->data,
        .signature = check->signature,
        .length = check->length,
        .signature_length = check->signature_length,
        .key_path = check->key_path,
        .fingerprint = check->fingerprint,
        .deadline_ms = check->deadline_ms,
    };

    if (check->kind == SIGNATURE_MINISIGN)
        return verify_minisign(check, why);
    if (check->fingerprint != NULL)
        return openpgp_verify(&openpgp, why);
    snprintf(why, OPENPGP_WHY_MAX, "an OpenPGP key needs the fingerprint of its primary key");
    return why;
}

const char *signature_key_name(char out[SIGNATURE_KEY_MAX], enum signature_kind kind,
                               const char *key_path, const char *fingerprint)
{
    char why[OPENPGP_WHY_MAX], id[MINISIGN_ID_TEXT];
    struct minisign_public key;

    if (kind == SIGNATURE_OPENPGP)
        snprintf(out, SIGNATURE_KEY_MAX, "%s", fingerprint == NULL ? "" : fingerprint);
    else if (read_minisign(&key, key_path, why) == NULL)
        snprintf(out, SIGNATURE_KEY_MAX, "%s", minisign_id_text(id, key.id));
    else
        out[0] = '\0';
    return out;
}
