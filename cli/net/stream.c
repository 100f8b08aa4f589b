/* stream: see stream.h. */
#include "cli/net/stream.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"

static int connect_to(int family, const void *name, socklen_t length, int64_t wait_s)
{
    struct timeval wait = {.tv_sec = (time_t)wait_s};
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0), error;

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
    if (connect(fd, name, length) == 0)
        return fd;
    error = errno;
    close(fd);
    errno = error;
    return -1;
}

int stream_connect_path(const char *path, int64_t wait_s)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof name.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    snprintf(name.sun_path, sizeof name.sun_path, "%s", path);
    return connect_to(AF_UNIX, &name, sizeof name, wait_s);
}

int stream_connect_ip(const struct ip *ip, uint16_t port, int64_t wait_s)
{
    struct sockaddr_storage name;
    socklen_t length = (socklen_t)ip_to_sockaddr(&name, ip, port);

    return connect_to(name.ss_family, &name, length, wait_s);
}

bool stream_send(int fd, const char *text, size_t length)
{
    while (length > 0) {
        ssize_t n = send(fd, text, length, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        text += n;
        length -= (size_t)n;
    }
    return true;
}

/* SO_RCVTIMEO begins anew with each octet; this does not. */
static bool is_over(const struct stream_reader *reader)
{
    struct pollfd one = {.fd = reader->fd, .events = POLLIN};
    int64_t left_ms;

    if (reader->end_ms == 0)
        return false;
    left_ms = reader->end_ms - clock_monotonic_ms();
    return left_ms <= 0 || poll(&one, 1, left_ms < INT_MAX ? (int)left_ms : INT_MAX) == 0;
}

/* True when something is there to be given; else false with errno. */
static bool receive(struct stream_reader *reader)
{
    ssize_t n;

    if (reader->begin < reader->end)
        return true;
    if (is_over(reader)) {
        errno = EAGAIN;
        return false;
    }
    do
        n = recv(reader->fd, reader->data, sizeof reader->data, 0);
    while (n < 0 && errno == EINTR);
    if (n == 0)
        errno = ECONNRESET;
    if (n <= 0)
        return false;
    reader->begin = 0;
    reader->end = (size_t)n;
    return true;
}

bool stream_next(struct stream_reader *reader, struct buf *to, char last)
{
    while (receive(reader)) {
        const char *from = reader->data + reader->begin;
        size_t length = reader->end - reader->begin;
        const char *end = memchr(from, last, length);

        buf_add(to, from, end == NULL ? length : (size_t)(end - from));
        reader->begin += end == NULL ? length : (size_t)(end - from) + 1;
        if (to->failed)
            errno = EMSGSIZE;
        if (end != NULL || to->failed)
            return !to->failed;
    }
    return false;
}
