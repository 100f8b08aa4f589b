/* base64: RFC 4648, section 4: padded, without line ends, and with no bits left over. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* Appends what `length` characters stand for; false, after which `out` may have part of it, when
 * they are no base64 or `out` has no room. */
bool base64_decode(struct buf *out, const char *text, size_t length);
void base64_encode(struct buf *out, const void *data, size_t length);
