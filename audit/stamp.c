/* stamp: see stamp.h. The time zone is asked once for each hour of the log. Never fails. */
#include "audit/stamp.h"

#include <string.h>
#include <time.h>

#include "base/ascii.h"

#define DAY_S       ((int64_t)24 * 60 * 60)
#define YEARS_TRIED 12 /* February 29th comes every 8 years at the worst */
/* Months. A log goes on over gaps, and back by no more than a few lines. */
#define TURN_FORWARD 6
#define TURN_BACK    10
#define FRACTION_MAX 9

struct parts {
    int year, month, day, hour, minute, second; /* month from 1; year 0: none */
    bool has_zone;
    int zone_s; /* east of UTC */
};

/* ---- text ---- */

/* `count` digits as a number; -1 when something else is among them. */
static int digits(const char *text, size_t count)
{
    int value = 0;

    for (size_t i = 0; i < count; i++) {
        if (!ascii_is_digit(text[i]))
            return -1;
        value = value * 10 + (text[i] - '0');
    }
    return value;
}

/* The length of ".123456" or ",123456" at the beginning of the text; 0 when there is none. */
static size_t fraction(const char *text, size_t length)
{
    size_t n = 1;

    if (length < 2 || (text[0] != '.' && text[0] != ',') || !ascii_is_digit(text[1]))
        return 0;
    while (n < length && n <= FRACTION_MAX && ascii_is_digit(text[n]))
        n++;
    return n;
}

/* "12:34:56"; the length, or 0. */
static size_t read_clock(struct parts *out, const char *text, size_t length)
{
    if (length < 8 || text[2] != ':' || text[5] != ':')
        return 0;
    out->hour = digits(text, 2);
    out->minute = digits(text + 3, 2);
    out->second = digits(text + 6, 2);
    if (out->hour < 0 || out->hour > 23 || out->minute < 0 || out->minute > 59 || out->second < 0 ||
        out->second > 60)
        return 0;
    return 8 + fraction(text + 8, length - 8);
}

/* "Z", "+01:00", "+0100"; the length, or 0. */
static size_t read_zone(struct parts *out, const char *text, size_t length)
{
    size_t minutes_at = length > 3 && text[3] == ':' ? 4 : 3;
    int hours, minutes;

    if (length >= 1 && text[0] == 'Z') {
        out->has_zone = true;
        out->zone_s = 0;
        return 1;
    }
    if (length < minutes_at + 2 || (text[0] != '+' && text[0] != '-'))
        return 0;
    hours = digits(text + 1, 2);
    minutes = digits(text + minutes_at, 2);
    if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59)
        return 0;
    out->has_zone = true;
    out->zone_s = (hours * 60 + minutes) * 60 * (text[0] == '-' ? -1 : 1);
    return minutes_at + 2;
}

static int month_of(const char *text)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

    for (int month = 0; month < 12; month++)
        if (memcmp(names + month * 3, text, 3) == 0)
            return month + 1;
    return 0;
}

/* "Nov  7 18:45:08"; the length, or 0. */
static size_t read_traditional(struct parts *out, const char *text, size_t length)
{
    size_t clock;

    if (length < 15 || text[3] != ' ' || text[6] != ' ' || (out->month = month_of(text)) == 0)
        return 0;
    out->day = text[4] == ' ' ? digits(text + 5, 1) : digits(text + 4, 2);
    if (out->day < 1 || out->day > 31)
        return 0;
    clock = read_clock(out, text + 7, length - 7);
    return clock == 0 ? 0 : 7 + clock;
}

/* "2026-11-27"; the length, or 0. */
static size_t read_date(struct parts *out, const char *text, size_t length)
{
    if (length < 10 || text[4] != '-' || text[7] != '-')
        return 0;
    out->year = digits(text, 4);
    out->month = digits(text + 5, 2);
    out->day = digits(text + 8, 2);
    return out->year < 1970 || out->month < 1 || out->month > 12 || out->day < 1 || out->day > 31
               ? 0
               : 10;
}

