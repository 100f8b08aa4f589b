/* rules_line: one line of mxcrypt-rules(5), taken apart and checked. */
#pragma once

#include "policy/rules/rules.h"
#include "policy/rules/rules_place.h"

struct rules_line {
    struct rules_place place;
    enum rule_action action;
    const char *policy; /* within the line, or static; NULL: none */
    size_t policy_length;
    enum verdict_level level;
    int64_t until_s;
    const char *ticket; /* within the line; NULL: none */
    size_t ticket_length;
};

/* Reads a line without its end. 1 with *out, 0 for a comment or a blank line, or -1 with a sentence
 * in `fault`. `length` is at most RULES_LINE_MAX. */
int rules_line_read(struct rules_line *out, const char *text, size_t length, uint16_t default_port,
                    char fault[RULES_FAULT_MAX]);
/* The moment at which `text` ("2026-12-31", that day included, or "2026-12-31T18:00Z") is over, in
 * seconds since 1970; 0 when it is not a date between 2000 and 9999. */
int64_t rules_date_end(const char *text, size_t length);
