/* openpgp: what gpgv says, and what it is given; see openpgp.h. Running it is openpgp_run.c. */
#include "base/sign/openpgp.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/ascii.h"
#include "base/escape.h"
#include "base/sign/armour.h"
#include "base/sign/packet.h"

/* ---- fingerprints ---- */

bool openpgp_fingerprint(char out[OPENPGP_FINGERPRINT_MAX + 1], const char *text)
{
    size_t length = 0;

    for (; *text != '\0'; text++) {
        char c = *text;

        if (c == ' ')
            continue;
        if (c >= 'a' && c <= 'f')
            c = (char)(c - 'a' + 'A');
        if ((!ascii_is_digit(c) && (c < 'A' || c > 'F')) || length == OPENPGP_FINGERPRINT_MAX)
            return false;
        out[length++] = c;
    }
    out[length] = '\0';
    return length == 40 || length == OPENPGP_FINGERPRINT_MAX;
}

/* ---- files ---- */

/* Takes off what armour there is. */
static const char *unarmoured(struct buf *out, const char *text, size_t length, const char *kind,
                              char why[OPENPGP_WHY_MAX])
{
    char wrong[ARMOUR_WHY_MAX];

    if (!armour_is(text, length))
        buf_add(out, text, length);
    else if (armour_read(out, text, length, kind, wrong) != NULL) {
        snprintf(why, OPENPGP_WHY_MAX, "%s", wrong);
        return why;
    }
    if (!out->failed)
        return NULL;
    snprintf(why, OPENPGP_WHY_MAX, "it is too long");
    return why;
}

const char *openpgp_key_read(struct buf *out, const char *text, size_t length,
                             char why[OPENPGP_WHY_MAX])
{
    const char *wrong = unarmoured(out, text, length, "PUBLIC KEY BLOCK", why);
    int type;

    if (wrong != NULL)
        return wrong;
    type = packet_first(out->data, out->length);
    if (type == PACKET_PUBLIC_KEY)
        return NULL;
    snprintf(why, OPENPGP_WHY_MAX, "%s",
             type == PACKET_SECRET_KEY
                 ? "it has a secret key, which belongs to the maker of the list alone"
             : out->length >= 12 && memcmp(out->data + 8, "KBXf", 4) == 0
                 ? "it is a keybox of gpg: give it what gpg --export writes"
                 : "it has no OpenPGP public key");
    return why;
}

const char *openpgp_signature_read(struct buf *out, const char *text, size_t length,
                                   char why[OPENPGP_WHY_MAX])
{
    const char *wrong = unarmoured(out, text, length, "SIGNATURE", why), *faulty;

    if (wrong != NULL)
        return wrong;
    faulty = packet_one_signature(out->data, out->length);
    if (faulty == NULL)
        return NULL;
    snprintf(why, OPENPGP_WHY_MAX, "%s", faulty);
    return why;
}

/* ---- status lines (doc/DETAILS of GnuPG) ---- */

#define PREFIX     "[GNUPG:] "
#define FIELDS_MAX 12

/* One line, cut at its blanks. */
struct fields {
    const char *at[FIELDS_MAX]; /* the first is the keyword */
    size_t length[FIELDS_MAX];
    size_t count;
};

static void split(struct fields *fields, const char *line, size_t length)
{
    size_t at = strlen(PREFIX);

    fields->count = 0;
    if (length < at || memcmp(line, PREFIX, at) != 0)
        return;
    while (at < length && fields->count < FIELDS_MAX) {
        size_t begin = at;

        while (at < length && line[at] != ' ')
            at++;
        fields->at[fields->count] = line + begin;
        fields->length[fields->count++] = at - begin;
        at += at < length;
    }
}

static bool is_field(const struct fields *fields, size_t i, const char *text)
{
    return i < fields->count && fields->length[i] == strlen(text) &&
           memcmp(fields->at[i], text, fields->length[i]) == 0;
}

/* What is wrong where gpgv says this word. KEYEXPIRED is not among them: it is said of any subkey
 * that the key once had. */
