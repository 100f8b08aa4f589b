/* rules_date: dates of rules, in UTC; see rules_line.h. Proleptic Gregorian, no leap seconds. */
#include "policy/rules/rules_line.h"

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

static unsigned number(const char *text, size_t digits)
{
    unsigned value = 0;

    for (size_t i = 0; i < digits; i++)
        value = value * 10 + (unsigned)(text[i] - '0');
    return value;
}

static unsigned days_in(unsigned year, unsigned month)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return days[month - 1] + (month == 2 && leap ? 1U : 0U);
}

static int64_t days_since_1970(unsigned year, unsigned month, unsigned day)
{
    unsigned before = year - 1;
    int64_t days = (int64_t)before * 365 + before / 4 - before / 100 + before / 400;

    for (unsigned i = 1; i < month; i++)
        days += days_in(year, i);
    return days + day - 1 - 719162; /* days before 1970-01-01 since 0001-01-01 */
}

int64_t rules_date_end(const char *text, size_t length)
{
    bool is_day = has_form(text, length, DATE_FORM);
    unsigned year, month, day, hour, minute;
    int64_t days;

    if (!is_day && !has_form(text, length, MOMENT_FORM))
        return 0;
    year = number(text, 4);
    month = number(text + 5, 2);
    day = number(text + 8, 2);
    if (year < 2000 || month < 1 || month > 12 || day < 1 || day > days_in(year, month))
        return 0;
    days = days_since_1970(year, month, day);
    if (is_day)
        return (days + 1) * DAY_S;
    hour = number(text + 11, 2);
    minute = number(text + 14, 2);
    return hour > 23 || minute > 59 ? 0 : days * DAY_S + hour * 3600 + minute * 60;
}
