/*
 * source: the lines of mail logs, one after the other, from files (plain, or compressed with gzip,
 * xz, zstd, bzip2), from standard input, or from a program (journalctl). Files are read in the
 * order of their first stamps. A line that is longer than SOURCE_LINE_MAX is cut there; what
 * cannot be read is a warning with its file and line, and reading goes on with the next file. NULs
 * at the beginning of a line are left out, with a warning: a machine that crashed leaves them in a
 * log, and so does a program that writes on where it was after the log was cut.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "audit/stamp.h"

/* Postfix cuts what it logs at 2000 octets (syslog) or 32 KiB (postlogd, since 3.4). */
#define SOURCE_LINE_MAX  65536
#define SOURCE_FILES_MAX 4096

struct source;

struct source_line {
    const char *text; /* without its end; until the next line is asked for */
    size_t length;
    const char *file; /* "-" for standard input, "journal" for a program */
    uint64_t number;  /* in the file, from 1 */
    bool first;       /* of a file */
    bool cut;         /* it was longer */
    /* For stamp_file, seconds since 1970: no stamp up to here is later than `newest`, nor the first
     * one of the file than `begin`. Mostly both are the file's own time. A log that is followed has
     * the present: give it to the reader with every line. */
    int64_t newest, begin;
};

/* A warning: a sentence. */
typedef void source_warn(void *context, const char *file, uint64_t line, const char *text);

/* Where a log is: a file, "-", or a program whose output is the log (words ends with NULL). */
struct source_place {
    const char *path;         /* borrowed; NULL: `words` */
    const char *const *words; /* borrowed */
};

/* Puts the places in the order of their first stamps: those that have none, or are no plain or
 * compressed files, come last. Beyond SOURCE_FILES_MAX they are left out, with a warning. NULL
 * without memory. Strings must live as long as the source. */
struct source *source_open(const struct source_place *places, size_t count, source_warn *warn,
                           void *context);
/* The next line. False at the end of the last place. What cannot be opened is a warning. */
bool source_next(struct source *source, struct source_line *out);
/* Octets read so far and in all, compressed as they are; *all is 0 where it is not known. For a
 * progress bar. */
void source_progress(const struct source *source, uint64_t *done, uint64_t *all);
/* How many of the places could not be read, or not to their ends. */
size_t source_failures(const struct source *source);
void source_close(struct source *source);

/* ---- a log that grows ---- */

/* Instead of source_next, from the first line on: the last place is followed. At its end it is
 * waited for more, at most `wait_ms`, or until a signal arrives. A file that is renamed, replaced
 * or cut is read to its end and then opened anew by its name; one that is missing is waited for. A
 * line is given when its end was written. 1 with a line, 0 when there was none in time, -1 when
 * nothing can come any more. */
int source_follow(struct source *source, struct source_line *out, int wait_ms);
