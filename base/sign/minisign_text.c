/* minisign_text: see minisign_text.h. A line may end with CR LF; nothing but line ends may follow the
 * last one. */
#include "base/sign/minisign_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/sign/base64.h"

#define UNTRUSTED "untrusted comment: "
#define TRUSTED   "trusted comment: "
#define LINES     4

/* Octets of a secret key's line: algorithms, salt and limits of its password, then id, seed, public
 * key, and a checksum that means something only where there is a password. minisign_sign compares
 * seed and public key. */
enum {
    SECRET_KDF = 2,
    SECRET_CHECKSUM_KIND = 4,
    SECRET_ID = 54,
    SECRET_SEED = SECRET_ID + MINISIGN_ID,
    SECRET_KEY = SECRET_SEED + MINISIGN_KEY,
    SECRET_CHECKSUM = SECRET_KEY + MINISIGN_KEY,
    SECRET_SIZE = SECRET_CHECKSUM + 32
};
enum { PUBLIC_SIZE = 2 + MINISIGN_ID + MINISIGN_KEY };
enum { SIGNATURE_SIZE = 2 + MINISIGN_ID + MINISIGN_SIGNATURE };

struct line {
    const char *at;
    size_t length;
};

/* Cuts a text into `count` lines; false when it has more or fewer, or a NUL. */
static bool cut(struct line *lines, size_t count, const char *text, size_t length)
{
    if (length == 0 || length > MINISIGN_TEXT_MAX || memchr(text, '\0', length) != NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        const char *end = length == 0 ? NULL : memchr(text, '\n', length);

        if (length == 0)
            return false;
        lines[i].at = text;
        lines[i].length = end == NULL ? length : (size_t)(end - text);
        text += lines[i].length + (end != NULL);
        length -= lines[i].length + (end != NULL);
        if (lines[i].length > 0 && lines[i].at[lines[i].length - 1] == '\r')
            lines[i].length--;
    }
    for (; length > 0; text++, length--)
        if (*text != '\n' && *text != '\r')
            return false;
    return true;
}

static bool begins(const struct line *line, const char *with)
{
    return line->length >= strlen(with) && memcmp(line->at, with, strlen(with)) == 0;
}

/* Exactly `size` octets; false when the line has others. */
static bool decode(uint8_t *out, size_t size, const struct line *line)
{
    struct buf octets;
    bool good;

    buf_init(&octets, size);
    good = base64_decode(&octets, line->at, line->length) && octets.length == size;
    if (good)
        memcpy(out, octets.data, size);
    if (octets.data != NULL)
        explicit_bzero(octets.data, octets.size);
    buf_fini(&octets);
    return good;
}

const char *minisign_id_text(char out[MINISIGN_ID_TEXT], const uint8_t id[MINISIGN_ID])
{
    uint64_t number = 0;

    for (size_t i = MINISIGN_ID; i > 0; i--)
        number = number << 8 | id[i - 1];
    snprintf(out, MINISIGN_ID_TEXT, "%016" PRIX64, number);
    return out;
}

/* ---- public keys ---- */

const char *minisign_public_read(struct minisign_public *out, const char *text, size_t length)
{
    uint8_t octets[SECRET_SIZE];
    struct line lines[2];

    if (!cut(lines, 2, text, length) || !begins(&lines[0], UNTRUSTED))
        return "it is no public key of minisign";
    if (decode(octets, SECRET_SIZE, &lines[1])) {
        explicit_bzero(octets, sizeof octets);
        return "it is a secret key, which belongs to the maker of the list alone";
    }
    if (!decode(octets, PUBLIC_SIZE, &lines[1]) || memcmp(octets, "Ed", 2) != 0)
        return "it is no public key of minisign";
    memcpy(out->id, octets + 2, MINISIGN_ID);
    memcpy(out->key, octets + 2 + MINISIGN_ID, MINISIGN_KEY);
    return NULL;
}

void minisign_public_write(struct buf *out, const struct minisign_public *key)
{
    uint8_t octets[PUBLIC_SIZE] = {'E', 'd'};
    char id[MINISIGN_ID_TEXT];

    memcpy(octets + 2, key->id, MINISIGN_ID);
    memcpy(octets + 2 + MINISIGN_ID, key->key, MINISIGN_KEY);
    buf_addf(out, UNTRUSTED "minisign public key %s\n", minisign_id_text(id, key->id));
    base64_encode(out, octets, sizeof octets);
    buf_adds(out, "\n");
}

