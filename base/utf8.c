/* utf8: see utf8.h; no overlong forms, no surrogates, nothing past U+10FFFF. */
#include "base/utf8.h"

#include <stdint.h>

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
