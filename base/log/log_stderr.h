/*
 * log_stderr: lines on stderr, without ever waiting for its reader.
 *
 * stderr is shared: O_NONBLOCK would also hold for the shell, or for another program on the same
 * pipe, so that flag is never set on it.
 */
#pragma once

#include "base/log/log_sink.h"

extern struct log_sink log_stderr;

/* Finds out what kind of file stderr is. Before this call lines are written plainly and may wait.
 */
void log_stderr_open(void);
