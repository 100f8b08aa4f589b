/*
 * log: one event, one line: `level=info event=verdict domain=example.com ...`. Lines go to stderr,
 * with the priority in front where that is the journal (sd-daemon(3)), or to the log daemon's
 * socket, as those of syslog(3) do. Neither is ever waited for: a line that finds no room is lost
 * and counted. log_event may be called by any thread; all else is for one, before there are others.
 *
 * Values are strings and are always escaped. A value with a blank, a quote, an equals sign or a
 * backslash is quoted. There is no format string, so nothing from outside can become one.
 *
 *   log.c         from an event to a line
 *   log_sink.c    from a line to stderr or the log daemon
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Longest value printed; the rest is cut. */
#define LOG_VALUE_MAX 512

enum log_target { LOG_TO_STDERR, LOG_TO_SYSLOG };

/* Where lines go from now on; to stderr before it is called. With LOG_TO_SYSLOG errors go to stderr
 * as well: there are few after the start, and one who starts the daemon by hand sees them. */
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

/* ---- a line that may come any number of times ---- */

#define LOG_LIMIT_MS (INT64_C(60) * 1000)

/* Of one kind of line; zero at the beginning. */
struct log_limit {
    int64_t until;     /* monotonic ms: no line before that */
    uint64_t left_out; /* since the last line */
};

/* True when the line may be written at `now`: the first one, then one in LOG_LIMIT_MS. *left_out is
 * the number of lines left out since the last one. */
bool log_limit_passes(struct log_limit *limit, int64_t now, uint64_t *left_out);
