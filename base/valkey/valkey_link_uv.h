/*
 * valkey_link_uv: one connection to one address of a Valkey or Redis server, over hiredis: octets
 * out, replies in, in their order. Nothing is sent of itself: who logs in, and what happens when
 * the connection ends, is for valkey_uv.
 *
 * A connection that takes too long to be made is for the owner to close. So is one that answers no
 * more: valkey_link_waits says since when.
 */
#pragma once

#include <uv.h>

#include "base/net/ip.h"
#include "base/valkey/valkey_reply.h"

struct valkey_tls;
struct valkey_link;

/* Where to connect to; borrowed while valkey_link_open runs. */
struct valkey_address {
    const char *path; /* of a Unix socket; NULL: none */
    struct ip ip;
    uint16_t port;
    const struct valkey_tls *tls; /* NULL: in clear; borrowed for the link's life */
    const char *name; /* that the certificate must be valid for: a host name or an address */
};

/* A request; embedded in its owner, filled by valkey_link_send. */
struct valkey_request;
/* `reply` NULL: the connection ended before there was one. Once, unless the request is cancelled or
 * the link closed first. It may send, cancel, and close the link. */
typedef void (*valkey_done)(struct valkey_request *request, const struct valkey_reply *reply);
struct valkey_request {
    valkey_done done;
    void *context;
    struct valkey_ticket *ticket; /* private; NULL: nothing is awaited */
};

struct valkey_link_events {
    /* It can be written to. What is written waits for the end of a TLS handshake. */
    void (*opened)(void *context);
    /* It ended by itself; every request has had its NULL. `why` is borrowed. Close it then. */
    void (*lost)(void *context, const char *why);
    /* An error came, for whichever request, which gets it next. It must not close the link. */
    void (*refused)(void *context, const struct valkey_reply *error);
};

/* Begins to connect; events come later. 0; UV_ENOMEM; UV_EMFILE or another error of the system. */
int valkey_link_open(struct valkey_link **out, uv_loop_t *loop,
                     const struct valkey_address *address, const struct valkey_link_events *events,
                     void *context);
/* Ends it without a callback: requests are forgotten, and what was sent goes out as far as the system
 * takes it at once. NULL is allowed. */
void valkey_link_close(struct valkey_link *link);
/* The same, but every request has its NULL first; not from inside of a reply. */
void valkey_link_drop(struct valkey_link *link);

/* Sends a command of `count` words; `lengths` NULL: they end with NUL. They are copied. `request`
 * NULL: whatever comes back is dropped. 0 or UV_ENOMEM. */
int valkey_link_send(struct valkey_link *link, struct valkey_request *request, size_t count,
                     const char *const *words, const size_t *lengths, valkey_done done,
                     void *context);
/* Nobody wants the reply any more. Harmless where none is awaited. */
void valkey_request_cancel(struct valkey_request *request);

/* Requests that have no reply yet. */
size_t valkey_link_pending(const struct valkey_link *link);
/* Monotonic ms since which the server owes a reply and has sent none; 0: it owes none. */
int64_t valkey_link_waits(const struct valkey_link *link);
/* TLS has begun, and its handshake is not over. */
bool valkey_link_in_handshake(const struct valkey_link *link);
