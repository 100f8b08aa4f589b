/* audit_log: a mail log as a text, counted. Stamps are UTC: the test's time zone. */
#pragma once

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "audit/line.h"
#include "audit/stamp.h"
#include "audit/tally.h"
#include "audit/track.h"

/* 2026-11-27 18:00:00 UTC, no earlier than the logs of the tests */
#define AUDIT_LOG_NEWEST INT64_C(1795802400)

struct audit_log {
    struct tally *tally;
    struct track *track;
};

static inline void audit_log_add(struct audit_log *log, const char *text)
{
    struct stamp_reader stamps = {0};
    struct line_heads heads = {0};
    struct line line;
    const char *end;
    int64_t at;

    setenv("TZ", "UTC", 1);
    tzset();
    stamp_file(&stamps, AUDIT_LOG_NEWEST, AUDIT_LOG_NEWEST);
    for (; *text != '\0'; text = end + 1) {
        size_t length, stamp;

        end = strchr(text, '\n');
        length = (size_t)(end - text);
        stamp = stamp_read(&stamps, text, length, &at);
        line_read(&heads, &line, text + stamp, length - stamp);
        if (stamp > 0)
            track_line(log->track, &line, at);
    }
}

/* `options` NULL: none. */
static inline struct audit_log audit_log_of(const char *text, const struct track_options *options)
{
    static const struct track_options none;
    static const struct tally_limits limits = {1000, 1000, 100};
    struct audit_log log;

    log.tally = tally_new(&limits);
    log.track = track_new(log.tally, options == NULL ? &none : options);
    audit_log_add(&log, text);
    return log;
}

static inline void audit_log_free(struct audit_log *log)
{
    track_free(log->track);
    tally_free(log->tally);
}
