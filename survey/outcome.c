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

struct manners_end outcome_end(const struct unit_result *result)
{
    const struct address_seen *seen = result->address;
    struct manners_end end = {0};

    if (seen == NULL)
        return end;
    end.connections = seen->connections;
    end.refused = seen->failure != NULL && (strcmp(seen->failure, "greeting-refused") == 0 ||
                                            strcmp(seen->failure, "greeting-lost") == 0);
    end.answered = !end.refused && !result->failed_here && seen->result.state > STARTTLS_SILENT;
    return end;
}

bool outcome_doubtful(const struct unit_result *result)
{
    return result->unit.kind != UNIT_ADDRESS && result->try_again;
}
