/*
 * smtp_stream_uv: see smtp_stream_uv.h.
 *
 * Octets are read where libuv put them and never copied: a reply takes all of them, or the server
 * has spoken out of turn. All that a probe says fits into the buffer of a socket, so nothing is kept
 * for later. A failed write is not reported, because what the server said before it hung up may
 * still be on its way; reading finds the end.
 */
#include "probe/smtp/smtp_stream_uv.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"

#define OUT_MAX 65536

static void tell(struct smtp_stream *stream)
{
    if (!stream->closing)
        stream->on_event(stream->owner);
}

static void on_timer(uv_timer_t *timer)
{
    struct smtp_stream *stream = timer->data;

    stream->timed_out = true;
    tell(stream);
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct smtp_stream *stream = handle->data;

    (void)suggested;
    *buf = uv_buf_init(stream->room, sizeof stream->room);
}

static void on_read(uv_stream_t *handle, ssize_t count, const uv_buf_t *buf)
{
    struct smtp_stream *stream = handle->data;

    if (count == 0)
        return;
    if (count < 0) {
        uv_read_stop(handle);
        stream->lost = (int)count;
    } else {
        stream->chunk = buf->base;
        stream->chunk_length = (size_t)count;
    }
    tell(stream);
    stream->chunk_length = 0;
}

static void on_connect(uv_connect_t *request, int status)
{
    struct smtp_stream *stream = request->data;

    if (stream->closing)
        return;
    if (status == 0) {
        stream->connected = true;
        uv_tcp_nodelay(&stream->tcp, 1);
        status = uv_read_start((uv_stream_t *)&stream->tcp, on_room, on_read);
    }
    /* ICMPv6 "administratively prohibited" (RFC 4443 §3.1); a ban of our own is uv_tcp_connect's */
    stream->lost = status == UV_EACCES ? UV_EHOSTUNREACH : status;
    tell(stream);
}

static void on_stream_closed(uv_handle_t *handle)
{
    struct smtp_stream *stream = handle->data;

    if (--stream->open_handles == 0)
        stream->on_closed(stream->owner);
}

void smtp_stream_init(struct smtp_stream *stream, uv_loop_t *loop, void *owner,
                      void (*on_event)(void *owner), void (*on_closed)(void *owner))
{
    memset(stream, 0, sizeof *stream);
    stream->owner = owner;
    stream->on_event = on_event;
    stream->on_closed = on_closed;
    buf_init(&stream->out, OUT_MAX);
    CHECK(uv_tcp_init(loop, &stream->tcp) == 0);
    CHECK(uv_timer_init(loop, &stream->timer) == 0);
    stream->tcp.data = stream->timer.data = stream->connect.data = stream;
    stream->open_handles = 2;
}

void smtp_stream_close(struct smtp_stream *stream)
{
    if (stream->closing)
        return;
    stream->closing = true;
    tls_session_free(stream->tls);
    stream->tls = NULL;
    buf_fini(&stream->out);
    uv_close((uv_handle_t *)&stream->tcp, on_stream_closed);
    uv_close((uv_handle_t *)&stream->timer, on_stream_closed);
}

int smtp_stream_bind(struct smtp_stream *stream, const struct ip *ip)
{
    struct sockaddr_storage address;

    ip_to_sockaddr(&address, ip, 0);
    return uv_tcp_bind(&stream->tcp, (struct sockaddr *)&address, 0);
}

int smtp_stream_connect(struct smtp_stream *stream, const struct ip *ip, uint16_t port)
{
    struct sockaddr_storage address;

    ip_to_sockaddr(&address, ip, port);
    return uv_tcp_connect(&stream->connect, &stream->tcp, (struct sockaddr *)&address, on_connect);
}

bool smtp_stream_own_address(const struct smtp_stream *stream, struct ip *out)
{
    struct sockaddr_storage address = {0};
    int length = sizeof address;

    return uv_tcp_getsockname(&stream->tcp, (struct sockaddr *)&address, &length) == 0 &&
           ip_from_sockaddr(out, (struct sockaddr *)&address);
}

void smtp_stream_deadline(struct smtp_stream *stream, uint64_t ms)
{
    stream->timed_out = false;
    CHECK(uv_timer_start(&stream->timer, on_timer, ms, 0) == 0);
}

/* What a probe says is far less than a socket's buffer holds: if the kernel does not take it, it has
 * no memory. When the connection broke, reading tells. */
static void send_octets(struct smtp_stream *stream, char *data, size_t length)
{
    const uv_buf_t buf = uv_buf_init(data, (unsigned)length);
    int sent = length == 0 ? 0 : uv_try_write((uv_stream_t *)&stream->tcp, &buf, 1);

    if (sent == UV_EAGAIN || sent == UV_ENOMEM || (sent >= 0 && (size_t)sent < length))
        stream->lost = UV_ENOBUFS;
}

/* Sends what the TLS session has ready. */
static void send_out(struct smtp_stream *stream)
{
    send_octets(stream, stream->out.data, stream->out.length);
    buf_clear(&stream->out);
}

enum tls_progress smtp_stream_handshake(struct smtp_stream *stream)
{
    enum tls_progress progress =
        tls_session_feed(stream->tls, stream->chunk, stream->chunk_length, &stream->out);

    stream->chunk_length = 0;
    send_out(stream);
    return progress;
}

bool smtp_stream_start_tls(struct smtp_stream *stream, struct tls_session *take)
{
    stream->tls = take;
    if (stream->tls == NULL)
        return false;
    stream->chunk_length = 0;
    smtp_stream_handshake(stream);
    return true;
}

void smtp_stream_command(struct smtp_stream *stream, const char *command, const char *argument)
{
    char line[SMTP_LINE_MAX];
    int length = snprintf(line, sizeof line, "%s%s%s\r\n", command, argument == NULL ? "" : " ",
                          argument == NULL ? "" : argument);

    CHECK(length > 0 && (size_t)length < sizeof line);
    smtp_reply_init(&stream->reply);
    if (stream->tls == NULL)
        send_octets(stream, line, (size_t)length);
    else if (tls_session_write(stream->tls, line, (size_t)length, &stream->out) == 0)
        send_out(stream);
}

enum smtp_heard smtp_stream_hear(struct smtp_stream *stream)
{
    enum smtp_reply_status status = SMTP_REPLY_MORE;
    enum tls_progress progress = TLS_READY;
    char plain[SMTP_LINE_MAX];
    size_t count, used = 0;
    bool ahead = false;

    if (stream->tls == NULL) {
        status = smtp_reply_feed(&stream->reply, stream->chunk, stream->chunk_length, &used);
        ahead = used < stream->chunk_length;
        stream->chunk_length = 0;
    } else {
        progress = smtp_stream_handshake(stream);
        while (status == SMTP_REPLY_MORE &&
               (count = tls_session_read(stream->tls, plain, sizeof plain)) > 0)
            status = smtp_reply_feed(&stream->reply, plain, count, &used);
    }
    if (status == SMTP_REPLY_BAD)
        return SMTP_HEARD_BAD;
    if (status == SMTP_REPLY_DONE)
        return ahead ? SMTP_HEARD_AHEAD : SMTP_HEARD_REPLY;
    if (stream->lost != 0 || progress != TLS_READY)
        return SMTP_HEARD_LOST;
    return stream->timed_out ? SMTP_HEARD_LATE : SMTP_HEARD_NOTHING;
}
