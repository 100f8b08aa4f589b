/* server: accepting, the limit of connections, time-outs; see server.h. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log/log.h"
#include "daemon/serve/server_internal.h"

#define SWEEP_MS    1000
#define YIELD_TRIES 64
#define BACKLOG     1024
/* Lookups begun before others have a turn. */
#define LOOKUP_SHARE 256
/* Not 0: libuv runs a timer of 0 ms at once when another timer's callback sets it. */
#define NEXT_TURN_MS 1

/* ---- life ---- */

static void handle_gone(struct server *server)
{
    if (--server->handles > 0 || server->state != SERVER_CLOSING)
        return;
    free(server->unused);
    buf_fini(&server->room);
    free(server);
}

static void on_listener_closed(uv_handle_t *handle)
{
    struct listener *listener = handle->data;
    struct server *server = listener->server;

    free(listener);
    handle_gone(server);
}

static void on_handle_closed(uv_handle_t *handle)
{
    handle_gone(handle->data);
}

static void close_listeners(struct server *server)
{
    while (!list_empty(&server->listeners)) {
        struct listener *listener = LIST_ELEMENT(server->listeners.next, struct listener, link);

        list_remove(&listener->link);
        uv_close((uv_handle_t *)&listener->poll, on_listener_closed);
        close(listener->fd);
    }
}

static void drain_conns(struct server *server)
{
    struct list *next;

    for (struct list *link = server->conns.next; link != &server->conns; link = next) {
        next = link->next;
        conn_drain(LIST_ELEMENT(link, struct conn, link));
    }
}

bool server_drain(struct server *server, void (*drained)(void *context), void *context)
{
    server->state = SERVER_DRAINING;
    close_listeners(server);
    drain_conns(server);
    if (list_empty(&server->conns))
        return true;
    server->drained = drained;
    server->context = context;
    return false;
}

void server_close(struct server *server)
{
    server->state = SERVER_CLOSING;
    server->drained = NULL;
    close_listeners(server);
    spare_fd_fini(&server->spare);
    while (!list_empty(&server->conns))
        conn_close(LIST_ELEMENT(server->conns.next, struct conn, link));
    uv_close((uv_handle_t *)&server->sweeper, on_handle_closed);
    uv_close((uv_handle_t *)&server->next_turn, on_handle_closed);
    uv_close((uv_handle_t *)&server->turn, on_handle_closed);
}

void server_get_stats(const struct server *server, struct server_stats *out)
{
    *out = server->stats;
}

/* ---- accepting ---- */

/* Closes the connection that has been idle longest, if one has been idle for SERVER_YIELD_MS. Looks
 * at a few only: this runs for every connection of a flood. */
static void yield_one(struct server *server)
{
    uint64_t now = uv_now(server->loop);
    struct list *link = server->conns.next;

    for (int tries = 0; tries < YIELD_TRIES && link != &server->conns; tries++, link = link->next) {
        struct conn *conn = LIST_ELEMENT(link, struct conn, link);

        if (now - conn->active_at < SERVER_YIELD_MS)
            return;
        if (!conn_idle(conn))
            continue;
        server->stats.closed[SERVER_YIELDED]++;
        conn_close(conn);
        return;
    }
}

static bool has_room(const struct server *server)
{
    return server->stats.connections < server->config->connections_max;
}

void server_yield_fd(struct server *server)
{
    if (!list_empty(&server->conns))
        conn_close(LIST_ELEMENT(server->conns.next, struct conn, link));
}

