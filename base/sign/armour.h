/* armour: ASCII armour (RFC 9580, section 6.2) taken off what gpgv(1) reads only without it. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

#define ARMOUR_WHY_MAX 128

/* Whether a line of the text begins a block. */
bool armour_is(const char *text, size_t length);
/* Appends the octets of all blocks, which must all be "BEGIN PGP `kind`"; what stands between them
 * is left out. NULL, or what is wrong, in `why`. The checksum, which RFC 9580 lets a reader leave
 * alone, is not looked at: a signature says more. */
const char *armour_read(struct buf *out, const char *text, size_t length, const char *kind,
                        char why[ARMOUR_WHY_MAX]);
