/* escape: see escape.h. */
#include "base/escape.h"

#include <stdint.h>
#include <string.h>

#define ELLIPSIS "..."

char *escape_bytes(char *out, size_t size, const void *data, size_t length)
{
    static const char hex[] = "0123456789abcdef";
    const unsigned char *in = data;
    size_t used = 0, fits = 0;

    for (size_t i = 0; i < length; i++) {
        char one[4] = {(char)in[i]};
        size_t n = 1;

        if (in[i] < 0x20 || in[i] > 0x7e || in[i] == '\\') {
            one[0] = '\\';
            one[1] = 'x';
            one[2] = hex[in[i] >> 4];
            one[3] = hex[in[i] & 15];
            n = 4;
        }
        if (used + n + 1 > size) {
            /* `fits` is the last place that leaves room for the dots */
            used = fits;
            if (size > sizeof ELLIPSIS) {
                memcpy(out + used, ELLIPSIS, sizeof ELLIPSIS - 1);
                used += sizeof ELLIPSIS - 1;
            }
            break;
        }
        memcpy(out + used, one, n);
        used += n;
        if (used + sizeof ELLIPSIS <= size)
            fits = used;
    }
    out[used] = '\0';
    return out;
}

/* ---- UTF-8: no overlong forms, no surrogates, nothing past U+10FFFF ---- */

/* Octets that follow the first one of a sequence, and the range of the second (RFC 3629 §4); -1
 * when no sequence begins so. */
static int tail_of(uint8_t first, uint8_t *low, uint8_t *high)
{
    *low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    *high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    if (first < 0x80)
        return 0;
    if (first >= 0xc2 && first <= 0xdf)
        return 1;
    if (first >= 0xe0 && first <= 0xef)
        return 2;
    return first >= 0xf0 && first <= 0xf4 ? 3 : -1;
}

/* Length of the sequence at `data`, 0 when it is none. */
static size_t sequence_length(const uint8_t *data, size_t left)
{
    uint8_t low, high;
    int tail = tail_of(data[0], &low, &high);

    if (tail < 0 || (size_t)tail >= left)
        return 0;
    for (int i = 1; i <= tail; i++) {
        if (data[i] < low || data[i] > high)
            return 0;
        low = 0x80;
        high = 0xbf;
    }
    return (size_t)tail + 1;
}

bool utf8_valid(const void *data, size_t length)
{
    const uint8_t *octets = data;

    for (size_t i = 0; i < length;) {
        size_t step = sequence_length(octets + i, length - i);

        if (step == 0)
            return false;
        i += step;
    }
    return true;
}
