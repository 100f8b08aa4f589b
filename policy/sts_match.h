/* sts_match: which MX hosts a pattern of an MTA-STS policy (RFC 8461 §4.1) or of a policy list
 * covers, and whether Postfix can be given it. */
#pragma once

#include <stdbool.h>

#include "policy/evidence.h"

/* "*.example" covers names with exactly one label more; other patterns cover themselves. The case
 * of letters does not matter. */
bool sts_match_pattern(const char *pattern, const char *host);
bool sts_match_policy(const struct sts_policy *policy, const char *host);
/*
 * True for a pattern that Postfix reads as a name and never as a keyword, an address or a separator
 * (docs/postfix.md): a host name of two labels or more, with or without "*." before it. The grammar
 * of RFC 8461 §3.2 allows others.
 */
bool sts_match_fits_postfix(const char *pattern);
bool sts_match_is_wildcard(const char *pattern);
/* How many patterns of the policy Postfix cannot be given. */
size_t sts_match_unfit(const struct sts_policy *policy);
/* True when a pattern of the list's entry covers the host. */
bool sts_match_listed(const struct list_evidence *list, const char *host);
