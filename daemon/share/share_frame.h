/*
 * share_frame: a value as it lies in the share: MARK MAC TEXT, with a blank between. Pure.
 *
 *   MARK  16 hexadecimal digits, another at each write: the server compares them, so that of two
 *         relays that write at once one looks again
 *   MAC   of the name that the value lies under, of MARK and TEXT, with the farm's key; "-" in a
 *         farm without one. Somebody who can write to the server but has no key can neither change a
 *         value nor put it under another name; an old one can be put back.
 *   TEXT  JSON
 */
#pragma once

#include <stdint.h>

#include "base/buf.h"
#include "base/mac.h"

#define SHARE_NAME_MAX  1024 /* octets of a name in the share */
#define SHARE_TEXT_MAX  (1024 * 1024)
#define SHARE_MARK_MAX  17 /* with NUL */
#define SHARE_VALUE_MAX (SHARE_MARK_MAX + MAC_TEXT_MAX + SHARE_TEXT_MAX)

/* The farm's key; length 0: none. */
struct share_key {
    size_t length;
    unsigned char octets[MAC_KEY_MAX];
};

struct share_frame {
    char mark[SHARE_MARK_MAX];
    const char *text; /* borrowed from the value */
    size_t length;
};

/* Writes a value; `out` is empty, and has a limit of at least SHARE_VALUE_MAX. False for a text that
 * is too long, or without memory. */
bool share_frame_write(struct buf *out, const struct share_key *key, const char *name,
                       uint64_t mark, const char *text, size_t length);
/* NULL, or why the value counts for nothing (static). */
const char *share_frame_read(struct share_frame *out, const struct share_key *key, const char *name,
                             const char *value, size_t length);
