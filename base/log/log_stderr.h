/*
 * log_stderr: lines on stderr without ever waiting for the reader. A line that finds no room
 * is lost, and counted. For one thread.
 *
 * stderr is shared: O_NONBLOCK on it would be the shell's too, or that of the next program in the
 * same pipe, so the flag is never set on it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Looks what stderr is; until then lines are written as they come, and may wait. */
void log_stderr_open(void);
/* One line without its end; `priority` as in syslog(3), for the journal. Before the first line
 * after some were lost goes one that says how many. */
void log_stderr_send(int priority, const char *text, size_t length);
/* Lines lost since the start. */
uint64_t log_stderr_lost(void);
