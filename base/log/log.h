/*
 * log: one event, one line: `level=info event=verdict domain=example.com ...`, on stderr, with the
 * priority in front where that is the journal (sd-daemon(3)), or by the log daemon's socket, as
 * syslog(3). Nobody waits for either: lines for which there is no room are lost, and counted.
 *
 * Values are strings and are always escaped: a value with a blank, a quote, an equals sign or
 * anything unprintable is quoted. There is no format string, so no foreign octet can be one.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Longest value printed; the rest is cut. */
#define LOG_VALUE_MAX 512

enum log_target { LOG_TO_STDERR, LOG_TO_SYSLOG };

/* Where lines go from now on; stderr before it is called. By syslog: facility mail, and errors, of
 * which there are few after the start, on stderr too. */
void log_open(enum log_target target);
/* Lines lost since the start. */
uint64_t log_lines_lost(void);
void log_set_level(enum log_level level);
enum log_level log_level(void);
const char *log_level_name(enum log_level level);
/* False when `name` is none of error, warning, info, debug. */
bool log_level_parse(enum log_level *out, const char *name);

/*
 * Writes one line when `level` is in force. After `event` come pairs of key and value, then NULL;
 * a pair whose value is NULL is left out.
 */
void log_event(enum log_level level, const char *event, ...) __attribute__((sentinel));

/* Room for any number as text. */
struct log_number {
    char text[24];
};
/* A number as a value: log_event(..., "port", LOG_NUM(port), NULL). */
#define LOG_NUM(n) (log_number(&(struct log_number){{0}}, (int64_t)(n)))
const char *log_number(struct log_number *room, int64_t n);
