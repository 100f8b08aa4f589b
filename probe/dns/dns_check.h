/* dns_check: whether the configured resolver validates: it is asked for a signed record. */
#pragma once

#include <stdbool.h>

#include "probe/dns/dns.h"

enum dns_check_answer {
    DNS_CHECK_UNREACHABLE, /* it does not answer, or with an error: `why` */
    DNS_CHECK_INSECURE,    /* its answer has no AD bit: it does not validate */
    DNS_CHECK_SECURE
};

#define DNS_CHECK_WHY_MAX     256
#define DNS_CHECK_SERVERS_MAX (DNS_RESOLVERS_MAX * (IP_TEXT_MAX + 1))

struct dns_check {
    enum dns_check_answer answer;
    char why[DNS_CHECK_WHY_MAX];
    bool remote;                         /* one is not on this host: AD can be forged on the way */
    char servers[DNS_CHECK_SERVERS_MAX]; /* their addresses, joined by blanks */
};

/* Asks on a loop of its own and waits for the answer, as long as `options` allow a lookup. False
 * without memory or descriptors: nothing is known then but the servers. `options` need not outlive
 * the call. */
bool dns_check_now(struct dns_check *out, const struct dns_options *options);
