/*
 * handshakes: a bare OpenSSL client, to measure `mxcrypt survey run` by.
 *
 *   handshakes -a CA.pem [-c CONNECTIONS] [-p PROCESSES] [-n] [-h HELO] TARGETS
 *
 * TARGETS has an address and the name for SNI on each line. Each is connected to once: greeting,
 * EHLO, STARTTLS, handshake, EHLO, QUIT, its reply, close. The chain is verified against CA.pem,
 * whatever comes of it; with -n it is not looked at. Every process has its share of the targets and
 * of the connections, an epoll loop and a context, and does nothing with what it sees.
 * Prints one JSON object: handshakes, failed, seconds (until the last process has ended), cpu_s.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_MAX    256
#define PROCESSES_MAX 64
#define INPUT_MAX     1024
#define SMTP_PORT     25

enum step { GREETING, EHLO, STARTTLS, HANDSHAKE, EHLO_TLS, QUIT };

struct connection {
    enum step step;
    bool over_tls;
    int fd;
    SSL *ssl;
    const char *sni;
    size_t have;
    char input[INPUT_MAX];
};

struct target {
    struct in_addr address;
    char name[256];
};

struct sums {
    uint64_t made, failed;
};

static struct client {
    const char *ca;
    char ehlo[300];
    unsigned connections, processes;
    bool verify;
    struct target *targets;
    size_t target_count;
    /* of one process */
    size_t next;
    unsigned open;
    int epoll;
    SSL_CTX *context;
    struct sums sums;
} client = {
    .connections = 200, .processes = 1, .verify = true, .ehlo = "EHLO prober.world.signed\r\n"};

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "handshakes: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- one conversation ---- */

static bool say(struct connection *connection, const char *text)
{
    int length = (int)strlen(text);

    if (connection->over_tls)
        return SSL_write(connection->ssl, text, length) == length;
    return send(connection->fd, text, (size_t)length, MSG_NOSIGNAL) == length;
}

static bool begin_handshake(struct connection *connection)
{
    connection->ssl = SSL_new(client.context);
    connection->step = HANDSHAKE;
    return connection->ssl != NULL && SSL_set_fd(connection->ssl, connection->fd) == 1 &&
           SSL_set_tlsext_host_name(connection->ssl, connection->sni) == 1;
}

/* False when all is said. */
static bool reply(struct connection *connection)
{
    switch (connection->step++) {
    case GREETING:
        return say(connection, client.ehlo);
    case EHLO:
        return say(connection, "STARTTLS\r\n");
    case STARTTLS:
        return begin_handshake(connection);
    case EHLO_TLS:
        return say(connection, "QUIT\r\n");
    default:
        return false;
    }
}

/* 1: made; 0: goes on; -1: failed. */
static int handshake(struct connection *connection)
{
    int status = SSL_connect(connection->ssl);

    if (status == 1) {
        client.sums.made++;
        connection->over_tls = true;
        connection->step = EHLO_TLS;
        return say(connection, client.ehlo) ? 1 : -1;
    }
    status = SSL_get_error(connection->ssl, status);
    return status == SSL_ERROR_WANT_READ || status == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

/* True when a whole reply is there: its last line has a blank behind the code. */
static bool whole(struct connection *connection)
{
    char *line = connection->input, *stop;
    size_t left = connection->have;

    while ((stop = memchr(line, '\n', left)) != NULL) {
        if (stop - line > 3 && line[3] == ' ') {
            connection->have = 0;
            return true;
        }
        left -= (size_t)(stop + 1 - line);
        line = stop + 1;
    }
    return false;
}

static ssize_t more(struct connection *connection)
{
    char *at = connection->input + connection->have;
    size_t room = sizeof connection->input - connection->have;
    ssize_t got;

    if (!connection->over_tls) {
        got = recv(connection->fd, at, room, 0);
        return got > 0 ? got : got < 0 && errno == EAGAIN ? 0 : -1;
    }
    got = SSL_read(connection->ssl, at, (int)room);
    if (got > 0)
        return got;
    return SSL_get_error(connection->ssl, (int)got) == SSL_ERROR_WANT_READ ? 0 : -1;
}

/* False when the conversation is over. */
static bool go_on(struct connection *connection)
{
    for (;;) {
        ssize_t got;

        if (connection->step == HANDSHAKE) {
            int status = handshake(connection);

            if (status <= 0)
                return status == 0;
        }
        got = more(connection);
        if (got <= 0)
            return got == 0;
        connection->have += (size_t)got;
        if (whole(connection) && !reply(connection))
            return false;
    }
}

/* ---- a process ---- */

static void begin(void)
{
    const struct target *target = &client.targets[client.next];
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(SMTP_PORT), .sin_addr = target->address};
    struct connection *connection = calloc(1, sizeof *connection);
    struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = connection}};
    int on = 1;

    if (connection == NULL)
        die("memory");
    client.next += client.processes;
    client.open++;
    connection->sni = target->name;
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (connection->fd < 0 ||
        setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
        (connect(connection->fd, (struct sockaddr *)&address, sizeof address) != 0 &&
         errno != EINPROGRESS) ||
        epoll_ctl(client.epoll, EPOLL_CTL_ADD, connection->fd, &event) != 0)
        die("connect");
}

