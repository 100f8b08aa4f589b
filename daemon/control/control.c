/*
 * control: see control.h. A connection carries out one command at a time; further lines wait in its
 * buffer. Where an answer has several lines, each is made when the client has taken the one before.
 * The commands are in commands.c.
 */
#include "daemon/control/control.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "daemon/control/command.h"
#include "daemon/loop/spare_fd.h"
#include "daemon/control/walk.h"

#define CONTROL_READ_SIZE 4096
#define RETRY_MS          1000

struct control {
    uv_loop_t *loop;
    struct command_means means;
    struct walks walks;
    uv_pipe_t listener;
    uv_timer_t retry; /* accepts the connection that there was no memory for */
    struct list peers;
    unsigned peer_count, handles;
    struct spare_fd spare;
};

enum peer_state {
    PEER_READY,    /* no command is under way */
    PEER_BUSY,     /* a command is under way */
    PEER_PART,     /* a part of the answer is being sent; the command goes on after it */
    PEER_ANSWERED, /* the end of the answer is being sent */
    PEER_CLOSING
};

struct peer {
    uv_pipe_t pipe;
    struct control *control;
    struct list link;
    struct command command;
    struct buf in, out;
    enum peer_state state;
    uv_write_t write;
    char read_buffer[CONTROL_READ_SIZE];
};

static void peer_next(struct peer *peer);

static void handle_gone(struct control *control)
{
    if (--control->handles == 0)
        free(control);
}

static void on_peer_closed(uv_handle_t *handle)
{
    struct peer *peer = handle->data;
    struct control *control = peer->control;

    buf_fini(&peer->in);
    buf_fini(&peer->out);
    free(peer);
    handle_gone(control);
}

static void peer_close(struct peer *peer)
{
    if (peer->state == PEER_CLOSING)
        return;
    peer->state = PEER_CLOSING;
    command_cancel(&peer->command);
    list_remove(&peer->link);
    peer->control->peer_count--;
    uv_close((uv_handle_t *)&peer->pipe, on_peer_closed);
}

static void on_written(uv_write_t *write, int status)
{
    struct peer *peer = write->data;
    bool more = peer->state == PEER_PART;

    if (peer->state == PEER_CLOSING)
        return;
    buf_clear(&peer->out);
    peer->state = more ? PEER_BUSY : PEER_READY;
    if (status != 0)
        peer_close(peer);
    else if (more)
        command_go_on(&peer->command);
    else
        peer_next(peer);
}

/* A line of the answer; takes the reference. */
static void on_answer(struct command *command, json_t *answer, bool last)
{
    struct peer *peer = LIST_ELEMENT(command, struct peer, command);
    char *text = answer == NULL ? NULL : json_dumps(answer, JSON_COMPACT);
    uv_buf_t data;

    peer->state = last || text == NULL ? PEER_ANSWERED : PEER_PART;
    json_decref(answer);
    buf_adds(&peer->out, text == NULL ? "{\"error\":\"no memory\"}" : text);
    buf_adds(&peer->out, "\n");
    free(text);
    if (peer->out.failed) {
        peer_close(peer);
        return;
    }
    data = uv_buf_init(peer->out.data, (unsigned)peer->out.length);
    peer->write.data = peer;
    if (uv_write(&peer->write, (uv_stream_t *)&peer->pipe, &data, 1, on_written) != 0)
        peer_close(peer);
}

/* Begins the next command, when a whole line is there and none is under way. */
static void peer_next(struct peer *peer)
{
    const char *end;
    size_t length;

    if (peer->state != PEER_READY || peer->in.length == 0)
        return;
    end = memchr(peer->in.data, '\n', peer->in.length);
    if (end == NULL)
        return;
    length = (size_t)(end - peer->in.data);
    peer->state = PEER_BUSY;
    command_begin(&peer->command, peer->in.data, length);
    if (peer->state != PEER_CLOSING)
        buf_consume(&peer->in, length + 1);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct peer *peer = handle->data;

    (void)suggested;
    *out = uv_buf_init(peer->read_buffer, CONTROL_READ_SIZE);
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer)
{
    struct peer *peer = stream->data;

    if (length == 0)
        return;
    if (length > 0)
        buf_add(&peer->in, buffer->base, (size_t)length);
    if (length < 0 || peer->in.failed)
        peer_close(peer);
    else
        peer_next(peer);
}

static void on_retry(uv_timer_t *timer);

/* Until a connection is accepted libuv does not look at the listener again. */
static void accept_one(struct control *control)
{
    uv_stream_t *stream = (uv_stream_t *)&control->listener;
    struct peer *peer = calloc(1, sizeof *peer);
    bool accepted;

    if (peer == NULL) {
        uv_timer_start(&control->retry, on_retry, RETRY_MS, 0);
        return;
    }
    peer->control = control;
    list_init(&peer->link);
    buf_init(&peer->in, CONTROL_LINE_MAX);
    buf_init(&peer->out, 64 * 1024 * 1024);
    command_init(&peer->command, &control->means, on_answer);
    uv_pipe_init(control->loop, &peer->pipe, 0);
    peer->pipe.data = peer;
    list_append(&control->peers, &peer->link);
    control->peer_count++;
    control->handles++;
    accepted = uv_accept(stream, (uv_stream_t *)&peer->pipe) == 0;
    spare_fd_take(&control->spare);
    if (!accepted || control->spare.fd < 0 || control->peer_count > CONTROL_CONNECTIONS_MAX ||
        uv_read_start((uv_stream_t *)&peer->pipe, on_alloc, on_read) != 0)
        peer_close(peer);
    spare_fd_take(&control->spare);
}

static void on_retry(uv_timer_t *timer)
{
    accept_one(timer->data);
}

static void on_connection(uv_stream_t *stream, int status)
{
    struct control *control = stream->data;

    if (status == 0)
        accept_one(control);
    else if (spare_fd_accept_failed(&control->spare, "control", status))
        return; /* there is room now: the next attempt will not fail in the same way */
    else if (!list_empty(&control->peers))
        peer_close(LIST_ELEMENT(control->peers.next, struct peer, link));
    else
        server_yield_fd(control->means.server);
}

struct control *control_new(uv_loop_t *loop, struct engine *engine, struct server *server,
                            struct reload *reloader)
{
    struct control *control = calloc(1, sizeof *control);

    if (control == NULL)
        return NULL;
    walks_init(&control->walks, loop);
    if (control->walks.shares == NULL) {
        free(control);
        return NULL;
    }
    control->means = (struct command_means){engine, server, reloader, &control->walks};
    control->loop = loop;
    spare_fd_init(&control->spare);
    list_init(&control->peers);
    uv_pipe_init(loop, &control->listener, 0);
    control->listener.data = control;
    uv_timer_init(loop, &control->retry);
    control->retry.data = control;
    control->handles = 2;
    return control;
}

int control_add(struct control *control, int take_fd)
{
    int error = uv_pipe_open(&control->listener, take_fd);

    return error != 0 ? error
                      : uv_listen((uv_stream_t *)&control->listener, CONTROL_CONNECTIONS_MAX,
                                  on_connection);
}

static void on_own_closed(uv_handle_t *handle)
{
    handle_gone(handle->data);
}

void control_close(struct control *control)
{
    spare_fd_fini(&control->spare);
    while (!list_empty(&control->peers))
        peer_close(LIST_ELEMENT(control->peers.next, struct peer, link));
    walks_close(&control->walks);
    uv_close((uv_handle_t *)&control->listener, on_own_closed);
    uv_close((uv_handle_t *)&control->retry, on_own_closed);
}
