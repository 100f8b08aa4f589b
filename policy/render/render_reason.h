/* render_reason: the text of a TEMP, which an operator can act on. Part of render.h. */
#pragma once

#include "policy/evidence.h"
#include "policy/decide/verdict.h"

/* Octets of a reason that Postfix logs. */
#define RENDER_REASON_MAX 200

/* Writes printable ASCII, ended by a NUL, and returns `out`. `evidence` may be NULL. */
char *render_reason(char out[RENDER_REASON_MAX + 1], const struct verdict *verdict,
                    const struct evidence *evidence);
/* The same for a policy that cannot be sent; `fault` says why. */
char *render_fault(char out[RENDER_REASON_MAX + 1], const struct evidence *evidence,
                   const char *fault);
