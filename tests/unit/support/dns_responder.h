/*
 * dns_responder: a scripted DNS server on a loopback address, in the loop of the test, by UDP and
 * TCP. A question that no line of the script names is answered REFUSED and counted.
 */
#pragma once

#include <stdio.h>
#include <strings.h>

#include <uv.h>

#include "probe/dns/dns_uv.h"
#include "tests/unit/support/dns_packet.h"

enum responder_tcp {
    RESPONDER_TCP_ANSWER,
    RESPONDER_TCP_DRIP,  /* one octet per turn of the loop */
    RESPONDER_TCP_CLOSE, /* closes instead of an answer */
    RESPONDER_TCP_SILENT,
    RESPONDER_TCP_HALF, /* half an answer, then closes */
    RESPONDER_TCP_TINY, /* a frame too small for a message */
    RESPONDER_TCP_WRONG_ID,
    RESPONDER_TCP_TRUNCATED /* TC even here */
};

struct responder_line {
    struct packet_spec reply; /* its name and type choose the line */
    unsigned drop;            /* so many questions are left unanswered first */
    bool silent;
    bool wrong_id; /* a packet with another id comes before the answer */
    bool wrong_question;
    bool malformed; /* a record count that lies */
    bool truncate;  /* TC by UDP, the answer by TCP */
    enum responder_tcp tcp;
    unsigned distinct; /* so many more records of A or TLSA, all different, by TCP */
};

#define RESPONDER_ASKED_MAX 1200
#define RESPONDER_LINES_MAX RESPONDER_ASKED_MAX

struct responder {
    uv_loop_t *loop;
    uv_udp_t udp;
    uv_tcp_t tcp;
    uint16_t port;
    const char *address;
    const struct responder_line *lines;
    size_t line_count;
    unsigned dropped[RESPONDER_LINES_MAX]; /* per line */
    unsigned unexpected;
    unsigned count;
    char asked[RESPONDER_ASKED_MAX][320]; /* "A mx.example" */
    uint16_t ports[RESPONDER_ASKED_MAX];  /* the questions came from */
    uint16_t ids[RESPONDER_ASKED_MAX];
    char room[65536];
};

struct responder_connection {
    uv_tcp_t handle;
    uv_write_t write;
    uv_timer_t timer;
    unsigned open;
    struct responder *responder;
    const struct responder_line *line;
    uint8_t in[1024];
    size_t have;
    uint8_t out[65537];
    size_t out_length, sent;
};

static inline const char *responder_type_name(uint16_t type)
{
    static const struct {
        uint16_t type;
        const char *name;
    } names[] = {{1, "A"},    {2, "NS"},    {5, "CNAME"}, {15, "MX"},
                 {16, "TXT"}, {28, "AAAA"}, {52, "TLSA"}};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].type == type)
            return names[i].name;
    return "?";
}

/* Reads the question of `data`; returns the line for it, or NULL. */
static inline const struct responder_line *responder_find(struct responder *responder,
                                                          const uint8_t *data, size_t length,
                                                          uint16_t port, struct packet_spec *spec)
{
    static char name[300];
    ldns_pkt *query = NULL;
    ldns_rr *question;
    char *text;

    CHECK(ldns_wire2pkt(&query, data, length) == LDNS_STATUS_OK);
    question = ldns_rr_list_rr(ldns_pkt_question(query), 0);
    text = ldns_rdf2str(ldns_rr_owner(question));
    snprintf(name, sizeof name, "%s", text);
    if (strlen(name) > 1)
        name[strlen(name) - 1] = '\0';
    free(text);
    *spec = (struct packet_spec){.id = ldns_pkt_id(query),
                                 .rcode = 5,
                                 .name = name,
                                 .type = (uint16_t)ldns_rr_get_type(question)};
    ldns_pkt_free(query);
    CHECK(responder->count < RESPONDER_ASKED_MAX);
    responder->ports[responder->count] = port;
    responder->ids[responder->count] = spec->id;
    snprintf(responder->asked[responder->count++], sizeof responder->asked[0], "%s %s",
             responder_type_name(spec->type), name);
    for (size_t i = 0; i < responder->line_count; i++) {
        const struct responder_line *line = &responder->lines[i];

        if (line->reply.type != spec->type || strcasecmp(line->reply.name, name) != 0)
            continue;
        spec->type = line->reply.type;
        *spec = line->reply;
        spec->id = responder->ids[responder->count - 1];
        return line;
    }
    responder->unexpected++;
    return NULL;
}

static inline void responder_send(struct responder *responder, const struct packet_spec *spec,
                                  const struct sockaddr *to, bool malformed)
{
    static struct packet packet;
    uv_buf_t buf;

    packet_build(&packet, spec);
    if (malformed)
        packet_count(&packet, 1, 900);
    buf = uv_buf_init((char *)packet.data, (unsigned)packet.length);
    CHECK(uv_udp_try_send(&responder->udp, &buf, 1, to) == (int)packet.length);
}

