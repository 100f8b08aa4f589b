/*
 * conn: reads requests and sends replies, in order; see server_internal.h.
 *
 * A reply that is known at once and has none before it goes straight to `out`: for a cached key a
 * request costs one read, one lookup, one write, and no allocation. Any other request becomes a
 * `struct pending` in the queue. Each request is asked with an unused one at hand; if it is not
 * needed, it is kept for the next request.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log/log.h"
#include "daemon/serve/server_internal.h"

struct pending {
    struct waiter waiter;
    struct conn *conn;
    struct list link; /* in conn->pending */
    const struct dialect *dialect;
    int64_t arrived_ns;
    bool done;   /* `reply` is there */
    bool waited; /* for a lookup */
    struct buf reply;
};

/* ---- closing ---- */

static void on_closed(uv_handle_t *handle)
{
    struct conn *conn = handle->data;
    struct server *server = conn->server;

    buf_fini(&conn->in);
    buf_fini(&conn->out);
    free(conn);
    server_conn_closed(server);
}

static void pending_free(struct pending *pending)
{
    jobs_leave(&pending->waiter);
    list_remove(&pending->link);
    pending->conn->pending_count--;
    pending->conn->held -= pending->reply.length;
    buf_fini(&pending->reply);
    free(pending);
}

void conn_close(struct conn *conn)
{
    if (conn->state == CONN_CLOSING)
        return;
    conn->state = CONN_CLOSING;
    while (!list_empty(&conn->pending))
        pending_free(LIST_ELEMENT(conn->pending.next, struct pending, link));
    list_remove(&conn->link);
    list_remove(&conn->starved);
    conn->server->stats.connections--;
    uv_close((uv_handle_t *)&conn->poll, on_closed);
    close(conn->fd);
}

bool conn_idle(const struct conn *conn)
{
    return conn->pending_count == 0 && conn->out.length == 0;
}

/* ---- writing ---- */

/* The replies that were known at once are with the kernel, or wait for the client to read. */
static void count_sent(struct conn *conn)
{
    histogram_add(&conn->server->stats.at_once, clock_monotonic_ns() - conn->unsent_ns,
                  conn->unsent);
    conn->unsent = 0;
}

/* What the kernel does not take stays in `out` until the socket is writable. */
static void conn_flush(struct conn *conn)
{
    ssize_t sent;

    if (conn->state == CONN_CLOSING || conn->out.length == 0)
        return;
    sent = send(conn->fd, conn->out.data, conn->out.length, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        conn_close(conn);
        return;
    }
    if (sent > 0)
        buf_consume(&conn->out, (size_t)sent);
    if (conn->out.length == 0 && (conn->watched & UV_WRITABLE) != 0)
        conn->active_at = uv_now(conn->server->loop);
    if (conn->unsent > 0)
        count_sent(conn);
}

/* ---- answering ---- */

/* Moves finished replies from the head of the line to the output, which is flushed next. */
static void conn_collect(struct conn *conn)
{
    struct server_stats *stats = &conn->server->stats;
    int64_t now_ns = 0;

    while (!list_empty(&conn->pending) && conn->out.length < SERVER_OUTPUT_MAX) {
        struct pending *pending = LIST_ELEMENT(conn->pending.next, struct pending, link);

        if (!pending->done)
            return;
        buf_add(&conn->out, pending->reply.data, pending->reply.length);
        if (now_ns == 0)
            now_ns = clock_monotonic_ns();
        histogram_add(pending->waited ? &stats->after_lookup : &stats->at_once,
                      now_ns - pending->arrived_ns, 1);
        pending_free(pending);
    }
}

/* After a reply was written to `place`. Without memory for it the connection is closed, and Postfix
 * asks again on another. */
static void placed(struct conn *conn, const struct buf *place)
{
    if (place == &conn->out && conn->unsent++ == 0)
        conn->unsent_ns = conn->read_ns;
    if (place != NULL && place != &conn->out)
        conn->held += place->length;
    if (place == NULL || place->failed)
        conn_close(conn);
}

static void on_deliver(struct waiter *waiter, const struct reply *reply)
{
    struct pending *pending = LIST_ELEMENT(waiter, struct pending, waiter);
    struct conn *conn = pending->conn;
    struct answer answer = dialect_answer(pending->dialect, reply, &conn->server->room);

    pending->done = pending->waited = true;
    conn->protocol->reply(&pending->reply, &answer);
    placed(conn, &pending->reply);
    conn_process(conn);
}

static const struct dialect *dialect_of(const struct conn *conn, const struct request *request)
{
    if (conn->protocol == &tcp_table_protocol)
        return &dialect_tcp_table;
    if (conn->protocol == &exim_protocol)
        return &dialect_exim;
    return dialect_of_map((struct span){request->map, request->map_length});
}

