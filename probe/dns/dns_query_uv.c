/*
 * dns_query_uv: the sequence of one lookup; see dns_query_uv.h.
 *
 * Resolvers are asked in turn, beginning with the one that answered last. A time-out leads to the
 * next in turn and, with one resolver, to the same again on the same socket, so that a late answer
 * counts. A dead socket or an error reply (SERVFAIL and the like, a malformed answer) gives that
 * resolver up for this lookup; the first error reply is doubted once, if there is another resolver.
 * All failures end in DNS_FAILED with a reason; only the lack of memory in dns_start is an error.
 */
#include "probe/dns/dns_query_uv.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "probe/dns/dns_wire.h"

#define DOUBLINGS_MAX  6
#define IMPOSSIBLE_TTL 86400
#define STREAM_FACTOR  4 /* TCP: a connection, a question and up to 64 KiB */

/*
 *   QUEUED  waits for a slot
 *   ASK     chooses a resolver and sends; to the next one when a socket does not work
 *   LISTEN  an answer by UDP is awaited; packets that are not ours are passed over. The deadline
 *           is that of this try and doubles with each
 *   STREAM  the answer was truncated and is awaited by TCP
 *   LATER   the answer is known without the network, mostly a failure; it takes a turn of the loop,
 *           because dns_start may be on the stack
 */
#define TRY_MS    (UINT64_MAX - 1)
#define STREAM_MS (UINT64_MAX - 2)
#define STATES(X)                                                                                  \
    X(QUEUED, queued, DNS_QUEUE_MS)                                                                \
    X(ASK, ask, SEQUENCE_NO_DEADLINE)                                                              \
    X(LISTEN, listen, TRY_MS)                                                                      \
    X(STREAM, stream, STREAM_MS)                                                                   \
    X(LATER, later, 0)

enum query_state { STATES(SEQUENCE_ENUM) };

/* ---- what happened ---- */

static enum dns_event read_message(struct dns_query *query, const uint8_t *data, size_t length)
{
    struct dns_answer answer;

    switch (
        dns_wire_answer(&answer, query->arena, data, length, query->id, query->name, query->type)) {
    case DNS_WIRE_OK:
        *query->answer = answer;
        return DNS_EVENT_ANSWER;
    case DNS_WIRE_TRUNCATED:
        return DNS_EVENT_TRUNCATED;
    case DNS_WIRE_MEMORY:
        return DNS_EVENT_MEMORY;
    case DNS_WIRE_NOT_OURS:
        break;
    }
    query->dns->stats.mismatches++;
    return DNS_EVENT_NONE;
}

static enum dns_event heard(struct dns_query *query, int status, const uint8_t *data, size_t length)
{
    query->broken = status;
    return status == 0 ? read_message(query, data, length) : DNS_EVENT_BROKEN;
}

static void on_packet(void *context, int status, const uint8_t *data, size_t length)
{
    struct dns_query *query = context;

    query->event = heard(query, status, data, length);
    dns_query_run(query);
}

/* A stream carries our answer or none: there is no further message to wait for. */
static void on_message(void *context, int status, const uint8_t *data, size_t length)
{
    struct dns_query *query = context;

    query->event = heard(query, status, data, length);
    if (query->event == DNS_EVENT_NONE || query->event == DNS_EVENT_TRUNCATED) {
        query->broken = UV_EPROTO;
        query->event = DNS_EVENT_BROKEN;
    }
    dns_query_run(query);
}

static void on_timer(uv_timer_t *timer)
{
    struct dns_query *query = timer->data;

    query->sequence.expired = true;
    dns_query_run(query);
}

/* ---- choosing a resolver ---- */

static bool given_up(const struct dns_query *query, size_t server)
{
    return (query->given_up >> server & 1) != 0;
}

/* Stays at the present resolver if it is still good, else goes to the next; false without one. */
static bool settle_server(struct dns_query *query)
{
    for (size_t i = 0; i < query->server_count; i++) {
        if (!given_up(query, query->server))
            return true;
        query->server = (query->server + 1) % query->server_count;
    }
    return false;
}

static void give_up_server(struct dns_query *query)
{
    query->given_up |= 1u << query->server;
}

static const struct dns_server *present_server(const struct dns_query *query)
{
    return &query->servers[query->server];
}

/* The answer if there is no better one. */
static void note(struct dns_query *query, enum dns_failure failure, const char *why)
{
    query->failure = failure;
    query->why = why;
}

