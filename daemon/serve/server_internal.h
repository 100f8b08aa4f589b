/* server_internal: the server and its connections, as server.c and conn.c see them. */
#pragma once

#include "base/buf.h"
#include "base/list.h"
#include "daemon/lookup/dialect.h"
#include "daemon/loop/spare_fd.h"
#include "daemon/serve/protocol.h"
#include "daemon/serve/server.h"

#define CONN_READ_SIZE 65536

struct pending;

/* A connection passes through these states in order; it may skip any but the first and last. */
enum conn_state {
    CONN_SILENT, /* has not asked anything yet */
    CONN_ASKING,
    CONN_ENDED,  /* the client sends no more; its requests are still answered */
    CONN_CLOSING /* the handle is being closed; nothing is done with it any more */
};

struct conn {
    uv_poll_t poll;
    int fd;      /* owned */
    int watched; /* enum uv_poll_event: not read while a limit of server.h is reached */
    struct server *server;
    const struct protocol *protocol;
    enum conn_state state;
    bool over;           /* its protocol is for one request, which was taken */
    struct list link;    /* in server->conns, longest idle first */
    uint64_t active_at;  /* uv_now */
    struct buf in;       /* octets of requests not yet taken */
    struct buf out;      /* replies that the kernel has not yet taken */
    struct list starved; /* in server->starved, or in no list */
    struct list pending; /* requests in flight, in order */
    unsigned pending_count;
    uint64_t turn_at;    /* uv_now of the turn that turn_taken counts in */
    unsigned turn_taken; /* requests */
    int64_t read_ns;     /* arrival time of the octets read last */
    unsigned unsent;     /* replies in `out` that were known at once... */
    int64_t unsent_ns;   /* ...to requests that had arrived then, or later */
    size_t held;         /* octets of replies held back until an earlier one is ready */
};

struct listener {
    uv_poll_t poll; /* active unless there was no room for a connection */
    int fd;         /* owned */
    struct server *server;
    const struct protocol *protocol;
    struct list link;
};

enum server_state {
    SERVER_SERVING,
    SERVER_DRAINING, /* accepts no more connections; pending requests are answered */
    SERVER_CLOSING   /* freed when `handles` is 0 */
};

struct server {
    uv_loop_t *loop;
    const struct config *config;
    struct engine *engine;
    enum server_state state;
    struct list listeners, conns;
    uv_timer_t sweeper;
    uv_timer_t next_turn; /* resumes work that stopped at a full share */
    uv_prepare_t turn;    /* called at the end of each turn of the loop */
    int64_t woke_ns;      /* when this turn's first octets were read; 0: none yet */
    unsigned lookup_share;
    struct list starved;    /* connections whose next request waits for a share */
    struct pending *unused; /* owned, conn.c's: for the next request that has to wait; or NULL */
    struct server_stats stats;
    struct spare_fd spare;
    unsigned handles; /* not yet closed */
    void (*drained)(void *context);
    void *context;                    /* of `drained` */
    struct buf room;                  /* for dialect_answer */
    char read_buffer[CONN_READ_SIZE]; /* shared: input is parsed or copied at once */
    char decoded[PROTOCOL_REQUEST_MAX];
};

/* server.c */
/* The arrival time of everything read in this turn of the loop; reads the clock once per turn. */
int64_t server_arrival_ns(struct server *server);
/* Schedules conn_process for every starved connection in the next turn. */
void server_want_turn(struct server *server);
/* The connection's handle is closed, and its memory freed. */
void server_conn_closed(struct server *server);

/* conn.c */
/* Serves an accepted connection; takes the descriptor. 0 or a libuv error. */
int conn_new(struct server *server, int take_fd, const struct protocol *protocol);
/* Takes the requests it can and sends the replies that are ready; call it after any change. */
void conn_process(struct conn *conn);
/* While the server drains: closes the connection if no request or reply would be lost. */
void conn_drain(struct conn *conn);
/* Cancels its waiters and closes the handle; memory is freed later. Harmless if closing already. */
void conn_close(struct conn *conn);
/* True if the client is owed no reply: none is in flight and none is partly sent. */
bool conn_idle(const struct conn *conn);