static inline void responder_room(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct responder *responder = handle->data;

    (void)suggested;
    *out = uv_buf_init(responder->room, sizeof responder->room);
}

static inline void responder_on_packet(uv_udp_t *handle, ssize_t length, const uv_buf_t *buf,
                                       const struct sockaddr *from, unsigned flags)
{
    struct responder *responder = handle->data;
    const struct responder_line *line;
    struct packet_spec spec, wrong;

    (void)flags;
    if (length <= 0 || from == NULL)
        return;
    line = responder_find(responder, (const uint8_t *)buf->base, (size_t)length,
                          ntohs(((const struct sockaddr_in *)(const void *)from)->sin_port), &spec);
    if (line == NULL) {
        responder_send(responder, &spec, from, false);
        return;
    }
    if (line->silent || responder->dropped[line - responder->lines]++ < line->drop)
        return;
    wrong = spec;
    if (line->wrong_id) {
        wrong.id++;
        responder_send(responder, &wrong, from, false);
    }
    if (line->wrong_question) {
        wrong = spec;
        wrong.name = "evil.example";
        responder_send(responder, &wrong, from, false);
    }
    if (line->truncate) {
        spec = (struct packet_spec){
            .id = spec.id, .name = spec.name, .type = spec.type, .flags = PACKET_TC};
    }
    responder_send(responder, &spec, from, line->malformed);
}

/* ---- TCP ---- */

static inline void responder_connection_closed(uv_handle_t *handle)
{
    struct responder_connection *connection = handle->data;

    if (--connection->open == 0)
        free(connection);
}

static inline void responder_hang_up(struct responder_connection *connection)
{
    if (uv_is_closing((uv_handle_t *)&connection->handle))
        return;
    uv_close((uv_handle_t *)&connection->handle, responder_connection_closed);
    uv_close((uv_handle_t *)&connection->timer, responder_connection_closed);
}

static inline void responder_drip(uv_timer_t *timer)
{
    struct responder_connection *connection = timer->data;
    uv_buf_t buf = uv_buf_init((char *)connection->out + connection->sent, 1);

    if (connection->sent == connection->out_length ||
        uv_try_write((uv_stream_t *)&connection->handle, &buf, 1) != 1) {
        uv_timer_stop(timer);
        return;
    }
    connection->sent++;
}

static inline void responder_put_distinct(struct packet *packet, uint16_t type, unsigned i)
{
    uint8_t digest[32] = {(uint8_t)(i >> 8), (uint8_t)i};

    packet_put_u16(packet, 0xc00c);
    packet_put_u16(packet, type);
    packet_put_u16(packet, 1);
    packet_put_u32(packet, 300);
    if (type == 1) {
        packet_put_u16(packet, 4);
        packet_put_u32(packet, 0xc0000000u + i);
        return;
    }
    packet_put_u16(packet, 3 + sizeof digest);
    packet_put(packet, "\3\1\1", 3);
    packet_put(packet, digest, sizeof digest);
}

static inline void responder_tcp_compose(struct responder_connection *connection,
                                         const struct packet_spec *given)
{
    static struct packet packet;
    struct packet_spec spec = *given;
    enum responder_tcp mode =
        connection->line == NULL ? RESPONDER_TCP_ANSWER : connection->line->tcp;
    unsigned distinct = connection->line == NULL ? 0 : connection->line->distinct;
    unsigned answers = 0;

    if (mode == RESPONDER_TCP_WRONG_ID)
        spec.id++;
    if (mode == RESPONDER_TCP_TRUNCATED)
        spec.flags |= PACKET_TC;
    packet_build(&packet, &spec);
    while (answers < PACKET_RRS && spec.answer[answers] != NULL)
        answers++;
    for (unsigned i = 0; i < distinct; i++)
        responder_put_distinct(&packet, spec.type, i);
    packet_count(&packet, 1, answers + distinct);
    if (mode == RESPONDER_TCP_TINY)
        packet.length = 5;
    connection->out[0] = (uint8_t)(packet.length >> 8);
    connection->out[1] = (uint8_t)packet.length;
    memcpy(connection->out + 2, packet.data, packet.length);
    connection->out_length = packet.length + 2;
}

static inline void responder_written(uv_write_t *write, int status)
{
    struct responder_connection *connection = write->data;

    (void)status;
    if (connection->line != NULL && connection->line->tcp == RESPONDER_TCP_HALF)
        responder_hang_up(connection);
}

