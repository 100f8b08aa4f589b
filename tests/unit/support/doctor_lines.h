/* doctor_lines: what is printed for main.cf, as its tests look at it. */
#pragma once

#include <string.h>

#include "base/buf.h"

/* Only what main.cf would take. */
static inline void drop_comments(struct buf *out, const char *text)
{
    while (*text != '\0') {
        size_t length = strcspn(text, "\n") + 1;

        if (*text != '#' && *text != '\n')
            buf_add(out, text, length);
        text += length;
    }
}
