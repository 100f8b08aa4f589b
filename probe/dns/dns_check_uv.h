/* dns_check_uv: the same on a loop that has more to do; see dns_check.h. */
#pragma once

#include "probe/dns/dns_check.h"
#include "probe/dns/dns_uv.h"

struct dns_checking;

typedef void dns_checked(void *context, const struct dns_check *check);
/* Calls `done` once, later, unless dns_checking_free comes first. NULL without memory, or when too
 * many lookups wait. */
struct dns_checking *dns_checking_start(struct dns *dns, dns_checked *done, void *context);
/* At any time before dns_close. NULL is allowed. */
void dns_checking_free(struct dns_checking *checking);
