/*
 * scripted_smtp: an SMTP server that follows a script, in the test's own loop, on 127.0.0.0/8.
 *
 * It closes each connection when the client does; whatever the client said stands in `heard`.
 */
#pragma once

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <uv.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/net/address_filter.h"
#include "tests/unit/support/certs.h"

#define MX "mx.example.test"

/* What every probe in a test needs; its server's certificate is for MX and by `root`. */
struct ground {
    struct tls_context *context;
    struct cert root, leaf;
    SSL_CTX *tls;
    struct ip_prefix loopback;
    struct address_filter filter;
};

static struct ground ground;

static inline void ground_set_up(void)
{
    static const struct cert_name names[] = {{GEN_DNS, MX, 0}, {0, NULL, 0}};

    signal(SIGPIPE, SIG_IGN); /* libuv writes to closed sockets without MSG_NOSIGNAL */
    ground.root = cert_make(&(struct cert_spec){.cn = "Root", .ca = true});
    ground.leaf = cert_make(&(struct cert_spec){.cn = MX, .names = names, .issuer = &ground.root});
    ground.tls = cert_server(&ground.leaf, NULL);
    ground.context = cert_context(&ground.root);
    CHECK(ip_prefix_parse(&ground.loopback, "127.0.0.0/8"));
    ground.filter.allowed = &ground.loopback;
    ground.filter.allowed_count = 1;
}

static inline void ground_tear_down(void)
{
    tls_context_free(ground.context);
    SSL_CTX_free(ground.tls);
    cert_free(&ground.root);
    cert_free(&ground.leaf);
}

/* No further descriptor can be opened until descriptors_back. */
static inline void descriptors_out(struct rlimit *before)
{
    struct rlimit none;
    int lowest = dup(0);

    close(lowest);
    getrlimit(RLIMIT_NOFILE, before);
    none = *before;
    none.rlim_cur = (rlim_t)lowest;
    setrlimit(RLIMIT_NOFILE, &none);
}

static inline void descriptors_back(const struct rlimit *before)
{
    setrlimit(RLIMIT_NOFILE, before);
}

enum act {
    ACT_LISTEN,  /* note lines until the client closes; ends every script */
    ACT_SAY,     /* send text, in TLS once there is TLS */
    ACT_DRIP,    /* send text, an octet a millisecond */
    ACT_HEAR,    /* wait for a line */
    ACT_ANY,     /* wait for any octet */
    ACT_TLS,     /* shake hands */
    ACT_STALL,   /* do nothing more */
    ACT_GATE,    /* wait until the server's gate is open */
    ACT_NOTIFY,  /* end TLS, and leave the connection open */
    ACT_HANG_UP, /* close */
};

struct line {
    enum act act;
    const char *text;
};

struct server {
    uv_tcp_t listener;
    SSL_CTX *tls; /* borrowed */
    const struct line *script;
    uint16_t port;
    unsigned accepted, open, open_max;
    unsigned *all_open, *all_open_max; /* counted over several servers, may be NULL */
    void (*on_accept)(struct server *server);
    bool (*gate)(void *context); /* of ACT_GATE: whether it is open */
    void *gate_context;
    struct buf heard;
    char sni[256];
    char client[64]; /* address it came from, the last one */
};

struct peer {
    uv_tcp_t tcp;
    uv_timer_t timer;
    unsigned handles;
    bool closing, shaken;
    struct server *server;
    const struct line *at;
    size_t dripped;
    struct buf input;
    SSL *ssl;
    BIO *in, *out;
    char room[4096];
};

static inline void peer_run(struct peer *peer);

static inline void peer_on_closed(uv_handle_t *handle)
{
    struct peer *peer = (struct peer *)handle->data;

    if (--peer->handles > 0)
        return;
    buf_fini(&peer->input);
    SSL_free(peer->ssl);
    free(peer);
}

static inline void peer_close(struct peer *peer)
{
    if (peer->closing)
        return;
    peer->closing = true;
    peer->server->open--;
    if (peer->server->all_open != NULL)
        --*peer->server->all_open;
    uv_close((uv_handle_t *)&peer->tcp, peer_on_closed);
    uv_close((uv_handle_t *)&peer->timer, peer_on_closed);
}