static int accept_fd(const struct listener *listener)
{
    return accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

/* Without descriptors this is called for each connection of a flood: it gets the place of the spare
 * descriptor, and is closed. When that is away, it gets a connection's, after a rest. `error` is
 * libuv's. */
static void accept_failed(struct listener *listener, int error)
{
    struct server *server = listener->server;
    bool full = error == UV_EMFILE || error == UV_ENFILE;
    bool given = spare_fd_accept_failed(&server->spare, NULL, error);
    int fd = given && full ? accept_fd(listener) : -1;

    server->stats.not_accepted++;
    if (fd >= 0)
        close(fd);
    else
        uv_poll_stop(&listener->poll); /* tried again by the sweeper, and after a close */
    if (given)
        spare_fd_take(&server->spare);
    else if (full)
        server_yield_fd(server);
}

static void accept_one(struct listener *listener)
{
    int fd = accept_fd(listener);
    int error =
        fd < 0 ? uv_translate_sys_error(errno) : conn_new(listener->server, fd, listener->protocol);

    if (error == 0)
        listener->server->stats.accepted++;
    else if (error != UV_EAGAIN && error != UV_EINTR && error != UV_ECONNABORTED)
        accept_failed(listener, error);
}

/* One in each turn: a flood must not stop the loop; and without descriptors accept(2) fails whether
 * a connection waits or not. */
static void on_acceptable(uv_poll_t *poll, int status, int events)
{
    struct listener *listener = poll->data;
    struct server *server = listener->server;

    (void)status;
    (void)events;
    if (!has_room(server))
        yield_one(server);
    if (has_room(server))
        accept_one(listener);
    else
        uv_poll_stop(poll); /* connections stay where they are */
}

/* Listeners that had no room try again. */
static void accept_waiting(struct server *server)
{
    for (struct list *link = server->listeners.next; link != &server->listeners;
         link = link->next) {
        struct listener *listener = LIST_ELEMENT(link, struct listener, link);

        if (!uv_is_active((uv_handle_t *)&listener->poll))
            uv_poll_start(&listener->poll, UV_READABLE, on_acceptable);
    }
}

static void on_next_turn(uv_timer_t *timer);

void server_want_turn(struct server *server)
{
    if (!uv_is_active((uv_handle_t *)&server->next_turn))
        uv_timer_start(&server->next_turn, on_next_turn, NEXT_TURN_MS, 0);
}

static void on_next_turn(uv_timer_t *timer)
{
    struct server *server = timer->data;
    struct list starved;

    server->lookup_share = LOOKUP_SHARE;
    list_take(&starved, &server->starved);
    while (!list_empty(&starved)) {
        struct conn *conn = LIST_ELEMENT(starved.next, struct conn, starved);

        list_remove(&conn->starved);
        conn_process(conn);
    }
}

void server_conn_closed(struct server *server)
{
    void (*drained)(void *context) = server->drained;

    if (server->state != SERVER_CLOSING)
        accept_waiting(server);
    if (drained != NULL && list_empty(&server->conns)) {
        server->drained = NULL;
        drained(server->context); /* which closes the server: this handle still counts */
    }
    handle_gone(server);
}

/* ---- when requests arrived ---- */

/* Everything that waits when the loop wakes has arrived by then, whatever is read first. */
int64_t server_arrival_ns(struct server *server)
{
    if (server->woke_ns == 0)
        server->woke_ns = clock_monotonic_ns();
    return server->woke_ns;
}

static void on_turn(uv_prepare_t *turn)
{
    struct server *server = turn->data;

    server->woke_ns = 0;
}

/* ---- time-outs ---- */

static bool overdue(const struct conn *conn, uint64_t idle_ms)
{
    if (conn->out.length > 0)
        return idle_ms >= SERVER_WRITE_MS;
    if (conn->pending_count > 0)
        return false;
    if (conn->in.length > 0 && idle_ms >= SERVER_PARTIAL_MS)
        return true;
    return idle_ms >= (uint64_t)conn->server->config->idle_timeout_ms;
}

static void on_sweep(uv_timer_t *timer)
{
    struct server *server = timer->data;
    uint64_t now = uv_now(server->loop);
    struct list *link = server->conns.next, *next;

    for (; link != &server->conns; link = next) {
        struct conn *conn = LIST_ELEMENT(link, struct conn, link);

        next = link->next;
        if (overdue(conn, now - conn->active_at)) {
            server->stats.closed[SERVER_TIMED_OUT]++;
            conn_close(conn);
        }
    }
    if (server->state == SERVER_DRAINING)
        drain_conns(server);
    accept_waiting(server);
}

/* ---- set-up ---- */

struct server *server_new(uv_loop_t *loop, const struct config *config, struct engine *engine)
{
    struct server *server = calloc(1, sizeof *server);

    if (server == NULL)
        return NULL;
    server->loop = loop;
    server->config = config;
    server->engine = engine;
    server->stats.started_at_s = clock_wall_s();
    buf_init(&server->room, DIALECT_TEXT_MAX);
    list_init(&server->listeners);
    list_init(&server->conns);
    list_init(&server->starved);
    spare_fd_init(&server->spare);
    uv_timer_init(loop, &server->sweeper);
    server->sweeper.data = server;
    uv_timer_init(loop, &server->next_turn);
    server->next_turn.data = server;
    server->lookup_share = LOOKUP_SHARE;
    uv_prepare_init(loop, &server->turn);
    server->turn.data = server;
    uv_prepare_start(&server->turn, on_turn);
    server->handles = 3;
    uv_timer_start(&server->sweeper, on_sweep, SWEEP_MS, SWEEP_MS);
    return server;
}

int server_add(struct server *server, int take_fd, enum listen_protocol protocol)
{
    static const struct protocol *const protocols[] = {
        [LISTEN_SOCKETMAP] = &socketmap_protocol,
        [LISTEN_TCP_TABLE] = &tcp_table_protocol,
        [LISTEN_EXIM] = &exim_protocol,
    };
    struct listener *listener = calloc(1, sizeof *listener);
    int error = listener == NULL ? UV_ENOMEM : 0;

    if (error == 0 && listen(take_fd, BACKLOG) != 0)
        error = uv_translate_sys_error(errno);
    if (error == 0)
        error = uv_poll_init(server->loop, &listener->poll, take_fd);
    if (error != 0) {
        free(listener);
        close(take_fd);
        return error;
    }
    listener->poll.data = listener;
    listener->fd = take_fd;
    listener->server = server;
    listener->protocol = protocols[protocol];
    list_append(&server->listeners, &listener->link);
    server->handles++;
    accept_waiting(server);
    return 0;
}
