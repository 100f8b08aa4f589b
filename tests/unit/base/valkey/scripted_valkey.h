/*
 * scripted_valkey: a server on 127.0.0.1, in the test's own loop, that answers each command with the
 * next line of its script, and keeps what it was asked. One connection at a time has the script; a
 * new one begins it again. With `tls` it speaks TLS, by memory BIOs.
 */
#pragma once

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <uv.h>

#include "base/buf.h"
#include "base/check.h"

/* In the place of an answer. */
#define SILENCE "(silence)"
#define HANG_UP "(hang up)"

#define SCRIPTED_HEARD_MAX (16 * 1024 * 1024)

struct scripted {
    uv_tcp_t listener;
    SSL_CTX *tls;         /* borrowed; NULL: in clear */
    const char *greeting; /* sent to a new connection; NULL: nothing */
    const char *retort;   /* the answer to whatever comes, which is not read; NULL: the script */
    size_t retort_length; /* 0: it ends with NUL */
    size_t hang_up_after; /* octets of TLS that a connection is sent; 0: it is not */
    const char *const *script; /* the last answers all that follow */
    uint16_t port;
    unsigned accepted, asked;
    unsigned handshakes, refusals; /* TLS connections that were made, and that failed */
    bool with_certificate;         /* the last one showed a client certificate */
    char sni[256];                 /* of the last one; "": none */
    struct buf heard;              /* the words of all commands, each with a blank */
    struct scripted_peer *peer;
    unsigned at;
};

struct scripted_peer {
    uv_tcp_t tcp;
    struct scripted *server;
    SSL *ssl; /* NULL: in clear */
    BIO *in, *out;
    bool greeted;
    size_t sent; /* octets of TLS */
    struct buf input;
    bool closing;
    char room[4096];
};

static inline void peer_closed(uv_handle_t *handle)
{
    struct scripted_peer *peer = handle->data;

    buf_fini(&peer->input);
    SSL_free(peer->ssl);
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

static inline void peer_write(struct scripted_peer *peer, const void *octets, size_t length)
{
    uv_write_t *request = malloc(sizeof *request);
    uv_buf_t piece = uv_buf_init(malloc(length), (unsigned)length);

    CHECK(request != NULL && piece.base != NULL);
    memcpy(piece.base, octets, length);
    request->data = piece.base;
    CHECK(uv_write(request, (uv_stream_t *)&peer->tcp, &piece, 1, peer_written) == 0);
}

/* Sends what OpenSSL has made. */
static inline void peer_flush(struct scripted_peer *peer)
{
    char octets[16384];
    int length;

    while ((length = BIO_read(peer->out, octets, sizeof octets)) > 0) {
        size_t left = peer->server->hang_up_after - peer->sent;
        bool last = peer->server->hang_up_after > 0 && (size_t)length >= left;

        peer_write(peer, octets, last ? left : (size_t)length);
        peer->sent += (size_t)length;
        if (last) {
            peer_close(peer);
            return;
        }
    }
}

static inline void peer_say(struct scripted_peer *peer, const void *octets, size_t length)
{
    if (peer->ssl == NULL) {
        peer_write(peer, octets, length);
        return;
    }
    CHECK(SSL_write(peer->ssl, octets, (int)length) == (int)length);
    peer_flush(peer);
}

static inline void peer_greet(struct scripted_peer *peer)
{
    struct scripted *server = peer->server;
    const char *sni;

    peer->greeted = true;
    if (peer->ssl != NULL) {
        sni = SSL_get_servername(peer->ssl, TLSEXT_NAMETYPE_host_name);
        snprintf(server->sni, sizeof server->sni, "%s", sni == NULL ? "" : sni);
        server->with_certificate = SSL_get0_peer_certificate(peer->ssl) != NULL;
        server->handshakes++;
    }
    if (server->greeting != NULL)
        peer_say(peer, server->greeting, strlen(server->greeting));
}

/* Takes what came over TLS. False: it failed, and the peer is told. */
static inline bool peer_decrypt(struct scripted_peer *peer, const void *octets, size_t length)
{
    char text[4096];
    int got;

    CHECK(BIO_write(peer->in, octets, (int)length) == (int)length);
    ERR_clear_error();
    while ((got = SSL_read(peer->ssl, text, sizeof text)) > 0)
        buf_add(&peer->input, text, (size_t)got);
    got = SSL_get_error(peer->ssl, got);
    peer_flush(peer);
    if (!peer->greeted && SSL_is_init_finished(peer->ssl))
        peer_greet(peer);
    return peer->closing || got == SSL_ERROR_WANT_READ;
}

static inline void peer_retort(struct scripted_peer *peer)
{
    const char *retort = peer->server->retort;
    size_t length = peer->server->retort_length;

    if (strcmp(retort, HANG_UP) == 0)
        peer_close(peer);
    else if (strcmp(retort, SILENCE) != 0)
        peer_write(peer, retort, length > 0 ? length : strlen(retort));
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
    if (peer->server->retort != NULL) {
        peer_retort(peer);
        return;
    }
    if (peer->ssl == NULL) {
        buf_add(&peer->input, octets->base, (size_t)length);
    } else if (!peer_decrypt(peer, octets->base, (size_t)length)) {
        peer->server->refusals++;
        peer_close(peer);
        return;
    }
    while (!peer->closing && peer_take(peer))
        peer_answer(peer);
}

static inline void peer_begin_tls(struct scripted_peer *peer, SSL_CTX *tls)
{
    peer->ssl = SSL_new(tls);
    peer->in = BIO_new(BIO_s_mem());
    peer->out = BIO_new(BIO_s_mem());
    CHECK(peer->ssl != NULL && peer->in != NULL && peer->out != NULL);
    SSL_set_bio(peer->ssl, peer->in, peer->out);
    SSL_set_accept_state(peer->ssl);
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
    if (server->tls != NULL)
        peer_begin_tls(peer, server->tls);
    else
        peer_greet(peer);
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
