/*
 * log: see log.h. A line is put together in one buffer and leaves with one write(2) or one
 * datagram. A write to stderr waits for whoever reads it, a datagram for nobody; neither can fail
 * in a way that could be told.
 */
#include "base/log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/escape.h"
#include "base/log_syslog.h"

#define LOG_LINE_MAX 8192

static enum log_level threshold = LOG_LEVEL_INFO;
static enum log_target target = LOG_TO_STDERR;
static bool journal; /* stderr is the journal: it takes the priority as "<N>" */
static const char *const level_names[] = {"error", "warning", "info", "debug"};
static const int priorities[] = {LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG};

/* systemd says "device:inode" of the stream; a stderr sent elsewhere since then is another. */
static bool stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat status;
    char own[64];

    if (stream == NULL || fstat(STDERR_FILENO, &status) != 0)
        return false;
    snprintf(own, sizeof own, "%ju:%ju", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
    return strcmp(own, stream) == 0;
}

void log_open(enum log_target wanted)
{
    target = wanted;
    journal = stderr_is_journal();
    log_syslog_close();
    if (target == LOG_TO_SYSLOG)
        log_syslog_open(LOG_SYSLOG_PATH, "mxcryptd");
}

void log_set_level(enum log_level level)
{
    threshold = level;
}

enum log_level log_level(void)
{
    return threshold;
}

const char *log_level_name(enum log_level level)
{
    return level_names[level];
}

bool log_level_parse(enum log_level *out, const char *name)
{
    for (unsigned i = 0; i < sizeof level_names / sizeof level_names[0]; i++)
        if (strcmp(name, level_names[i]) == 0) {
            *out = (enum log_level)i;
            return true;
        }
    return false;
}

const char *log_number(struct log_number *room, int64_t n)
{
    snprintf(room->text, sizeof room->text, "%" PRId64, n);
    return room->text;
}

static bool needs_quotes(const char *value)
{
    return *value == '\0' || strpbrk(value, " \"=\\") != NULL;
}

static void add_value(struct buf *line, const char *value)
{
    char escaped[LOG_VALUE_MAX];

    escape_bytes(escaped, sizeof escaped, value, strlen(value));
    if (!needs_quotes(escaped)) {
        buf_adds(line, escaped);
        return;
    }
    buf_adds(line, "\"");
    for (const char *p = escaped; *p != '\0'; p++)
        buf_addf(line, *p == '"' ? "\\%c" : "%c", *p);
    buf_adds(line, "\"");
}

static void send_line(enum log_level level, struct buf *line)
{
    ssize_t written;

    if (target == LOG_TO_SYSLOG)
        log_syslog_send(priorities[level], buf_text(line), line->length);
    if (target == LOG_TO_SYSLOG && level != LOG_LEVEL_ERROR)
        return;
    line->failed = false;
    buf_adds(line, "\n");
    written = write(STDERR_FILENO, buf_text(line), line->length);
    (void)written; /* a log that cannot be written has nowhere to say so */
}

void log_event(enum log_level level, const char *event, ...)
{
    struct buf line;
    const char *key, *value;
    va_list args;

    if (level > threshold)
        return;
    buf_init(&line, LOG_LINE_MAX);
    if (journal && target == LOG_TO_STDERR)
        buf_addf(&line, "<%d>", priorities[level]);
    buf_addf(&line, "level=%s event=%s", level_names[level], event);
    va_start(args, event);
    while ((key = va_arg(args, const char *)) != NULL) {
        value = va_arg(args, const char *);
        if (value == NULL)
            continue;
        buf_addf(&line, " %s=", key);
        add_value(&line, value);
    }
    va_end(args);
    send_line(level, &line);
    buf_fini(&line);
}
