/* span: a part of a text that need not end with a NUL. Borrowed. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct span {
    const char *text;
    size_t length;
};

static inline bool span_is(struct span span, const char *text)
{
    return span.length == strlen(text) && memcmp(span.text, text, span.length) == 0;
}

static inline bool span_starts(struct span span, const char *start)
{
    return span.length >= strlen(start) && memcmp(span.text, start, strlen(start)) == 0;
}

/* True when `set` contains `c`; a NUL is in no set. */
static inline bool span_set_has(const char *set, char c)
{
    return c != '\0' && strchr(set, c) != NULL;
}

static inline void span_skip(struct span *span, size_t length)
{
    span->text += length;
    span->length -= length;
}

/* Skips leading characters that are in `set`. */
static inline void span_skip_set(struct span *span, const char *set)
{
    while (span->length > 0 && span_set_has(set, span->text[0]))
        span_skip(span, 1);
}

/* What comes before the first octet of `stops`. */
static inline struct span span_until(struct span span, const char *stops)
{
    size_t length = 0;

    while (length < span.length && !span_set_has(stops, span.text[length]))
        length++;
    return (struct span){span.text, length};
}

/* Removes characters in `set` from both ends. */
static inline struct span span_trim(struct span span, const char *set)
{
    span_skip_set(&span, set);
    while (span.length > 0 && span_set_has(set, span.text[span.length - 1]))
        span.length--;
    return span;
}
