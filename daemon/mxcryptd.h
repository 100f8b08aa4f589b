/* mxcryptd: the daemon as a whole: everything made, run until told to stop, and taken down. */
#pragma once

#include "daemon/config/config.h"

/* Runs the daemon; the exit status: 0 after SIGTERM or SIGINT, 1 when it could not start. */
int mxcryptd_run(struct config *config);
