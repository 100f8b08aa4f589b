/* tlsa: which TLSA records SMTP can use (RFC 7672 §3.1, RFC 7671 §5). */
#pragma once

#include "policy/evidence.h"

/*
 * Reads one RDATA into *out, whose data then points into `rdata`. False for fewer than 3 octets:
 * no record at all. Usable: usage 2 or 3, selector 0 or 1, matching type 0 (a certificate or key
 * that parses), 1 (32 octets) or 2 (64 octets).
 */
bool tlsa_parse(struct tlsa *out, const uint8_t *rdata, size_t length);
/* Whether one of `count` records is usable. */
bool tlsa_any_usable(const struct tlsa *records, size_t count);