static void end(struct connection *connection)
{
    if (connection->step <= QUIT)
        client.sums.failed++;
    SSL_free(connection->ssl);
    close(connection->fd);
    free(connection);
    client.open--;
}

static void prepare(void)
{
    client.epoll = epoll_create1(EPOLL_CLOEXEC);
    client.context = SSL_CTX_new(TLS_client_method());
    if (client.epoll < 0 || client.context == NULL)
        die("start");
    if (client.verify && SSL_CTX_load_verify_locations(client.context, client.ca, NULL) != 1)
        die(client.ca);
    SSL_CTX_set_verify(client.context, SSL_VERIFY_NONE, NULL);
}

static int look_away(X509_STORE_CTX *store, void *context)
{
    (void)store, (void)context;
    return 1;
}

static void work(unsigned number, int out)
{
    struct epoll_event events[EVENTS_MAX];
    unsigned most = client.connections / client.processes;

    prepare();
    if (!client.verify)
        SSL_CTX_set_cert_verify_callback(client.context, look_away, NULL);
    client.next = number;
    while (client.open > 0 || client.next < client.target_count) {
        int count;

        while (client.open < most && client.next < client.target_count)
            begin();
        count = epoll_wait(client.epoll, events, EVENTS_MAX, -1);
        for (int i = 0; i < count; i++)
            if (!go_on(events[i].data.ptr))
                end(events[i].data.ptr);
    }
    if (write(out, &client.sums, sizeof client.sums) != sizeof client.sums)
        die("pipe");
    exit(0);
}

/* ---- the program ---- */

static void read_targets(const char *path)
{
    FILE *file = fopen(path, "r");
    char address[64], name[256];
    size_t room = 0;

    if (file == NULL)
        die(path);
    while (fscanf(file, "%63s %255s", address, name) == 2) {
        if (client.target_count == room) {
            room = room == 0 ? 1024 : room * 2;
            client.targets = realloc(client.targets, room * sizeof *client.targets);
            if (client.targets == NULL)
                die("memory");
        }
        if (inet_pton(AF_INET, address, &client.targets[client.target_count].address) != 1)
            die(address);
        strcpy(client.targets[client.target_count++].name, name);
    }
    fclose(file);
}

static const char *read_options(int argc, char **argv)
{
    int option;

    while ((option = getopt(argc, argv, "a:c:p:nh:")) != -1) {
        switch (option) {
        case 'a':
            client.ca = optarg;
            break;
        case 'c':
            client.connections = (unsigned)atoi(optarg);
            break;
        case 'p':
            client.processes = (unsigned)atoi(optarg);
            break;
        case 'n':
            client.verify = false;
            break;
        case 'h':
            snprintf(client.ehlo, sizeof client.ehlo, "EHLO %s\r\n", optarg);
            break;
        default:
            exit(64);
        }
    }
    if (client.ca == NULL || optind != argc - 1 || client.processes == 0 ||
        client.processes > PROCESSES_MAX || client.connections < client.processes) {
        fputs(
            "usage: handshakes -a CA.pem [-c CONNECTIONS] [-p PROCESSES] [-n] [-h HELO] TARGETS\n",
            stderr);
        exit(64);
    }
    return argv[optind];
}

static void print(double seconds, const struct sums *sums)
{
    struct rusage usage;

    getrusage(RUSAGE_CHILDREN, &usage);
    printf("{\"handshakes\": %llu, \"failed\": %llu, \"seconds\": %.6f, \"cpu_s\": %.6f}\n",
           (unsigned long long)sums->made, (unsigned long long)sums->failed, seconds,
           (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
               (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
}

int main(int argc, char **argv)
{
    struct sums all = {0}, one;
    double began;
    int sums[2];

    read_targets(read_options(argc, argv));
    signal(SIGPIPE, SIG_IGN);
    if (pipe(sums) != 0)
        die("pipe");
    began = now_s();
    for (unsigned i = 0; i < client.processes; i++)
        if (fork() == 0)
            work(i, sums[1]);
    close(sums[1]);
    while (read(sums[0], &one, sizeof one) == sizeof one) {
        all.made += one.made;
        all.failed += one.failed;
    }
    while (wait(NULL) > 0)
        continue;
    print(now_s() - began, &all);
    return all.failed > 0;
}
