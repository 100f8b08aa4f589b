/*
 * remember: what earlier lookups proved, where it counts for more than the evidence, and what to
 * remember next (docs/verdicts.md §4, §5). Part of verdict_decide.
 */
#pragma once

#include "policy/decide/facts.h"
#include "policy/decide/verdict.h"

/* What one decision looks at. */
struct remember_view {
    const struct evidence *evidence;
    const struct facts *facts;
    const struct verdict_options *options;
    const struct remembered *before; /* what earlier lookups gave */
    int64_t now;
};

/*
 * Makes verdict->remembered the successor of view->before when the evidence is complete, otherwise
 * a copy of it. On entry *verdict is what the evidence alone says, its validity included.
 */
void remember_next(struct verdict *verdict, const struct remember_view *view);
/*
 * Replaces level, reason and held with what verdict->remembered says, where the evidence says less.
 * True when it did: the validity must then be worked out again.
 */
bool remember_apply(struct verdict *verdict, const struct remember_view *view);
