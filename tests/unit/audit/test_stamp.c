/* stamp: the forms, the year of stamps that have none, what an operator writes. */
#include "tests/unit/support/rows.h"

#include <stdlib.h>
#include <time.h>

#include "audit/stamp.h"

/* 2026-11-27 18:00:00 UTC */
#define NEWEST INT64_C(1795802400)

static void set_zone(const char *zone)
{
    setenv("TZ", zone, 1);
    tzset();
}

static const struct {
    const char *name, *text;
    int64_t at; /* 0: no stamp */
    size_t length;
} form_rows[] = {
    {"traditional", "Nov 20 02:00:00 mx", 1795140000, 16},
    {"a day of one digit", "Nov  2 02:00:00 mx", 1793584800, 16},
    {"with a fraction", "Nov 20 02:00:00.123456 mx", 1795140000, 23},
    {"of last year", "Dec 31 23:59:59 mx", 1767225599, 16},
    {"of today, a few hours ahead", "Nov 27 23:00:00 mx", 1795820400, 16},
    {"RFC 3339", "2026-11-20T03:00:00.000001+01:00 mx", 1795140000, 33},
    {"west of UTC", "2026-11-19T21:30:00-04:30 mx", 1795140000, 26},
    {"in UTC", "2026-11-20T02:00:00Z mx", 1795140000, 21},
    {"journalctl's, without a colon", "2026-11-20T03:00:00+0100 mx", 1795140000, 25},
    {"journalctl's, precise", "2026-11-20T03:00:00,123456+0100 mx", 1795140000, 32},
    {"a leap second", "2016-12-31T23:59:60Z mx", 1483228800, 21},
    {"February 29th", "Feb 29 00:00:00 mx", 1709164800, 16},
    {"February 30th", "Feb 30 00:00:00 mx", 0, 0},
    {"February 29th of no leap year", "2026-02-29T00:00:00Z mx", 0, 0},
    {"hour 24", "Nov 20 24:00:00 mx", 0, 0},
    {"minute 60", "Nov 20 23:60:00 mx", 0, 0},
    {"day 0", "Nov  0 02:00:00 mx", 0, 0},
    {"month 13", "2026-13-20T02:00:00Z mx", 0, 0},
    {"no month", "Nox 20 02:00:00 mx", 0, 0},
    {"nothing behind it", "Nov 20 02:00:00", 0, 0},
    {"something else behind it", "Nov 20 02:00:00x", 0, 0},
    {"before 1970", "1969-12-31T23:59:59Z mx", 0, 0},
    {"a year of five digits", "12026-11-20T02:00:00Z mx", 0, 0},
    {"empty", "", 0, 0},
    {"a zone that is cut", "2026-11-20T02:00:00+01", 0, 0},
    {"a fraction without digits", "2026-11-20T02:00:00.Z mx", 0, 0},
    {"a fraction of ten digits", "2026-11-20T02:00:00.1234567890Z mx", 0, 0},
};

static void a_stamp_is_read(void **state)
{
    const struct {
        const char *name, *text;
        int64_t at;
        size_t length;
    } *row = *state;
    struct stamp_reader reader = {0};
    int64_t at = 0;

    set_zone("UTC");
    stamp_file(&reader, NEWEST, NEWEST);
    /* the second time from what is remembered */
    for (int i = 0; i < 2; i++) {
        assert_int_equal(stamp_read(&reader, row->text, strlen(row->text), &at), row->length);
        assert_int_equal(row->at == 0 ? 0 : at, row->at);
    }
    assert_int_equal(stamp_of_line(row->text, strlen(row->text), NEWEST, &at), row->length > 0);
}

static int64_t read_one(struct stamp_reader *reader, const char *text)
{
    int64_t at;

    assert_true(stamp_read(reader, text, strlen(text), &at) > 0);
    return at;
}

