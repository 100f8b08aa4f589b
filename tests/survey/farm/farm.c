/*
 * farm: see farm.h.
 *
 *   survey_farm -t TABLE -l LOG -a CA.pem -A CA-KEY.pem -k LEAF-KEY.pem [-w WORKERS]
 *
 * Every worker is a process and writes LOG.NUMBER, one line for each connection when it has ended:
 *
 *   OPENED CLOSED ADDRESS TEMPER SNI WORD,WORD...
 *
 * Times are CLOCK_MONOTONIC in nanoseconds. SNI is "-" without one. A word is what the client said
 * ("EHLO=its.name", "STARTTLS", "QUIT", ...), "TLS" for a handshake that was made, "NOTLS" for one
 * that failed, "END" when it left without QUIT. CLOSED is when the server saw QUIT or the end,
 * whichever came first.
 * Says "ready" when everything listens, and once more for each SIGHUP, when the logs have all that
 * came before it; SIGTERM ends it, and writes what is under way.
 */
#include "farm.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_MAX  256
#define WORKERS_MAX 16
#define BACKLOG     64
#define FLUSH_MS    100
#define INPUT_MAX   1024
#define WORDS_MAX   2000

struct connection {
    struct connection *next, **link; /* of all that are open */
    const struct farm_host *host;
    SSL *ssl;
    int fd;
    bool handshaking, over_tls, quit;
    bool rambling; /* what comes next is answered with what is no TLS */
    uint64_t opened, closed;
    size_t have, words_length;
    char input[INPUT_MAX], words[WORDS_MAX];
};

static struct farm {
    const char *table, *log, *ca, *ca_key, *leaf_key;
    unsigned workers;
    /* of one worker */
    struct farm_host *hosts;
    size_t host_count;
    struct farm_keys keys;
    SSL_CTX *context;
    struct connection *open;
    FILE *log_file;
    int epoll;
} farm = {.workers = 1};

static volatile sig_atomic_t stopping, asked; /* asked: for what is not in the log yet */

