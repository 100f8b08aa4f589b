/* doctor_net: what doctor asks of the network: resolvers, addresses, port 25. Blocks, bounded. */
#pragma once

#include "cli/doctor/doctor.h"

#define DOCTOR_CONNECT_MS    10000
#define DOCTOR_OWN_NAME_MS   10000
#define DOCTOR_ADDRESSES_MAX 16

/* Asks for the NS records of the root, which are signed. `options` need not outlive the call. */
void doctor_net_resolver(struct doctor_resolver *out, const struct dns_options *options);
/* The addresses of a name, A and AAAA. Their number; -1 when it could not be found out, with why.
 */
int doctor_net_addresses(struct ip out[DOCTOR_ADDRESSES_MAX], const struct dns_options *options,
                         const char *name, char why[DOCTOR_WHY_MAX]);
/* This host's own full name, as the prober finds it: 1, 0 when it has none, -1 when that could not
 * be found out, with why. */
int doctor_net_own_name(char out[HOSTNAME_MAX + 1], char why[DOCTOR_WHY_MAX]);
/* Where to connect to, and from: the source address per family, family 0 for the kernel's choice.
 */
struct doctor_targets {
    const struct ip *ips;
    size_t count;
    uint16_t port;
    struct ip source, source6;
};
/* Connects to all of them at once: GOOD when one connection is made. */
void doctor_net_connect(struct doctor_try *out, const struct doctor_targets *targets);
/* Whether connections can come from that address; NOT_TRIED for family 0. */
void doctor_net_source(struct doctor_try *out, const struct ip *source);
/* Whether the address is one of this host's. */
bool doctor_net_is_here(const struct ip *ip);
