/*
 * spare_fd: a descriptor kept for the moment when there is no other. libuv 1.44 asks for a
 * connection again and again while it gets an error other than "none there", and returns to the
 * loop no more: with the spare one the connection can be accepted, and be closed.
 */
#pragma once

#include <stdbool.h>

#include "base/log/log_limit.h"

struct spare_fd {
    int fd;     /* -1: none */
    bool given; /* it has been given away and is to be taken again */
    struct log_limit failures;
};

void spare_fd_init(struct spare_fd *spare);
void spare_fd_fini(struct spare_fd *spare);
/* Makes room for one descriptor; false when that was done already, or never could be. */
bool spare_fd_give(struct spare_fd *spare);
/* Opens it again where it was given away; harmless otherwise, and when there is no room yet. */
void spare_fd_take(struct spare_fd *spare);
/* Accepting a connection failed: logs that, not too often, and gives as spare_fd_give. `status` is
 * libuv's; `socket` the socket's name in the log, or NULL. */
bool spare_fd_accept_failed(struct spare_fd *spare, const char *socket, int status);
