/*
 * dns_query_uv: the sequence of one lookup; see dns_query_uv.h.
 *
 * Resolvers are asked in turn, beginning with the one that answered last. After a time-out the next
 * one is asked or, if there is only one, the same again on the same socket, so that a late answer
 * counts. After a dead socket or an error reply (SERVFAIL and the like, a malformed answer) that
 * resolver is not asked again in this lookup; the first error reply is doubted once, if there is
 * another resolver. All failures end in DNS_FAILED with a reason; only lack of memory in dns_start
 * is an error.
 */
#include "probe/dns/dns_query_uv.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

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
#define STATES(X)                                                                                  \
    X(QUEUED, queued, DNS_QUEUE_MS)                                                                \
    X(ASK, ask, SEQUENCE_NO_DEADLINE)                                                              \
    X(LISTEN, listen, SEQUENCE_NO_DEADLINE)                                                        \
    X(STREAM, stream, SEQUENCE_NO_DEADLINE)                                                        \
    X(LATER, later, 0)

enum query_state { STATES(SEQUENCE_ENUM) };

/* ---- what happened ---- */

void dns_query_heard(struct dns_query *query, int status, const uint8_t *data, size_t length)
{
    static const enum dns_event events[] = {[DNS_WIRE_OK] = DNS_EVENT_ANSWER,
                                            [DNS_WIRE_NOT_OURS] = DNS_EVENT_NONE,
                                            [DNS_WIRE_TRUNCATED] = DNS_EVENT_TRUNCATED,
                                            [DNS_WIRE_MEMORY] = DNS_EVENT_MEMORY};
    bool stream = query->sequence.state == STATE_STREAM;

    query->broken = status;
    query->event = DNS_EVENT_BROKEN;
    if (status == 0)
        query->event = events[dns_wire_answer(query->answer, query->arena, data, length, query->id,
                                              query->name, query->type)];
    if (query->event == DNS_EVENT_NONE)
        query->dns->stats.mismatches++;
    /* a stream carries our answer or none: there is no further message to wait for */
    if (stream && (query->event == DNS_EVENT_NONE || query->event == DNS_EVENT_TRUNCATED)) {
        query->event = DNS_EVENT_BROKEN;
        query->broken = UV_EPROTO;
    }
    dns_query_run(query);
}

/* ---- choosing a resolver ---- */

/* Stays at the present resolver if it is still good, else goes to the next; false without one. */
static bool settle_server(struct dns_query *query)
{
    for (size_t i = 0; i < query->server_count; i++) {
        if ((query->given_up >> query->server & 1) == 0)
            return true;
        query->server = (query->server + 1) % query->server_count;
    }
    return false;
}

static void give_up_server(struct dns_query *query)
{
    query->given_up |= 1u << query->server;
}

/* The answer if there is no better one. */
static void note(struct dns_query *query, enum dns_failure failure, const char *why)
{
    query->failure = failure;
    query->why = why;
}

/* ---- steps ---- */

static enum sequence_step go(struct dns_query *query, enum query_state next)
{
    return sequence_go(&query->sequence, next);
}

static void set_answer(struct dns_query *query, enum dns_outcome outcome, const char *why)
{
    const char *owner = arena_strdup(query->arena, query->name);

    *query->answer = (struct dns_answer){.outcome = outcome,
                                         .owner = owner != NULL ? owner : "",
                                         .why = why,
                                         .failure = query->failure};
}

/* The answer, when there is none to report: what was doubted, else the last trouble. */
static enum sequence_step go_fail(struct dns_query *query)
{
    dns_channel_close(query); /* nothing that is heard changes it any more */
    if (query->doubted)
        *query->answer = query->doubt;
    else
        set_answer(query, DNS_FAILED, query->why);
    return go(query, STATE_LATER);
}

/* The present resolver cannot be asked, and is given up; if there is no better one the answer is
 * "198.51.100.1: connection refused". Without memory or descriptors none can. */
static enum sequence_step go_past(struct dns_query *query, const char *over, int status)
{
    char text[IP_TEXT_MAX];
    const char *why;

    if (status == UV_EMFILE || status == UV_ENFILE || status == UV_ENOMEM || status == UV_ENOBUFS) {
        note(query, DNS_FAILURE_LOCAL, uv_strerror(status));
        return go_fail(query);
    }
    why = arena_printf(query->arena, "%s%s: %s", over,
                       ip_text(&query->servers[query->server].ip, text), uv_strerror(status));
    note(query, status == UV_ETIMEDOUT ? DNS_FAILURE_TIMEOUT : DNS_FAILURE_NETWORK,
         why != NULL ? why : "no memory");
    give_up_server(query);
    return go(query, STATE_ASK);
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

static enum sequence_step step_ask(struct dns_query *query)
{
    int status = 0;

