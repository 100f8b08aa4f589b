/*
 * log_syslog: see log_syslog.h. The form is the one that log daemons take from their local socket
 * (RFC 3164): priority, local time, ident and pid. After a log daemon went away, each line tries to
 * connect again.
 */
#include "base/log/log_syslog.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

static struct {
    const char *path, *ident;
    int fd; /* -1: not connected */
} channel = {.fd = -1};

void log_syslog_close(void)
{
    if (channel.fd >= 0)
        close(channel.fd);
    channel.fd = -1;
}

static bool connected(void)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};

    if (channel.fd >= 0)
        return true;
    snprintf(name.sun_path, sizeof name.sun_path, "%s", channel.path);
    channel.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (channel.fd >= 0 && connect(channel.fd, (struct sockaddr *)&name, sizeof name) != 0)
        log_syslog_close();
    return channel.fd >= 0;
}

/* False when it is lost. A log daemon that was restarted gets it at the second try. */
static bool send_parts(struct iovec *parts, size_t count)
{
    const struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};

    for (int tries = 2; tries > 0 && connected(); tries--) {
        if (sendmsg(channel.fd, &message, MSG_NOSIGNAL) >= 0)
            return true;
        if (errno == EAGAIN || errno == ENOBUFS || errno == EMSGSIZE)
            return false;
        log_syslog_close();
    }
    return false;
}

static bool send_line(int priority, const char *text, size_t length)
{
    time_t now = (time_t)clock_wall_s();
    struct tm parts = {0};
    char at[32] = "", head[128];
    int used;

    strftime(at, sizeof at, "%b %e %T", localtime_r(&now, &parts));
    used = snprintf(head, sizeof head, "<%d>%s %s[%ld]: ", LOG_MAIL | priority, at, channel.ident,
                    (long)getpid());
    return send_parts((struct iovec[]){{head, (size_t)used}, {(void *)(uintptr_t)text, length}}, 2);
}

struct log_sink log_syslog = {.send = send_line};

void log_syslog_open(const char *path, const char *ident)
{
    channel.path = path;
    channel.ident = ident;
    log_syslog.unreported = 0;
    tzset();
    connected();
}
