/*
 * dns_channel_uv: see dns_channel_uv.h. Framing over TCP is RFC 1035 §4.2.2: two octets of length
 * before each message. No channel has a deadline of its own: the query that owns it has.
 */
#include "probe/dns/dns_channel_uv.h"

#include <stdlib.h>
#include <string.h>

#define FRAME_OCTETS       2
#define MESSAGE_OCTETS_MIN 12

struct dns_udp {
    uv_udp_t handle;
    struct dns_pool *pool;
    dns_heard heard; /* NULL once closed */
    void *context;
};

struct dns_tcp {
    uv_tcp_t handle;
    uv_connect_t connect;
    uv_write_t write;
    struct dns_pool *pool;
    dns_heard heard; /* NULL once closed or when the message was delivered */
    void *context;
    uint8_t out[FRAME_OCTETS + DNS_QUERY_OCTETS_MAX];
    size_t out_length;
    uint8_t frame[FRAME_OCTETS];
    uint8_t *in; /* owned; once the frame is known */
    size_t have; /* octets read, the frame included */
};

void dns_pool_enter(struct dns_pool *pool)
{
    pool->handles++;
}

void dns_pool_leave(struct dns_pool *pool)
{
    if (--pool->handles == 0)
        pool->emptied(pool->owner);
}

/* ---- UDP ---- */

static void udp_closed(uv_handle_t *handle)
{
    struct dns_udp *udp = handle->data;
    struct dns_pool *pool = udp->pool;

    free(udp);
    dns_pool_leave(pool);
}

void dns_udp_close(struct dns_udp *udp)
{
    if (udp == NULL)
        return;
    udp->heard = NULL;
    uv_close((uv_handle_t *)&udp->handle, udp_closed);
}

static void udp_room(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct dns_udp *udp = handle->data;

    (void)suggested;
    *out = uv_buf_init(udp->pool->packet, sizeof udp->pool->packet);
}

static void udp_read(uv_udp_t *handle, ssize_t count, const uv_buf_t *buf,
                     const struct sockaddr *from, unsigned flags)
{
    struct dns_udp *udp = handle->data;

    (void)flags;
    if (udp->heard == NULL || (count == 0 && from == NULL))
        return;
    if (count < 0)
        udp->heard(udp->context, (int)count, NULL, 0);
    else
        udp->heard(udp->context, 0, (const uint8_t *)buf->base, (size_t)count);
}

int dns_udp_open(struct dns_udp **out, const struct dns_peer *peer)
{
    struct dns_udp *udp = calloc(1, sizeof *udp);
    struct sockaddr_storage address;
    int status;

    if (udp == NULL)
        return UV_ENOMEM;
    udp->pool = peer->pool;
    udp->heard = peer->heard;
    udp->context = peer->context;
    status = uv_udp_init(peer->pool->loop, &udp->handle);
    if (status != 0) {
        free(udp);
        return status;
    }
    udp->handle.data = udp;
    dns_pool_enter(peer->pool);
    ip_to_sockaddr(&address, &peer->server->ip, peer->server->port);
    /* binds to port 0 as well: Linux draws an ephemeral port at random */
    status = uv_udp_connect(&udp->handle, (const struct sockaddr *)&address);
    if (status == 0)
        status = uv_udp_recv_start(&udp->handle, udp_room, udp_read);
    if (status != 0) {
        dns_udp_close(udp);
        return status;
    }
    *out = udp;
    return 0;
}

int dns_udp_send(struct dns_udp *udp, const uint8_t *data, size_t length)
{
    uv_buf_t buf = uv_buf_init((char *)(uintptr_t)data, (unsigned)length);
    int status = uv_udp_try_send(&udp->handle, &buf, 1, NULL);

    return status >= 0 || status == UV_EAGAIN || status == UV_ENOBUFS ? 0 : status;
}

/* ---- TCP ---- */

static void tcp_closed(uv_handle_t *handle)
{
    struct dns_tcp *tcp = handle->data;
    struct dns_pool *pool = tcp->pool;

    free(tcp->in);
    free(tcp);
    dns_pool_leave(pool);
}

