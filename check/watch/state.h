/*
 * state: what is kept of the last check of a domain, as JSON: its findings, and the MTA-STS policy
 * that it had, so that the next check can tell what has come, what has gone, and whether a policy
 * was changed without a new id.
 *
 * A file can come from anybody who may write there: what is not of this form is refused as a whole.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "check/facts.h"
#include "check/finding.h"

#define STATE_OCTETS_MAX ((size_t)1024 * 1024) /* of a file */

struct state_finding {
    const char *code; /* perhaps one that this version does not know */
    const char *severity, *where;
};

struct state {
    int64_t checked_at; /* seconds since 1970 */
    struct check_before before;
    size_t count;
    const struct state_finding *findings;
};

/* Reads a file; strings are the arena's. NULL, or what is wrong with it (static). `domain` is whose
 * it must be. */
const char *state_read(struct state *out, struct arena *arena, const char *domain, const char *text,
                       size_t length);
/* What is to be kept now. What could not be had this time stays as it was in `before`, which may be
 * NULL, and so does the policy of an id that has not changed. False without memory. */
bool state_write(struct buf *out, const struct check_facts *facts,
                 const struct check_report *report, const struct state *before);

/* Calls `take` for each finding that is there now and was not, and for each that was and is not now;
 * `before` NULL: nothing was known, so that all have come. Findings are the same when code and place
 * are. One that could not be looked for this time (not-found-out is in the report) is not gone. */
typedef void state_taker(void *context, bool came, const struct state_finding *finding);
void state_compare(const struct state *before, const struct check_report *report, state_taker *take,
                   void *context);
