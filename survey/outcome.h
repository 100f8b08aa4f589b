/* outcome: what a result means for the survey as a whole. Pure. */
#pragma once

#include <stdbool.h>

#include "survey/unit/unit.h"

/* The kind of what failed, for counting; NULL: nothing. Static, or the result's. */
const char *outcome_failure(const struct unit_result *result);
/* Of an address: the server said that it does not want us; it took part in a conversation. */
bool outcome_refused(const struct unit_result *result);
bool outcome_answered(const struct unit_result *result);
/* Whether a failure may be the resolver's: it is looked up again before it counts. */
bool outcome_doubtful(const struct unit_result *result);
