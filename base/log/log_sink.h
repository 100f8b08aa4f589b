/*
 * log_sink: the places that log lines go to, for log.c alone. A sink never waits: a line that finds
 * no room is lost and counted, and the next one that gets through is preceded by
 * "event=log-lines-lost lines=N". For one thread.
 *
 * stderr is shared: O_NONBLOCK would also hold for the shell, or for another program on the same
 * pipe, so that flag is never set on it. syslog(3) would wait for a log daemon that does not read,
 * and stop all our clients with it: its socket is ours.
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

extern struct log_sink log_stderr;
/* Finds out what kind of file stderr is. Before this call lines are written plainly and may wait.
 */
void log_stderr_open(void);

#define LOG_SYSLOG_PATH "/dev/log"

extern struct log_sink log_syslog; /* the system's log daemon, facility mail */
/* Connects, now or with a later line. `path` and `ident` stay the caller's and in place. */
void log_syslog_open(const char *path, const char *ident);
void log_syslog_close(void);
