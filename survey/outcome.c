/* outcome: see outcome.h. */
#include "survey/outcome.h"

#include <string.h>

const char *outcome_failure(const struct unit_result *result)
{
    if (result->failed_here)
        return "local";
    if (result->address != NULL)
        return result->address->failure;
    if (result->domain != NULL)
        return result->domain->mx_failure;
    return result->host->host.dane == HOST_DANE_ERROR || result->host->host.dane == HOST_DANE_LOST
               ? "dns"
               : NULL;
}

bool outcome_refused(const struct unit_result *result)
{
    const char *failure = result->address == NULL ? NULL : result->address->failure;

    return failure != NULL &&
           (strcmp(failure, "greeting-refused") == 0 || strcmp(failure, "greeting-lost") == 0);
}

bool outcome_answered(const struct unit_result *result)
{
    return result->address != NULL && !outcome_refused(result) && !result->failed_here &&
           result->address->result.state > STARTTLS_SILENT;
}

bool outcome_doubtful(const struct unit_result *result)
{
    return result->unit.kind != UNIT_ADDRESS && result->try_again;
}
