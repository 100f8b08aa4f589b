/*
 * dns_query_uv: one lookup, from the queue to its callback. Shared by dns_uv.c, which has the queue
 * and the list of resolvers, dns_query_uv.c, which has the sequence, dns_deadline_uv.c, which has
 * the deadlines, and dns_channel_uv.c, which has the sockets.
 */
#pragma once

#include "base/file.h"
#include "base/list.h"
#include "base/sequence.h"
#include "probe/dns/dns_uv.h"
#include "probe/dns/dns_wire.h"

/* Longest a lookup waits for a slot, and most that wait. */
#define DNS_QUEUE_MS  30000
#define DNS_QUEUE_MAX 65536

#define DNS_IDS 128 /* drawn at once */
/* Packets that are read from a shared socket at once, in rooms as large as libuv wants them. */
#define DNS_PACKETS    20
#define DNS_PACKET_MAX 65536

/* Waiting in the queue, each try of a question, TCP, and none at all. */
#define DNS_DURATIONS_MAX 16

/* Of deadlines. */
struct dns_duration {
    uint64_t ms;
    struct list queries; /* of dns_query.deadline, the next one due first */
};

struct dns {
    uv_loop_t *loop;
    struct dns_options options;
    struct dns_stats stats;
    struct list waiting; /* of dns_query.link, first come first served */
    struct list active;
    struct dns_channel *shared; /* takes the next question; NULL: none does */
    unsigned handles;           /* of channels and the timer, not closed yet */
    bool closed;

    uv_timer_t timer;
    uint64_t armed_for; /* loop time; UINT64_MAX: the timer does not run */
    struct dns_duration durations[DNS_DURATIONS_MAX];
    unsigned duration_count, deadlines;

    struct dns_server servers[DNS_RESOLVERS_MAX]; /* in force */
    size_t server_count;
    struct dns_server preferred; /* answered last; port 0: none */
    uint64_t preferred_at_ms;    /* loop time */
    uint64_t looked_at_ms;       /* loop time of the last look at resolv.conf */
    struct file_mark seen;       /* the resolv.conf that was read last */

    uint16_t ids[DNS_IDS]; /* random, for the next queries */
    unsigned ids_left;

    char *packets;                    /* owned: what shared sockets are read into; else NULL */
    char packet[DNS_MESSAGE_MAX + 1]; /* what all other channels are read into */
};

enum dns_event {
    DNS_EVENT_NONE,
    DNS_EVENT_SLOT,   /* it is this query's turn */
    DNS_EVENT_ANSWER, /* query->answer is filled */
    DNS_EVENT_TRUNCATED,
    DNS_EVENT_BROKEN, /* query->broken: the socket's error */
    DNS_EVENT_MEMORY
};

struct dns_query {
    struct list link; /* in dns.waiting or dns.active */
    struct dns *dns;
    struct arena *arena;       /* the caller's */
    struct dns_answer *answer; /* the arena's */
    dns_done done;             /* NULL once called or cancelled */
    void *context;

    struct sequence sequence;
    enum dns_event event; /* that the step is called for */
    int broken;
    bool has_slot;
    struct list deadline; /* of the state; in a dns_duration, or in none */
    uint64_t due;         /* loop time */

    uint16_t type, id;
    uint8_t wire[DNS_QUERY_OCTETS_MAX];
    size_t wire_length; /* 0: a name that cannot be asked */

    struct dns_server servers[DNS_RESOLVERS_MAX]; /* as they were at the start */
    size_t server_count, server;
    unsigned given_up;           /* bit per server: not asked again */
    struct dns_channel *channel; /* NULL when there is none */
    struct list on_channel;      /* the channel's */
    size_t channel_server;       /* which one it leads to */
    unsigned tries;
    bool doubted;             /* an error that the next resolver may put right */
    struct dns_answer doubt;  /* that error */
    const char *why;          /* the last trouble that is no answer */
    enum dns_failure failure; /* its kind */

    char name[]; /* owned */
};

/* NULL without memory. */
struct dns_query *dns_query_new(struct dns *dns, struct arena *arena, const char *name,
                                enum dns_type type);
/* Runs the sequence; the caller must do nothing after this call. */
void dns_query_run(struct dns_query *query);
/* Called by the channel with one message, borrowed until the call returns, or with `status`, a
 * libuv error. The caller must do nothing after this call. */
void dns_query_heard(struct dns_query *query, int status, const uint8_t *data, size_t length);
/* Takes a query apart without a callback, and gives its slot back. */
void dns_query_release(struct dns_query *query);

/* Gives the query, which is not sent yet, another id. */
void dns_query_set_id(struct dns_query *query, uint16_t id);

/* Opens a socket to the present resolver: UDP on a random port, or TCP, on which the query is sent
 * once it is connected. 0 or a libuv error. */
int dns_channel_open(struct dns_query *query, bool stream);
/* Sends the query by UDP. 0 or a libuv error. If the socket has no room for the packet, it counts
 * as lost, and the result is 0. */
int dns_channel_send(struct dns_query *query);
/* Leaves the channel, which is closed unless it is shared. Harmless without one. */
void dns_channel_close(struct dns_query *query);
/* The socket that is shared takes no more questions. */
void dns_channel_retire(struct dns *dns);

/* Calls the sequence of the query in `ms`, with `expired`, instead of when it was to be called. */
void dns_deadline_set(struct dns_query *query, uint64_t ms);
/* Harmless without one. */
void dns_deadline_clear(struct dns_query *query);
void dns_deadlines_init(struct dns *dns);
void dns_deadlines_close(struct dns *dns);

/* Gives free slots to waiting queries. Makes no callback. */
void dns_pump(struct dns *dns);
/* Notes which resolver works. */
void dns_prefer(struct dns *dns, const struct dns_server *server);
/* From the close callback of a handle that was counted in `handles`. */
void dns_handle_closed(struct dns *dns);