static inline void peer_on_written(uv_write_t *request, int status)
{
    (void)status;
    free(request);
}

static inline void peer_write(struct peer *peer, const void *data, size_t length)
{
    uv_write_t *request = malloc(sizeof *request + length);
    uv_buf_t buf;

    CHECK(request != NULL);
    memcpy(request + 1, data, length);
    buf = uv_buf_init((char *)(request + 1), (unsigned)length);
    if (uv_write(request, (uv_stream_t *)&peer->tcp, &buf, 1, peer_on_written) != 0)
        free(request);
}

static inline void peer_flush(struct peer *peer)
{
    char data[16384];
    int count;

    while ((count = BIO_read(peer->out, data, sizeof data)) > 0)
        peer_write(peer, data, (size_t)count);
}

static inline void peer_say(struct peer *peer, const char *text, size_t length)
{
    if (!peer->shaken) {
        peer_write(peer, text, length);
        return;
    }
    SSL_write(peer->ssl, text, (int)length);
    peer_flush(peer);
}

static inline void peer_on_drip(uv_timer_t *timer)
{
    struct peer *peer = (struct peer *)timer->data;

    peer_say(peer, peer->at->text + peer->dripped, 1);
    if (peer->at->text[++peer->dripped] != '\0')
        return;
    uv_timer_stop(timer);
    peer->dripped = 0;
    peer->at++;
    peer_run(peer);
}

static inline void peer_on_gate(uv_timer_t *timer)
{
    struct peer *peer = (struct peer *)timer->data;

    if (!peer->server->gate(peer->server->gate_context))
        return;
    uv_timer_stop(timer);
    peer->at++;
    peer_run(peer);
}

/* Takes a line out of the input into `heard`; false when there is none yet. */
static inline bool peer_hear(struct peer *peer)
{
    const char *text = buf_text(&peer->input), *end = strchr(text, '\n');
    size_t length = end == NULL ? 0 : (size_t)(end - text) + 1;

    buf_add(&peer->server->heard, text, length);
    buf_consume(&peer->input, length);
    return end != NULL;
}

/* Decrypts what has come. */
static inline void peer_decrypt(struct peer *peer)
{
    char plain[4096];
    int length;

    while ((length = SSL_read(peer->ssl, plain, sizeof plain)) > 0)
        buf_add(&peer->input, plain, (size_t)length);
    peer_flush(peer);
}

static inline bool peer_shake(struct peer *peer)
{
    const char *name;
    int result;

    if (peer->ssl == NULL) {
        peer->ssl = SSL_new(peer->server->tls);
        peer->in = BIO_new(BIO_s_mem());
        peer->out = BIO_new(BIO_s_mem());
        SSL_set_bio(peer->ssl, peer->in, peer->out);
        SSL_set_accept_state(peer->ssl);
    }
    BIO_write(peer->in, buf_text(&peer->input), (int)peer->input.length);
    buf_clear(&peer->input);
    result = SSL_do_handshake(peer->ssl);
    peer_flush(peer);
    if (result != 1)
        return false;
    peer->shaken = true;
    name = SSL_get_servername(peer->ssl, TLSEXT_NAMETYPE_host_name);
    snprintf(peer->server->sni, sizeof peer->server->sni, "%s", name == NULL ? "" : name);
    buf_adds(&peer->server->heard, "<TLS>");
    peer_decrypt(peer);
    return true;
}

