/* address_filter: where we may connect to, and whom we leave alone. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/net/ip.h"

struct address_filter {
    const struct ip_prefix *allowed; /* allow-address: non-global addresses that may be used */
    size_t allowed_count;
    const struct ip_prefix *excluded; /* probe-exclude: never probed (policy hosts are not meant) */
    size_t excluded_count;
    const char *const *excluded_names; /* "host" itself or ".domain" and all below */
    size_t excluded_name_count;
    bool excludes_policy_hosts; /* they are meant too: opt-outs of a survey */
};

/* True for global unicast and for what allow-address names. Ask for the address connected to. */
bool address_filter_permits(const struct address_filter *filter, const struct ip *ip);
/* True when the operator asked us not to probe this address or MX host. */
bool address_filter_excludes(const struct address_filter *filter, const struct ip *ip,
                             const char *host);