/* ---- secret keys ---- */

static const char *read_secret(struct minisign_secret *out, const uint8_t octets[SECRET_SIZE])
{
    if (memcmp(octets, "Ed", 2) != 0 || memcmp(octets + SECRET_CHECKSUM_KIND, "B2", 2) != 0)
        return "it is a secret key of minisign of an unknown kind";
    if (memcmp(octets + SECRET_KDF, "\0\0", 2) != 0)
        return "it has a password: sign with minisign -S, or take the password away with "
               "minisign -C -W";
    memcpy(out->id, octets + SECRET_ID, MINISIGN_ID);
    memcpy(out->seed, octets + SECRET_SEED, MINISIGN_KEY);
    memcpy(out->key, octets + SECRET_KEY, MINISIGN_KEY);
    return NULL;
}

const char *minisign_secret_read(struct minisign_secret *out, const char *text, size_t length)
{
    uint8_t octets[SECRET_SIZE];
    struct line lines[2];
    const char *wrong;

    if (!cut(lines, 2, text, length) || !begins(&lines[0], UNTRUSTED))
        return "it is no secret key of minisign";
    if (!decode(octets, SECRET_SIZE, &lines[1]))
        return decode(octets, PUBLIC_SIZE, &lines[1]) ? "it is a public key"
                                                      : "it is no secret key of minisign";
    wrong = read_secret(out, octets);
    explicit_bzero(octets, sizeof octets);
    return wrong;
}

void minisign_secret_write(struct buf *out, const struct minisign_secret *key)
{
    uint8_t octets[SECRET_SIZE] = {'E', 'd', 0, 0, 'B', '2'};
    char id[MINISIGN_ID_TEXT];

    memcpy(octets + SECRET_ID, key->id, MINISIGN_ID);
    memcpy(octets + SECRET_SEED, key->seed, MINISIGN_KEY);
    memcpy(octets + SECRET_KEY, key->key, MINISIGN_KEY);
    buf_addf(out, UNTRUSTED "minisign secret key %s\n", minisign_id_text(id, key->id));
    base64_encode(out, octets, sizeof octets);
    buf_adds(out, "\n");
    explicit_bzero(octets, sizeof octets);
}

/* ---- signatures ---- */

const char *minisign_signature_read(struct minisign_signature *out, const char *text, size_t length)
{
    uint8_t octets[SIGNATURE_SIZE];
    struct line lines[LINES];

    if (!cut(lines, LINES, text, length) || !begins(&lines[0], UNTRUSTED) ||
        !begins(&lines[2], TRUSTED) || !decode(octets, sizeof octets, &lines[1]) ||
        !decode(out->of_comment, MINISIGN_SIGNATURE, &lines[3]))
        return "it is no signature of minisign";
    out->hashed = memcmp(octets, "ED", 2) == 0;
    if (!out->hashed && memcmp(octets, "Ed", 2) != 0)
        return "it is a signature of minisign of an unknown kind";
    memcpy(out->id, octets + 2, MINISIGN_ID);
    memcpy(out->of_data, octets + 2 + MINISIGN_ID, MINISIGN_SIGNATURE);
    out->comment = lines[2].at + strlen(TRUSTED);
    out->comment_length = lines[2].length - strlen(TRUSTED);
    return NULL;
}

void minisign_signature_write(struct buf *out, const struct minisign_signature *signature)
{
    uint8_t octets[SIGNATURE_SIZE] = {'E', signature->hashed ? 'D' : 'd'};
    char id[MINISIGN_ID_TEXT];

    memcpy(octets + 2, signature->id, MINISIGN_ID);
    memcpy(octets + 2 + MINISIGN_ID, signature->of_data, MINISIGN_SIGNATURE);
    buf_addf(out, UNTRUSTED "signature of minisign key %s\n", minisign_id_text(id, signature->id));
    base64_encode(out, octets, sizeof octets);
    buf_adds(out, "\n" TRUSTED);
    buf_add(out, signature->comment, signature->comment_length);
    buf_adds(out, "\n");
    base64_encode(out, signature->of_comment, MINISIGN_SIGNATURE);
    buf_adds(out, "\n");
}
