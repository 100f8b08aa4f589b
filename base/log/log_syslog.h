/*
 * log_syslog: lines for the system's log daemon, by its datagram socket. syslog(3) would wait for a
 * log daemon that does not read, and stop all our clients with it.
 */
#pragma once

#include "base/log/log_sink.h"

#define LOG_SYSLOG_PATH "/dev/log"

extern struct log_sink log_syslog; /* facility mail */

/* Connects, now or with a later line. `path` and `ident` stay the caller's and in place. */
void log_syslog_open(const char *path, const char *ident);
void log_syslog_close(void);
