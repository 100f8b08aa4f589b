/* survey_show: one domain, explained from what was recorded. */
#pragma once

#include <jansson.h>

#include "base/arena.h"
#include "survey/page/figures.h"
#include "survey/results/results.h"

enum survey_shown { SHOWN, SHOWN_NO_DOMAIN, SHOWN_NOT_LOOKED_UP, SHOWN_FAILED };

/*
 * `*out`: the report of policy/report, as `mxcrypt explain` prints it, without the members that tell
 * how long it is good for; and "recorded", what the file says of the domain beyond it, and "seen",
 * what each address of its hosts showed. Every text is printable. FAILED: results_error, or no
 * memory. */
enum survey_shown survey_show(json_t **out, struct results *results, const char *name,
                              struct arena *arena);
