/*
 * resolver_check: asks at start for something that is signed, and says loudly when DANE cannot
 * work: no AD bit, no answer, or a resolver that is not on this host.
 */
#pragma once

#include "probe/dns/dns_uv.h"

struct resolver_check;

/* Starts the check; it logs and is then idle. NULL without memory. */
struct resolver_check *resolver_check_new(struct dns *dns, bool dane);
/* May be called at any time, before dns_close. */
void resolver_check_free(struct resolver_check *check);
