/*
 * dns_channel_uv: the sockets of one query to one resolver: connected UDP, or TCP for one message.
 *
 * Glossary
 *   pool     what the channels of one resolver object share: the loop, the room packets are read
 *            into, the count of open handles
 *   channel  one socket; frees itself when its close callback has run
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "probe/dns/dns.h"
#include "probe/dns/dns_uv.h"
#include "probe/dns/dns_wire.h"

struct dns_pool {
    uv_loop_t *loop;
    unsigned handles;             /* not closed yet, the owner's own ones included */
    void (*emptied)(void *owner); /* each time `handles` gets to zero */
    void *owner;
    char packet[DNS_MESSAGE_MAX + 1];
};

/* Call once per handle initialised; and from its close callback. */
void dns_pool_enter(struct dns_pool *pool);
void dns_pool_leave(struct dns_pool *pool);

/* `status` 0 with one message, borrowed until the call returns; else a libuv error. */
typedef void (*dns_heard)(void *context, int status, const uint8_t *data, size_t length);

/* The resolver, and the callback for what it sends. */
struct dns_peer {
    struct dns_pool *pool;
    const struct dns_server *server; /* borrowed for the call */
    dns_heard heard;
    void *context;
};

struct dns_udp;
/* Opens a socket on a random port. `heard` is called for every packet and error, never from inside
 * a call. 0 or a libuv error. */
int dns_udp_open(struct dns_udp **out, const struct dns_peer *peer);
/* Sends one packet. 0 or a libuv error. A packet that the socket has no room for counts as lost,
 * which is 0. */
int dns_udp_send(struct dns_udp *udp, const uint8_t *data, size_t length);
/* No call of `heard` from here on. NULL is allowed. */
void dns_udp_close(struct dns_udp *udp);

struct dns_tcp;
/* Connects, sends `data` (up to DNS_QUERY_OCTETS_MAX) with its length before it and reads one
 * message; then `heard` is called once. 0 or a libuv error. */
int dns_tcp_open(struct dns_tcp **out, const struct dns_peer *peer, const uint8_t *data,
                 size_t length);
void dns_tcp_close(struct dns_tcp *tcp);
