/*
 * sts_parse: the two texts of MTA-STS: the `_mta-sts` TXT record (RFC 8461 §3.1), and the policy
 * file (§3.2) from a hostile policy host.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "policy/evidence.h"
#include "probe/dns/dns.h"

/* True when the record begins with "v=STSv1;": only such records count at all (and one blank run
 * may stand before the semicolon, as the grammar's field delimiter allows). */
bool sts_is_record(const char *text, size_t length);
/* Reads the id of one record. NULL; or the violation of the grammar (static) and an empty id. */
const char *sts_parse_record(char id[STS_ID_MAX + 1], const char *text, size_t length);
/*
 * Reads the id of the only record in the TXT answer for `domain` that begins with v=STSv1;. Returns
 * STS_UNKNOWN when the record is valid, else STS_NO_RECORD or STS_BAD_RECORD with the reason in
 * *why (the arena's), which is NULL when there is simply no record.
 */
enum sts_state sts_parse_answer(char id[STS_ID_MAX + 1], const struct dns_answer *answer,
                                struct arena *arena, const char *domain, const char **why);

/*
 * Parses a whole file; the policy is the arena's. NULL with *why (static) when it is no valid
 * policy, *why = "no memory" when the arena failed. Lenient only about blank lines and trailing
 * white space; first of duplicate keys wins except mx; unknown keys are in `lines` only.
 */
const struct sts_policy *sts_parse_policy(struct arena *arena, const char *text, size_t length,
                                          const char **why);
