/* server: accepting, the limit of connections, time-outs; see server.h. */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log/log.h"
#include "daemon/serve/server_internal.h"

#define SWEEP_MS    1000
#define YIELD_TRIES 64
/* Connections accepted before others have a turn: a flood must not stop the loop. */
#define ACCEPT_SHARE 64
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
        uv_close(&listener->uv.handle, on_listener_closed);
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
        server->stats.yielded++;
        conn_close(conn);
        return;
    }
}

static bool has_room(const struct server *server)
{
    return server->stats.connections < server->config->connections_max;
}

static int handle_init(uv_loop_t *loop, uv_handle_t *handle, bool local)
{
    return local ? uv_pipe_init(loop, (uv_pipe_t *)handle, 0)
                 : uv_tcp_init(loop, (uv_tcp_t *)handle);
}

static void accept_one(struct listener *listener)
{
    struct server *server = listener->server;
    struct conn *conn = calloc(1, sizeof *conn);
    bool accepted;

    listener->waiting = conn == NULL;
    if (conn == NULL)
        return; /* tried again by the sweeper */
    conn->server = server;
    conn->protocol = listener->protocol;
    list_init(&conn->link);
    list_init(&conn->pending);
    list_init(&conn->starved);
    handle_init(server->loop, &conn->uv.handle, listener->uv.handle.type == UV_NAMED_PIPE);
    conn->uv.handle.data = conn;
    server->handles++;
    server->stats.connections++;
    accepted = uv_accept(&listener->uv.stream, &conn->uv.stream) == 0;
    spare_fd_take(&server->spare);
    if (!accepted || server->spare.given) {
        conn_close(conn);
        spare_fd_take(&server->spare);
        return;
    }
    server->stats.accepted++;
    conn_begin(conn);
}

static void on_next_turn(uv_timer_t *timer);

void server_want_turn(struct server *server)
{
    if (!uv_is_active((uv_handle_t *)&server->next_turn))
        uv_timer_start(&server->next_turn, on_next_turn, NEXT_TURN_MS, 0);
}

/* Without room or share the connection stays where it is: libuv stops polling the listener until it
 * is accepted. */
static void accept_or_wait(struct listener *listener)
{
    struct server *server = listener->server;

    listener->waiting = true;
    if (server->accept_share == 0) {
        server_want_turn(server);
        return;
    }
    if (!has_room(server))
        yield_one(server);
    if (!has_room(server))
        return;
    server->accept_share--;
    accept_one(listener);
}

void server_yield_fd(struct server *server)
{
    if (!list_empty(&server->conns))
        conn_close(LIST_ELEMENT(server->conns.next, struct conn, link));
}

/* Without descriptors this is called for each connection of a flood. The next attempt must not fail
 * in the same way: it gets the spare descriptor or, when that is away, a connection's. */
static void accept_failed(struct server *server, int status)
{
    server->stats.not_accepted++;
    if (!spare_fd_accept_failed(&server->spare, NULL, status))
        server_yield_fd(server);
}

static void on_connection(uv_stream_t *stream, int status)
{
    struct listener *listener = stream->data;

    if (status != 0)
        accept_failed(listener->server, status);
    else
        accept_or_wait(listener);
}

static void accept_waiting(struct server *server)
{
    for (struct list *link = server->listeners.next; link != &server->listeners;
         link = link->next) {
        struct listener *listener = LIST_ELEMENT(link, struct listener, link);

        if (listener->waiting)
            accept_or_wait(listener);
    }
}

static void on_next_turn(uv_timer_t *timer)
{
    struct server *server = timer->data;
    struct list starved;

    server->accept_share = ACCEPT_SHARE;
    server->lookup_share = LOOKUP_SHARE;
    list_take(&starved, &server->starved);
    while (!list_empty(&starved)) {
        struct conn *conn = LIST_ELEMENT(starved.next, struct conn, starved);

        list_remove(&conn->starved);
        conn_process(conn);
    }
    accept_waiting(server);
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
    if (conn->sending.length > 0)
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
            server->stats.timed_out++;
            conn_close(conn);
        }
    }
    if (server->state == SERVER_DRAINING)
        drain_conns(server);
    server->accept_share = ACCEPT_SHARE;
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
    list_init(&server->listeners);
    list_init(&server->conns);
    list_init(&server->starved);
    spare_fd_init(&server->spare);
    uv_timer_init(loop, &server->sweeper);
    server->sweeper.data = server;
    uv_timer_init(loop, &server->next_turn);
    server->next_turn.data = server;
    server->accept_share = ACCEPT_SHARE;
    server->lookup_share = LOOKUP_SHARE;
    uv_prepare_init(loop, &server->turn);
    server->turn.data = server;
    uv_prepare_start(&server->turn, on_turn);
    server->handles = 3;
    uv_timer_start(&server->sweeper, on_sweep, SWEEP_MS, SWEEP_MS);
    return server;
}

static bool is_local(int fd)
{
    struct sockaddr_storage name;
    socklen_t length = sizeof name;

    return getsockname(fd, (struct sockaddr *)&name, &length) == 0 && name.ss_family == AF_UNIX;
}

int server_add(struct server *server, int take_fd, enum listen_protocol protocol)
{
    struct listener *listener = calloc(1, sizeof *listener);
    bool local = is_local(take_fd);
    int error;

    if (listener == NULL) {
        close(take_fd);
        return UV_ENOMEM;
    }
    listener->server = server;
    listener->protocol = protocol == LISTEN_TCP_TABLE ? &tcp_table_protocol : &socketmap_protocol;
    list_append(&server->listeners, &listener->link);
    server->handles++;
    handle_init(server->loop, &listener->uv.handle, local);
    listener->uv.handle.data = listener;
    error =
        local ? uv_pipe_open(&listener->uv.pipe, take_fd) : uv_tcp_open(&listener->uv.tcp, take_fd);
    if (error != 0)
        close(take_fd);
    else
        error = uv_listen(&listener->uv.stream, 1024, on_connection);
    return error;
}
