/* fetch_failure: see fetch_failure.h. */
#include "probe/https/fetch_failure.h"

#define X(word, name) name,

const char *fetch_failure_name(enum fetch_failure failure)
{
    static const char *const names[] = {FETCH_FAILURES(X)};

    return names[failure];
}
