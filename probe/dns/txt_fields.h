/*
 * txt_fields: the grammar that the TXT records of MTA-STS (RFC 8461 §3.1) and TLSRPT (RFC 8460 §3)
 * have in common:
 *
 *   record    = version 1*(delim field) [delim]
 *   delim     = *WSP ";" *WSP
 *   field     = name "=" value
 *   name      = (ALPHA / DIGIT) *31(ALPHA / DIGIT / "_" / "-" / ".")
 *   value     = 1*(printable ASCII without "=", ";" and blank)
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* What is left of a record. */
struct txt_cursor {
    const char *at, *end;
};

void txt_skip_blanks(struct txt_cursor *cursor);
/* Takes a delimiter; false, at the same place, when there is none. */
bool txt_take_delim(struct txt_cursor *cursor);
/* Takes the version and the delimiter after it; false when the record does not begin with them. */
bool txt_take_version(struct txt_cursor *cursor, const char *version);
/* Takes a value that means nothing to us. NULL, or what is wrong with it (static). */
const char *txt_skip_value(struct txt_cursor *cursor);
/* The length of the name of a field at `text`; 0 when there is none. */
size_t txt_name_length(const char *text, size_t length);