void dns_tcp_close(struct dns_tcp *tcp)
{
    if (tcp == NULL)
        return;
    tcp->heard = NULL;
    uv_close((uv_handle_t *)&tcp->handle, tcp_closed);
}

/* The owner closes the channel from inside this call, or later: nothing may come after it. */
static void tcp_tell(struct dns_tcp *tcp, int status, size_t length)
{
    dns_heard heard = tcp->heard;

    if (heard == NULL)
        return;
    tcp->heard = NULL;
    heard(tcp->context, status, tcp->in, length);
}

static size_t tcp_expected(const struct dns_tcp *tcp)
{
    return (size_t)tcp->frame[0] << 8 | tcp->frame[1];
}

static void tcp_room(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct dns_tcp *tcp = handle->data;
    size_t read = tcp->have - FRAME_OCTETS;

    (void)suggested;
    if (tcp->have < FRAME_OCTETS)
        *out = uv_buf_init((char *)tcp->frame + tcp->have, (unsigned)(FRAME_OCTETS - tcp->have));
    else
        *out = uv_buf_init((char *)tcp->in + read, (unsigned)(tcp_expected(tcp) - read));
}

/* After some octets came: 0, or why the rest is not awaited. */
static int tcp_prepare(struct dns_tcp *tcp)
{
    if (tcp->have < FRAME_OCTETS || tcp->in != NULL)
        return 0;
    if (tcp_expected(tcp) < MESSAGE_OCTETS_MIN)
        return UV_EPROTO;
    tcp->in = malloc(tcp_expected(tcp));
    return tcp->in == NULL ? UV_ENOMEM : 0;
}

static void tcp_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buf)
{
    struct dns_tcp *tcp = stream->data;
    int status = count < 0 ? (int)count : 0;

    (void)buf;
    if (count == 0)
        return;
    if (status == 0) {
        tcp->have += (size_t)count;
        status = tcp_prepare(tcp);
    }
    if (status == 0 && (tcp->in == NULL || tcp->have < FRAME_OCTETS + tcp_expected(tcp)))
        return;
    uv_read_stop(stream);
    tcp_tell(tcp, status, status == 0 ? tcp_expected(tcp) : 0);
}

static void tcp_written(uv_write_t *write, int status)
{
    struct dns_tcp *tcp = write->data;

    if (status != 0)
        tcp_tell(tcp, status, 0);
}

static void tcp_connected(uv_connect_t *connect, int status)
{
    struct dns_tcp *tcp = connect->data;
    uv_buf_t buf = uv_buf_init((char *)tcp->out, (unsigned)tcp->out_length);

    if (tcp->heard == NULL)
        return;
    if (status == 0)
        status = uv_write(&tcp->write, (uv_stream_t *)&tcp->handle, &buf, 1, tcp_written);
    if (status == 0)
        status = uv_read_start((uv_stream_t *)&tcp->handle, tcp_room, tcp_read);
    if (status != 0)
        tcp_tell(tcp, status, 0);
}

int dns_tcp_open(struct dns_tcp **out, const struct dns_peer *peer, const uint8_t *data,
                 size_t length)
{
    struct dns_tcp *tcp = calloc(1, sizeof *tcp);
    struct sockaddr_storage address;
    int status;

    if (tcp == NULL)
        return UV_ENOMEM;
    tcp->pool = peer->pool;
    tcp->heard = peer->heard;
    tcp->context = peer->context;
    tcp->out[0] = (uint8_t)(length >> 8);
    tcp->out[1] = (uint8_t)length;
    memcpy(tcp->out + FRAME_OCTETS, data, length);
    tcp->out_length = FRAME_OCTETS + length;
    status = uv_tcp_init(peer->pool->loop, &tcp->handle);
    if (status != 0) {
        free(tcp);
        return status;
    }
    tcp->handle.data = tcp->connect.data = tcp->write.data = tcp;
    dns_pool_enter(peer->pool);
    ip_to_sockaddr(&address, &peer->server->ip, peer->server->port);
    status = uv_tcp_connect(&tcp->connect, &tcp->handle, (const struct sockaddr *)&address,
                            tcp_connected);
    if (status != 0) {
        dns_tcp_close(tcp);
        return status;
    }
    *out = tcp;
    return 0;
}
