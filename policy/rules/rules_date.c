/* rules_date: dates of rules, in UTC; see rules_line.h. */
#include "policy/rules/rules_line.h"

#include <time.h>

#define DAY_S       INT64_C(86400)
#define DATE_FORM   "dddd-dd-dd"
#define MOMENT_FORM DATE_FORM "Tdd:ddZ"

/* True when `text` has the form: `d` stands for a digit, the rest for itself. */
static bool has_form(const char *text, size_t length, const char *form)
{
    for (size_t i = 0; i < length; i++) {
        if (form[i] == '\0')
            return false;
        if (form[i] == 'd' ? text[i] < '0' || text[i] > '9' : text[i] != form[i])
            return false;
    }
    return form[length] == '\0';
}

static int number(const char *text, size_t digits)
{
    int value = 0;

    for (size_t i = 0; i < digits; i++)
        value = value * 10 + (text[i] - '0');
    return value;
}

int64_t rules_date_end(const char *text, size_t length)
{
    bool is_day = has_form(text, length, DATE_FORM);
    struct tm at = {0}, same;
    int64_t seconds;

    if (!is_day && !has_form(text, length, MOMENT_FORM))
        return 0;
    at.tm_year = number(text, 4) - 1900;
    at.tm_mon = number(text + 5, 2) - 1;
    at.tm_mday = number(text + 8, 2);
    at.tm_hour = is_day ? 0 : number(text + 11, 2);
    at.tm_min = is_day ? 0 : number(text + 14, 2);
    same = at;
    seconds = timegm(&same); /* which turns February 30 into March */
    if (at.tm_year < 100 || same.tm_mon != at.tm_mon || same.tm_mday != at.tm_mday ||
        same.tm_hour != at.tm_hour || same.tm_min != at.tm_min)
        return 0;
    return is_day ? seconds + DAY_S : seconds;
}
