/* render_reason: the text of a TEMP, from which an operator can act. Part of render.h. */
#pragma once

#include "policy/evidence.h"
#include "policy/decide/verdict.h"

/* Postfix logs so much of a reason. */
#define RENDER_REASON_MAX 200

/* Writes printable ASCII, ended by a NUL, and returns `out`. `evidence` may be NULL. */
char *render_reason(char out[RENDER_REASON_MAX + 1], const struct verdict *verdict,
                    const struct evidence *evidence);
/* The same for a policy that cannot be sent; `fault` says why. */
char *render_fault(char out[RENDER_REASON_MAX + 1], const struct evidence *evidence,
                   const char *fault);
