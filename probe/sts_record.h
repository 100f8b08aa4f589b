/* sts_record: the `_mta-sts` TXT record (RFC 8461 §3.1). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "policy/evidence.h"

/* True when the record begins with "v=STSv1;": only such records count at all (and one blank run
 * may stand before the semicolon, as the grammar's field delimiter allows). */
bool sts_record_is_sts(const char *text, size_t length);
/* Reads the id of one record; false, with *why (static), when it is against the grammar. */
bool sts_record_parse(char id[STS_ID_MAX + 1], const char *text, size_t length, const char **why);
