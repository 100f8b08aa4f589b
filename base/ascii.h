/* ascii: classes of characters, without the locale of <ctype.h>. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

static inline bool ascii_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline bool ascii_is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static inline bool ascii_is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || ascii_is_upper(c) || ascii_is_digit(c);
}

/* WSP of RFC 5234 */
static inline bool ascii_is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* True for NULL as well. */
static inline bool ascii_is_printable(const char *text)
{
    for (; text != NULL && *text != '\0'; text++)
        if (*text < ' ' || *text > '~')
            return false;
    return true;
}
