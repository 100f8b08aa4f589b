/*
 * smtp_stream_uv: the connection of a probe: a socket, a deadline, replies, and TLS once it has
 * been started. smtp_uv decides what happens in which order.
 *
 * Embedded in its owner. Every event is noted here, then on_event is called; the owner looks at the
 * fields, or calls smtp_stream_hear.
 */
#pragma once

#include <uv.h>

#include "base/buf.h"
#include "base/net/ip.h"
#include "probe/smtp/smtp_reply.h"
#include "probe/tls/tls.h"

struct smtp_stream {
    /* to be read by the owner */
    bool connected, timed_out, closing;
    int lost;                /* libuv error of the connection, UV_EOF too; 0 while it lives */
    struct smtp_reply reply; /* the last one */
    struct tls_session *tls; /* owned; NULL before smtp_stream_start_tls */
    /* private */
    void *owner;
    void (*on_event)(void *owner), (*on_closed)(void *owner);
    uv_tcp_t tcp;
    uv_timer_t timer;
    uv_connect_t connect;
    unsigned open_handles;
    const char *chunk; /* octets just received, only while on_event runs */
    size_t chunk_length;
    struct buf out; /* what the TLS session wants sent */
    char room[16384];
};

enum smtp_heard {
    SMTP_HEARD_NOTHING, /* wait on */
    SMTP_HEARD_REPLY,
    SMTP_HEARD_BAD,   /* no SMTP reply: reply.why */
    SMTP_HEARD_AHEAD, /* a reply, and unsolicited octets after it (never in TLS) */
    SMTP_HEARD_LOST,  /* see lost; 0 if TLS broke */
    SMTP_HEARD_LATE   /* the deadline passed */
};

/* `on_event`: connected, octets, lost or timed out. */
void smtp_stream_init(struct smtp_stream *stream, uv_loop_t *loop, void *owner,
                      void (*on_event)(void *owner), void (*on_closed)(void *owner));
/* Closes both handles, then calls on_closed; no other event follows. May be called twice. */
void smtp_stream_close(struct smtp_stream *stream);
/* Before connecting: the source address. 0 or a libuv error. */
int smtp_stream_bind(struct smtp_stream *stream, const struct ip *ip);
/* 0, then `connected` or `lost` with an event; or a libuv error. */
int smtp_stream_connect(struct smtp_stream *stream, const struct ip *ip, uint16_t port);
/* This side's address of a connection; false when there is none. */
bool smtp_stream_own_address(const struct smtp_stream *stream, struct ip *out);
/* Sets the deadline, `timed_out` anew, in `ms` from now. */
void smtp_stream_deadline(struct smtp_stream *stream, uint64_t ms);
/* Sends one command line, over TLS once it is up, and prepares for its reply. `argument` may be
 * NULL. */
void smtp_stream_command(struct smtp_stream *stream, const char *command, const char *argument);
/* What has arrived since. */
enum smtp_heard smtp_stream_hear(struct smtp_stream *stream);
/* Begins the handshake with `take`; false if that is NULL because there was no memory. Call
 * smtp_stream_handshake at every event. */
bool smtp_stream_start_tls(struct smtp_stream *stream, struct tls_session *take);
enum tls_progress smtp_stream_handshake(struct smtp_stream *stream);
