/*
 * smtp_link_uv: see smtp_link_uv.h.
 *
 * Octets are read where libuv put them and never copied: a reply takes all of them, or the server
 * has spoken out of turn. A failed write is not reported, because what the server said before it
 * hung up may still be on its way; reading finds the end.
 */
#include "probe/smtp/smtp_link_uv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

#define OUT_MAX 65536

struct outgoing {
    uv_write_t request;
    char data[];
};

static void tell(struct smtp_link *link)
{
    if (!link->closing)
        link->events->on_event(link->owner);
}

static void on_timer(uv_timer_t *timer)
{
    struct smtp_link *link = timer->data;

    link->timed_out = true;
    tell(link);
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct smtp_link *link = handle->data;

    (void)suggested;
    *buf = uv_buf_init(link->room, sizeof link->room);
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buf)
{
    struct smtp_link *link = stream->data;

    if (count == 0)
        return;
    if (count < 0) {
        uv_read_stop(stream);
        link->lost = (int)count;
    } else {
        link->chunk = buf->base;
        link->chunk_length = (size_t)count;
    }
    tell(link);
    link->chunk_length = 0;
}

static void on_connect(uv_connect_t *request, int status)
{
    struct smtp_link *link = request->data;

    if (link->closing)
        return;
    if (status == 0) {
        link->connected = true;
        uv_tcp_nodelay(&link->tcp, 1);
        status = uv_read_start((uv_stream_t *)&link->tcp, on_room, on_read);
    }
    link->lost = status;
    tell(link);
}

static void on_written(uv_write_t *request, int status)
{
    (void)status;
    free(request->data);
}

static void on_link_closed(uv_handle_t *handle)
{
    struct smtp_link *link = handle->data;

    if (--link->open_handles == 0)
        link->events->on_gone(link->owner);
}

void smtp_link_init(struct smtp_link *link, uv_loop_t *loop, void *owner,
                    const struct smtp_link_events *events)
{
    memset(link, 0, sizeof *link);
    link->owner = owner;
    link->events = events;
    buf_init(&link->out, OUT_MAX);
    CHECK(uv_tcp_init(loop, &link->tcp) == 0);
    CHECK(uv_timer_init(loop, &link->timer) == 0);
    link->tcp.data = link->timer.data = link->connect.data = link;
    link->open_handles = 2;
}

void smtp_link_close(struct smtp_link *link)
{
    if (link->closing)
        return;
    link->closing = true;
    tls_session_free(link->tls);
    link->tls = NULL;
    buf_fini(&link->out);
    uv_close((uv_handle_t *)&link->tcp, on_link_closed);
    uv_close((uv_handle_t *)&link->timer, on_link_closed);
}

int smtp_link_bind(struct smtp_link *link, const struct ip *ip)
{
    struct sockaddr_storage address;

    ip_to_sockaddr(&address, ip, 0);
    return uv_tcp_bind(&link->tcp, (struct sockaddr *)&address, 0);
}

int smtp_link_connect(struct smtp_link *link, const struct ip *ip, uint16_t port)
{
    struct sockaddr_storage address;

    ip_to_sockaddr(&address, ip, port);
    return uv_tcp_connect(&link->connect, &link->tcp, (struct sockaddr *)&address, on_connect);
}

bool smtp_link_own_address(const struct smtp_link *link, struct ip *out)
{
    struct sockaddr_storage address = {0};
    int length = sizeof address;

    return uv_tcp_getsockname(&link->tcp, (struct sockaddr *)&address, &length) == 0 &&
           ip_from_sockaddr(out, (struct sockaddr *)&address);
}

void smtp_link_deadline(struct smtp_link *link, uint64_t ms)
{
    link->timed_out = false;
    CHECK(uv_timer_start(&link->timer, on_timer, ms, 0) == 0);
}

static void send_octets(struct smtp_link *link, const void *data, size_t length)
{
    struct outgoing *outgoing;
    uv_buf_t buf;
    int error = UV_ENOMEM;

    if (length == 0)
        return;
    outgoing = malloc(sizeof *outgoing + length);
    if (outgoing != NULL) {
        outgoing->request.data = outgoing;
        memcpy(outgoing->data, data, length);
        buf = uv_buf_init(outgoing->data, (unsigned)length);
        error = uv_write(&outgoing->request, (uv_stream_t *)&link->tcp, &buf, 1, on_written);
    }
    if (error != 0) {
        free(outgoing);
        link->lost = error;
    }
}

/* Sends what the TLS session has ready. */
static void send_out(struct smtp_link *link)
{
    send_octets(link, buf_text(&link->out), link->out.length);
    buf_clear(&link->out);
}

/* Gives the TLS session what has come. */
static enum tls_progress feed_tls(struct smtp_link *link)
{
    enum tls_progress progress =
        tls_session_feed(link->tls, link->chunk, link->chunk_length, &link->out);

    link->chunk_length = 0;
    send_out(link);
    return progress;
}

void smtp_link_command(struct smtp_link *link, const char *format, ...)
{
    char line[SMTP_LINE_MAX];
    va_list args;
    int length;

    va_start(args, format);
    length = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    CHECK(length > 0 && (size_t)length < sizeof line);
    smtp_reply_init(&link->reply);
    if (link->tls == NULL)
        send_octets(link, line, (size_t)length);
    else if (tls_session_write(link->tls, line, (size_t)length, &link->out) == 0)
        send_out(link);
}

static enum smtp_heard heard_none(const struct smtp_link *link)
{
    if (link->lost != 0)
        return SMTP_HEARD_LOST;
    return link->timed_out ? SMTP_HEARD_LATE : SMTP_HEARD_NOTHING;
}

static enum smtp_heard hear_clear(struct smtp_link *link)
{
    size_t used;
    bool ahead;

    switch (smtp_reply_feed(&link->reply, link->chunk, link->chunk_length, &used)) {
    case SMTP_REPLY_BAD:
        return SMTP_HEARD_BAD;
    case SMTP_REPLY_DONE:
        ahead = used < link->chunk_length;
        link->chunk_length = 0;
        return ahead ? SMTP_HEARD_AHEAD : SMTP_HEARD_REPLY;
    case SMTP_REPLY_MORE:
        break;
    }
    link->chunk_length = 0;
    return heard_none(link);
}

static enum smtp_heard hear_tls(struct smtp_link *link)
{
    enum smtp_reply_status status = SMTP_REPLY_MORE;
    enum tls_progress progress = feed_tls(link);
    char plain[SMTP_LINE_MAX];
    size_t count, used;

    while (status == SMTP_REPLY_MORE &&
           (count = tls_session_read(link->tls, plain, sizeof plain)) > 0)
        status = smtp_reply_feed(&link->reply, plain, count, &used);
    if (status == SMTP_REPLY_DONE)
        return SMTP_HEARD_REPLY;
    if (status == SMTP_REPLY_BAD)
        return SMTP_HEARD_BAD;
    return progress == TLS_READY ? heard_none(link) : SMTP_HEARD_LOST;
}

enum smtp_heard smtp_link_hear(struct smtp_link *link)
{
    return link->tls == NULL ? hear_clear(link) : hear_tls(link);
}

bool smtp_link_start_tls(struct smtp_link *link, struct tls_session *take)
{
    link->tls = take;
    if (link->tls == NULL)
        return false;
    link->chunk_length = 0;
    feed_tls(link);
    return true;
}

enum tls_progress smtp_link_handshake(struct smtp_link *link)
{
    return feed_tls(link);
}
