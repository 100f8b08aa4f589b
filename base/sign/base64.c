/* base64: see base64.h. Not for secrets that share a processor with an attacker: it reads a table.
 */
#include "base/sign/base64.h"

#include <stdint.h>
#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* What a character stands for, or -1. */
static int value_of(char c)
{
    const char *at = c == '\0' ? NULL : strchr(alphabet, c);

    return at == NULL ? -1 : (int)(at - alphabet);
}

/* Four characters, the last of which are padding. */
static bool decode_group(struct buf *out, const char *text, size_t padding)
{
    size_t octets = 3 - padding;
    uint32_t bits = 0;
    char group[3];

    for (size_t i = 0; i < 4; i++) {
        int value = i < 4 - padding ? value_of(text[i]) : 0;

        if (value < 0)
            return false;
        bits = bits << 6 | (uint32_t)value;
    }
    for (size_t i = 0; i < 3; i++)
        group[i] = (char)(bits >> (16 - 8 * i) & 0xff);
    for (size_t i = octets; i < 3; i++)
        if (group[i] != 0)
            return false; /* the same octets in another text */
    buf_add(out, group, octets);
    return !out->failed;
}

bool base64_decode(struct buf *out, const char *text, size_t length)
{
    if (length % 4 != 0)
        return false;
    for (size_t at = 0; at < length; at += 4) {
        size_t padding = 0;

        if (at + 4 == length && text[at + 3] == '=')
            padding = text[at + 2] == '=' ? 2 : 1;
        if (!decode_group(out, text + at, padding))
            return false;
    }
    return true;
}

void base64_encode(struct buf *out, const void *data, size_t length)
{
    const uint8_t *octets = data;

    for (size_t at = 0; at < length; at += 3) {
        size_t count = length - at < 3 ? length - at : 3;
        uint32_t bits = (uint32_t)octets[at] << 16;
        char group[4];

        if (count > 1)
            bits |= (uint32_t)octets[at + 1] << 8;
        if (count > 2)
            bits |= octets[at + 2];
        for (size_t i = 0; i < 4; i++)
            group[i] = i <= count ? alphabet[bits >> (18 - 6 * i) & 63] : '=';
        buf_add(out, group, sizeof group);
    }
}
