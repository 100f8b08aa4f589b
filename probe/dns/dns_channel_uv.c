/*
 * dns_channel_uv: a socket to one resolver: connected UDP, or TCP for one message, with a length of
 * two octets before each message (RFC 1035 §4.2.2). A channel has no deadline: the queries on it
 * have one each. It frees itself when its close callback has run.
 *
 * A UDP socket is one query's, unless dns_options say how many questions it may serve. Then there is
 * one at a time that takes all new questions; when it has taken its number the next question opens
 * another, and the old one stays until its last answer is there. Answers are told apart by their
 * ids, which differ on a socket, and count for the question only.
 */
#include <stdlib.h>
#include <sys/random.h>

#include "base/buf.h"
#include "probe/dns/dns_query_uv.h"

#define FRAME_OCTETS       2
#define MESSAGE_OCTETS_MIN 12
#define SHARED_BUCKETS     64 /* of the queries of a shared socket */
/* Octets for answers that wait to be read, if the system allows so many: some 200 of the size that
 * most have find room in what it gives by itself. */
#define SHARED_RECEIVE 1048576

struct dns_channel {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_udp_t udp;
    } uv;
    uv_connect_t connect;
    struct dns *dns;
    struct dns_server server;
    struct buf in;    /* TCP: what came so far */
    int broken;       /* UDP: a libuv error of the socket; else 0 */
    unsigned taken;   /* questions so far */
    unsigned waiting; /* queries on it */
    unsigned bucket_count;
    struct list buckets[]; /* of dns_query.on_channel, by id */
};

static bool is_shared(const struct dns_channel *channel)
{
    return channel->bucket_count > 1;
}

static struct list *bucket_of(struct dns_channel *channel, uint16_t id)
{
    return &channel->buckets[id % channel->bucket_count];
}

/* The query with that id; on a socket of its own any id is that query's to judge. */
static struct dns_query *find_query(struct dns_channel *channel, uint16_t id)
{
    struct list *bucket = bucket_of(channel, id);

    for (struct list *at = bucket->next; at != bucket; at = at->next) {
        struct dns_query *query = LIST_ELEMENT(at, struct dns_query, on_channel);

        if (query->id == id || !is_shared(channel))
            return query;
    }
    return NULL;
}

/* Any of them; NULL when there is none. */
static struct dns_query *first_query(struct dns_channel *channel)
{
    for (unsigned i = 0; channel->waiting > 0 && i < channel->bucket_count; i++)
        if (!list_empty(&channel->buckets[i]))
            return LIST_ELEMENT(channel->buckets[i].next, struct dns_query, on_channel);
    return NULL;
}

/* ---- the end ---- */

static void on_channel_closed(uv_handle_t *handle)
{
    struct dns_channel *channel = handle->data;
    struct dns *dns = channel->dns;
    struct dns_query *query;

    while ((query = first_query(channel)) != NULL) /* what it asks next goes elsewhere */
        dns_query_heard(query, channel->broken, NULL, 0);
    buf_fini(&channel->in);
    free(channel);
    dns_handle_closed(dns);
}

/* Closes a socket that no query is on and no question will be. */
static void close_if_unused(struct dns_channel *channel)
{
    if (channel->waiting == 0 && channel != channel->dns->shared &&
        !uv_is_closing(&channel->uv.handle))
        uv_close(&channel->uv.handle, on_channel_closed);
}

void dns_channel_retire(struct dns *dns)
{
    struct dns_channel *channel = dns->shared;

    dns->shared = NULL;
    if (channel != NULL)
        close_if_unused(channel);
}

void dns_channel_close(struct dns_query *query)
{
    struct dns_channel *channel = query->channel;

    if (channel == NULL)
        return;
    query->channel = NULL;
    list_remove(&query->on_channel);
    channel->waiting--;
    close_if_unused(channel);
}

/* The socket does not work, and its queries will hear of it: one may be on the stack. */
static void channel_fail(struct dns_channel *channel, int status)
{
    channel->broken = status;
    if (channel->dns->shared == channel)
        channel->dns->shared = NULL;
    if (!uv_is_closing(&channel->uv.handle))
        uv_close(&channel->uv.handle, on_channel_closed);
}

/* ---- what comes ---- */

static void make_room(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct dns_channel *channel = handle->data;
    struct dns *dns = channel->dns;

    (void)suggested;
    *out = is_shared(channel) ? uv_buf_init(dns->packets, DNS_PACKETS * DNS_PACKET_MAX)
                              : uv_buf_init(dns->packet, sizeof dns->packet);
}

