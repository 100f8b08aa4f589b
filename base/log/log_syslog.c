/*
 * log_syslog: see log_syslog.h. The form is that of RFC 3164 as log daemons take it from their
 * local socket: priority, local time, ident and pid. A log daemon that went away is looked for at
 * the next line.
 */
#include "base/log/log_syslog.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"

#define LINE_MAX_OCTETS 9000

static struct {
    const char *path, *ident;
    int fd; /* -1: not connected */
    uint64_t lost, lost_ever;
} channel = {.fd = -1};

static void disconnect(void)
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
        disconnect();
    return channel.fd >= 0;
}

/* False when it did not leave; a log daemon that was started anew is tried at once. */
static bool send_datagram(const char *text, size_t length)
{
    for (int tries = 2; tries > 0; tries--) {
        if (!connected())
            return false;
        if (send(channel.fd, text, length, MSG_NOSIGNAL) >= 0)
            return true;
        if (errno == EAGAIN || errno == ENOBUFS || errno == EMSGSIZE)
            return false;
        disconnect();
    }
    return false;
}

static bool send_line(int priority, const char *text, size_t length)
{
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t now = (time_t)clock_wall_s();
    struct tm at = {0};
    struct buf line;
    bool sent;

    localtime_r(&now, &at);
    buf_init(&line, LINE_MAX_OCTETS);
    buf_addf(&line, "<%d>%s %2d %02d:%02d:%02d %s[%ld]: ", LOG_MAIL | priority, months[at.tm_mon],
             at.tm_mday, at.tm_hour, at.tm_min, at.tm_sec, channel.ident, (long)getpid());
    buf_add(&line, text, length);
    sent = !line.failed && send_datagram(line.data, line.length);
    buf_fini(&line);
    return sent;
}

static bool tell_lost(void)
{
    char text[80];
    int length = snprintf(text, sizeof text, "level=warning event=log-lines-lost lines=%" PRIu64,
                          channel.lost);

    return channel.lost == 0 || send_line(LOG_WARNING, text, (size_t)length);
}

void log_syslog_open(const char *path, const char *ident)
{
    channel.path = path;
    channel.ident = ident;
    channel.lost = 0;
    tzset();
    connected();
}

void log_syslog_close(void)
{
    disconnect();
}

void log_syslog_send(int priority, const char *text, size_t length)
{
    if (tell_lost()) {
        channel.lost = 0;
        if (send_line(priority, text, length))
            return;
    }
    channel.lost++;
    channel.lost_ever++;
}

uint64_t log_syslog_lost(void)
{
    return channel.lost_ever;
}
