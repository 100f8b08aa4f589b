/*
 * remarks: what the figures of a tally lack, in sentences, with what an operator can do about it.
 * Pure.
 */
#pragma once

#include "audit/tally.h"
#include "base/arena.h"

#define REMARKS_MAX 16

/* Lines that reading had to leave out or shorten. */
struct remarks_reading {
    uint64_t unread_places; /* files that could not be read, or not to their ends */
    uint64_t cut_lines;     /* longer than SOURCE_LINE_MAX */
    bool tls_is_logged;     /* by the main.cf of today */
};

/* Fills `out` and ends it with NULL. Strings belong to the arena; without memory some are missing. */
void remarks_of(const char *out[REMARKS_MAX], struct arena *arena, const struct tally *tally,
                const struct remarks_reading *reading);
