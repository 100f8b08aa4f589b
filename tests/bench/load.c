/*
 * load: asks a socketmap server as many smtp(8) processes do: N connections, one request in flight
 * on each, the next one as soon as the reply is there.
 *
 *   load [-c CONNECTIONS] [-s SECONDS] [-w WARM_UP_SECONDS] TARGET NAME KEY
 *
 * TARGET is unix:PATH or inet:ADDRESS:PORT. Prints one JSON object: requests, rate, latency in
 * microseconds, the first reply and how many replies were different from it. Exit status 1 when a
 * connection fails or a reply is no netstring.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define REPLY_MAX   4096
#define EVENTS_MAX  256
#define NS          UINT64_C(1000000000)
#define SUB_BITS    5 /* 32 buckets for every power of two: 3 % */
#define BUCKETS     (64 << SUB_BITS)
#define CONNECTIONS 100
#define SECONDS     5
#define WARM_UP     1

struct connection {
    int fd;
    uint64_t asked_at;
    size_t have;
    char reply[REPLY_MAX];
};

struct load {
    const char *target;
    unsigned count, seconds, warm_up;
    struct connection *connections;
    int epoll;
    char request[2048];
    size_t request_length;
    uint64_t count_from, stop_at; /* ns */
    uint64_t all;                 /* with the warm-up */
    uint64_t requests, others, worst;
    uint64_t histogram[BUCKETS];
    char first[REPLY_MAX];
    size_t first_length;
};

static void die(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS + (uint64_t)now.tv_nsec;
}

/* ---- latencies ---- */

static unsigned bucket_of(uint64_t ns)
{
    unsigned power;

    if (ns < 1 << SUB_BITS)
        return (unsigned)ns;
    power = 63 - (unsigned)__builtin_clzll(ns);
    return ((power - SUB_BITS + 1) << SUB_BITS) +
           (unsigned)((ns >> (power - SUB_BITS)) & ((1 << SUB_BITS) - 1));
}

static uint64_t bucket_ns(unsigned bucket)
{
    unsigned power = bucket >> SUB_BITS;
    uint64_t sub = bucket & ((1 << SUB_BITS) - 1);

    return power == 0 ? sub : ((UINT64_C(1) << SUB_BITS) + sub) << (power - 1);
}

static double percentile_us(const struct load *load, double share)
{
    uint64_t wanted = (uint64_t)((double)load->requests * share), seen = 0;

    for (unsigned i = 0; i < BUCKETS; i++) {
        seen += load->histogram[i];
        if (seen > wanted)
            return (double)bucket_ns(i) / 1000;
    }
    return (double)load->worst / 1000;
}

/* ---- connections ---- */

static int connect_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (strlen(path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        die(path);
    }
    strcpy(address.sun_path, path);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        die(path);
    return fd;
}

static int connect_inet(const char *where)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    const char *colon = strrchr(where, ':');
    char text[INET_ADDRSTRLEN] = "";
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    if (colon != NULL && (size_t)(colon - where) < sizeof text)
        memcpy(text, where, (size_t)(colon - where));
    errno = EINVAL;
    if (fd < 0 || colon == NULL || inet_pton(AF_INET, text, &address.sin_addr) != 1)
        die(where);
    address.sin_port = htons((uint16_t)atoi(colon + 1));
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        die(where);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static void open_connections(struct load *load)
{
    load->epoll = epoll_create1(EPOLL_CLOEXEC);
    load->connections = calloc(load->count, sizeof *load->connections);
    if (load->epoll < 0 || load->connections == NULL)
        die("start");
    for (unsigned i = 0; i < load->count; i++) {
        struct connection *connection = &load->connections[i];
        struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = connection}};

        if (strncmp(load->target, "unix:", 5) == 0)
            connection->fd = connect_unix(load->target + 5);
        else if (strncmp(load->target, "inet:", 5) == 0)
            connection->fd = connect_inet(load->target + 5);
        else
            die(load->target);
        if (epoll_ctl(load->epoll, EPOLL_CTL_ADD, connection->fd, &event) != 0)
            die("epoll_ctl");
    }
}

static void ask(struct load *load, struct connection *connection)
{
    connection->have = 0;
    connection->asked_at = now_ns();
    if (write(connection->fd, load->request, load->request_length) != (ssize_t)load->request_length)
        die("write");
}

/* ---- replies ---- */

