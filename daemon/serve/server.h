/*
 * server: the policy listeners and their connections.
 *
 * A client may send requests without waiting for replies; replies are sent in the order of
 * requests. Each connection has bounds on requests in flight, octets unread and octets unsent.
 * While one is reached, the server does not read from that connection. At the limit of connections
 * the one that has been idle longest is closed, because Postfix reconnects at once when an idle
 * connection is closed; when none is idle, the server stops accepting for a while.
 *
 * DIAGNOSTICS
 *   accept-failed       no descriptor or memory for a connection
 *   not-the-protocol    what a client sent was not its listener's protocol; it is closed
 */
#pragma once

#include <uv.h>

#include "base/histogram.h"
#include "daemon/config/config.h"
#include "daemon/lookup/engine.h"

#define SERVER_PENDING_MAX 128          /* requests in flight per connection */
#define SERVER_TURN_MAX    128          /* requests of one connection before others have a turn */
#define SERVER_OUTPUT_MAX  (128 * 1024) /* octets unsent before we stop reading */
#define SERVER_PARTIAL_MS  15000        /* how long a request may stay incomplete */
#define SERVER_WRITE_MS    30000        /* how long a client may not read */
#define SERVER_QUIET_MS    1000         /* until the first request of a connection */
#define SERVER_YIELD_MS    3000         /* idle this long, it may be closed for another */

/* Why the server closed a connection. */
enum server_closed { SERVER_YIELDED, SERVER_TIMED_OUT, SERVER_NOT_PROTOCOL, SERVER_CLOSED };

struct server_stats {
    uint64_t accepted, not_accepted, closed[SERVER_CLOSED];
    unsigned connections;
    int64_t started_at_s; /* since 1970 */
    /* From a request's arrival to its reply being handed to the kernel: what was known at once, and
     * what had to be looked up. */
    struct histogram at_once, after_lookup;
};

struct server;

/* NULL without memory. All is borrowed. */
struct server *server_new(uv_loop_t *loop, const struct config *config, struct engine *engine);
/* Serves a listening socket from now on; takes the descriptor. 0 or a libuv error. */
int server_add(struct server *server, int take_fd, enum listen_protocol protocol);
/* Accepts no more connections, and closes each when its requests are answered. Then `drained` is
 * called, unless server_close comes first. True when there is nothing to wait for: then `drained`
 * is never called. */
bool server_drain(struct server *server, void (*drained)(void *context), void *context);
/* Closes the connection that has been idle longest, if there is one: its descriptor is needed. */
void server_yield_fd(struct server *server);
/* Closes listeners and connections; frees itself when all handles are closed. */
void server_close(struct server *server);
void server_get_stats(const struct server *server, struct server_stats *out);
