/*
 * metrics_http: see metrics_http.h. libmicrohttpd has neither a thread nor a listening socket here:
 * connections are given to it, and it is run when its epoll descriptor is readable. Its own
 * time-out counts silence and would let a slow client stay. So a slot per connection holds when it
 * began, and a connection past its time is shut down, which libmicrohttpd sees as its end.
 *
 * Without memory for the page the connection is closed without an answer.
 */
#include "daemon/metrics/metrics_http.h"

#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAGE_MAX (256 * 1024)

struct slot {
    int fd; /* libmicrohttpd's; -1: free */
    int64_t began_at;
    uint64_t number; /* rises from one connection to the next: many begin in a millisecond */
    bool ended;      /* shut down already */
};

struct metrics_http {
    struct MHD_Daemon *daemon;
    struct metrics_page page;
    struct slot slots[METRICS_CONNECTIONS_MAX];
    uint64_t last_number;
    unsigned used;
    unsigned queued; /* given to libmicrohttpd, which from 1.0 on takes them up when it is run */
    int64_t now_ms;  /* of the connection last given */
};

/* ---- answers ---- */

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status, const char *type,
                              const struct buf *body)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(
        body->length, (void *)(uintptr_t)buf_text(body), MHD_RESPMEM_MUST_COPY);
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

static enum MHD_Result refuse(struct MHD_Connection *connection, unsigned status, const char *why)
{
    enum MHD_Result result;
    struct buf body;

    buf_init(&body, PAGE_MAX);
    buf_adds(&body, why);
    result = answer(connection, status, "text/plain; charset=utf-8", &body);
    buf_fini(&body);
    return result;
}

static enum MHD_Result show_page(const struct metrics_http *http, struct MHD_Connection *connection)
{
    enum MHD_Result result = MHD_NO;
    struct buf body;

    buf_init(&body, PAGE_MAX);
    http->page.write(http->page.context, &body);
    if (!body.failed)
        result = answer(connection, MHD_HTTP_OK, http->page.type, &body);
    buf_fini(&body);
    return result;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection,
                                  const char *path, const char *method, const char *version,
                                  const char *body, size_t *body_length, void **request)
{
    (void)version;
    (void)body;
    (void)body_length;
    (void)request;
    if (strcmp(path, "/metrics") != 0)
        return refuse(connection, MHD_HTTP_NOT_FOUND, "Metrics are at /metrics.\n");
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return refuse(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "Only GET and HEAD.\n");
    return show_page(context, connection);
}

/* The path is compared as it stands: %00 must not end it. */
static size_t leave_escaped(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context;
    (void)connection;
    return strlen(text);
}

/* ---- connections ---- */

static struct slot *free_slot(struct metrics_http *http)
{
    for (unsigned i = 0; i < METRICS_CONNECTIONS_MAX; i++)
        if (http->slots[i].fd < 0)
            return &http->slots[i];
    return NULL;
}

static void on_connection(void *context, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct metrics_http *http = context;
    struct slot *slot = *socket_context;

    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        if (slot == NULL)
            return;
        slot->fd = -1;
        http->used--;
        *socket_context = NULL;
        return;
    }
    if (http->queued > 0)
        http->queued--;
    slot = free_slot(http);
    *socket_context = slot;
    if (slot == NULL)
        return;
    slot->fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    slot->began_at = http->now_ms;
    slot->number = ++http->last_number;
    slot->ended = false;
    http->used++;
}

bool metrics_http_has_room(const struct metrics_http *http)
{
    return http->used + http->queued < METRICS_CONNECTIONS_MAX;
}

void metrics_http_take(struct metrics_http *http, int take_fd, const struct sockaddr *peer,
                       unsigned peer_length, int64_t now_ms)
{
    if (!metrics_http_has_room(http)) {
        close(take_fd);
        return;
    }
    http->now_ms = now_ms;
    http->queued++;
    MHD_add_connection(http->daemon, take_fd, peer, peer_length); /* closes it when it cannot */
}

static void end(struct slot *slot)
{
    if (!slot->ended)
        shutdown(slot->fd, SHUT_RDWR);
    slot->ended = true;
}

static struct slot *oldest(const struct metrics_http *http)
{
    const struct slot *found = NULL;

    for (unsigned i = 0; i < METRICS_CONNECTIONS_MAX; i++) {
        const struct slot *slot = &http->slots[i];

        if (slot->fd >= 0 && !slot->ended && (found == NULL || slot->number < found->number))
            found = slot;
    }
    return (struct slot *)(uintptr_t)found;
}

void metrics_http_end_oldest(struct metrics_http *http)
{
    struct slot *slot = oldest(http);

    if (slot != NULL)
        end(slot);
}

/* ---- running ---- */

int metrics_http_fd(const struct metrics_http *http)
{
    return MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
}

void metrics_http_run(struct metrics_http *http, int64_t now_ms)
{
    for (unsigned i = 0; i < METRICS_CONNECTIONS_MAX; i++)
        if (http->slots[i].fd >= 0 && now_ms - http->slots[i].began_at >= METRICS_LIFE_MS)
            end(&http->slots[i]);
    MHD_run(http->daemon);
    http->queued = 0; /* those it could not take up are closed */
}

int64_t metrics_http_wait_ms(const struct metrics_http *http, int64_t now_ms)
{
    const struct slot *slot = oldest(http);
    MHD_UNSIGNED_LONG_LONG timeout;
    int64_t wait_ms = -1;

    if (slot != NULL)
        wait_ms = slot->began_at + METRICS_LIFE_MS - now_ms;
    if (slot != NULL && wait_ms < 0)
        wait_ms = 0;
    if (MHD_get_timeout(http->daemon, &timeout) == MHD_YES &&
        (wait_ms < 0 || timeout < (unsigned long long)wait_ms))
        wait_ms = (int64_t)timeout;
    return wait_ms;
}

/* ---- life ---- */

int metrics_http_new(struct metrics_http **out, const struct metrics_page *page)
{
    struct metrics_http *http = calloc(1, sizeof *http);

    if (http == NULL)
        return -1;
    http->page = *page;
    for (unsigned i = 0; i < METRICS_CONNECTIONS_MAX; i++)
        http->slots[i].fd = -1;
    http->daemon =
        MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET, 0, NULL, NULL, on_request, http,
                         MHD_OPTION_NOTIFY_CONNECTION, on_connection, http,
                         MHD_OPTION_CONNECTION_LIMIT, (unsigned)METRICS_CONNECTIONS_MAX,
                         MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)METRICS_REQUEST_MAX,
                         MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, NULL, MHD_OPTION_END);
    if (http->daemon == NULL) {
        free(http);
        return -1;
    }
    *out = http;
    return 0;
}

void metrics_http_free(struct metrics_http *http)
{
    MHD_stop_daemon(http->daemon);
    free(http);
}
