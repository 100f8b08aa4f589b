/*
 * floor: the least a socketmap server can do: one thread, epoll, a constant for every netstring.
 * What mxcryptd is measured against.
 *
 *   floor PATH REPLY
 *
 * Listens on the Unix socket PATH, prints "ready", runs until it is killed.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define EVENTS_MAX  256
#define REQUEST_MAX 4096
#define BACKLOG     1024

struct client {
    int fd;
    size_t have;
    char request[REQUEST_MAX];
};

static char reply[1100];
static size_t reply_length;

static void die(const char *what)
{
    fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (strlen(path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        die(path);
    }
    strcpy(address.sun_path, path);
    unlink(path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(fd, BACKLOG) != 0)
        die(path);
    return fd;
}

static void welcome(int epoll, int listener)
{
    struct client *client = calloc(1, sizeof *client);
    struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = client}};

    if (client == NULL)
        die("client");
    client->fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (client->fd < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, client->fd, &event) != 0)
        die("accept");
}

static void dismiss(struct client *client)
{
    close(client->fd);
    free(client);
}

/* Length of the whole netstring at the start; 0: more is needed; REQUEST_MAX: it is none. */
static size_t netstring_length(const char *data, size_t have)
{
    size_t digits = 0, length = 0;

    while (digits < have && data[digits] >= '0' && data[digits] <= '9' && digits < 6)
        length = length * 10 + (size_t)(data[digits++] - '0');
    if (digits == have)
        return 0;
    if (digits == 0 || data[digits] != ':' || digits + length + 2 >= REQUEST_MAX)
        return REQUEST_MAX;
    return have < digits + length + 2 ? 0 : digits + length + 2;
}

static void serve(struct client *client)
{
    ssize_t got = read(client->fd, client->request + client->have, REQUEST_MAX - client->have);
    size_t length;

    if (got <= 0) {
        dismiss(client);
        return;
    }
    client->have += (size_t)got;
    while ((length = netstring_length(client->request, client->have)) > 0) {
        if (length == REQUEST_MAX ||
            write(client->fd, reply, reply_length) != (ssize_t)reply_length) {
            dismiss(client);
            return;
        }
        client->have -= length;
        memmove(client->request, client->request + length, client->have);
    }
}

static void run(int listener)
{
    struct epoll_event events[EVENTS_MAX], event = {.events = EPOLLIN, .data = {.ptr = NULL}};
    int epoll = epoll_create1(EPOLL_CLOEXEC);

    if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) != 0)
        die("epoll");
    for (;;) {
        int count = epoll_wait(epoll, events, EVENTS_MAX, -1);

        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr == NULL)
                welcome(epoll, listener);
            else
                serve(events[i].data.ptr);
        }
    }
}

int main(int argc, char **argv)
{
    int listener;

    if (argc != 3 || strlen(argv[2]) > 1024) {
        fprintf(stderr, "usage: floor PATH REPLY\n");
        return 64;
    }
    reply_length = (size_t)snprintf(reply, sizeof reply, "%zu:%s,", strlen(argv[2]), argv[2]);
    signal(SIGPIPE, SIG_IGN);
    listener = listen_at(argv[1]);
    printf("ready\n");
    fflush(stdout);
    run(listener);
    return 0;
}