/* "198.51.100.1: connection refused", if there is no better answer. */
static void note_trouble(struct dns_query *query, const char *over, int status)
{
    char text[IP_TEXT_MAX];
    const char *why = arena_printf(query->arena, "%s%s: %s", over,
                                   ip_text(&present_server(query)->ip, text), uv_strerror(status));

    note(query, status == UV_ETIMEDOUT ? DNS_FAILURE_TIMEOUT : DNS_FAILURE_NETWORK,
         why != NULL ? why : "no memory");
}

/* ---- steps ---- */

static enum sequence_step go(struct dns_query *query, enum query_state next)
{
    return sequence_go(&query->sequence, next);
}

static void set_answer(struct dns_query *query, enum dns_outcome outcome, const char *why)
{
    const char *owner = arena_strdup(query->arena, query->name);

    memset(query->answer, 0, sizeof *query->answer);
    query->answer->outcome = outcome;
    query->answer->owner = owner != NULL ? owner : "";
    query->answer->why = why;
}

/* The answer, when there is none to report: what was doubted, else the last trouble. */
static enum sequence_step go_fail(struct dns_query *query)
{
    if (query->doubted) {
        *query->answer = query->doubt;
        return go(query, STATE_LATER);
    }
    set_answer(query, DNS_FAILED, query->why);
    query->answer->failure = query->failure;
    return go(query, STATE_LATER);
}

static enum sequence_step step_queued(struct dns_query *query)
{
    if (query->sequence.expired) {
        note(query, DNS_FAILURE_QUEUE, DNS_NO_ROOM);
        return go_fail(query);
    }
    if (query->event != DNS_EVENT_SLOT)
        return SEQUENCE_WAIT;
    if (query->wire_length > 0)
        return go(query, STATE_ASK);
    /* RFC 1035 §2.3.4: no such name can exist, not tomorrow either (docs/conformance.md C-10) */
    set_answer(query, DNS_NXDOMAIN, NULL);
    query->answer->ttl = IMPOSSIBLE_TTL;
    return go(query, STATE_LATER);
}

static bool out_of_resources(int status)
{
    return status == UV_EMFILE || status == UV_ENFILE || status == UV_ENOMEM ||
           status == UV_ENOBUFS;
}

static int send_query(struct dns_query *query)
{
    struct dns_peer peer = {&query->dns->pool, present_server(query), on_packet, query};
    int status = 0;

    if (query->udp != NULL && query->udp_server != query->server) {
        dns_udp_close(query->udp);
        query->udp = NULL;
    }
    if (query->udp == NULL)
        status = dns_udp_open(&query->udp, &peer);
    if (status != 0)
        return status;
    query->udp_server = query->server;
    return dns_udp_send(query->udp, query->wire, query->wire_length);
}

static enum sequence_step step_ask(struct dns_query *query)
{
    int status;

    if (query->tries >= query->dns->options.tries || !settle_server(query))
        return go_fail(query);
    status = send_query(query);
    if (out_of_resources(status)) {
        note(query, DNS_FAILURE_LOCAL, uv_strerror(status));
        return go_fail(query);
    }
    if (status != 0) {
        note_trouble(query, "", status);
        give_up_server(query);
        return go(query, STATE_ASK);
    }
    if (query->tries++ > 0)
        query->dns->stats.retransmissions++;
    return go(query, STATE_LISTEN);
}

static enum sequence_step doubt_answer(struct dns_query *query)
{
    give_up_server(query);
    if (query->doubted)
        return go_fail(query);
    query->doubted = true;
    query->doubt = *query->answer;
    return go(query, STATE_ASK);
}

static enum sequence_step take_answer(struct dns_query *query)
{
    if (query->answer->outcome == DNS_FAILED)
        return doubt_answer(query);
    dns_prefer(query->dns, present_server(query));
    return SEQUENCE_DONE;
}

static enum sequence_step fail_memory(struct dns_query *query)
{
    query->doubted = false;
    note(query, DNS_FAILURE_LOCAL, "no memory");
    return go_fail(query);
}

static enum sequence_step open_stream(struct dns_query *query)
{
    struct dns_peer peer = {&query->dns->pool, present_server(query), on_message, query};
    int status;

    dns_udp_close(query->udp);
    query->udp = NULL;
    query->dns->stats.tcp++;
    status = dns_tcp_open(&query->tcp, &peer, query->wire, query->wire_length);
    if (status == 0)
        return go(query, STATE_STREAM);
    note_trouble(query, "TCP to ", status);
    give_up_server(query);
    return out_of_resources(status) ? go_fail(query) : go(query, STATE_ASK);
}

