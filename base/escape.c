/* escape: see escape.h. */
#include "base/escape.h"

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
