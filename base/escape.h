/* escape: foreign octets made fit for a log line, a terminal, a reply, or JSON. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * Writes `length` octets of `data` to `out` (`size` octets, at least 1), printable ASCII as it is
 * and all else, the backslash too, as \xHH. Always ends with a NUL; what does not fit is cut and
 * the text then ends in "...". Returns `out`.
 */
char *escape_bytes(char *out, size_t size, const void *data, size_t length);

/* Writes `length` octets as 2 * length hexadecimal digits, lower case, and a NUL. Returns `out`. */
char *escape_hex(char *out, const void *data, size_t length);

/* Whether octets are UTF-8 (RFC 3629): JSON can hold nothing else. */
bool utf8_valid(const void *data, size_t length);
