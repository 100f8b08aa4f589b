/* sts_record: the `_mta-sts` TXT record (RFC 8461 §3.1). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "policy/evidence.h"
#include "probe/dns/dns.h"

/* True when the record begins with "v=STSv1;": only such records count at all (and one blank run
 * may stand before the semicolon, as the grammar's field delimiter allows). */
bool sts_record_is_sts(const char *text, size_t length);
/* Reads the id of one record; false, with *why (static), when it is against the grammar. */
bool sts_record_parse(char id[STS_ID_MAX + 1], const char *text, size_t length, const char **why);
/*
 * Reads the id of the only record in the TXT answer for `domain` that begins with v=STSv1;. Returns
 * STS_UNKNOWN when the record is valid, else STS_NO_RECORD or STS_BAD_RECORD with the reason in
 * *why (the arena's), which is NULL when there is simply no record.
 */
enum sts_state sts_record_read(char id[STS_ID_MAX + 1], const struct dns_answer *answer,
                               struct arena *arena, const char *domain, const char **why);
