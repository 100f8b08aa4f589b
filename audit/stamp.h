/*
 * stamp: the time at the beginning of a log line, and where the rest of the line begins:
 *
 *   Nov  7 18:45:08 HOST …                    syslog (RFC 3164 §4.1.2): local time, without a year
 *   2026-11-27T18:45:08.123456+01:00 HOST …   rsyslog (RFC 3339), journalctl -o short-iso
 *   Nov 27 18:45:08.123456 HOST …             journalctl -o short-precise
 *
 * The year of a stamp without one is the latest that makes the first stamp of a file no later than
 * the file's own time; it goes up where the month falls back by much, as from December to January.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is remembered from one line to the next. All zero at first. */
struct stamp_reader {
    int64_t newest;  /* no stamp without a year is later, give or take a day; may be raised */
    int64_t begin;   /* nor the first of the file than this */
    int year, month; /* of the last stamp without a year; 0: none yet */
    int64_t last;    /* the last moment, seconds since 1970 */
    /* The last hour that was looked up in the time zone. */
    int hour_year, hour_month, hour_day, hour;
    int64_t hour_at;
    /* The last stamp as text, which mostly is the next one too. */
    char text[36];
    size_t length;
};

/* A new file begins: its year is inferred anew. Seconds since 1970: no stamp is later than
 * `newest`, nor the first one than `begin`, give or take a day. They are the same in a log of less
 * than a year; see struct source_line. */
void stamp_file(struct stamp_reader *reader, int64_t newest, int64_t begin);
/* Reads the stamp at the beginning of a line. Gives its length with the blank behind it, and *at in
 * seconds since 1970; 0 when there is none. */
size_t stamp_read(struct stamp_reader *reader, const char *text, size_t length, int64_t *at);
/* The same for one line alone, without a year inferred: for the order of files. False: no stamp. */
bool stamp_of_line(const char *text, size_t length, int64_t newest, int64_t *at);
/* What an operator writes: "2026-11-01", "2026-11-01 12:00", "2026-11-01T12:00:00Z", "yesterday",
 * "today", "7 days ago", "24h ago" or "@SECONDS"; without a zone it is local time. `now` in seconds
 * since 1970. False when it is none of these. */
bool stamp_parse_when(int64_t *out, const char *text, int64_t now);
/* The beginning of the local day of a moment. */
int64_t stamp_day(int64_t at);
