/* sts_policy: the policy file of a domain (RFC 8461 §3.2), from a hostile policy host. */
#pragma once

#include "base/arena.h"
#include "policy/evidence.h"

/*
 * Parses a whole file; the policy is the arena's. NULL with *why (static) when it is no valid
 * policy, *why = "no memory" when the arena failed. Lenient only about blank lines and trailing
 * white space; first of duplicate keys wins except mx; unknown keys are in `lines` only.
 */
const struct sts_policy *sts_policy_parse(struct arena *arena, const char *text, size_t length,
                                          const char **why);