static void on_packet(uv_udp_t *udp, ssize_t count, const uv_buf_t *buf,
                      const struct sockaddr *from, unsigned flags)
{
    struct dns_channel *channel = udp->data;
    const uint8_t *data = (const uint8_t *)buf->base;
    uint16_t id = 0;
    struct dns_query *query;

    (void)flags;
    if (channel->waiting == 0 || (count == 0 && from == NULL)) /* there is no more to read */
        return;
    if (count < 0) {
        channel_fail(channel, (int)count);
        return;
    }
    if (count >= 2)
        id = (uint16_t)(data[0] << 8 | data[1]);
    query = find_query(channel, id);
    if (query != NULL)
        dns_query_heard(query, 0, data, (size_t)count);
    else
        channel->dns->stats.mismatches++;
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buf)
{
    struct dns_channel *channel = stream->data;
    struct dns_query *query = first_query(channel);
    const uint8_t *in;
    size_t length;

    if (count <= 0) {
        if (count < 0)
            dns_query_heard(query, (int)count, NULL, 0);
        return;
    }
    buf_add(&channel->in, buf->base, (size_t)count);
    if (channel->in.failed) {
        dns_query_heard(query, UV_ENOMEM, NULL, 0);
        return;
    }
    if (channel->in.length < FRAME_OCTETS)
        return;
    in = (const uint8_t *)channel->in.data;
    length = (size_t)in[0] << 8 | in[1];
    if (length < MESSAGE_OCTETS_MIN)
        dns_query_heard(query, UV_EPROTO, NULL, 0);
    else if (channel->in.length - FRAME_OCTETS >= length)
        dns_query_heard(query, 0, in + FRAME_OCTETS, length);
}

/* A query always fits a new connection: what is not written at once is an error. */
static void on_connected(uv_connect_t *connect, int status)
{
    struct dns_channel *channel = connect->data;
    struct dns_query *query = first_query(channel);
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

/* ---- the beginning ---- */

static void join(struct dns_channel *channel, struct dns_query *query)
{
    while (is_shared(channel) && find_query(channel, query->id) != NULL)
        dns_query_set_id(query, (uint16_t)(query->id + 1));
    query->channel = channel;
    query->channel_server = query->server;
    list_append(bucket_of(channel, query->id), &query->on_channel);
    channel->waiting++;
    channel->taken++;
}

/* A channel that is not connected yet. 0 or a libuv error. */
static int channel_new(struct dns_channel **out, struct dns *dns, const struct dns_server *server,
                       bool stream, bool shared)
{
    unsigned bucket_count = shared ? SHARED_BUCKETS : 1;
    struct dns_channel *channel =
        calloc(1, sizeof *channel + bucket_count * sizeof channel->buckets[0]);
    int status;

    if (channel == NULL)
        return UV_ENOMEM;
    status = stream ? uv_tcp_init(dns->loop, &channel->uv.tcp)
                    : uv_udp_init_ex(dns->loop, &channel->uv.udp,
                                     AF_UNSPEC | (shared ? UV_UDP_RECVMMSG : 0));
    if (status != 0) {
        free(channel);
        return status;
    }
    dns->handles++;
    channel->uv.handle.data = channel->connect.data = channel;
    channel->dns = dns;
    channel->server = *server;
    channel->bucket_count = bucket_count;
    for (unsigned i = 0; i < bucket_count; i++)
        list_init(&channel->buckets[i]);
    /* before it is whole, less than a message; then comes all that one read gives */
    buf_init(&channel->in, 2 * sizeof dns->packet);
    *out = channel;
    return 0;
}

static int channel_connect(struct dns_channel *channel, bool stream)
{
    struct sockaddr_storage storage;
    const struct sockaddr *address = (const struct sockaddr *)&storage;
    int status;

    ip_to_sockaddr(&storage, &channel->server.ip, channel->server.port);
    if (stream)
        return uv_tcp_connect(&channel->connect, &channel->uv.tcp, address, on_connected);
    /* binds to port 0 as well: Linux draws an ephemeral port at random */
    status = uv_udp_connect(&channel->uv.udp, address);
    return status == 0 ? uv_udp_recv_start(&channel->uv.udp, make_room, on_packet) : status;
}

/* Whether the next question to this server may go out on the socket that is shared now. */
static bool takes_another(const struct dns *dns, const struct dns_server *server)
{
    const struct dns_channel *channel = dns->shared;

    return channel != NULL && channel->taken < dns->options.questions_per_socket &&
           channel->server.port == server->port && ip_equal(&channel->server.ip, &server->ip);
}

int dns_channel_open(struct dns_query *query, bool stream)
{
    const struct dns_server *server = &query->servers[query->server];
    struct dns *dns = query->dns;
    bool shared = !stream && dns->options.questions_per_socket > 1;
    struct dns_channel *channel;
    int status;

    if (shared && takes_another(dns, server)) {
        join(dns->shared, query);
        return 0;
    }
    status = channel_new(&channel, dns, server, stream, shared);
    if (status != 0)
        return status;
    join(channel, query);
    status = channel_connect(channel, stream);
    if (status != 0) {
        dns_channel_close(query);
        return status;
    }
    if (shared) {
        dns_channel_retire(dns);
        dns->shared = channel;
        uv_recv_buffer_size(&channel->uv.handle, &(int){SHARED_RECEIVE});
        uv_unref(&channel->uv.handle); /* it may be idle: what waits for it has timers */
    }
    return 0;
}

int dns_channel_send(struct dns_query *query)
{
    struct dns_channel *channel = query->channel;
    uv_buf_t buf = uv_buf_init((char *)query->wire, (unsigned)query->wire_length);
    int status = channel->broken;

    if (status == 0)
        status = uv_udp_try_send(&channel->uv.udp, &buf, 1, NULL);
    if (status >= 0 || status == UV_EAGAIN || status == UV_ENOBUFS)
        return 0;
    /* it may be the answer to another's question: that one must hear of it as well */
    channel_fail(channel, status);
    return status;
}
