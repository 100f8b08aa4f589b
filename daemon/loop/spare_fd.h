/*
 * spare_fd: a descriptor kept for the moment when no other is left. Without it the connection that
 * waits cannot even be taken off the queue, and accept(2) fails again at once; libuv 1.44, which
 * accepts for the control socket, then does not return to the loop. In place of the spare
 * descriptor the connection is accepted, and closed.
 *
 * DIAGNOSTICS
 *   accept-failed    with why, and how many failures were not logged since the last line
 */
#pragma once

#include <stdbool.h>

#include "base/log/log.h"

struct spare_fd {
    int fd; /* -1: given away, or there was none left */
    struct log_limit failures;
};

void spare_fd_init(struct spare_fd *spare);
void spare_fd_fini(struct spare_fd *spare);
/* Closes it, which makes room for one; false when it is not open. */
bool spare_fd_give(struct spare_fd *spare);
/* Opens it again if it is away and there is room. */
void spare_fd_take(struct spare_fd *spare);
/* Accepting a connection failed: logs that, not too often, and gives as spare_fd_give. `status` is
 * libuv's; `socket` the socket's name in the log, or NULL. */
bool spare_fd_accept_failed(struct spare_fd *spare, const char *socket, int status);
