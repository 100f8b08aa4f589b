/* escape: foreign octets made fit for a log line, a terminal or a reply. */
#pragma once

#include <stddef.h>

/*
 * Writes `length` octets of `data` to `out` (`size` octets, at least 1), printable ASCII as it is
 * and all else, the backslash too, as \xHH. Always ends with a NUL; what does not fit is cut and
 * the text then ends in "...". Returns `out`.
 */
char *escape_bytes(char *out, size_t size, const void *data, size_t length);