/* One step of the script; false when there is nothing to do but wait. */
static inline bool peer_step(struct peer *peer)
{
    switch (peer->at->act) {
    case ACT_LISTEN:
        while (peer_hear(peer))
            continue;
        return false;
    case ACT_SAY:
        peer_say(peer, peer->at->text, strlen(peer->at->text));
        return true;
    case ACT_DRIP:
        if (!uv_is_active((uv_handle_t *)&peer->timer))
            uv_timer_start(&peer->timer, peer_on_drip, 1, 1);
        return false;
    case ACT_HEAR:
        return peer_hear(peer);
    case ACT_ANY:
        return peer->input.length > 0;
    case ACT_TLS:
        return peer_shake(peer);
    case ACT_STALL:
        return false;
    case ACT_GATE:
        if (!uv_is_active((uv_handle_t *)&peer->timer))
            uv_timer_start(&peer->timer, peer_on_gate, 1, 1);
        return false;
    case ACT_NOTIFY:
        SSL_shutdown(peer->ssl);
        peer_flush(peer);
        return true;
    case ACT_HANG_UP:
        peer_close(peer);
        return false;
    }
    return false;
}

static inline void peer_run(struct peer *peer)
{
    while (!peer->closing && peer_step(peer))
        peer->at++;
}

static inline void peer_on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct peer *peer = (struct peer *)handle->data;

    (void)suggested;
    *buf = uv_buf_init(peer->room, sizeof peer->room);
}

static inline void peer_on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buf)
{
    struct peer *peer = (struct peer *)stream->data;

    if (count < 0) {
        peer_close(peer);
        return;
    }
    if (!peer->shaken) {
        buf_add(&peer->input, buf->base, (size_t)count);
    } else {
        BIO_write(peer->in, buf->base, (int)count);
        peer_decrypt(peer);
    }
    peer_run(peer);
}

static inline void server_note_client(struct server *server, const uv_tcp_t *tcp)
{
    struct sockaddr_storage name;
    int length = sizeof name;

    CHECK(uv_tcp_getpeername(tcp, (struct sockaddr *)&name, &length) == 0);
    CHECK(uv_ip_name((struct sockaddr *)&name, server->client, sizeof server->client) == 0);
}

static inline void server_on_connection(uv_stream_t *listener, int status)
{
    struct server *server = (struct server *)listener->data;
    struct peer *peer = calloc(1, sizeof *peer);

    CHECK(status == 0 && peer != NULL);
    uv_tcp_init(listener->loop, &peer->tcp);
    uv_timer_init(listener->loop, &peer->timer);
    peer->handles = 2;
    peer->tcp.data = peer->timer.data = peer;
    peer->server = server;
    peer->at = server->script;
    buf_init(&peer->input, 1 << 20);
    server->accepted++;
    if (++server->open > server->open_max)
        server->open_max = server->open;
    if (server->all_open != NULL && ++*server->all_open > *server->all_open_max)
        *server->all_open_max = *server->all_open;
    CHECK(uv_accept(listener, (uv_stream_t *)&peer->tcp) == 0);
    server_note_client(server, &peer->tcp);
    uv_tcp_nodelay(&peer->tcp, 1);
    CHECK(uv_read_start((uv_stream_t *)&peer->tcp, peer_on_room, peer_on_read) == 0);
    if (server->on_accept != NULL)
        server->on_accept(server);
    peer_run(peer);
}

/* Listens on `address`, at a free port when `port` is 0. The rest of *server is the caller's. */
static inline void server_open(struct server *server, uv_loop_t *loop, const char *address,
                               uint16_t port)
{
    struct sockaddr_in6 name; /* an IPv4 one has its port in the same place */
    int length = sizeof name;

    buf_init(&server->heard, 1 << 20);
    CHECK(uv_ip4_addr(address, port, (struct sockaddr_in *)&name) == 0 ||
          uv_ip6_addr(address, port, &name) == 0);
    CHECK(uv_tcp_init(loop, &server->listener) == 0);
    server->listener.data = server;
    CHECK(uv_tcp_bind(&server->listener, (struct sockaddr *)&name, 0) == 0);
    CHECK(uv_listen((uv_stream_t *)&server->listener, 128, server_on_connection) == 0);
    CHECK(uv_tcp_getsockname(&server->listener, (struct sockaddr *)&name, &length) == 0);
    server->port = ntohs(name.sin6_port);
}

static inline void server_close(struct server *server)
{
    if (!uv_is_closing((uv_handle_t *)&server->listener))
        uv_close((uv_handle_t *)&server->listener, NULL);
}
