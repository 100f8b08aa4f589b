/* mxcryptd: the daemon as a whole: makes its parts, runs them until a signal, takes them down. */
#pragma once

#include "daemon/config/config.h"

/* Runs the daemon; the exit status: 0 after SIGTERM or SIGINT, 1 when it could not start. */
int mxcryptd_run(struct config *config);
