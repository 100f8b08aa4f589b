/*
 * log_sink: one place that log lines go to, for log.c alone. A sink never waits: a line that finds
 * no room is lost and counted, and the next one that gets through is preceded by
 * "event=log-lines-lost lines=N". For one thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct log_sink {
    /* Takes one line without its end; `priority` as in syslog(3). False when it is lost. */
    bool (*send)(int priority, const char *text, size_t length);
    uint64_t lost;       /* lines since the start */
    uint64_t unreported; /* of these, not yet reported; a sink that is opened sets it to 0 */
};

void log_sink_send(struct log_sink *sink, int priority, const char *text, size_t length);
