/*
 * validity: how long a verdict may be kept (docs/verdicts.md §4, docs/conformance.md C-5 and I).
 * Part of verdict_decide.
 */
#pragma once

#include <stdbool.h>

#include "policy/decide/verdict.h"

/* Which facts a verdict rests on. */
struct validity_use {
    bool sts;    /* MTA-STS decided, or would have if it had said something else */
    bool probes; /* STARTTLS decided */
};

/* Fills valid_until and refresh_at of *verdict from its level and the evidence behind it. */
void validity_set(struct verdict *verdict, const struct evidence *evidence,
                  const struct verdict_options *options, struct validity_use use, int64_t now);
