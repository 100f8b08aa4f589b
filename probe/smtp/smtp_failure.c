/* smtp_failure: see smtp_failure.h. */
#include "probe/smtp/smtp_failure.h"

#define X(word, name) name,

const char *smtp_failure_name(enum smtp_failure failure)
{
    static const char *const names[] = {SMTP_FAILURES(X)};

    return names[failure];
}
