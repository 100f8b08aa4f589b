/* file: a whole file at once. */
#pragma once

#include "base/buf.h"

/* Appends the octets of the file to `out`. 0, or -1 with errno: EFBIG when it does not fit, EISDIR,
 * EINVAL for what is no plain file (it could block for ever). */
int file_read(struct buf *out, const char *path);
