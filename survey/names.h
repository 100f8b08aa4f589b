/*
 * names: the list of domains of a survey, one a line:
 *
 *   example.com             a domain; U-labels become A-labels (policy/key)
 *   example.com 120         and its weight, a whole number
 *   example.com,120         the same
 *   17,example.com          as top lists have it: a rank, which is no weight; every weight is 1
 *   # comment               also behind a blank
 *
 * Pure. Lines end with LF or CRLF; a byte order mark at the beginning and blank lines are skipped.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/net/hostname.h"

#define NAMES_LINE_MAX   1024 /* octets; longer is no domain */
#define NAMES_WEIGHT_MAX INT64_C(1000000000000)

enum names_line { NAMES_DOMAIN, NAMES_NOTHING, NAMES_BAD };

struct name_line {
    char name[HOSTNAME_MAX + 1]; /* A-labels, lower case */
    int64_t weight;              /* 1 without one; 0 is a weight */
};

/* Reads one line without its end; DOMAIN fills *out. */
enum names_line names_read(struct name_line *out, const char *line, size_t length);
