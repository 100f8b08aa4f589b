/*
 * log_sink: see log_sink.h. How to write to stderr without waiting depends on what it is:
 *
 *   a socket (the journal)   send(2) takes MSG_DONTWAIT for one call
 *   a pipe or a terminal     opened again by its name in /proc, which gives us flags of our own
 *   the same, without /proc  written as far as poll(2) says there is room
 *   a file                   written plainly: it has no reader
 *
 * When a line was written in part, its rest is kept and written first, so that lines stay whole.
 *
 * A log daemon takes lines of RFC 3164's form from its local socket: priority, local time, ident and
 * pid. After it went away, each line tries to connect again.
 *
 * BUGS
 *   Without /proc another writer to the same pipe can fill it between poll(2) and our write(2),
 *   and we wait.
 */
#include "base/log/log_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"

void log_sink_send(struct log_sink *sink, int priority, const char *text, size_t length)
{
    char report[80];

    if (sink->unreported > 0) {
        int used = snprintf(report, sizeof report,
                            "level=warning event=log-lines-lost lines=%" PRIu64, sink->unreported);

        if (sink->send(LOG_WARNING, report, (size_t)used))
            sink->unreported = 0;
    }
    if (sink->unreported == 0 && sink->send(priority, text, length))
        return;
    sink->unreported++;
    sink->lost++;
}

/* ---- stderr ---- */

#define LINE_MAX_OCTETS 9000
#define OWN_NAME        "/proc/self/fd/2"

enum way { WAY_PLAIN, WAY_SOCKET, WAY_OWN, WAY_POLL };

static struct {
    enum way way;
    bool journal;               /* takes the priority as "<N>" (sd-daemon(3)) */
    int own;                    /* of WAY_OWN */
    char rest[LINE_MAX_OCTETS]; /* of a line that was written in part */
    size_t rest_length;
} standard = {.own = -1};

static ssize_t write_some(const char *data, size_t length)
{
    struct pollfd room = {.fd = STDERR_FILENO, .events = POLLOUT};

    switch (standard.way) {
    case WAY_SOCKET:
        return send(STDERR_FILENO, data, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    case WAY_OWN:
        return write(standard.own, data, length);
    case WAY_POLL:
        if (poll(&room, 1, 0) <= 0)
            return 0;
        return write(STDERR_FILENO, data, length < PIPE_BUF ? length : PIPE_BUF);
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

/* False when nothing of the line was written. */
static bool stderr_send(int priority, const char *text, size_t length)
{
    struct buf line;
    size_t sent = write_all(standard.rest, standard.rest_length);

    standard.rest_length -= sent;
    memmove(standard.rest, standard.rest + sent, standard.rest_length);
    if (standard.rest_length > 0)
        return false;
    sent = 0;
    buf_init(&line, sizeof standard.rest);
    if (standard.journal)
        buf_addf(&line, "<%d>", priority);
    buf_add(&line, text, length);
    buf_adds(&line, "\n");
    if (!line.failed)
        sent = write_all(line.data, line.length);
    if (sent > 0 && sent < line.length) {
        standard.rest_length = line.length - sent;
        memcpy(standard.rest, line.data + sent, standard.rest_length);
    }
    buf_fini(&line);
    return sent > 0;
}

struct log_sink log_stderr = {.send = stderr_send};

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

    if (standard.own >= 0)
        close(standard.own);
    standard.own = -1;
    standard.way = WAY_PLAIN;
    standard.journal = false;
    standard.rest_length = 0;
    log_stderr.unreported = 0;
    if (fstat(STDERR_FILENO, &status) != 0)
        return;
    standard.journal = is_journal(&status);
    if (S_ISSOCK(status.st_mode)) {
        standard.way = WAY_SOCKET;
    } else if (S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode)) {
        standard.own = open(OWN_NAME, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        standard.way = standard.own >= 0 ? WAY_OWN : WAY_POLL;
    }
}

/* ---- the log daemon ---- */

static struct {
    const char *path, *ident;
    int fd; /* -1: not connected */
} log_daemon = {.fd = -1};

void log_syslog_close(void)
{
    if (log_daemon.fd >= 0)
        close(log_daemon.fd);
    log_daemon.fd = -1;
}

static bool connected(void)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};

    if (log_daemon.fd >= 0)
        return true;
    snprintf(name.sun_path, sizeof name.sun_path, "%s", log_daemon.path);
    log_daemon.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (log_daemon.fd >= 0 && connect(log_daemon.fd, (struct sockaddr *)&name, sizeof name) != 0)
        log_syslog_close();
    return log_daemon.fd >= 0;
}

/* A log daemon that was restarted gets the line at the second try. */
static bool syslog_send(int priority, const char *text, size_t length)
{
    time_t now = (time_t)clock_wall_s();
    struct tm parts = {0};
    char at[32] = "", head[128];
    struct iovec line[] = {{head, 0}, {(void *)(uintptr_t)text, length}};
    const struct msghdr message = {.msg_iov = line, .msg_iovlen = 2};

    strftime(at, sizeof at, "%b %e %T", localtime_r(&now, &parts));
    line[0].iov_len = (size_t)snprintf(head, sizeof head, "<%d>%s %s[%ld]: ", LOG_MAIL | priority,
                                       at, log_daemon.ident, (long)getpid());
    for (int tries = 2; tries > 0 && connected(); tries--) {
        if (sendmsg(log_daemon.fd, &message, MSG_NOSIGNAL) >= 0)
            return true;
        if (errno == EAGAIN || errno == ENOBUFS || errno == EMSGSIZE)
            return false;
        log_syslog_close();
    }
    return false;
}

struct log_sink log_syslog = {.send = syslog_send};

void log_syslog_open(const char *path, const char *ident)
{
    log_daemon.path = path;
    log_daemon.ident = ident;
    log_syslog.unreported = 0;
    tzset();
    connected();
}
