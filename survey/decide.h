/* decide: the verdict of each domain, by verdict_decide, from what was recorded. */
#pragma once

#include "survey/results/results.h"

/* Decides some of the domains that have no verdict, from id *after on, and moves it. *more: there
 * are others. False on failure. */
bool decide_some(struct results *results, int64_t *after, bool *more);
/* Decides one domain again, as the file's run would: for show. Evidence is `arena`'s. */
bool decide_domain(struct results *results, int64_t domain, struct arena *arena,
                   struct evidence *evidence, struct verdict *verdict);