_Noreturn void farm_die(const char *what, const char *which)
{
    fprintf(stderr, "survey_farm: %s: %s\n", what, which);
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

/* ---- one connection ---- */

static void note(struct connection *connection, const char *word, const char *more)
{
    size_t room = sizeof connection->words - connection->words_length;
    int length =
        snprintf(connection->words + connection->words_length, room, "%s%s%s%s",
                 connection->words_length == 0 ? "" : ",", word, more[0] == '\0' ? "" : "=", more);

    if (length > 0 && (size_t)length < room)
        connection->words_length += (size_t)length;
}

static void write_line(const struct connection *connection)
{
    const char *sni = connection->ssl == NULL
                          ? NULL
                          : SSL_get_servername(connection->ssl, TLSEXT_NAMETYPE_host_name);

    fprintf(farm.log_file, "%" PRIu64 " %" PRIu64 " %s %s %s %s\n", connection->opened,
            connection->closed, connection->host->text, connection->host->temper->name,
            sni == NULL ? "-" : sni, connection->words_length == 0 ? "-" : connection->words);
}

static void end(struct connection *connection)
{
    if (connection->closed == 0)
        connection->closed = now_ns();
    if (!connection->quit)
        note(connection, "END", "");
    write_line(connection);
    SSL_free(connection->ssl);
    close(connection->fd);
    *connection->link = connection->next;
    if (connection->next != NULL)
        connection->next->link = connection->link;
    free(connection);
}

/* False when it cannot be sent. What is sent here is far less than a socket's buffer. */
static bool say(struct connection *connection, const char *text)
{
    int length = (int)strlen(text);

    if (connection->over_tls)
        return SSL_write(connection->ssl, text, length) == length;
    return send(connection->fd, text, (size_t)length, MSG_NOSIGNAL) == length;
}

static bool begin_tls(struct connection *connection)
{
    X509 *certificate = farm_certificate(connection->host, NULL);

    if (connection->host->temper->garbage)
        return connection->rambling = true;
    connection->ssl = SSL_new(farm.context);
    if (connection->ssl == NULL || certificate == NULL)
        return false;
    SSL_set_app_data(connection->ssl, connection);
    if (connection->host->temper->version != 0)
        SSL_set_max_proto_version(connection->ssl, connection->host->temper->version);
    if (SSL_use_certificate(connection->ssl, certificate) != 1 ||
        SSL_use_PrivateKey(connection->ssl, farm.keys.leaf_key) != 1 ||
        SSL_set_fd(connection->ssl, connection->fd) != 1)
        return false;
    connection->handshaking = true;
    return true;
}

static int choose_certificate(SSL *ssl, int *alert, void *context)
{
    const struct connection *connection = SSL_get_app_data(ssl);
    const char *sni = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

    (void)alert, (void)context;
    if (!connection->host->by_sni || sni == NULL)
        return SSL_TLSEXT_ERR_OK;
    if (SSL_use_certificate(ssl, farm_certificate(connection->host, sni)) != 1 ||
        SSL_use_PrivateKey(ssl, farm.keys.leaf_key) != 1)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    return SSL_TLSEXT_ERR_OK;
}

/* What one line brings; false when the connection is over. */
static bool command(struct connection *connection, char *line)
{
    const struct farm_temper *temper = connection->host->temper;
    char *argument = strchr(line, ' ');

    if (argument != NULL)
        *argument++ = '\0';
    for (char *at = argument; at != NULL && *at != '\0'; at++)
        if (*at == ' ' || *at == ',')
            *at = '_';
    note(connection, line, argument != NULL ? argument : "");
    if (strcasecmp(line, "EHLO") == 0)
        return say(connection, connection->over_tls ? temper->ehlo_over_tls : temper->ehlo);
    if (strcasecmp(line, "STARTTLS") == 0 && !connection->over_tls)
        return say(connection, temper->starttls) &&
               (temper->starttls[0] != '2' || begin_tls(connection));
    if (strcasecmp(line, "QUIT") != 0)
        return say(connection,
                   strcasecmp(line, "HELO") == 0 ? "250 farm.world\r\n" : "502 what?\r\n");
    connection->quit = true;
    connection->closed = now_ns();
    say(connection, "221 bye\r\n");
    return false;
}

static bool take_lines(struct connection *connection)
{
    char *line = connection->input, *stop;

    while (!connection->handshaking &&
           (stop = memchr(line, '\n', (size_t)(connection->input + connection->have - line)))) {
        *stop = '\0';
        line[strcspn(line, "\r")] = '\0';
        if (!command(connection, line))
            return false;
        line = stop + 1;
    }
    connection->have -= (size_t)(line - connection->input);
    memmove(connection->input, line, connection->have);
    return connection->have < sizeof connection->input;
}

/* False when the handshake has failed. */
static bool handshake(struct connection *connection)
{
    int status = SSL_accept(connection->ssl);

    if (status != 1) {
        status = SSL_get_error(connection->ssl, status);
        if (status == SSL_ERROR_WANT_READ || status == SSL_ERROR_WANT_WRITE)
            return true;
        note(connection, "NOTLS", "");
        return false;
    }
    note(connection, "TLS", "");
    connection->handshaking = false;
    connection->over_tls = true;
    return true;
}

/* Octets read, 0 when there are none now, -1 at the end. */
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

static void serve(struct connection *connection)
{
    ssize_t got;

    if (connection->handshaking && !handshake(connection)) {
        end(connection);
        return;
    }
    while (!connection->handshaking) {
        got = more(connection);
        if (got == 0)
            return;
        connection->have += got > 0 ? (size_t)got : 0;
        if (connection->rambling)
            say(connection, "this is no TLS record at all\r\n");
        if (got < 0 || connection->rambling || !take_lines(connection)) {
            end(connection);
            return;
        }
    }
}

static void welcome(struct farm_host *host)
{
    struct connection *connection = calloc(1, sizeof *connection);
    struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = connection}};
    const char *greeting = host->temper->greeting;

    if (connection == NULL)
        farm_die("no memory", "");
    connection->fd = accept4(host->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (connection->fd < 0) {
        free(connection);
        return;
    }
    connection->host = host;
    connection->opened = now_ns();
    connection->next = farm.open;
    connection->link = &farm.open;
    if (farm.open != NULL)
        farm.open->link = &connection->next;
    farm.open = connection;
    if (epoll_ctl(farm.epoll, EPOLL_CTL_ADD, connection->fd, &event) != 0)
        farm_die("epoll_ctl", strerror(errno));
    if (greeting != NULL && (greeting[0] == '\0' || !say(connection, greeting)))
        end(connection);
}

/* ---- a worker ---- */