static enum sequence_step ask_next(struct dns_query *query)
{
    query->dns->stats.timeouts++;
    note(query, DNS_FAILURE_TIMEOUT, "timeout");
    query->server = (query->server + 1) % query->server_count;
    return query->doubted ? go_fail(query) : go(query, STATE_ASK);
}

static enum sequence_step step_listen(struct dns_query *query)
{
    switch (query->event) {
    case DNS_EVENT_ANSWER:
        return take_answer(query);
    case DNS_EVENT_TRUNCATED:
        return open_stream(query);
    case DNS_EVENT_MEMORY:
        return fail_memory(query);
    case DNS_EVENT_BROKEN:
        note_trouble(query, "", query->broken);
        give_up_server(query);
        return go(query, STATE_ASK);
    case DNS_EVENT_NONE:
    case DNS_EVENT_SLOT:
        break;
    }
    return query->sequence.expired ? ask_next(query) : SEQUENCE_WAIT;
}

static enum sequence_step step_stream(struct dns_query *query)
{
    bool expired = query->sequence.expired;

    if (query->event == DNS_EVENT_NONE && !expired)
        return SEQUENCE_WAIT;
    if (expired)
        query->dns->stats.timeouts++;
    dns_tcp_close(query->tcp);
    query->tcp = NULL;
    if (query->event == DNS_EVENT_ANSWER)
        return take_answer(query);
    if (query->event == DNS_EVENT_MEMORY)
        return fail_memory(query);
    note_trouble(query, "TCP to ", expired ? UV_ETIMEDOUT : query->broken);
    give_up_server(query);
    return go(query, STATE_ASK);
}

static enum sequence_step step_later(struct dns_query *query)
{
    return query->sequence.expired ? SEQUENCE_DONE : SEQUENCE_WAIT;
}

/* ---- the machine ---- */

static enum sequence_step run_step(void *owner, unsigned state)
{
    static enum sequence_step (*const steps[])(struct dns_query *) = {STATES(SEQUENCE_STEP)};
    struct dns_query *query = owner;
    enum sequence_step step = steps[state](query);

    query->event = DNS_EVENT_NONE;
    return step;
}

static uint64_t deadline_ms(const struct dns_query *query, uint64_t deadline)
{
    uint64_t timeout_ms = query->dns->options.timeout_ms;
    unsigned doublings = query->tries > 0 ? query->tries - 1 : 0;

    if (deadline == TRY_MS)
        return timeout_ms << (doublings < DOUBLINGS_MAX ? doublings : DOUBLINGS_MAX);
    return deadline == STREAM_MS ? timeout_ms * STREAM_FACTOR : deadline;
}

static void enter(void *owner, unsigned state)
{
    static const struct sequence_state states[] = {STATES(SEQUENCE_STATE)};
    struct dns_query *query = owner;
    uint64_t deadline = states[state].deadline;

    if (deadline != SEQUENCE_NO_DEADLINE)
        uv_timer_start(&query->timer, on_timer, deadline_ms(query, deadline), 0);
}

/* Ends the query. The owner is called last, when nothing of it is in any list. */
static void deliver(struct dns_query *query)
{
    dns_done done = query->done;

    if (query->answer->outcome == DNS_FAILED) {
        query->dns->stats.failures++;
        query->dns->stats.by_failure[query->answer->failure]++;
    }
    dns_query_release(query);
    dns_pump(query->dns);
    done(query->context, query->answer);
}

void dns_query_init(struct dns_query *query)
{
    static const struct sequence_machine machine = {run_step, enter};

    sequence_init(&query->sequence, &machine, query);
    uv_timer_init(query->dns->pool.loop, &query->timer);
    query->timer.data = query;
    dns_pool_enter(&query->dns->pool);
}

void dns_query_run(struct dns_query *query)
{
    if (sequence_run(&query->sequence))
        deliver(query);
}

/* ---- the end ---- */

static void on_timer_closed(uv_handle_t *handle)
{
    struct dns_query *query = handle->data;
    struct dns_pool *pool = &query->dns->pool;

    free(query);
    dns_pool_leave(pool);
}

void dns_query_release(struct dns_query *query)
{
    struct dns *dns = query->dns;

    query->done = NULL;
    dns_udp_close(query->udp);
    dns_tcp_close(query->tcp);
    query->udp = NULL;
    query->tcp = NULL;
    list_remove(&query->link);
    if (query->has_slot)
        dns->stats.in_flight--;
    else
        dns->stats.queued--;
    uv_close((uv_handle_t *)&query->timer, on_timer_closed);
}