/* The one at hand for a request that may have to wait; NULL without memory. */
static struct pending *unused_pending(struct server *server)
{
    struct pending *pending = server->unused;

    if (pending != NULL)
        return pending;
    pending = server->unused = calloc(1, sizeof *pending);
    if (pending == NULL)
        return NULL;
    waiter_init(&pending->waiter, on_deliver);
    pending->waiter.share = &server->lookup_share;
    buf_init(&pending->reply, DIALECT_TEXT_MAX + 64);
    return pending;
}

/* The request being taken gets a place in line; NULL without memory. */
static struct pending *line_up(struct conn *conn)
{
    struct pending *pending = unused_pending(conn->server);

    if (pending == NULL)
        return NULL;
    conn->server->unused = NULL;
    pending->conn = conn;
    pending->arrived_ns = conn->read_ns;
    list_append(&conn->pending, &pending->link);
    conn->pending_count++;
    return pending;
}

/* Where the reply to the request being taken goes; NULL without memory. */
static struct buf *reply_place(struct conn *conn)
{
    struct pending *pending;

    if (list_empty(&conn->pending))
        return &conn->out;
    pending = line_up(conn);
    if (pending == NULL)
        return NULL;
    pending->done = true;
    return &pending->reply;
}

static void wait_for_turn(struct conn *conn)
{
    list_append(&conn->server->starved, &conn->starved);
    server_want_turn(conn->server);
}

/* A client that sends faster than it is answered must not keep the loop busy: one read may hold
 * thousands of requests. */
static bool has_turn(struct conn *conn)
{
    uint64_t now = uv_now(conn->server->loop);

    if (conn->turn_at != now) {
        conn->turn_at = now;
        conn->turn_taken = 0;
    }
    if (conn->turn_taken++ < SERVER_TURN_MAX)
        return true;
    wait_for_turn(conn);
    return false;
}

static void reply_at_once(struct conn *conn, const struct reply *reply,
                          const struct dialect *dialect)
{
    struct buf *place = reply_place(conn);

    if (place != NULL) {
        struct answer answer = dialect_answer(dialect, reply, &conn->server->room);

        conn->protocol->reply(place, &answer);
    }
    placed(conn, place);
}

/* A lookup was needed and could not begin. Without memory for the waiter the client asks again,
 * elsewhere; else the request is taken in another turn. */
static void postpone(struct conn *conn, const struct pending *pending)
{
    if (pending == NULL)
        conn_close(conn);
    else
        wait_for_turn(conn);
}

/* False when the request is not taken. */
static bool take_request(struct conn *conn, const struct request *request)
{
    const struct dialect *dialect = dialect_of(conn, request);
    struct pending *pending = unused_pending(conn->server);
    struct reply reply;

    if (conn->state == CONN_SILENT)
        conn->state = CONN_ASKING;
    if (pending != NULL)
        pending->waiter.wants = dialect_wants(dialect);
    switch (engine_ask(conn->server->engine, (struct span){request->key, request->key_length},
                       server_arrival_ns(conn->server) / 1000000,
                       pending == NULL ? NULL : &pending->waiter, &reply)) {
    case ASKED_ANSWERED:
        reply_at_once(conn, &reply, dialect);
        return true;
    case ASKED_WAITING:
        line_up(conn)->dialect = dialect;
        return true;
    case ASKED_LATER:
    default:
        postpone(conn, pending);
        return false;
    }
}

static void take_malformed(struct conn *conn)
{
    struct buf *place = reply_place(conn);

    if (place != NULL)
        buf_adds(place, conn->protocol->malformed);
    placed(conn, place);
}

/* ---- reading ---- */

static bool conn_full(const struct conn *conn)
{
    return conn->state == CONN_CLOSING || conn->over || !list_empty(&conn->starved) ||
           conn->pending_count >= SERVER_PENDING_MAX ||
           conn->out.length + conn->held >= SERVER_OUTPUT_MAX;
}

/* Takes whole requests from the front of `data`; returns the octets taken. */
static size_t take_requests(struct conn *conn, const char *data, size_t length)
{
    size_t taken = 0;

    while (taken < length && !conn_full(conn) && has_turn(conn)) {
        struct request request;
        size_t used = 0;
        enum parse_status status = conn->protocol->parse(data + taken, length - taken, &used,
                                                         conn->server->decoded, &request);

        if (status == PARSE_MORE)
            break;
        if (status == PARSE_CLOSE) {
            conn->server->stats.closed[SERVER_NOT_PROTOCOL]++;
            log_event(LOG_LEVEL_INFO, "not-the-protocol", "action", "closed", NULL);
            conn_close(conn);
            break;
        }
        if (status == PARSE_MALFORMED)
            take_malformed(conn);
        else if (!take_request(conn, &request))
            break;
        conn->over = conn->protocol->one_request;
        taken += used;
    }
    return taken;
}

