/* outcome: what a result means for the survey as a whole. Pure. */
#pragma once

#include <stdbool.h>

#include "survey/manners.h"

/* The kind of what failed, for counting; NULL: nothing. Static, or the result's. */
const char *outcome_failure(const struct unit_result *result);
/* Of an address: what the manners are told. */
struct manners_end outcome_end(const struct unit_result *result);
/* Whether a failure may be the resolver's: it is looked up again before it counts. */
bool outcome_doubtful(const struct unit_result *result);
