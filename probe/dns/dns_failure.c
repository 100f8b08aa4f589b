/* dns_failure: see dns_failure.h. */
#include "probe/dns/dns_failure.h"

#define X(word, name) name,

const char *dns_failure_name(enum dns_failure failure)
{
    static const char *const names[] = {DNS_FAILURES(X)};

    return names[failure];
}
