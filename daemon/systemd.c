/* systemd: see systemd.h. */
#include "daemon/systemd.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define FIRST_FD 3

/* Without a name that we know it is the default protocol. */
static enum listen_protocol protocol_of(const char *name, size_t length)
{
    for (unsigned i = 0; i < LISTEN_KINDS; i++)
        if (length == strlen(listen_kinds[i].fd_name) &&
            memcmp(name, listen_kinds[i].fd_name, length) == 0)
            return (enum listen_protocol)i;
    return LISTEN_SOCKETMAP;
}

/* The number an environment variable holds; 0 when it holds none. */
static unsigned long env_number(const char *name)
{
    const char *text = getenv(name);
    char *end;
    unsigned long number;

    if (text == NULL || *text < '0' || *text > '9')
        return 0;
    number = strtoul(text, &end, 10);
    return *end == '\0' ? number : 0;
}

int systemd_listen_fds(struct systemd_fd out[SYSTEMD_FDS_MAX])
{
    unsigned long count = env_number("LISTEN_FDS");
    const char *names = getenv("LISTEN_FDNAMES");

    if (env_number("LISTEN_PID") != (unsigned long)getpid() || count > SYSTEMD_FDS_MAX)
        count = 0;
    for (unsigned long i = 0; i < count; i++) {
        size_t length = names == NULL ? 0 : strcspn(names, ":");

        out[i].fd = FIRST_FD + (int)i;
        out[i].protocol = protocol_of(names == NULL ? "" : names, length);
        fcntl(out[i].fd, F_SETFD, FD_CLOEXEC);
        if (names != NULL)
            names = names[length] == ':' ? names + length + 1 : NULL;
    }
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDNAMES");
    return (int)count;
}

void systemd_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    size_t length = path == NULL ? 0 : strlen(path);
    ssize_t sent;
    int fd;

    if (length < 2 || length >= sizeof name.sun_path || (*path != '/' && *path != '@'))
        return;
    memcpy(name.sun_path, path, length);
    if (*path == '@')
        name.sun_path[0] = '\0';
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    sent = sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&name,
                  (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length));
    (void)sent; /* a manager that is gone is no reason to stop */
    close(fd);
}

uint64_t systemd_watchdog_ms(void)
{
    unsigned long pid = env_number("WATCHDOG_PID");

    if (pid != 0 && pid != (unsigned long)getpid())
        return 0;
    return env_number("WATCHDOG_USEC") / 2000;
}