static const struct {
    const char *word, *why;
    bool has_key; /* its first argument is the id of a key */
} refusals[] = {
    {"NODATA", "it is no OpenPGP signature", false},
    {"UNEXPECTED", "it is no OpenPGP signature", false},
    {"PLAINTEXT", "it is a signed message, not a detached signature", false},
    {"BADSIG", "it is not of this file: one of the two was changed, or is another version, key",
     true},
    {"NO_PUBKEY", "it was made by a key that the key file does not have, key", true},
    {"REVKEYSIG", "its key was revoked, key", true},
    {"EXPKEYSIG", "its key has expired, key", true},
    {"EXPSIG", "the signature has expired, key", true},
    {"ERRSIG", "gpgv cannot verify it: an algorithm that is too weak or too new, key", true},
    {"FAILURE", "gpgv failed", false},
    {"ERROR", "gpgv cannot verify it", false},
};
#define REFUSALS (sizeof refusals / sizeof refusals[0])

/* VALIDSIG's: 1 the fingerprint of the key, 9 the class, 10 that of the primary key */
enum { VALID_CLASS = 9, VALID_PRIMARY = 10 };

/* What the lines said. */
struct said {
    size_t fresh, good, valid; /* NEWSIG, GOODSIG, VALIDSIG */
    bool binary; /* a signature of a file as it is, not of a text with any line ends */
    bool pinned;
    char primary[OPENPGP_FINGERPRINT_MAX + 1]; /* escaped */
    size_t refusal;                            /* the first row of the table that was said */
    char key[OPENPGP_FINGERPRINT_MAX + 1];     /* of that; escaped */
};

static void take_refusal(struct said *said, const struct fields *fields)
{
    for (size_t i = 0; i < said->refusal; i++) {
        if (!is_field(fields, 0, refusals[i].word))
            continue;
        said->refusal = i;
        said->key[0] = '\0';
        if (refusals[i].has_key && fields->count > 1)
            escape_bytes(said->key, sizeof said->key, fields->at[1], fields->length[1]);
    }
}

static void take_line(struct said *said, const char *line, size_t length, const char *fingerprint)
{
    struct fields fields;

    split(&fields, line, length);
    take_refusal(said, &fields);
    said->fresh += is_field(&fields, 0, "NEWSIG");
    said->good += is_field(&fields, 0, "GOODSIG");
    if (!is_field(&fields, 0, "VALIDSIG"))
        return;
    said->valid++;
    said->binary = is_field(&fields, VALID_CLASS, "00");
    said->pinned = fields.count > VALID_PRIMARY &&
                   fields.length[VALID_PRIMARY] == strlen(fingerprint) &&
                   strncasecmp(fields.at[VALID_PRIMARY], fingerprint, strlen(fingerprint)) == 0;
    if (fields.count > VALID_PRIMARY)
        escape_bytes(said->primary, sizeof said->primary, fields.at[VALID_PRIMARY],
                     fields.length[VALID_PRIMARY]);
}

static const char *judge(const struct said *said, char why[OPENPGP_WHY_MAX])
{
    if (said->fresh > 1 || said->good > 1 || said->valid > 1)
        snprintf(why, OPENPGP_WHY_MAX, "it has several signatures, and must have one");
    else if (said->refusal < REFUSALS)
        snprintf(why, OPENPGP_WHY_MAX, "%s%s%s", refusals[said->refusal].why,
                 said->key[0] == '\0' ? "" : " ", said->key);
    else if (said->good == 0 || said->valid == 0)
        snprintf(why, OPENPGP_WHY_MAX, "gpgv says of no signature that it is good");
    else if (!said->pinned)
        snprintf(why, OPENPGP_WHY_MAX,
                 "it was made by a key that is not the pinned one, primary key %s", said->primary);
    else if (!said->binary)
        snprintf(why, OPENPGP_WHY_MAX, "it is a signature of a text, not of a file as it is");
    else
        return NULL;
    return why;
}

const char *openpgp_status(const char *text, size_t length, const char *fingerprint,
                           char why[OPENPGP_WHY_MAX])
{
    struct said said = {.refusal = REFUSALS};
    const char *end;

    for (size_t at = 0; at < length; at = (size_t)(end - text) + 1) {
        end = memchr(text + at, '\n', length - at);
        if (end == NULL)
            break; /* cut: it says nothing for sure */
        take_line(&said, text + at, (size_t)(end - text) - at, fingerprint);
    }
    return judge(&said, why);
}
