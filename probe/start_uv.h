/*
 * start_uv: what must be known about this host before it connects to others: whether its resolver
 * validates, and by which name mail hosts will know it.
 */
#pragma once

#include "base/net/hostname.h"
#include "probe/dns/dns_check.h"
#include "probe/options.h"

enum start_name {
    START_NAME_OURS,    /* it leads to an address of this host */
    START_NAME_FOREIGN, /* to others only: right behind NAT, else wrong */
    START_NAME_NOWHERE, /* the DNS has no address for it */
    START_NAME_MISSING  /* this host has no full name */
};

struct start_findings {
    struct dns_check resolver;
    enum start_name name;        /* looked up where the resolver answers */
    char helo[HOSTNAME_MAX + 1]; /* helo-name, or what was found; "" when MISSING */
    char leads_to[IP_TEXT_MAX];  /* FOREIGN: the first address it leads to */
};

/* Asks, and waits for the answers; blocks for some seconds at most. 0, or -1 with *why (static)
 * without memory or descriptors. */
int start_look(struct start_findings *out, const struct prober_options *options, const char **why);
