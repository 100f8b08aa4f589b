/*
 * dns_query_uv: the sequence of one lookup; see dns_query_uv.h for its states.
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

#define STEPS_MAX      64
#define DOUBLINGS_MAX  6
#define IMPOSSIBLE_TTL 86400
#define STREAM_FACTOR  4 /* TCP: a connection, a question and up to 64 KiB */

enum step { STEP_AGAIN, STEP_WAIT, STEP_DONE };

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

    query->event = DNS_EVENT_TIMEOUT;
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

/* What is said when nothing better is heard. */
static void note(struct dns_query *query, enum dns_failure failure, const char *why)
{
    query->failure = failure;
    query->why = why;
}

/* "198.51.100.1: connection refused", for the case that nothing better is heard. */
static void note_trouble(struct dns_query *query, const char *over, int status)
{
    char text[IP_TEXT_MAX];
    const char *why = arena_printf(query->arena, "%s%s: %s", over,
                                   ip_text(&present_server(query)->ip, text), uv_strerror(status));

    note(query, status == UV_ETIMEDOUT ? DNS_FAILURE_TIMEOUT : DNS_FAILURE_NETWORK,
         why != NULL ? why : "no memory");
}

/* ---- steps ---- */

static enum step go(struct dns_query *query, enum dns_query_state next)
{
    query->next = next;
    return STEP_AGAIN;
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
static enum step go_fail(struct dns_query *query)
{
    if (query->doubted) {
        *query->answer = query->doubt;
        return go(query, DNS_QUERY_LATER);
    }
    set_answer(query, DNS_FAILED, query->why);
    query->answer->failure = query->failure;
    return go(query, DNS_QUERY_LATER);
}

static enum step step_start(struct dns_query *query)
{
    return go(query, DNS_QUERY_QUEUED);
}

static enum step step_queued(struct dns_query *query)
{
    if (query->event == DNS_EVENT_TIMEOUT) {
        note(query, DNS_FAILURE_QUEUE, dns_start_why(UV_ENOBUFS));
        return go_fail(query);
    }
    if (query->event != DNS_EVENT_SLOT)
        return STEP_WAIT;
    if (query->wire_length > 0)
        return go(query, DNS_QUERY_ASK);
    /* RFC 1035 §2.3.4: no such name can exist, not tomorrow either (CONFORMANCE C-10) */
    set_answer(query, DNS_NXDOMAIN, NULL);
    query->answer->ttl = IMPOSSIBLE_TTL;
    return go(query, DNS_QUERY_LATER);
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

static enum step step_ask(struct dns_query *query)
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
        return STEP_AGAIN;
    }
    if (query->tries++ > 0)
        query->dns->stats.retransmissions++;
    return go(query, DNS_QUERY_LISTEN);
}

static enum step doubt_answer(struct dns_query *query)
{
    give_up_server(query);
    if (query->doubted)
        return go_fail(query);
    query->doubted = true;
    query->doubt = *query->answer;
    return go(query, DNS_QUERY_ASK);
}

static enum step take_answer(struct dns_query *query)
{
    if (query->answer->outcome == DNS_FAILED)
        return doubt_answer(query);
    dns_prefer(query->dns, present_server(query));
    return STEP_DONE;
}

static enum step fail_memory(struct dns_query *query)
{
    query->doubted = false;
    note(query, DNS_FAILURE_LOCAL, "no memory");
    return go_fail(query);
}

static enum step open_stream(struct dns_query *query)
{
    struct dns_peer peer = {&query->dns->pool, present_server(query), on_message, query};
    int status;

    dns_udp_close(query->udp);
    query->udp = NULL;
    query->dns->stats.tcp++;
    status = dns_tcp_open(&query->tcp, &peer, query->wire, query->wire_length);
    if (status == 0)
        return go(query, DNS_QUERY_STREAM);
    note_trouble(query, "TCP to ", status);
    give_up_server(query);
    return out_of_resources(status) ? go_fail(query) : go(query, DNS_QUERY_ASK);
}

static enum step step_listen(struct dns_query *query)
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
        return go(query, DNS_QUERY_ASK);
    case DNS_EVENT_TIMEOUT:
        query->dns->stats.timeouts++;
        note(query, DNS_FAILURE_TIMEOUT, "timeout");
        query->server = (query->server + 1) % query->server_count;
        return query->doubted ? go_fail(query) : go(query, DNS_QUERY_ASK);
    case DNS_EVENT_NONE:
    case DNS_EVENT_SLOT:
        break;
    }
    return STEP_WAIT;
}

static enum step step_stream(struct dns_query *query)
{
    if (query->event == DNS_EVENT_NONE)
        return STEP_WAIT;
    if (query->event == DNS_EVENT_TIMEOUT)
        query->dns->stats.timeouts++;
    dns_tcp_close(query->tcp);
    query->tcp = NULL;
    if (query->event == DNS_EVENT_ANSWER)
        return take_answer(query);
    if (query->event == DNS_EVENT_MEMORY)
        return fail_memory(query);
    note_trouble(query, "TCP to ",
                 query->event == DNS_EVENT_TIMEOUT ? UV_ETIMEDOUT : query->broken);
    give_up_server(query);
    return go(query, DNS_QUERY_ASK);
}

static enum step step_later(struct dns_query *query)
{
    return query->event == DNS_EVENT_TIMEOUT ? STEP_DONE : STEP_WAIT;
}

/* ---- the driver ---- */

static const struct {
    enum step (*step)(struct dns_query *);
    uint64_t deadline_ms;
} states[] = {
#define X(name, step, deadline_ms) {step_##step, deadline_ms},
    DNS_QUERY_STATES(X)
#undef X
};

static uint64_t deadline_ms(const struct dns_query *query)
{
    uint64_t timeout_ms = query->dns->options.timeout_ms;
    unsigned doublings = query->tries > 0 ? query->tries - 1 : 0;

    switch (states[query->state].deadline_ms) {
    case DNS_TRY_MS:
        return timeout_ms << (doublings < DOUBLINGS_MAX ? doublings : DOUBLINGS_MAX);
    case DNS_STREAM_MS:
        return timeout_ms * STREAM_FACTOR;
    default:
        return states[query->state].deadline_ms;
    }
}

/* Ends the query; its owner hears of it last, when nothing of it is in any list. */
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

static void enter_next(struct dns_query *query)
{
    if (query->state == query->next)
        return;
    query->state = query->next;
    uv_timer_start(&query->timer, on_timer, deadline_ms(query), 0);
}

void dns_query_run(struct dns_query *query)
{
    enum step step;
    unsigned steps = 0;

    do {
        CHECK(steps++ < STEPS_MAX);
        enter_next(query);
        step = states[query->state].step(query);
        query->event = DNS_EVENT_NONE;
    } while (step == STEP_AGAIN);
    if (step == STEP_DONE)
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
