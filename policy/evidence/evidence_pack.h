/*
 * evidence_pack: an evidence as a short string of octets, for the cache and the store. Small: a
 * domain with one host takes some 120 octets. Not for other machines' eyes as it is: the first
 * octet is a version, and what another version wrote is not read.
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "policy/evidence.h"

#define EVIDENCE_PACK_VERSION 1

/*
 * Appends the evidence; out->failed without memory or room, and for an evidence beyond the limits
 * of evidence.h or with a host name, id, pattern or line that nobody could have published. Texts
 * for people are cut and made printable, an alias that is no host name is left out. Times stay as
 * they are.
 */
void evidence_pack(struct buf *out, const struct evidence *evidence);
/*
 * The evidence in `arena`, with `shift_ms` added to its times (0 stays 0, what would fall to 0 or
 * below becomes 1); NULL without memory, or when the octets are not what evidence_pack makes of an
 * evidence within the limits of evidence.h. The octets may be anybody's: names, patterns and lines
 * are checked as if they came from the network.
 */
struct evidence *evidence_unpack(struct arena *arena, const void *octets, size_t length,
                                 int64_t shift_ms);
