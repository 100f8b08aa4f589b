/*
 * metrics: see metrics.h. The only user of libmicrohttpd, which has neither a thread nor a listening
 * socket here: it is given the connections that were accepted, and is run when its epoll descriptor
 * is readable or a deadline is due. Its own time-out counts silence and would let a slow client
 * stay. So a slot per connection holds when it began, and a connection past its time is shut down,
 * which libmicrohttpd sees as its end.
 *
 * At the limit of connections the oldest is ended, so that slow clients cannot keep Prometheus out.
 * When the system has no descriptors left, accepting pauses: nothing here may spin on the loop that
 * answers Postfix. Without memory for the page the connection is closed without an answer.
 */
#define _GNU_SOURCE /* accept4 */
#include "daemon/metrics/metrics.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log/log.h"
#include "daemon/metrics/metrics_table.h"
#include "daemon/serve/socket.h"

#define CONNECTIONS_MAX 16
#define REQUEST_MAX     8192 /* libmicrohttpd's memory for a connection */
#define PAGE_MAX        (256 * 1024)
#define PAUSE_MS        1000 /* between tries to accept */
#define NS_PER_MS       INT64_C(1000000)
#define LIFE_NS         (10000 * NS_PER_MS) /* of a connection */

struct slot {
    int fd; /* libmicrohttpd's; -1: free */
    int64_t began_ns;
    bool ended; /* shut down already */
};

struct metrics {
    struct engine *engine;
    const struct server *server;
    struct MHD_Daemon *http;
    struct slot slots[CONNECTIONS_MAX];
    unsigned used;      /* slots */
    unsigned queued;    /* given to libmicrohttpd, which from 1.0 on takes them up when it is run */
    int fd;             /* the listening socket */
    uv_poll_t listener; /* `fd` is readable */
    uv_poll_t work;     /* libmicrohttpd's descriptor is */
    uv_timer_t timer;
    bool paused;      /* no descriptor to accept with */
    bool crowded;     /* a new connection waits until the oldest has ended */
    unsigned handles; /* not yet closed; at 0 this is freed */
};

/* ---- answers ---- */

static enum MHD_Result respond(struct MHD_Connection *connection, unsigned status, const char *type,
                               const char *text)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(
        strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);
    enum MHD_Result result = MHD_NO;

    if (response == NULL)
        return MHD_NO;
    if (MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type) == MHD_YES &&
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close") == MHD_YES &&
        (status != MHD_HTTP_METHOD_NOT_ALLOWED ||
         MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD") == MHD_YES))
        result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection,
                                  const char *path, const char *method, const char *version,
                                  const char *body, size_t *body_length, void **request)
{
    static const char plain[] = "text/plain; charset=utf-8";
    const struct metrics *metrics = context;
    struct metrics_numbers numbers;
    enum MHD_Result result = MHD_NO;
    struct buf page;

    (void)version;
    (void)body;
    (void)body_length;
    (void)request;
    if (strcmp(path, "/metrics") != 0)
        return respond(connection, MHD_HTTP_NOT_FOUND, plain, "Metrics are at /metrics.\n");
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return respond(connection, MHD_HTTP_METHOD_NOT_ALLOWED, plain, "Only GET and HEAD.\n");
    metrics_gather(&numbers, metrics->engine, metrics->server);
    buf_init(&page, PAGE_MAX);
    metrics_text_write(&page, &numbers);
    if (!page.failed)
        result = respond(connection, MHD_HTTP_OK, METRICS_TEXT_TYPE, buf_text(&page));
    buf_fini(&page);
    return result;
}

/* The path is compared as it stands: %00 must not end it. */
static size_t leave_escaped(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context;
    (void)connection;
    return strlen(text);
}

/* ---- connections ---- */

static void on_connection(void *context, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct metrics *metrics = context;
    struct slot *slot = *socket_context;

    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        if (slot == NULL)
            return;
        slot->fd = -1;
        metrics->used--;
        *socket_context = NULL;
        return;
    }
    if (metrics->queued > 0)
        metrics->queued--;
    for (slot = metrics->slots; slot->fd >= 0; slot++)
        if (slot == &metrics->slots[CONNECTIONS_MAX - 1])
            return;
    *socket_context = slot;
    slot->fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    slot->began_ns = clock_monotonic_ns();
    slot->ended = false;
    metrics->used++;
}

static bool has_room(const struct metrics *metrics)
{
    return metrics->used + metrics->queued < CONNECTIONS_MAX;
}

static void end(struct slot *slot)
{
    if (!slot->ended)
        shutdown(slot->fd, SHUT_RDWR);
    slot->ended = true;
}

/* Of the connections that have not been ended; NULL when there are none. */
static struct slot *oldest(struct metrics *metrics)
{
    struct slot *found = NULL;

    for (unsigned i = 0; i < CONNECTIONS_MAX; i++) {
        struct slot *slot = &metrics->slots[i];

        if (slot->fd >= 0 && !slot->ended && (found == NULL || slot->began_ns < found->began_ns))
            found = slot;
    }
    return found;
}

/* ---- running ---- */

static void on_acceptable(uv_poll_t *poll, int status, int events);
static void on_timer(uv_timer_t *timer);

