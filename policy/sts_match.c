/* sts_match: see sts_match.h; RFC 8461 §4.1 and, for wildcards, RFC 6125 §6.4. */
#include "policy/sts_match.h"

#include <string.h>

#include "base/hostname.h"

bool sts_match_pattern(const char *pattern, const char *host)
{
    const char *dot;

    if (strncmp(pattern, "*.", 2) != 0)
        return hostname_equal(pattern, host);
    dot = strchr(host, '.');
    /* the wildcard stands for one whole label, and what it stands before is a domain */
    return dot != NULL && dot != host && strchr(pattern + 2, '.') != NULL &&
           hostname_equal(pattern + 2, dot + 1);
}

bool sts_match_policy(const struct sts_policy *policy, const char *host)
{
    for (size_t i = 0; i < policy->mx_count; i++)
        if (sts_match_pattern(policy->mx[i], host))
            return true;
    return false;
}
