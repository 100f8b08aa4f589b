/* policy_list_time: see policy_list_time.h. */
#include "policy/list/policy_list_time.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/ascii.h"
#include "policy/span.h"

#define MINUTE_S 60
#define HOUR_S   3600

/* Takes `digits` digits; false when there are others. */
static bool take_number(struct span *rest, size_t digits, int *out)
{
    *out = 0;
    if (rest->length < digits)
        return false;
    for (size_t i = 0; i < digits; i++) {
        if (!ascii_is_digit(rest->text[i]))
            return false;
        *out = *out * 10 + (rest->text[i] - '0');
    }
    span_skip(rest, digits);
    return true;
}

/* Takes one octet of `set`. */
static bool take_one(struct span *rest, const char *set)
{
    if (rest->length == 0 || !span_set_has(set, rest->text[0]))
        return false;
    span_skip(rest, 1);
    return true;
}

/* full-date "T" */
static bool take_date(struct span *rest, struct tm *out)
{
    int year, month, day;

    if (!take_number(rest, 4, &year) || !take_one(rest, "-") || !take_number(rest, 2, &month) ||
        !take_one(rest, "-") || !take_number(rest, 2, &day) || !take_one(rest, "Tt"))
        return false;
    out->tm_year = year - 1900;
    out->tm_mon = month - 1;
    out->tm_mday = day;
    return true;
}

/* partial-time */
static bool take_clock(struct span *rest, struct tm *out)
{
    if (!take_number(rest, 2, &out->tm_hour) || !take_one(rest, ":") ||
        !take_number(rest, 2, &out->tm_min) || !take_one(rest, ":") ||
        !take_number(rest, 2, &out->tm_sec))
        return false;
    if (out->tm_hour > 23 || out->tm_min > 59 || out->tm_sec > 60)
        return false;
    if (!take_one(rest, "."))
        return true;
    if (rest->length == 0 || !ascii_is_digit(rest->text[0]))
        return false;
    span_skip_set(rest, "0123456789");
    return true;
}

/* time-offset, in seconds east of UTC */
static bool take_offset(struct span *rest, int *out)
{
    bool west = rest->length > 0 && rest->text[0] == '-';
    int hours, minutes;

    *out = 0;
    if (take_one(rest, "Zz"))
        return true;
    if (!take_one(rest, "+-") || !take_number(rest, 2, &hours) || !take_one(rest, ":") ||
        !take_number(rest, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    *out = (hours * HOUR_S + minutes * MINUTE_S) * (west ? -1 : 1);
    return true;
}

bool policy_list_time_parse(int64_t *out, const char *text)
{
    struct span rest = {text, strlen(text)};
    struct tm at = {0}, same;
    int offset_s, second;

    if (!take_date(&rest, &at) || !take_clock(&rest, &at) || !take_offset(&rest, &offset_s) ||
        rest.length > 0)
        return false;
    second = at.tm_sec;
    at.tm_sec = 0;
    same = at;
    *out = (int64_t)timegm(&same) + second - offset_s; /* it turns February 30 into March */
    return same.tm_mon == at.tm_mon && same.tm_mday == at.tm_mday && *out >= 0 &&
           *out <= POLICY_LIST_TIME_MAX;
}

const char *policy_list_time_text(char out[POLICY_LIST_TIME_SIZE], int64_t time_s)
{
    time_t at = (time_t)time_s;
    struct tm parts;

    if (time_s < 0 || time_s > POLICY_LIST_TIME_MAX || gmtime_r(&at, &parts) == NULL)
        snprintf(out, POLICY_LIST_TIME_SIZE, "?");
    else
        snprintf(out, POLICY_LIST_TIME_SIZE, "%04d-%02d-%02dT%02d:%02d:%02dZ", parts.tm_year + 1900,
                 parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
    return out;
}
