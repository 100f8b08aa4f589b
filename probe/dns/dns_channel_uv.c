/*
 * dns_channel_uv: the socket of one query to one resolver: connected UDP, or TCP for one message,
 * with a length of two octets before each message (RFC 1035 §4.2.2). A channel has no deadline: the
 * query that owns it has one. It frees itself when its close callback has run.
 */
#include <stdlib.h>

#include "base/buf.h"
#include "probe/dns/dns_query_uv.h"

#define FRAME_OCTETS       2
#define MESSAGE_OCTETS_MIN 12

struct dns_channel {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_udp_t udp;
    } uv;
    uv_connect_t connect;
    struct dns *dns;
    struct dns_query *query; /* NULL once closed */
    struct buf in;           /* TCP: what came so far */
};

static void on_closed(uv_handle_t *handle)
{
    struct dns_channel *channel = handle->data;
    struct dns *dns = channel->dns;

    buf_fini(&channel->in);
    free(channel);
    dns_handle_closed(dns);
}

void dns_channel_close(struct dns_query *query)
{
    struct dns_channel *channel = query->channel;

    if (channel == NULL)
        return;
    query->channel = NULL;
    channel->query = NULL;
    uv_close(&channel->uv.handle, on_closed);
}

static void make_room(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct dns_channel *channel = handle->data;

    (void)suggested;
    *out = uv_buf_init(channel->dns->packet, sizeof channel->dns->packet);
}

static void on_packet(uv_udp_t *udp, ssize_t count, const uv_buf_t *buf,
                      const struct sockaddr *from, unsigned flags)
{
    struct dns_channel *channel = udp->data;

    (void)flags;
    if (channel->query == NULL || (count == 0 && from == NULL)) /* there is no more to read */
        return;
    dns_query_heard(channel->query, count < 0 ? (int)count : 0, (const uint8_t *)buf->base,
                    count < 0 ? 0 : (size_t)count);
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buf)
{
    struct dns_channel *channel = stream->data;
    const uint8_t *in;
    size_t length;

    if (count <= 0) {
        if (count < 0)
            dns_query_heard(channel->query, (int)count, NULL, 0);
        return;
    }
    buf_add(&channel->in, buf->base, (size_t)count);
    if (channel->in.failed) {
        dns_query_heard(channel->query, UV_ENOMEM, NULL, 0);
        return;
    }
    if (channel->in.length < FRAME_OCTETS)
        return;
    in = (const uint8_t *)channel->in.data;
    length = (size_t)in[0] << 8 | in[1];
    if (length < MESSAGE_OCTETS_MIN)
        dns_query_heard(channel->query, UV_EPROTO, NULL, 0);
    else if (channel->in.length - FRAME_OCTETS >= length)
        dns_query_heard(channel->query, 0, in + FRAME_OCTETS, length);
}

/* A query always fits a new connection: what is not written at once is an error. */
static void on_connected(uv_connect_t *connect, int status)
{
    struct dns_channel *channel = connect->data;
    struct dns_query *query = channel->query;
    uint8_t frame[FRAME_OCTETS];
    uv_buf_t bufs[2];

    if (query == NULL)
        return;
    frame[0] = (uint8_t)(query->wire_length >> 8);
    frame[1] = (uint8_t)query->wire_length;
    bufs[0] = uv_buf_init((char *)frame, sizeof frame);
    bufs[1] = uv_buf_init((char *)query->wire, (unsigned)query->wire_length);
    if (status == 0)
        status = uv_try_write(&channel->uv.stream, bufs, 2);
    if (status >= 0)
        status = (size_t)status == sizeof frame + query->wire_length
                     ? uv_read_start(&channel->uv.stream, make_room, on_read)
                     : UV_EPIPE;
    if (status != 0)
        dns_query_heard(query, status, NULL, 0);
}

int dns_channel_open(struct dns_query *query, bool stream)
{
    struct dns_channel *channel = calloc(1, sizeof *channel);
    const struct dns_server *server = &query->servers[query->server];
    struct dns *dns = query->dns;
    struct sockaddr_storage storage;
    const struct sockaddr *address = (const struct sockaddr *)&storage;
    int status;

    if (channel == NULL)
        return UV_ENOMEM;
    status = stream ? uv_tcp_init(dns->loop, &channel->uv.tcp)
                    : uv_udp_init(dns->loop, &channel->uv.udp);
    if (status != 0) {
        free(channel);
        return status;
    }
    dns->handles++;
    channel->uv.handle.data = channel->connect.data = channel;
    channel->dns = dns;
    channel->query = query;
    query->channel = channel;
    query->channel_server = query->server;
    /* before it is whole, less than a message; then comes all that one read gives */
    buf_init(&channel->in, 2 * sizeof dns->packet);
    ip_to_sockaddr(&storage, &server->ip, server->port);
    if (stream) {
        status = uv_tcp_connect(&channel->connect, &channel->uv.tcp, address, on_connected);
    } else {
        /* binds to port 0 as well: Linux draws an ephemeral port at random */
        status = uv_udp_connect(&channel->uv.udp, address);
        if (status == 0)
            status = uv_udp_recv_start(&channel->uv.udp, make_room, on_packet);
    }
    if (status != 0)
        dns_channel_close(query);
    return status;
}

int dns_channel_send(struct dns_query *query)
{
    uv_buf_t buf = uv_buf_init((char *)query->wire, (unsigned)query->wire_length);
    int status = uv_udp_try_send(&query->channel->uv.udp, &buf, 1, NULL);

    return status >= 0 || status == UV_EAGAIN || status == UV_ENOBUFS ? 0 : status;
}