/* Length of the whole netstring at the start, 0 when more is needed. */
static size_t netstring_length(const char *data, size_t have)
{
    size_t digits = 0, length = 0;

    while (digits < have && data[digits] >= '0' && data[digits] <= '9' && digits < 6)
        length = length * 10 + (size_t)(data[digits++] - '0');
    if (digits == have)
        return 0;
    if (digits == 0 || data[digits] != ':' || length > REPLY_MAX - 10) {
        errno = EPROTO;
        die("reply");
    }
    return have < digits + length + 2 ? 0 : digits + length + 2;
}

static void note(struct load *load, const struct connection *connection)
{
    uint64_t now = now_ns(), took = now - connection->asked_at;

    if (load->first_length == 0) {
        memcpy(load->first, connection->reply, connection->have);
        load->first_length = connection->have;
    }
    load->all++;
    if (now < load->count_from)
        return;
    load->requests++;
    load->histogram[bucket_of(took)]++;
    if (took > load->worst)
        load->worst = took;
    if (connection->have != load->first_length ||
        memcmp(connection->reply, load->first, connection->have) != 0)
        load->others++;
}

static void take(struct load *load, struct connection *connection)
{
    ssize_t got =
        read(connection->fd, connection->reply + connection->have, REPLY_MAX - connection->have);

    if (got <= 0)
        die("the server closed a connection");
    connection->have += (size_t)got;
    if (netstring_length(connection->reply, connection->have) != connection->have)
        return;
    note(load, connection);
    ask(load, connection);
}

static void run(struct load *load)
{
    struct epoll_event events[EVENTS_MAX];

    load->count_from = now_ns() + load->warm_up * NS;
    load->stop_at = load->count_from + load->seconds * NS;
    for (unsigned i = 0; i < load->count; i++)
        ask(load, &load->connections[i]);
    while (now_ns() < load->stop_at) {
        int count = epoll_wait(load->epoll, events, EVENTS_MAX, 1000);

        if (count < 0 && errno != EINTR)
            die("epoll_wait");
        for (int i = 0; i < count; i++)
            take(load, events[i].data.ptr);
    }
}

static double cpu_seconds(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void print_text(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (text[i] == '"' || text[i] == '\\' || (unsigned char)text[i] < 0x20)
            printf("\\u%04x", (unsigned char)text[i]);
        else
            putchar(text[i]);
}

static void report(const struct load *load)
{
    printf(
        "{\"all\": %llu, \"requests\": %llu, \"rate\": %.1f, \"p50_us\": %.1f, \"p90_us\": %.1f, "
        "\"p99_us\": %.1f, \"p999_us\": %.1f, \"max_us\": %.1f, \"others\": %llu, "
        "\"load_cpu_s\": %.3f, \"reply\": \"",
        (unsigned long long)load->all, (unsigned long long)load->requests,
        (double)load->requests / load->seconds, percentile_us(load, 0.5), percentile_us(load, 0.9),
        percentile_us(load, 0.99), percentile_us(load, 0.999), (double)load->worst / 1000,
        (unsigned long long)load->others, cpu_seconds());
    print_text(load->first, load->first_length);
    printf("\"}\n");
}

static void usage(void)
{
    fprintf(stderr, "usage: load [-c CONNECTIONS] [-s SECONDS] [-w WARM_UP] TARGET NAME KEY\n");
    exit(64);
}

static unsigned number(const char *text)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);

    if (*text == '\0' || *end != '\0' || value > 100000)
        usage();
    return (unsigned)value;
}

int main(int argc, char **argv)
{
    static struct load load = {.count = CONNECTIONS, .seconds = SECONDS, .warm_up = WARM_UP};
    int option;

    while ((option = getopt(argc, argv, "c:s:w:")) != -1) {
        if (option == 'c')
            load.count = number(optarg);
        else if (option == 's')
            load.seconds = number(optarg);
        else if (option == 'w')
            load.warm_up = number(optarg);
        else
            usage();
    }
    if (argc - optind != 3 || load.count == 0 || load.seconds == 0)
        usage();
    load.target = argv[optind];
    load.request_length = (size_t)snprintf(load.request, sizeof load.request, "%zu:%s %s,",
                                           strlen(argv[optind + 1]) + 1 + strlen(argv[optind + 2]),
                                           argv[optind + 1], argv[optind + 2]);
    if (load.request_length >= sizeof load.request)
        usage();
    open_connections(&load);
    run(&load);
    report(&load);
    return 0;
}