static void set_timer(struct metrics *metrics, int64_t now_ns)
{
    const struct slot *slot = oldest(metrics);
    int64_t wait_ms = metrics->paused ? PAUSE_MS : INT64_MAX;
    int64_t left_ns = slot == NULL ? 0 : slot->began_ns + LIFE_NS - now_ns;
    MHD_UNSIGNED_LONG_LONG timeout;

    if (MHD_get_timeout(metrics->http, &timeout) == MHD_YES &&
        timeout < (unsigned long long)wait_ms)
        wait_ms = (int64_t)timeout;
    if (slot != NULL && left_ns / NS_PER_MS < wait_ms)
        wait_ms = left_ns / NS_PER_MS + 1;
    if (wait_ms == INT64_MAX)
        uv_timer_stop(&metrics->timer);
    else /* not 0: libuv runs a timer of no time that is set by a timer at once */
        uv_timer_start(&metrics->timer, on_timer, wait_ms > 0 ? (uint64_t)wait_ms : 1, 0);
}

/* Reads, answers and closes connections as far as possible, and ends those past their time. */
static void run(struct metrics *metrics)
{
    int64_t now_ns = clock_monotonic_ns();

    for (unsigned i = 0; i < CONNECTIONS_MAX; i++)
        if (metrics->slots[i].fd >= 0 && now_ns - metrics->slots[i].began_ns >= LIFE_NS)
            end(&metrics->slots[i]);
    MHD_run(metrics->http);
    metrics->queued = 0; /* those it could not take up are closed */
    metrics->crowded &= !has_room(metrics);
    if (metrics->paused || metrics->crowded)
        uv_poll_stop(&metrics->listener);
    else
        uv_poll_start(&metrics->listener, UV_READABLE, on_acceptable);
    set_timer(metrics, now_ns);
}

static void on_timer(uv_timer_t *timer)
{
    struct metrics *metrics = timer->data;

    metrics->paused = false;
    run(metrics);
}

static void on_work(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    run(poll->data);
}

static void accept_one(struct metrics *metrics)
{
    struct sockaddr_storage peer;
    socklen_t length = sizeof peer;
    int fd = accept4(metrics->fd, (struct sockaddr *)&peer, &length, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd < 0) {
        metrics->paused = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
        return;
    }
    metrics->queued++;
    MHD_add_connection(metrics->http, fd, (struct sockaddr *)&peer, length); /* or closes it */
}

/* One connection in each turn of the loop. */
static void on_acceptable(uv_poll_t *poll, int status, int events)
{
    struct metrics *metrics = poll->data;
    struct slot *slot = oldest(metrics);

    (void)status;
    (void)events;
    metrics->crowded = !has_room(metrics);
    if (!metrics->crowded)
        accept_one(metrics);
    else if (slot != NULL)
        end(slot);
    run(metrics);
}

/* ---- life ---- */

static void metrics_free(struct metrics *metrics)
{
    if (metrics->http != NULL)
        MHD_stop_daemon(metrics->http);
    if (metrics->fd >= 0)
        close(metrics->fd);
    free(metrics);
}

static void on_closed(uv_handle_t *handle)
{
    struct metrics *metrics = handle->data;

    if (--metrics->handles == 0)
        metrics_free(metrics);
}

void metrics_close(struct metrics *metrics)
{
    if (metrics == NULL)
        return;
    uv_close((uv_handle_t *)&metrics->listener, on_closed);
    uv_close((uv_handle_t *)&metrics->work, on_closed);
    uv_close((uv_handle_t *)&metrics->timer, on_closed);
}

static int fail(struct metrics *metrics, const char *why)
{
    log_event(LOG_LEVEL_ERROR, "cannot-start", "what", "metrics-listen", "why", why, NULL);
    if (metrics != NULL)
        metrics_free(metrics);
    return -1;
}

static struct MHD_Daemon *start_http(struct metrics *metrics)
{
    for (unsigned i = 0; i < CONNECTIONS_MAX; i++)
        metrics->slots[i].fd = -1;
    return MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET, 0, NULL, NULL, on_request,
                            metrics, MHD_OPTION_NOTIFY_CONNECTION, on_connection, metrics,
                            MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
                            MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)REQUEST_MAX,
                            MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, NULL, MHD_OPTION_END);
}

static void start(struct metrics *metrics, uv_loop_t *loop)
{
    uv_poll_init(loop, &metrics->listener, metrics->fd);
    uv_poll_init(loop, &metrics->work,
                 MHD_get_daemon_info(metrics->http, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd);
    uv_timer_init(loop, &metrics->timer);
    metrics->listener.data = metrics->work.data = metrics->timer.data = metrics;
    metrics->handles = 3;
    uv_poll_start(&metrics->work, UV_READABLE, on_work);
    uv_poll_start(&metrics->listener, UV_READABLE, on_acceptable);
}

int metrics_new(struct metrics **out, uv_loop_t *loop, const struct config *config,
                struct engine *engine, struct server *server)
{
    const struct listen_address address = {.ip = config->metrics_ip, .port = config->metrics_port};
    char error[SOCKET_ERROR_MAX], ip[IP_TEXT_MAX], url[IP_TEXT_MAX + 32];
    struct metrics *metrics;

    *out = NULL;
    if (config->metrics_port == 0)
        return 0;
    metrics = calloc(1, sizeof *metrics);
    if (metrics == NULL)
        return fail(metrics, "no memory");
    metrics->engine = engine;
    metrics->server = server;
    metrics->fd = socket_listen(&address, error);
    if (metrics->fd < 0)
        return fail(metrics, error);
    metrics->http = start_http(metrics);
    if (metrics->http == NULL)
        return fail(metrics, "no memory, or no descriptors");
    start(metrics, loop);
    snprintf(url, sizeof url,
             address.ip.family == 6 ? "http://[%s]:%u/metrics" : "http://%s:%u/metrics",
             ip_text(&address.ip, ip), (unsigned)address.port);
    log_event(LOG_LEVEL_INFO, "listening", "on", url, NULL);
    *out = metrics;
    return 0;
}
