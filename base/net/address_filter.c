/* address_filter: see address_filter.h. An empty filter permits global unicast and nothing else. */
#include "base/net/address_filter.h"

#include "base/net/hostname.h"

static bool listed(const struct ip_prefix *prefixes, size_t count, const struct ip *ip)
{
    for (size_t i = 0; i < count; i++)
        if (ip_prefix_contains(&prefixes[i], ip))
            return true;
    return false;
}

bool address_filter_permits(const struct address_filter *filter, const struct ip *ip)
{
    return ip_is_global(ip) || listed(filter->allowed, filter->allowed_count, ip);
}

bool address_filter_excludes(const struct address_filter *filter, const struct ip *ip,
                             const char *host)
{
    if (listed(filter->excluded, filter->excluded_count, ip))
        return true;
    for (size_t i = 0; i < filter->excluded_name_count; i++) {
        const char *name = filter->excluded_names[i];

        if (name[0] == '.' ? hostname_within(host, name + 1) : hostname_equal(host, name))
            return true;
    }
    return false;
}