static inline void responder_tcp_reply(struct responder_connection *connection)
{
    enum responder_tcp mode;
    struct packet_spec spec;
    uv_buf_t buf;

    connection->line =
        responder_find(connection->responder, connection->in + 2, connection->have - 2, 0, &spec);
    mode = connection->line == NULL ? RESPONDER_TCP_ANSWER : connection->line->tcp;
    if (mode == RESPONDER_TCP_SILENT)
        return;
    if (mode == RESPONDER_TCP_CLOSE) {
        responder_hang_up(connection);
        return;
    }
    responder_tcp_compose(connection, &spec);
    if (mode == RESPONDER_TCP_DRIP) {
        uv_timer_start(&connection->timer, responder_drip, 0, 1);
        return;
    }
    buf = uv_buf_init((char *)connection->out, (unsigned)connection->out_length);
    if (mode == RESPONDER_TCP_HALF)
        buf.len /= 2;
    CHECK(uv_write(&connection->write, (uv_stream_t *)&connection->handle, &buf, 1,
                   responder_written) == 0);
}

static inline void responder_tcp_room(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct responder_connection *connection = handle->data;

    (void)suggested;
    *out = uv_buf_init((char *)connection->in + connection->have,
                       (unsigned)(sizeof connection->in - connection->have));
}

static inline void responder_tcp_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buf)
{
    struct responder_connection *connection = stream->data;

    (void)buf;
    if (length < 0) {
        responder_hang_up(connection);
        return;
    }
    connection->have += (size_t)length;
    if (connection->have >= 2 &&
        connection->have == 2 + (size_t)(connection->in[0] << 8 | connection->in[1]))
        responder_tcp_reply(connection);
}

static inline void responder_on_connection(uv_stream_t *server, int status)
{
    struct responder_connection *connection = calloc(1, sizeof *connection);

    CHECK(status == 0 && connection != NULL);
    connection->responder = server->data;
    connection->handle.data = connection->timer.data = connection->write.data = connection;
    uv_tcp_init(server->loop, &connection->handle);
    uv_timer_init(server->loop, &connection->timer);
    connection->open = 2;
    CHECK(uv_accept(server, (uv_stream_t *)&connection->handle) == 0);
    CHECK(uv_read_start((uv_stream_t *)&connection->handle, responder_tcp_room,
                        responder_tcp_read) == 0);
}

/* ---- the whole ---- */

static inline int responder_fill(const char *address, uint16_t port, struct sockaddr_storage *out)
{
    if (strchr(address, ':') != NULL)
        return uv_ip6_addr(address, port, (struct sockaddr_in6 *)(void *)out);
    return uv_ip4_addr(address, port, (struct sockaddr_in *)(void *)out);
}

static inline bool responder_bind(struct responder *responder)
{
    struct sockaddr_storage address;
    struct sockaddr_storage got;
    int length = sizeof got;

    responder_fill(responder->address, responder->port, &address);
    if (uv_udp_bind(&responder->udp, (struct sockaddr *)&address, 0) != 0)
        return false;
    uv_udp_getsockname(&responder->udp, (struct sockaddr *)&got, &length);
    responder->port = ntohs(((struct sockaddr_in *)(void *)&got)->sin_port);
    responder_fill(responder->address, responder->port, &address);
    return uv_tcp_bind(&responder->tcp, (struct sockaddr *)&address, 0) == 0 &&
           uv_listen((uv_stream_t *)&responder->tcp, 8, responder_on_connection) == 0;
}

static inline void responder_stop(struct responder *responder)
{
    if (!uv_is_closing((uv_handle_t *)&responder->udp))
        uv_close((uv_handle_t *)&responder->udp, NULL);
    if (!uv_is_closing((uv_handle_t *)&responder->tcp))
        uv_close((uv_handle_t *)&responder->tcp, NULL);
}

/* At a certain port, or any when that is 0. False when it cannot be had. */
static inline bool responder_start_at(struct responder *responder, uv_loop_t *loop,
                                      const char *address, uint16_t port,
                                      const struct responder_line *lines, size_t line_count)
{
    for (unsigned attempt = 0; attempt < 20; attempt++) {
        memset(responder, 0, sizeof *responder);
        responder->loop = loop;
        responder->address = address;
        responder->lines = lines;
        responder->line_count = line_count;
        responder->port = port;
        uv_udp_init(loop, &responder->udp);
        uv_tcp_init(loop, &responder->tcp);
        responder->udp.data = responder->tcp.data = responder;
        if (responder_bind(responder))
            break;
        responder_stop(responder); /* the TCP port of the same number may be taken */
        uv_run(loop, UV_RUN_NOWAIT);
        responder->port = 0;
    }
    if (responder->port == 0)
        return false;
    return uv_udp_recv_start(&responder->udp, responder_room, responder_on_packet) == 0;
}

/* False when the address cannot be had (a machine without IPv6). */
static inline bool responder_start(struct responder *responder, uv_loop_t *loop,
                                   const char *address, const struct responder_line *lines,
                                   size_t line_count)
{
    return responder_start_at(responder, loop, address, 0, lines, line_count);
}

static inline struct dns_server responder_server(const struct responder *responder)
{
    struct dns_server server = {.port = responder->port};

    CHECK(ip_parse(&server.ip, responder->address));
    return server;
}
