/*
 * scripted_valkey: a server on 127.0.0.1, in the test's own loop, that answers each command with the
 * next line of its script, and keeps what it was asked. One connection at a time has the script; a
 * new one begins it again.
 */
#pragma once

#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "base/buf.h"
#include "base/check.h"

/* In the place of an answer. */
#define SILENCE "(silence)"
#define HANG_UP "(hang up)"

#define SCRIPTED_HEARD_MAX (1024 * 1024)

struct scripted {
    uv_tcp_t listener;
    const char *greeting;      /* sent to a new connection; NULL: nothing */
    const char *const *script; /* the last answers all that follow */
    uint16_t port;
    unsigned accepted, asked;
    struct buf heard; /* the words of all commands, each with a blank */
    struct scripted_peer *peer;
    unsigned at;
};

struct scripted_peer {
    uv_tcp_t tcp;
    struct scripted *server;
    struct buf input;
    bool closing;
    char room[4096];
};

static inline void peer_closed(uv_handle_t *handle)
{
    struct scripted_peer *peer = handle->data;

    buf_fini(&peer->input);
    free(peer);
}

static inline void peer_close(struct scripted_peer *peer)
{
    if (peer->closing)
        return;
    peer->closing = true;
    if (peer->server->peer == peer)
        peer->server->peer = NULL;
    uv_close((uv_handle_t *)&peer->tcp, peer_closed);
}

static inline void peer_written(uv_write_t *request, int status)
{
    (void)status;
    free(request->data);
    free(request);
}

static inline void peer_say(struct scripted_peer *peer, const void *octets, size_t length)
{
    uv_write_t *request = malloc(sizeof *request);
    uv_buf_t piece = uv_buf_init(malloc(length), (unsigned)length);

    CHECK(request != NULL && piece.base != NULL);
    memcpy(piece.base, octets, length);
    request->data = piece.base;
    CHECK(uv_write(request, (uv_stream_t *)&peer->tcp, &piece, 1, peer_written) == 0);
}

static inline void peer_answer(struct scripted_peer *peer)
{
    struct scripted *server = peer->server;
    const char *answer = server->script[server->at];

    server->asked++;
    if (server->script[server->at + 1] != NULL)
        server->at++;
    if (strcmp(answer, HANG_UP) == 0)
        peer_close(peer);
    else if (strcmp(answer, SILENCE) != 0)
        peer_say(peer, answer, strlen(answer));
}

/* Takes a number and its line end off the text at *at; false while it is not whole. */
static inline bool take_size(const char **at, const char *end, char kind, size_t *out)
{
    const char *line = memchr(*at, '\n', (size_t)(end - *at));

    if (line == NULL)
        return false;
    CHECK(**at == kind);
    *out = strtoul(*at + 1, NULL, 10);
    *at = line + 1;
    return true;
}

/* Takes one command off the input. */
static inline bool peer_take(struct scripted_peer *peer)
{
    const char *start = (const char *)peer->input.data, *at = start;
    const char *end = start + peer->input.length;
    struct buf words;
    size_t count, length;

    if (at == end || !take_size(&at, end, '*', &count))
        return false;
    buf_init(&words, SCRIPTED_HEARD_MAX);
    for (; count > 0; count--) {
        if (at >= end || !take_size(&at, end, '$', &length) || at + length + 2 > end) {
            buf_fini(&words);
            return false;
        }
        buf_add(&words, at, length);
        buf_adds(&words, " ");
        at += length + 2;
    }
    buf_add(&peer->server->heard, words.data, words.length);
    buf_fini(&words);
    buf_consume(&peer->input, (size_t)(at - start));
    return true;
}

static inline void peer_room(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct scripted_peer *peer = handle->data;

    (void)suggested;
    *out = uv_buf_init(peer->room, sizeof peer->room);
}

static inline void peer_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *octets)
{
    struct scripted_peer *peer = stream->data;

    if (length < 0) {
        peer_close(peer);
        return;
    }
    buf_add(&peer->input, octets->base, (size_t)length);
    while (!peer->closing && peer_take(peer))
        peer_answer(peer);
}

static inline void scripted_accept(uv_stream_t *listener, int status)
{
    struct scripted *server = listener->data;
    struct scripted_peer *peer = calloc(1, sizeof *peer);

    CHECK(status == 0 && peer != NULL);
    peer->server = server;
    buf_init(&peer->input, SCRIPTED_HEARD_MAX);
    CHECK(uv_tcp_init(listener->loop, &peer->tcp) == 0);
    peer->tcp.data = peer;
    CHECK(uv_accept(listener, (uv_stream_t *)&peer->tcp) == 0);
    CHECK(uv_tcp_nodelay(&peer->tcp, 1) == 0); /* as servers have it */
    server->peer = peer;
    server->at = 0;
    server->accepted++;
    CHECK(uv_read_start((uv_stream_t *)&peer->tcp, peer_room, peer_read) == 0);
    if (server->greeting != NULL)
        peer_say(peer, server->greeting, strlen(server->greeting));
}

/* `port` 0: any. */
static inline void scripted_start(struct scripted *server, uv_loop_t *loop, uint16_t port,
                                  const char *const *script)
{
    struct sockaddr_in name;
    int length = sizeof name;

    *server = (struct scripted){.script = script};
    buf_init(&server->heard, SCRIPTED_HEARD_MAX);
    CHECK(uv_ip4_addr("127.0.0.1", port, &name) == 0);
    CHECK(uv_tcp_init(loop, &server->listener) == 0);
    server->listener.data = server;
    CHECK(uv_tcp_bind(&server->listener, (const struct sockaddr *)&name, 0) == 0);
    CHECK(uv_listen((uv_stream_t *)&server->listener, 16, scripted_accept) == 0);
    CHECK(uv_tcp_getsockname(&server->listener, (struct sockaddr *)&name, &length) == 0);
    server->port = ntohs(name.sin_port);
}

/* The server is to be freed once the loop is empty. */
static inline void scripted_stop(struct scripted *server)
{
    if (server->peer != NULL)
        peer_close(server->peer);
    if (!uv_is_closing((uv_handle_t *)&server->listener))
        uv_close((uv_handle_t *)&server->listener, NULL);
    buf_fini(&server->heard);
}
