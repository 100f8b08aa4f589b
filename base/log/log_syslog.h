/*
 * log_syslog: lines for the system's log daemon, by its datagram socket. syslog(3) waits for a log
 * daemon that does not read, and with it would everybody who asks us; here a line that finds no
 * room is lost, and counted. For one thread.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define LOG_SYSLOG_PATH "/dev/log"

/* Connects, now or with a later line. `path` stays the caller's, `ident` too. */
void log_syslog_open(const char *path, const char *ident);
void log_syslog_close(void);
/* `priority`: of syslog(3), without facility; the facility is mail. Never waits. Before the first
 * line after some were lost goes one that says how many. */
void log_syslog_send(int priority, const char *text, size_t length);
/* Lines lost since the start. */
uint64_t log_syslog_lost(void);
