/* server_internal: the server as server.c and conn.c see it. */
#pragma once

#include "daemon/loop/spare_fd.h"
#include "daemon/serve/conn.h"
#include "daemon/serve/server.h"

#define CONN_READ_SIZE 65536

struct pending;

struct listener {
    union socket_handle uv;
    struct server *server;
    const struct protocol *protocol;
    struct list link;
    bool waiting; /* a connection waits that there was no room for */
};

enum server_state {
    SERVER_SERVING,
    SERVER_DRAINING, /* takes no more connections; what was asked is answered */
    SERVER_CLOSING   /* freed when `handles` is 0 */
};

struct server {
    uv_loop_t *loop;
    const struct config *config;
    struct engine *engine;
    enum server_state state;
    struct list listeners, conns;
    uv_timer_t sweeper;
    uv_timer_t next_turn; /* goes on with what a full share has stopped */
    uv_prepare_t turn;    /* called at the end of each turn of the loop */
    int64_t woke_ns;      /* when this turn's first octets were read; 0: none yet */
    unsigned accept_share, lookup_share;
    struct list starved;    /* connections whose next request waits for a share */
    struct pending *unused; /* owned, conn.c's: for the next request that has to wait; or NULL */
    struct server_stats stats;
    struct spare_fd spare;
    unsigned handles; /* not yet closed */
    void (*drained)(void *context);
    void *context;                    /* of `drained` */
    char read_buffer[CONN_READ_SIZE]; /* shared: what is read is parsed or copied at once */
    char decoded[PROTOCOL_REQUEST_MAX];
};

/* When what is read in this turn of the loop had arrived: one look at the clock for all. */
int64_t server_arrival_ns(struct server *server);
/* In the next turn conn_process is called for every starved connection. */
void server_want_turn(struct server *server);
/* The connection's handle is closed, and its memory freed. */
void server_conn_closed(struct server *server);
