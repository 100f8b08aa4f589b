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

/* No overlong forms, no surrogates, nothing past U+10FFFF (RFC 3629 §4). */
char *escape_hex(char *out, const void *data, size_t length)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *octets = data;

    for (size_t i = 0; i < length; i++) {
        out[2 * i] = digits[octets[i] >> 4];
        out[2 * i + 1] = digits[octets[i] & 15];
    }
    out[2 * length] = '\0';
    return out;
}

bool utf8_valid(const void *data, size_t length)
{
    const uint8_t *octets = data;
    uint8_t low = 0x80, high = 0xbf; /* range of the next octet... */
    unsigned tail = 0;               /* ...while some of its sequence are still to come */

    for (size_t i = 0; i < length; i++) {
        uint8_t c = octets[i];

        if (tail > 0) {
            if (c < low || c > high)
                return false;
            tail--;
            low = 0x80;
            high = 0xbf;
        } else if (c >= 0x80) {
            if (c < 0xc2 || c > 0xf4)
                return false;
            tail = c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
            low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
            high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
        }
    }
    return tail == 0;
}
