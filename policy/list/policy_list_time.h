/* policy_list_time: times of policy lists, as text of RFC 3339. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define POLICY_LIST_TIME_MAX  253402300799 /* s: the end of the year 9999 */
#define POLICY_LIST_TIME_SIZE 80

/*
 * RFC 3339 §5.6 ("2026-11-28T12:00:00Z", with any offset, and with fractions of a second, which are
 * dropped) to seconds since 1970. False when it is none, or not between 1970 and 9999. A leap second
 * is the first second of the next minute.
 */
bool policy_list_time_parse(int64_t *out, const char *text);
/* "2026-11-28T12:00:00Z"; "?" for a time that is not between 1970 and 9999. Returns `out`. */
const char *policy_list_time_text(char out[POLICY_LIST_TIME_SIZE], int64_t time_s);