/* "2026-11-27T18:45:08.123+01:00"; the length, or 0. */
static size_t read_iso(struct parts *out, const char *text, size_t length)
{
    size_t at = read_date(out, text, length), clock;

    if (at == 0 || length < at + 1 || (text[at] != 'T' && text[at] != ' '))
        return 0;
    at++;
    clock = read_clock(out, text + at, length - at);
    if (clock == 0)
        return 0;
    at += clock;
    return at + read_zone(out, text + at, length - at);
}

/* ---- time ---- */

static bool is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static bool is_date(int year, int month, int day)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return day <= days[month - 1] + (month == 2 && is_leap(year));
}

/* Days since 1970-01-01 of a date of the proleptic Gregorian calendar. */
static int64_t days_of(int year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year, era = y / 400, year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
           719468;
}

/* Of the beginning of an hour in local time. */
static int64_t local_hour(int year, int month, int day, int hour)
{
    struct tm parts = {.tm_year = year - 1900,
                       .tm_mon = month - 1,
                       .tm_mday = day,
                       .tm_hour = hour,
                       .tm_isdst = -1};

    return (int64_t)mktime(&parts);
}

static int64_t moment(struct stamp_reader *reader, const struct parts *parts, int year)
{
    int64_t in_hour = parts->minute * 60 + parts->second;

    if (parts->has_zone)
        return days_of(year, parts->month, parts->day) * DAY_S + parts->hour * 3600 + in_hour -
               parts->zone_s;
    if (reader->hour_year != year || reader->hour_month != parts->month ||
        reader->hour_day != parts->day || reader->hour != parts->hour) {
        reader->hour_year = year;
        reader->hour_month = parts->month;
        reader->hour_day = parts->day;
        reader->hour = parts->hour;
        reader->hour_at = local_hour(year, parts->month, parts->day, parts->hour);
    }
    return reader->hour_at + in_hour;
}

/* The latest year in which the stamp is no later than `end` and a day. */
static int infer_year(struct stamp_reader *reader, const struct parts *parts, int64_t end)
{
    time_t newest = (time_t)(end + DAY_S);
    struct tm now;
    int latest;

    if (localtime_r(&newest, &now) == NULL)
        return 1970;
    latest = now.tm_year + 1900;
    for (int year = latest; year > latest - YEARS_TRIED && year >= 1970; year--)
        if (is_date(year, parts->month, parts->day) && moment(reader, parts, year) <= newest)
            return year;
    return latest;
}

/* The year of a stamp without one: that of the stamp before, but for the turn of a year. */
static int year_of(struct stamp_reader *reader, const struct parts *parts)
{
    int step = reader->year == 0 ? 0 : parts->month - reader->month;
    int year = reader->year + (step <= -TURN_FORWARD) - (step >= TURN_BACK);

    if (reader->year == 0)
        year = infer_year(reader, parts, reader->begin);
    else if (moment(reader, parts, year) > reader->newest + DAY_S)
        year = infer_year(reader, parts, reader->newest);
    return year;
}

/* ---- lines ---- */

void stamp_file(struct stamp_reader *reader, int64_t newest, int64_t begin)
{
    reader->newest = newest;
    reader->begin = begin;
    reader->year = reader->month = 0;
    reader->length = 0;
}

/* The same stamp again. The usual length is compared without a call. */
static bool is_last(const struct stamp_reader *reader, const char *text, size_t length)
{
    enum { USUAL = 16 };

    if (reader->length == 0 || length < reader->length)
        return false;
    return reader->length == USUAL ? memcmp(text, reader->text, USUAL) == 0
                                   : memcmp(text, reader->text, reader->length) == 0;
}

