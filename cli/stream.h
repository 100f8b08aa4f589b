/* stream: a socket that is waited for, with a limit on the waiting. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/ip.h"

/* Connected, or -1 with errno: ENAMETOOLONG, EAGAIN when the wait is over, connect's. No single
 * send or receive waits longer than `wait_s`. */
int stream_connect_path(const char *path, int64_t wait_s);
int stream_connect_ip(const struct ip *ip, uint16_t port, int64_t wait_s);
/* False with errno. */
bool stream_send(int fd, const char *text, size_t length);
/* Appends what comes until an octet `last` ends it, which is left out. False with errno: ECONNRESET
 * at the end of the stream, EMSGSIZE when it does not fit. For protocols of one answer at a time.
 */
bool stream_read_until(int fd, struct buf *to, char last);