static void the_turn_of_a_year_is_seen_in_both_directions(void **state)
{
    struct stamp_reader reader = {0};

    (void)state;
    set_zone("UTC");
    stamp_file(&reader, 1767312000, 1767312000); /* 2026-01-02 */
    assert_int_equal(read_one(&reader, "Dec 31 23:59:58 mx"), 1767225598);
    assert_int_equal(read_one(&reader, "Jan  1 00:00:01 mx"), 1767225601);
    assert_int_equal(read_one(&reader, "Dec 31 23:59:59 mx"), 1767225599);
    assert_int_equal(read_one(&reader, "Jan  1 00:00:02 mx"), 1767225602);
    stamp_file(&reader, 1767312000, 1767312000);
    assert_int_equal(read_one(&reader, "Jan  1 00:00:02 mx"), 1767225602);
}

static void a_log_goes_on_after_a_long_gap(void **state)
{
    struct stamp_reader reader = {0};

    (void)state;
    set_zone("UTC");
    stamp_file(&reader, NEWEST, NEWEST);
    assert_int_equal(read_one(&reader, "Jan  2 00:00:00 mx"), 1767312000);
    assert_int_equal(read_one(&reader, "Aug  2 00:00:00 mx"), 1785628800);
    assert_int_equal(read_one(&reader, "Jan  2 00:00:00 mx"), 1767312000);
}

static void local_time_has_summer_and_winter(void **state)
{
    struct stamp_reader reader = {0};

    (void)state;
    set_zone("CET-1CEST,M3.5.0,M10.5.0/3");
    stamp_file(&reader, NEWEST, NEWEST);
    assert_int_equal(read_one(&reader, "Jul  1 12:00:00 mx"), 1782900000);
    assert_int_equal(read_one(&reader, "Nov 20 03:00:00 mx"), 1795140000);
    assert_int_equal(read_one(&reader, "2026-11-20T02:00:00Z mx"), 1795140000);
    assert_int_equal(stamp_day(1795140000), 1795129200);
    /* 25 October 2026 has 25 hours */
    assert_int_equal(stamp_day(1792879200 + 12 * 3600), 1792879200);
    assert_int_equal(stamp_day(1792879200 + 36 * 3600), 1792879200 + 25 * 3600);
    set_zone("UTC");
}

static const struct {
    const char *name, *text;
    int64_t at; /* -1: not understood */
} when_rows[] = {
    {"a day", "2026-11-20", 1795132800},
    {"without seconds", "2026-11-20 02:00", 1795140000},
    {"an hour alone", "2026-11-20 02", -1},
    {"a moment", "2026-11-20 02:00:00", 1795140000},
    {"a moment with a zone", "2026-11-20T03:00:00+01:00", 1795140000},
    {"now", "now", NEWEST},
    {"today", "today", 1795737600},
    {"yesterday", "yesterday", 1795651200},
    {"days ago", "7 days ago", NEWEST - 7 * 86400},
    {"short", "24h", NEWEST - 86400},
    {"weeks", "2 weeks ago", NEWEST - 14 * 86400},
    {"seconds since 1970", "@1795140000", 1795140000},
    {"a sign", "@-1", -1},
    {"a word", "tomorrow", -1},
    {"a unit that is none", "7 fortnights ago", -1},
    {"no unit", "7", -1},
    {"too large", "9999999 days ago", -1},
    {"empty", "", -1},
    {"a day that is none", "2026-02-30", -1},
    {"more behind it", "2026-11-20x", -1},
};

static void what_an_operator_writes_is_understood(void **state)
{
    const struct {
        const char *name, *text;
        int64_t at;
    } *row = *state;
    int64_t at = -1;

    set_zone("UTC");
    assert_int_equal(stamp_parse_when(&at, row->text, NEWEST), row->at >= 0);
    if (row->at >= 0)
        assert_int_equal(at, row->at);
}

int main(void)
{
    ROWS_ADD(form_rows, a_stamp_is_read);
    ROWS_ADD(when_rows, what_an_operator_writes_is_understood);
    ROWS_ADD_TEST(the_turn_of_a_year_is_seen_in_both_directions);
    ROWS_ADD_TEST(a_log_goes_on_after_a_long_gap);
    ROWS_ADD_TEST(local_time_has_summer_and_winter);
    return rows_run("stamp");
}
