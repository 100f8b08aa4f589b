/*
 * page_figures: see page_figures.h. Nothing here fails; what does not fit is cut.
 */
#include "base/page/page_figures.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/escape.h"

#define DAY_S 86400

bool page_is_plain(const char *text)
{
    while (*text >= 0x20 && *text <= 0x7e)
        text++;
    return *text == '\0';
}

const char *page_printable(char out[PAGE_TEXT_MAX], const char *text)
{
    size_t length = text == NULL ? 0 : strlen(text);

    if (length == 0)
        return "";
    if (length < PAGE_TEXT_MAX && page_is_plain(text))
        return text;
    return escape_bytes(out, PAGE_TEXT_MAX, text, length);
}

const char *page_percent(char out[PAGE_FIGURE_MAX], uint64_t part, uint64_t whole)
{
    double percent = whole == 0 ? 0 : 100.0 * (double)part / (double)whole;

    if (whole == 0)
        return "-";
    if (part > 0 && percent < 0.1)
        return "<0.1 %";
    if (part < whole && percent > 99.9)
        return ">99.9 %";
    snprintf(out, PAGE_FIGURE_MAX, "%.*f %%", part == 0 || part == whole ? 0 : 1, percent);
    return out;
}

const char *page_duration(char out[PAGE_FIGURE_MAX], uint64_t seconds)
{
    static const struct {
        unsigned seconds, part;
        const char *unit, *part_unit;
    } units[] = {{DAY_S, 3600, "d", "h"}, {3600, 60, "h", "min"}, {60, 1, "min", "s"}};

    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        uint64_t rest = seconds % units[i].seconds / units[i].part;

        if (seconds < units[i].seconds)
            continue;
        if (rest == 0)
            snprintf(out, PAGE_FIGURE_MAX, "%" PRIu64 " %s", seconds / units[i].seconds,
                     units[i].unit);
        else
            snprintf(out, PAGE_FIGURE_MAX, "%" PRIu64 " %s %" PRIu64 " %s",
                     seconds / units[i].seconds, units[i].unit, rest, units[i].part_unit);
        return out;
    }
    snprintf(out, PAGE_FIGURE_MAX, "%" PRIu64 " s", seconds);
    return out;
}

const char *page_octets(char out[PAGE_FIGURE_MAX], uint64_t octets)
{
    static const char *const units[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
    double number = (double)octets;
    size_t i = 0;

    if (octets < 1000) {
        snprintf(out, PAGE_FIGURE_MAX, "%" PRIu64 " octets", octets);
        return out;
    }
    /* not "1000.0 kB" */
    for (number /= 1000; number >= 999.95; number /= 1000)
        i++;
    snprintf(out, PAGE_FIGURE_MAX, "%.1f %s", number, units[i]);
    return out;
}

const char *page_grouped(char out[PAGE_FIGURE_MAX], uint64_t number)
{
    char digits[PAGE_FIGURE_MAX];
    size_t length = (size_t)snprintf(digits, sizeof digits, "%" PRIu64, number), used = 0;

    for (size_t i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            out[used++] = ',';
        out[used++] = digits[i];
    }
    out[used] = '\0';
    return out;
}

static const char *formatted(char out[PAGE_FIGURE_MAX], const char *format, const struct tm *tm)
{
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    if (tm == NULL || strftime(out, PAGE_FIGURE_MAX, format, tm) == 0)
        return "?";
#pragma GCC diagnostic pop
    return out;
}

const char *page_utc(char out[PAGE_FIGURE_MAX], int64_t at)
{
    time_t seconds = (time_t)at;
    struct tm tm;

    return formatted(out, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &tm));
}

const char *page_local(char out[PAGE_FIGURE_MAX], const char *format, int64_t at)
{
    time_t seconds = (time_t)at;
    struct tm tm;

    return formatted(out, format, localtime_r(&seconds, &tm));
}
