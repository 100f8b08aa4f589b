/* sts_match: see sts_match.h. RFC 8461 §4.1: a wildcard is the whole leftmost label, once. */
#include "policy/sts_match.h"

#include <string.h>

#include "base/net/hostname.h"

#define LABELS_MIN 2

bool sts_match_is_wildcard(const char *pattern)
{
    return strncmp(pattern, "*.", 2) == 0;
}

bool sts_match_pattern(const char *pattern, const char *host)
{
    const char *dot;

    if (!sts_match_is_wildcard(pattern))
        return hostname_equal(pattern, host);
    dot = strchr(host, '.');
    return dot != NULL && dot != host && dot[1] != '\0' && hostname_equal(pattern + 2, dot + 1);
}

bool sts_match_policy(const struct sts_policy *policy, const char *host)
{
    for (size_t i = 0; i < policy->mx_count; i++)
        if (sts_match_pattern(policy->mx[i], host))
            return true;
    return false;
}

bool sts_match_fits_postfix(const char *pattern)
{
    const char *name = sts_match_is_wildcard(pattern) ? pattern + 2 : pattern;
    size_t length = strlen(name);

    return hostname_valid(name, length, HOSTNAME_LDH) &&
           hostname_labels(name, length) >= LABELS_MIN;
}

size_t sts_match_unfit(const struct sts_policy *policy)
{
    size_t count = 0;

    for (size_t i = 0; i < policy->mx_count; i++)
        count += !sts_match_fits_postfix(policy->mx[i]);
    return count;
}

bool sts_match_listed(const struct list_evidence *list, const char *host)
{
    const char *pattern = list->mx;

    for (size_t i = 0; i < list->mx_count; i++, pattern += strlen(pattern) + 1)
        if (sts_match_pattern(pattern, host))
            return true;
    return false;
}