static void listen_at(struct farm_host *host)
{
    /* the lowest bit tells a host from a connection */
    struct epoll_event event = {.events = EPOLLIN, .data = {.u64 = (uint64_t)(uintptr_t)host | 1}};
    int on = 1;

    host->listener = socket(host->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (host->listener < 0 ||
        setsockopt(host->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        setsockopt(host->listener, SOL_IP, IP_FREEBIND, &on, sizeof on) !=
            0 || /* a route will do */
        bind(host->listener, (struct sockaddr *)&host->address, host->address_length) != 0 ||
        listen(host->listener, BACKLOG) != 0 ||
        epoll_ctl(farm.epoll, EPOLL_CTL_ADD, host->listener, &event) != 0)
        farm_die(host->text, strerror(errno));
}

static void prepare(unsigned worker)
{
    char path[4096];

    farm.host_count = farm_read(farm.table, worker, farm.workers, &farm.hosts);
    farm_keys_load(&farm.keys, farm.ca, farm.ca_key, farm.leaf_key);
    farm.context = SSL_CTX_new(TLS_server_method());
    snprintf(path, sizeof path, "%s.%u", farm.log, worker);
    farm.log_file = fopen(path, "a");
    farm.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (farm.context == NULL || farm.log_file == NULL || farm.epoll < 0)
        farm_die(path, strerror(errno));
    SSL_CTX_set_tlsext_servername_callback(farm.context, choose_certificate);
    SSL_CTX_set_session_cache_mode(farm.context, SSL_SESS_CACHE_OFF);
    for (size_t i = 0; i < farm.host_count; i++) {
        farm_certify(&farm.hosts[i], &farm.keys);
        listen_at(&farm.hosts[i]);
    }
}

static void tell(int told)
{
    if (write(told, "", 1) != 1)
        farm_die("pipe", strerror(errno));
}

static void work(unsigned worker, int told)
{
    struct epoll_event events[EVENTS_MAX];

    prctl(PR_SET_PDEATHSIG, SIGTERM);
    prepare(worker);
    tell(told);
    while (!stopping) {
        int count = epoll_wait(farm.epoll, events, EVENTS_MAX, asked ? 0 : FLUSH_MS);

        if (count == 0) {
            fflush(farm.log_file);
            if (asked)
                tell(told);
            asked = 0;
        }
        for (int i = 0; i < count; i++) {
            if ((events[i].data.u64 & 1) != 0)
                welcome((struct farm_host *)(uintptr_t)(events[i].data.u64 & ~UINT64_C(1)));
            else
                serve(events[i].data.ptr);
        }
    }
    while (farm.open != NULL)
        end(farm.open);
    fclose(farm.log_file);
    exit(0);
}

/* ---- the program ---- */

static void stop(int number)
{
    if (number == SIGHUP)
        asked = 1;
    else
        stopping = 1;
}

static void wait_for_workers(int told)
{
    char octet;

    for (unsigned i = 0; i < farm.workers; i++)
        while (read(told, &octet, 1) != 1)
            if (errno != EINTR)
                farm_die("a worker has ended", "see above");
    puts("ready");
    fflush(stdout);
}

static void read_options(int argc, char **argv)
{
    int option;

    while ((option = getopt(argc, argv, "t:l:a:A:k:w:")) != -1) {
        switch (option) {
        case 't':
            farm.table = optarg;
            break;
        case 'l':
            farm.log = optarg;
            break;
        case 'a':
            farm.ca = optarg;
            break;
        case 'A':
            farm.ca_key = optarg;
            break;
        case 'k':
            farm.leaf_key = optarg;
            break;
        case 'w':
            farm.workers = (unsigned)atoi(optarg);
            break;
        default:
            exit(64);
        }
    }
    if (farm.table == NULL || farm.log == NULL || farm.ca == NULL || farm.ca_key == NULL ||
        farm.leaf_key == NULL || farm.workers == 0 || farm.workers > WORKERS_MAX)
        farm_die("usage", "-t TABLE -l LOG -a CA -A CA-KEY -k LEAF-KEY [-w WORKERS]");
}

int main(int argc, char **argv)
{
    struct sigaction action = {.sa_handler = stop};
    pid_t workers[WORKERS_MAX];
    int told[2], status;

    read_options(argc, argv);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    if (pipe(told) != 0)
        farm_die("pipe", strerror(errno));
    for (unsigned i = 0; i < farm.workers; i++) {
        workers[i] = fork();
        if (workers[i] == 0)
            work(i, told[1]);
        if (workers[i] < 0)
            farm_die("fork", strerror(errno));
    }
    close(told[1]);
    wait_for_workers(told[0]);
    while (!stopping && waitpid(-1, NULL, 0) < 0 && errno == EINTR) {
        for (unsigned i = 0; asked && i < farm.workers; i++)
            kill(workers[i], SIGHUP);
        if (asked)
            wait_for_workers(told[0]);
        asked = 0;
    }
    status = !stopping; /* no worker ends by itself */
    for (unsigned i = 0; i < farm.workers; i++)
        kill(workers[i], SIGTERM);
    while (wait(NULL) > 0)
        continue;
    return status;
}
