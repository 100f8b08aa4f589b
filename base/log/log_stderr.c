/*
 * log_stderr: see log_stderr.h. How to write without waiting depends on what stderr is:
 *
 *   a socket (the journal)   send(2) takes MSG_DONTWAIT for one call
 *   a pipe or a terminal     opened again by its name in /proc, which gives us flags of our own
 *   the same, without /proc  written as far as poll(2) says there is room
 *   a file                   written plainly: it has no reader
 *
 * When a line was written in part, its rest is kept and written first, so that lines stay whole.
 *
 * BUGS
 *   Without /proc another writer to the same pipe can fill it between poll(2) and our write(2),
 *   and we wait.
 */
#include "base/log/log_stderr.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"

#define LINE_MAX_OCTETS 9000
#define OWN_NAME        "/proc/self/fd/2"

enum way { WAY_PLAIN, WAY_SOCKET, WAY_OWN, WAY_POLL };

static struct {
    enum way way;
    bool journal;               /* takes the priority as "<N>" (sd-daemon(3)) */
    int own;                    /* of WAY_OWN */
    char rest[LINE_MAX_OCTETS]; /* of a line that was written in part */
    size_t rest_length;
} channel = {.own = -1};

static ssize_t write_polled(const char *data, size_t length)
{
    struct pollfd room = {.fd = STDERR_FILENO, .events = POLLOUT};

    if (poll(&room, 1, 0) <= 0) {
        errno = EAGAIN;
        return -1;
    }
    return write(STDERR_FILENO, data, length < PIPE_BUF ? length : PIPE_BUF);
}

static ssize_t write_some(const char *data, size_t length)
{
    switch (channel.way) {
    case WAY_SOCKET:
        return send(STDERR_FILENO, data, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    case WAY_OWN:
        return write(channel.own, data, length);
    case WAY_POLL:
        return write_polled(data, length);
    case WAY_PLAIN:
        break;
    }
    return write(STDERR_FILENO, data, length);
}

/* How much of it was written. */
static size_t write_all(const char *data, size_t length)
{
    size_t sent = 0;

    while (sent < length) {
        ssize_t count = write_some(data + sent, length - sent);

        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            break;
        sent += (size_t)count;
    }
    return sent;
}

static bool send_rest(void)
{
    size_t sent = write_all(channel.rest, channel.rest_length);

    channel.rest_length -= sent;
    memmove(channel.rest, channel.rest + sent, channel.rest_length);
    return channel.rest_length == 0;
}

/* False when nothing of the line was written. */
static bool send_line(int priority, const char *text, size_t length)
{
    struct buf line;
    size_t sent = 0;

    if (!send_rest())
        return false;
    buf_init(&line, sizeof channel.rest);
    if (channel.journal)
        buf_addf(&line, "<%d>", priority);
    buf_add(&line, text, length);
    buf_adds(&line, "\n");
    if (!line.failed)
        sent = write_all(line.data, line.length);
    if (sent > 0 && sent < line.length) {
        channel.rest_length = line.length - sent;
        memcpy(channel.rest, line.data + sent, channel.rest_length);
    }
    buf_fini(&line);
    return sent > 0;
}

struct log_sink log_stderr = {.send = send_line};

/* JOURNAL_STREAM is "device:inode" of the stream that systemd made; stderr may be another. */
static bool is_journal(const struct stat *status)
{
    const char *stream = getenv("JOURNAL_STREAM");
    char own[64];

    snprintf(own, sizeof own, "%ju:%ju", (uintmax_t)status->st_dev, (uintmax_t)status->st_ino);
    return stream != NULL && strcmp(own, stream) == 0;
}

void log_stderr_open(void)
{
    struct stat status;

    if (channel.own >= 0)
        close(channel.own);
    channel.own = -1;
    channel.way = WAY_PLAIN;
    channel.journal = false;
    channel.rest_length = 0;
    log_stderr.unreported = 0;
    if (fstat(STDERR_FILENO, &status) != 0)
        return;
    channel.journal = is_journal(&status);
    if (S_ISSOCK(status.st_mode)) {
        channel.way = WAY_SOCKET;
    } else if (S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode)) {
        channel.own = open(OWN_NAME, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        channel.way = channel.own >= 0 ? WAY_OWN : WAY_POLL;
    }
}
