/*
 * server: the policy listeners and their connections.
 *
 * A client may send requests without waiting for replies; replies are sent in the order of
 * requests. Each connection has limits on requests in flight, octets unread and octets unsent.
 * While one of them is reached, the server does not read from that connection. At the connection
 * limit the server closes the connection that has been idle longest, because Postfix reconnects at
 * once after that; when none is idle, it stops accepting for a while.
 *
 * DIAGNOSTICS
 *   accept-failed       no descriptor or memory for a connection
 *   not-the-protocol    a client did not speak its listener's protocol; it is disconnected
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
#define SERVER_WRITE_MS    30000        /* how long a client may leave replies unread */
#define SERVER_QUIET_MS    1000         /* until the first request of a connection */
#define SERVER_YIELD_MS    3000         /* idle this long, a connection may make way for another */

/* Why the server closed a connection. */
enum server_closed { SERVER_YIELDED, SERVER_TIMED_OUT, SERVER_NOT_PROTOCOL, SERVER_CLOSED };

struct server_stats {
    uint64_t accepted, not_accepted, closed[SERVER_CLOSED];
    unsigned connections;
    int64_t started_at_s; /* since 1970 */
    /* From a request's arrival until its reply is handed to the kernel: replies known at once, and
     * replies that needed a lookup. */
    struct histogram at_once, after_lookup;
};

struct server;

/* NULL without memory. All arguments are borrowed. */
struct server *server_new(uv_loop_t *loop, const struct config *config, struct engine *engine);
/* Starts serving a listening socket; takes ownership of the descriptor. 0 or a libuv error. */
int server_add(struct server *server, int take_fd, enum listen_protocol protocol);
/* Stops accepting connections and closes each one when its requests have been answered. Then calls
 * `drained`, unless server_close comes first. Returns true if there is nothing to wait for;
 * `drained` is then never called. */
bool server_drain(struct server *server, void (*drained)(void *context), void *context);
/* Closes the connection that has been idle longest, if any, to free its descriptor. */
void server_yield_fd(struct server *server);
/* Closes listeners and connections; frees itself when all handles are closed. */
void server_close(struct server *server);
void server_get_stats(const struct server *server, struct server_stats *out);
