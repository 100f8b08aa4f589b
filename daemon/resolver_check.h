/*
 * resolver_check: asks at start for a signed record, and warns when DANE cannot work.
 *
 * DIAGNOSTICS
 *   resolver-remote               the resolver is not on this host
 *   resolver-unreachable          it does not answer
 *   resolver-does-not-validate    its answer has no AD bit
 *   resolver-validates            it has one
 */
#pragma once

#include "probe/dns/dns_uv.h"

struct resolver_check;

/* Starts the check; it logs and is then idle. NULL without memory. */
struct resolver_check *resolver_check_new(struct dns *dns, bool dane);
/* May be called at any time, before dns_close. */
void resolver_check_free(struct resolver_check *check);
