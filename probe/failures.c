/* failures: see failures.h. */
#include "probe/failures.h"

#define X(word, name) name,

const char *dns_failure_name(enum dns_failure failure)
{
    static const char *const names[] = {DNS_FAILURES(X)};

    return names[failure];
}

const char *fetch_failure_name(enum fetch_failure failure)
{
    static const char *const names[] = {FETCH_FAILURES(X)};

    return names[failure];
}

const char *smtp_failure_name(enum smtp_failure failure)
{
    static const char *const names[] = {SMTP_FAILURES(X)};

    return names[failure];
}
