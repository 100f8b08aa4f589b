/* sts_match: does an MTA-STS pattern cover an MX host? (RFC 8461 §4.1) */
#pragma once

#include <stdbool.h>

#include "policy/evidence.h"

/* "*.example" covers one label more, exactly; any other pattern covers itself; case is folded. */
bool sts_match_pattern(const char *pattern, const char *host);
bool sts_match_policy(const struct sts_policy *policy, const char *host);