    if (query->tries >= query->dns->options.tries || !settle_server(query))
        return go_fail(query);
    if (query->channel_server != query->server)
        dns_channel_close(query);
    if (query->channel == NULL)
        status = dns_channel_open(query, false);
    if (status == 0)
        status = dns_channel_send(query);
    if (status != 0)
        return go_past(query, "", status);
    if (query->tries++ > 0)
        query->dns->stats.retransmissions++;
    return go(query, STATE_LISTEN);
}

static enum sequence_step take_answer(struct dns_query *query)
{
    if (query->event == DNS_EVENT_MEMORY) {
        query->doubted = false;
        note(query, DNS_FAILURE_LOCAL, "no memory");
        return go_fail(query);
    }
    if (query->answer->outcome != DNS_FAILED) {
        dns_prefer(query->dns, &query->servers[query->server]);
        return SEQUENCE_DONE;
    }
    give_up_server(query);
    if (query->doubted)
        return go_fail(query);
    query->doubted = true;
    query->doubt = *query->answer;
    return go(query, STATE_ASK);
}

static enum sequence_step open_stream(struct dns_query *query)
{
    int status;

    dns_channel_close(query);
    query->dns->stats.tcp++;
    status = dns_channel_open(query, true);
    return status == 0 ? go(query, STATE_STREAM) : go_past(query, "TCP to ", status);
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
    case DNS_EVENT_MEMORY:
        return take_answer(query);
    case DNS_EVENT_TRUNCATED:
        return open_stream(query);
    case DNS_EVENT_BROKEN:
        return go_past(query, "", query->broken);
    case DNS_EVENT_NONE:
    case DNS_EVENT_SLOT:
        break;
    }
    return query->sequence.expired ? ask_next(query) : SEQUENCE_WAIT;
}

static enum sequence_step step_stream(struct dns_query *query)
{
    if (query->event == DNS_EVENT_NONE && !query->sequence.expired)
        return SEQUENCE_WAIT;
    dns_channel_close(query);
    if (query->event == DNS_EVENT_ANSWER || query->event == DNS_EVENT_MEMORY)
        return take_answer(query);
    if (query->sequence.expired) {
        query->dns->stats.timeouts++;
        query->broken = UV_ETIMEDOUT;
    }
    return go_past(query, "TCP to ", query->broken);
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

static void enter(void *owner, unsigned state)
{
    static const struct sequence_state states[] = {STATES(SEQUENCE_STATE)};
    struct dns_query *query = owner;
    uint64_t timeout_ms = query->dns->options.timeout_ms, deadline_ms = states[state].deadline;
    unsigned doublings = query->tries > 0 ? query->tries - 1 : 0;

    if (state == STATE_QUEUED && query->has_slot) /* its turn is now */
        return;
    if (state == STATE_LISTEN)
        deadline_ms = timeout_ms << (doublings < DOUBLINGS_MAX ? doublings : DOUBLINGS_MAX);
    else if (state == STATE_STREAM)
        deadline_ms = timeout_ms * STREAM_FACTOR;
    if (deadline_ms != SEQUENCE_NO_DEADLINE)
        dns_deadline_set(query, deadline_ms);
}

void dns_query_run(struct dns_query *query)
{
    struct dns *dns = query->dns;
    const struct dns_answer *answer = query->answer;
    dns_done done = query->done;
    void *context = query->context;

    if (!sequence_run(&query->sequence))
        return;
    if (answer->outcome == DNS_FAILED) {
        dns->stats.failures++;
        dns->stats.by_failure[answer->failure]++;
    }
    dns_query_release(query);
    dns_pump(dns);
    done(context, answer); /* last: the query is gone */
}

/* ---- beginning and end ---- */

/* False when the system has no random number. */
static bool draw_id(struct dns *dns, uint16_t *out)
{
    if (dns->ids_left == 0) {
        if (getrandom(dns->ids, sizeof dns->ids, 0) != (ssize_t)sizeof dns->ids)
            return false;
        dns->ids_left = DNS_IDS;
    }
    *out = dns->ids[--dns->ids_left];
    return true;
}

struct dns_query *dns_query_new(struct dns *dns, struct arena *arena, const char *name,
                                enum dns_type type)
{
    static const struct sequence_machine machine = {run_step, enter};
    size_t length = strlen(name);
    struct dns_query *query = calloc(1, sizeof *query + length + 1);

    if (query == NULL)
        return NULL;
    memcpy(query->name, name, length);
    query->dns = dns;
    query->arena = arena;
    query->type = (uint16_t)type;
    query->answer = arena_alloc(arena, sizeof *query->answer);
    if (query->answer == NULL || !draw_id(dns, &query->id)) {
        free(query);
        return NULL;
    }
    query->wire_length = dns_wire_query(query->wire, query->id, name, query->type);
    sequence_init(&query->sequence, &machine, query);
    list_init(&query->deadline);
    return query;
}

void dns_query_set_id(struct dns_query *query, uint16_t id)
{
    query->id = id;
    query->wire[0] = (uint8_t)(id >> 8);
    query->wire[1] = (uint8_t)id;
}

void dns_query_release(struct dns_query *query)
{
    struct dns *dns = query->dns;

    dns_channel_close(query);
    list_remove(&query->link);
    if (query->has_slot)
        dns->stats.in_flight--;
    else
        dns->stats.queued--;
    dns_deadline_clear(query);
    free(query);
}