size_t stamp_read(struct stamp_reader *reader, const char *text, size_t length, int64_t *at)
{
    struct parts parts = {0};
    bool inferred;
    size_t taken;

    if (is_last(reader, text, length)) {
        *at = reader->last;
        return reader->length;
    }
    taken = length > 0 && ascii_is_digit(text[0]) ? read_iso(&parts, text, length)
                                                  : read_traditional(&parts, text, length);
    if (taken == 0 || taken >= length || text[taken] != ' ')
        return 0;
    inferred = parts.year == 0;
    if (inferred)
        parts.year = year_of(reader, &parts);
    if (!is_date(parts.year, parts.month, parts.day))
        return 0;
    if (inferred) {
        reader->year = parts.year;
        reader->month = parts.month;
    }
    *at = reader->last = moment(reader, &parts, parts.year);
    taken++;
    reader->length = taken <= sizeof reader->text ? taken : 0;
    memcpy(reader->text, text, reader->length);
    return taken;
}

bool stamp_of_line(const char *text, size_t length, int64_t newest, int64_t *at)
{
    struct stamp_reader reader = {0};

    stamp_file(&reader, newest, newest);
    return stamp_read(&reader, text, length, at) > 0;
}

int64_t stamp_day(int64_t at)
{
    time_t seconds = (time_t)at;
    struct tm parts;

    if (localtime_r(&seconds, &parts) == NULL)
        return at - at % DAY_S;
    parts.tm_hour = parts.tm_min = parts.tm_sec = 0;
    parts.tm_isdst = -1;
    return (int64_t)mktime(&parts);
}

/* ---- what an operator writes ---- */

static bool parse_ago(int64_t *out, const char *text, int64_t now)
{
    static const struct {
        const char *word;
        int64_t seconds;
    } units[] = {{"m", 60},           {"min", 60},     {"minute", 60},   {"minutes", 60},
                 {"h", 3600},         {"hour", 3600},  {"hours", 3600},  {"d", DAY_S},
                 {"day", DAY_S},      {"days", DAY_S}, {"w", 7 * DAY_S}, {"week", 7 * DAY_S},
                 {"weeks", 7 * DAY_S}};
    size_t count = strspn(text, "0123456789"), word;
    const char *unit = text + count;
    int value;

    if (count == 0 || count > 6 || (value = digits(text, count)) < 0)
        return false;
    unit += *unit == ' ';
    word = strcspn(unit, " ");
    if (strcmp(unit + word, " ago") != 0 && unit[word] != '\0')
        return false;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (strlen(units[i].word) == word && memcmp(units[i].word, unit, word) == 0) {
            *out = now - value * units[i].seconds;
            return true;
        }
    return false;
}

/* A date, with a clock or without; the clock may lack its seconds. */
static bool parse_moment(int64_t *out, const char *text)
{
    static const char minutes[] = "2026-11-20 12:00";
    size_t length = strlen(text), taken;
    struct stamp_reader reader = {0};
    struct parts parts = {0};
    char whole[sizeof minutes + 3];

    if (length == sizeof minutes - 1) {
        memcpy(whole, text, length);
        memcpy(whole + length, ":00", 4);
        text = whole;
        length += 3;
    }
    taken = read_iso(&parts, text, length);
    if (taken == 0)
        taken = read_date(&parts, text, length);
    if (taken == 0 || taken != length || !is_date(parts.year, parts.month, parts.day))
        return false;
    *out = moment(&reader, &parts, parts.year);
    return true;
}

bool stamp_parse_when(int64_t *out, const char *text, int64_t now)
{
    size_t count;

    if (strcmp(text, "now") == 0)
        *out = now;
    else if (strcmp(text, "today") == 0)
        *out = stamp_day(now);
    else if (strcmp(text, "yesterday") == 0)
        *out = stamp_day(stamp_day(now) - DAY_S / 2);
    else if (text[0] == '@') {
        count = strspn(text + 1, "0123456789");
        if (count == 0 || count > 12 || text[1 + count] != '\0')
            return false;
        *out = 0;
        for (size_t i = 1; i <= count; i++)
            *out = *out * 10 + (text[i] - '0');
    } else
        return parse_moment(out, text) || parse_ago(out, text, now);
    return true;
}