/* True when nobody is left to read a reply. A TCP client that is gone looks like one that has only
 * ended its requests: the first reply finds out. */
static bool peer_gone(const struct conn *conn)
{
    struct pollfd poll_fd = {.fd = conn->fd};

    return poll(&poll_fd, 1, 0) < 0 || (poll_fd.revents & (POLLHUP | POLLERR)) != 0;
}

static void take_input(struct conn *conn, const char *data, size_t length)
{
    size_t taken = 0;

    conn->active_at = uv_now(conn->server->loop);
    conn->read_ns = server_arrival_ns(conn->server);
    list_remove(&conn->link);
    list_append(&conn->server->conns, &conn->link);
    if (conn->in.length == 0)
        taken = take_requests(conn, data, length);
    if (conn->state == CONN_CLOSING)
        return;
    buf_add(&conn->in, data + taken, length - taken);
    if (conn->in.failed)
        conn_close(conn);
}

static void conn_read(struct conn *conn)
{
    char *buffer = conn->server->read_buffer;
    ssize_t length = recv(conn->fd, buffer, CONN_READ_SIZE, 0);

    if (length > 0)
        take_input(conn, buffer, (size_t)length);
    else if (length == 0 && !peer_gone(conn))
        conn->state = CONN_ENDED;
    else if (length == 0 || (errno != EAGAIN && errno != EINTR))
        conn_close(conn);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct conn *conn = poll->data;

    if (status != 0)
        conn_close(conn);
    else if ((events & UV_READABLE) != 0)
        conn_read(conn);
    conn_process(conn);
}

static bool owes_nothing(const struct conn *conn)
{
    return conn_idle(conn) && list_empty(&conn->starved);
}

/* When a connection ends on which Postfix has had answers, Postfix asks once more on a new one.
 * It may have spent that retry when it made this one, so one that has not asked yet may still do
 * so. */
void conn_drain(struct conn *conn)
{
    if (owes_nothing(conn) && conn->in.length == 0 &&
        (conn->state != CONN_SILENT ||
         uv_now(conn->server->loop) - conn->active_at >= SERVER_QUIET_MS))
        conn_close(conn);
}

/* Takes and answers until the client has to send, read or wait; false when the connection is
 * closing. When a flush has made room, the input is looked at again: no event would do it. */
static bool conn_advance(struct conn *conn)
{
    bool was_full;

    do {
        conn_collect(conn);
        if (conn->in.length > 0)
            buf_consume(&conn->in, take_requests(conn, conn->in.data, conn->in.length));
        if (conn->state == CONN_CLOSING)
            return false;
        was_full = conn_full(conn);
        conn_collect(conn);
        conn_flush(conn);
    } while (was_full && !conn_full(conn) && conn->in.length > 0);
    return conn->state != CONN_CLOSING;
}

/* Asks the loop for the events that the connection can do something with. */
static void watch(struct conn *conn)
{
    int events = 0, error = 0;

    if (conn->state < CONN_ENDED && !conn_full(conn))
        events |= UV_READABLE;
    if (conn->out.length > 0)
        events |= UV_WRITABLE;
    if (events == conn->watched)
        return;
    conn->watched = events;
    if (events == 0)
        uv_poll_stop(&conn->poll);
    else
        error = uv_poll_start(&conn->poll, events, on_ready);
    if (error != 0)
        conn_close(conn);
}

void conn_process(struct conn *conn)
{
    if (!conn_advance(conn))
        return;
    if ((conn->state == CONN_ENDED || conn->over) && owes_nothing(conn))
        conn_close(conn);
    else if (conn->server->state == SERVER_DRAINING)
        conn_drain(conn);
    if (conn->state != CONN_CLOSING)
        watch(conn);
}

int conn_new(struct server *server, int take_fd, const struct protocol *protocol)
{
    struct conn *conn = calloc(1, sizeof *conn);
    int error = conn == NULL ? UV_ENOMEM : uv_poll_init(server->loop, &conn->poll, take_fd);

    if (error != 0) {
        free(conn);
        close(take_fd);
        return error;
    }
    conn->poll.data = conn;
    conn->fd = take_fd;
    conn->server = server;
    conn->protocol = protocol;
    buf_init(&conn->in, CONN_READ_SIZE + PROTOCOL_REQUEST_MAX);
    buf_init(&conn->out, SERVER_OUTPUT_MAX + DIALECT_TEXT_MAX + 64);
    list_init(&conn->pending);
    list_init(&conn->starved);
    conn->active_at = uv_now(server->loop);
    list_append(&server->conns, &conn->link);
    server->handles++;
    server->stats.connections++;
    conn_process(conn);
    return 0;
}
