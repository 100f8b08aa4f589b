/*
 * metrics: see metrics.h. Accepts connections, and runs metrics_http when its descriptor is
 * readable or a deadline is due.
 *
 * At the limit of connections the oldest is ended, so that slow clients cannot keep Prometheus out.
 * When the system has no descriptors left, accepting pauses: nothing here may spin on the loop that
 * answers Postfix.
 */
#define _GNU_SOURCE /* accept4 */
#include "daemon/metrics/metrics.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log/log.h"
#include "daemon/metrics/metrics_http.h"
#include "daemon/metrics/metrics_text.h"
#include "daemon/serve/socket.h"

#define ACCEPT_SHARE 16   /* connections accepted in one turn of the loop */
#define PAUSE_MS     1000 /* between tries to accept */

struct metrics {
    struct engine *engine;
    const struct server *server;
    struct metrics_http *http;
    int fd;             /* the listening socket */
    uv_poll_t listener; /* `fd` is readable */
    uv_poll_t work;     /* metrics_http's descriptor is */
    uv_timer_t timer;
    bool accepting;
    bool paused;      /* no descriptor to accept with */
    bool crowded;     /* a new connection waits until the oldest has ended */
    unsigned handles; /* not yet closed; at 0 this is freed */
};

static void write_page(void *context, struct buf *out)
{
    struct metrics *metrics = context;
    struct metrics_numbers numbers;

    metrics_gather(&numbers, metrics->engine, metrics->server);
    metrics_text_write(out, &numbers);
}

/* ---- running ---- */

static void on_acceptable(uv_poll_t *poll, int status, int events);
static void on_timer(uv_timer_t *timer);

static void set_accepting(struct metrics *metrics, bool accepting)
{
    if (metrics->accepting == accepting)
        return;
    metrics->accepting = accepting;
    if (accepting)
        uv_poll_start(&metrics->listener, UV_READABLE, on_acceptable);
    else
        uv_poll_stop(&metrics->listener);
}

static void set_timer(struct metrics *metrics, int64_t now)
{
    int64_t wait_ms = metrics_http_wait_ms(metrics->http, now);

    if (metrics->paused && (wait_ms < 0 || wait_ms > PAUSE_MS))
        wait_ms = PAUSE_MS;
    if (wait_ms < 0)
        uv_timer_stop(&metrics->timer);
    else /* not 0: libuv runs a timer of no time that is set by a timer at once */
        uv_timer_start(&metrics->timer, on_timer, wait_ms > 0 ? (uint64_t)wait_ms : 1, 0);
}

static void run(struct metrics *metrics)
{
    int64_t now = clock_monotonic_ms();

    metrics_http_run(metrics->http, now);
    metrics->crowded &= !metrics_http_has_room(metrics->http);
    set_accepting(metrics, !metrics->paused && !metrics->crowded);
    set_timer(metrics, now);
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

/* ---- accepting ---- */

/* False when there is nothing to accept, or accepting fails now. */
static bool accept_one(struct metrics *metrics)
{
    struct sockaddr_storage peer;
    socklen_t length = sizeof peer;
    int fd = accept4(metrics->fd, (struct sockaddr *)&peer, &length, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd < 0) {
        int error = uv_translate_sys_error(errno);

        metrics->paused =
            error == UV_EMFILE || error == UV_ENFILE || error == UV_ENOBUFS || error == UV_ENOMEM;
        return false;
    }
    metrics_http_take(metrics->http, fd, (struct sockaddr *)&peer, length, clock_monotonic_ms());
    return true;
}

static void on_acceptable(uv_poll_t *poll, int status, int events)
{
    struct metrics *metrics = poll->data;

    (void)status;
    (void)events;
    metrics->crowded = !metrics_http_has_room(metrics->http);
    if (metrics->crowded)
        metrics_http_end_oldest(metrics->http);
    for (int share = ACCEPT_SHARE; share > 0 && metrics_http_has_room(metrics->http); share--)
        if (!accept_one(metrics))
            break;
    run(metrics);
}

/* ---- life ---- */

static void metrics_free(struct metrics *metrics)
{
    if (metrics->http != NULL)
        metrics_http_free(metrics->http);
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

static void start(struct metrics *metrics, uv_loop_t *loop)
{
    uv_poll_init(loop, &metrics->listener, metrics->fd);
    uv_poll_init(loop, &metrics->work, metrics_http_fd(metrics->http));
    uv_timer_init(loop, &metrics->timer);
    metrics->listener.data = metrics->work.data = metrics->timer.data = metrics;
    metrics->handles = 3;
    uv_poll_start(&metrics->work, UV_READABLE, on_work);
    set_accepting(metrics, true);
}

static void announce(const struct listen_address *address)
{
    char ip[IP_TEXT_MAX], url[IP_TEXT_MAX + 32];
    bool brackets = address->ip.family == 6;

    snprintf(url, sizeof url, "http://%s%s%s:%u/metrics", brackets ? "[" : "",
             ip_text(&address->ip, ip), brackets ? "]" : "", (unsigned)address->port);
    log_event(LOG_LEVEL_INFO, "listening", "on", url, NULL);
}

int metrics_new(struct metrics **out, uv_loop_t *loop, const struct config *config,
                struct engine *engine, struct server *server)
{
    const struct listen_address address = {
        .protocol = LISTEN_TCP_TABLE, .ip = config->metrics_ip, .port = config->metrics_port};
    struct metrics *metrics;
    char error[SOCKET_ERROR_MAX];

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
    if (metrics_http_new(&metrics->http,
                         &(struct metrics_page){metrics, METRICS_TEXT_TYPE, write_page}) != 0)
        return fail(metrics, "no memory, or no descriptors");
    start(metrics, loop);
    announce(&address);
    *out = metrics;
    return 0;
}
