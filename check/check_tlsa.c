/* check_tlsa: see check_tlsa.h. */
#include "check/check_tlsa.h"

#include <stddef.h>

#include "check/issuers.h"

const char *check_tlsa_issuer(const struct tlsa *record)
{
    if (!record->usable || record->usage != 2 || record->selector != 1 ||
        record->matching_type != 1)
        return NULL;
    return issuer_retired(record->data, record->length);
}

enum check_tlsa check_tlsa_of(const struct tlsa *record)
{
    if (record->usage <= 1)
        return CHECK_TLSA_PKIX;
    if (!record->usable)
        return CHECK_TLSA_USELESS;
    if (check_tlsa_issuer(record) != NULL)
        return CHECK_TLSA_RETIRED;
    if (record->matching_type == 1 && (record->usage == 2 || record->selector == 1))
        return CHECK_TLSA_GOOD;
    return CHECK_TLSA_UNUSUAL;
}
