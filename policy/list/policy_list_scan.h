/*
 * policy_list_scan: a JSON text (RFC 8259), value by value, from the first octet to the last, so
 * that a list of a million domains takes no memory but for what is kept of it. The caller knows
 * which value must come; there is no way to skip one, so nothing nests deeper than the format does.
 * Strings with escapes, or that are not ASCII, are jansson's.
 *
 * Every function gives 0, or -1 with a message in `error`: the line, the place, and the fault.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "policy/list/policy_list.h"
#include "policy/span.h"

#define POLICY_LIST_PLACE_MAX 3
#define POLICY_LIST_QUOTE_MAX 96

struct policy_list_scan {
    const char *text; /* borrowed */
    size_t length;
    size_t at; /* octets read */
    const char
        *place[POLICY_LIST_PLACE_MAX]; /* borrowed: what is read now, for the message; NULL: no
                                                 more */
    json_t *decoded;                   /* owned: the last string that jansson read */
    char *error;                       /* POLICY_LIST_ERROR_MAX octets */
};

void policy_list_scan_fini(struct policy_list_scan *scan);

/* Writes the message and gives -1; the line is that of the octet `scan->at`. */
int policy_list_fault(const struct policy_list_scan *scan, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Foreign text for a message. Returns `out`. */
const char *policy_list_quote(char out[POLICY_LIST_QUOTE_MAX], struct span text);

/* The first octet of the next value; NUL at the end of the text. */
char policy_list_scan_peek(struct policy_list_scan *scan);
/* A string of at most POLICY_LIST_VALUE_MAX octets in the text. *out is UTF-8 without NUL, valid
 * until the next string is read. */
int policy_list_scan_string(struct policy_list_scan *scan, struct span *out);
/* An integer of at most 15 digits, not negative. */
int policy_list_scan_integer(struct policy_list_scan *scan, int64_t *out);
/* `member` is called for each, and reads the value; `key` is valid until it reads a string. */
int policy_list_scan_object(struct policy_list_scan *scan,
                            int (*member)(void *context, struct span key), void *context);
/* `element` is called for each, and reads it. */
int policy_list_scan_array(struct policy_list_scan *scan, int (*element)(void *context),
                           void *context);
/* Nothing but blanks may follow. */
int policy_list_scan_end(struct policy_list_scan *scan);
