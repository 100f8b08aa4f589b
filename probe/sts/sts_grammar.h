/* sts_grammar: what the record and the policy file have in common (RFC 8461 §3.1, §3.2). */
#pragma once

#include <stddef.h>
#include <string.h>

#include "base/ascii.h"

#define STS_NAME_MAX 32

/* The length of the name of a field at `text`, (ALPHA / DIGIT) *31(ALPHA / DIGIT / "_" / "-" /
 * "."); 0 when there is none. */
static inline size_t sts_name_length(const char *text, size_t length)
{
    size_t used = 0;

    while (used < length &&
           (ascii_is_alnum(text[used]) || (used > 0 && memchr("_-.", text[used], 3) != NULL)))
        used++;
    return used <= STS_NAME_MAX ? used : 0;
}
