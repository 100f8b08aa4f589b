/* log: see log.h. A line is composed in one buffer and handed to the sinks. */
#include "base/log/log.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "base/buf.h"
#include "base/escape.h"
#include "base/log/log_sink.h"

#define LOG_LINE_MAX 8192

static pthread_mutex_t sinks = PTHREAD_MUTEX_INITIALIZER;
static enum log_level threshold = LOG_LEVEL_INFO;
static enum log_target target = LOG_TO_STDERR;
static const char *const level_names[] = {"error", "warning", "info", "debug"};
static const int priorities[] = {LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG};

void log_open(enum log_target wanted)
{
    target = wanted;
    log_stderr_open();
    log_syslog_close();
    if (target == LOG_TO_SYSLOG)
        log_syslog_open(LOG_SYSLOG_PATH, "mxcryptd");
}

uint64_t log_lines_lost(void)
{
    return log_stderr.lost + log_syslog.lost;
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

static void add_value(struct buf *line, const char *value)
{
    char escaped[LOG_VALUE_MAX];

    escape_bytes(escaped, sizeof escaped, value, strlen(value));
    if (*escaped != '\0' && strpbrk(escaped, " \"=\\") == NULL) {
        buf_adds(line, escaped);
        return;
    }
    buf_adds(line, "\"");
    for (const char *p = escaped; *p != '\0'; p++)
        buf_addf(line, *p == '"' ? "\\%c" : "%c", *p);
    buf_adds(line, "\"");
}

void log_event(enum log_level level, const char *event, ...)
{
    struct buf line;
    const char *key, *value;
    va_list args;

    if (level > threshold)
        return;
    buf_init(&line, LOG_LINE_MAX);
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
    pthread_mutex_lock(&sinks);
    if (target == LOG_TO_SYSLOG)
        log_sink_send(&log_syslog, priorities[level], buf_text(&line), line.length);
    if (target != LOG_TO_SYSLOG || level == LOG_LEVEL_ERROR)
        log_sink_send(&log_stderr, priorities[level], buf_text(&line), line.length);
    pthread_mutex_unlock(&sinks);
    buf_fini(&line);
}

bool log_limit_passes(struct log_limit *limit, int64_t now, uint64_t *left_out)
{
    if (limit->until > now) {
        limit->left_out++;
        return false;
    }
    *left_out = limit->left_out;
    limit->left_out = 0;
    limit->until = now + LOG_LIMIT_MS;
    return true;
}
