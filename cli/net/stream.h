/* stream: a socket that is waited for, with a limit on the waiting. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/net/ip.h"

/* Connected, or -1 with errno: ENAMETOOLONG, EAGAIN when the wait is over, connect's. No single
 * send or receive waits longer than `wait_s`. */
int stream_connect_path(const char *path, int64_t wait_s);
int stream_connect_ip(const struct ip *ip, uint16_t port, int64_t wait_s);
/* False with errno. */
bool stream_send(int fd, const char *text, size_t length);

#define STREAM_PART 65536

/* Begins with the descriptor alone, or with an end as well. */
struct stream_reader {
    int fd;
    int64_t
        end_ms; /* monotonic: no wait goes on behind it, however much has come; 0: no such end */
    size_t begin, end; /* of what was received and not given yet */
    char data[STREAM_PART];
};
/* Appends what comes until an octet `last` ends it, which is left out; what comes behind it is for
 * the next call. False with errno: ECONNRESET at the end of the stream, EMSGSIZE when it does not
 * fit, EAGAIN when the wait is over. */
bool stream_next(struct stream_reader *reader, struct buf *to, char last);
