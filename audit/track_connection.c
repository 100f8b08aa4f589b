/*
 * track_connection: the connections of clients to mail hosts, each told once, for reports (RFC 8460
 * §4.3: sessions). A connection is
 *
 *   a line "… TLS connection established to …", but not "reused": many messages may follow on it
 *   a mail host whose TLS failed before that, once for a message, however many its recipients
 *   a delivery that went in clear, unless it went over an older connection (conn_use=), or TLS had
 *   failed at this message before and Postfix tried without
 *
 * The line about TLS does not name the next-hop: a connection is kept until the process logs a
 * delivery, whose next-hop it was for. Failures that say nothing of the mail host are none: that the
 * policy could not be looked up, TLS of our own, what the message asked for. Nor are connections for
 * reports (§3): else each would make the next.
 *
 * BUGS
 *   A connection whose delivery was never logged is not told, nor are those of a process beyond
 *   TRACK_KEPT_MAX.
 */
#include <stdlib.h>
#include <string.h>

#include "audit/track_internal.h"
#include "base/hash.h"

static bool is_of_host(enum tally_cause cause)
{
    return cause == TALLY_NOT_OFFERED || cause == TALLY_REFUSED || cause == TALLY_HANDSHAKE ||
           cause == TALLY_CERTIFICATE || cause == TALLY_TLSA_LOOKUP || cause == TALLY_NO_DANE ||
           cause == TALLY_MX_PATTERN;
}

/* ---- what is kept ---- */

static struct span cut(struct span text)
{
    return (struct span){text.text, text.length < TRACK_RELAY_MAX ? text.length : TRACK_RELAY_MAX};
}

static void keep(struct track_connections *connections, const struct track_connection *connection)
{
    const struct span parts[] = {cut(connection->relay), cut(connection->reason),
                                 cut(connection->text)};
    struct track_kept *kept;
    char *end;

    if (connections->count == TRACK_KEPT_MAX)
        return;
    kept = malloc(sizeof *kept + parts[0].length + parts[1].length + parts[2].length);
    if (kept == NULL)
        return;
    *kept = (struct track_kept){.next = connections->kept,
                                .at = connection->at,
                                .level = connection->level,
                                .cause = connection->cause,
                                .relay_length = (uint16_t)parts[0].length,
                                .reason_length = (uint16_t)parts[1].length,
                                .text_length = (uint16_t)parts[2].length};
    end = kept->strings;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; end += parts[i++].length)
        memcpy(end, parts[i].text, parts[i].length);
    connections->kept = kept;
    connections->count++;
}

static void drop_newest(struct track_connections *connections)
{
    struct track_kept *kept = connections->kept;

    connections->kept = kept->next;
    connections->count--;
    free(kept);
}

static struct track_connection connection_of(const struct track_kept *kept)
{
    const char *reason = kept->strings + kept->relay_length, *text = reason + kept->reason_length;

    return (struct track_connection){.at = kept->at,
                                     .relay = {kept->strings, kept->relay_length},
                                     .level = kept->level,
                                     .cause = kept->cause,
                                     .reason = {reason, kept->reason_length},
                                     .text = {text, kept->text_length}};
}

void track_connections_free(struct track_process *process)
{
    while (process->connections.kept != NULL)
        drop_newest(&process->connections);
}

/* ---- lines before a delivery ---- */

void track_connection_opened(struct track *track, struct track_process *process,
                             const struct line *line, int64_t at)
{
    if (track->options.on_connection != NULL && !line->reused)
        keep(&process->connections, &(struct track_connection){.at = at,
                                                               .relay = line->relay,
                                                               .level = line->level,
                                                               .cause = TALLY_NO_CAUSE,
                                                               .reason = {"", 0},
                                                               .text = {"", 0}});
}

/* The first "host[address]" or "host[address]:port" of a text; empty when there is none. */
static struct span relay_in(struct span text)
{
    while (text.length > 0) {
        struct span word = span_until(text, " ");
        const char *open = memchr(word.text, '[', word.length);
        const char *end =
            open == NULL ? NULL : memchr(open, ']', word.length - (size_t)(open - word.text));

        if (end != NULL && open > word.text) {
            if (word.text[word.length - 1] == ':')
                word.length--;
            return word;
        }
        span_skip(&text, word.length);
        span_skip_set(&text, " ");
    }
    return text;
}

/* Of a host whose handshake failed, which only a line before names. */
static struct span relay_of_handshake(const struct track_process *process)
{
    for (unsigned i = 1; process->whys != NULL && i <= TRACK_WHYS; i++) {
        const struct track_why *why =
            &process->whys[(process->why_next + TRACK_WHYS - i) % TRACK_WHYS];
        struct span relay = relay_in((struct span){why->text, why->length});

        if (why->cause == TALLY_HANDSHAKE && why->message == 0 && relay.length > 0)
            return relay;
    }
    return (struct span){"", 0};
}

static struct span relay_of_skipped(const struct track_process *process, const struct line *line)
{
    const struct track_kept *newest = process->connections.kept;

    if (line->cause == TALLY_CERTIFICATE && newest != NULL && newest->level != TALLY_NONE)
        return connection_of(newest).relay;
    if (line->cause == TALLY_HANDSHAKE)
        return relay_of_handshake(process);
    if (line->cause == TALLY_NOT_OFFERED || line->cause == TALLY_REFUSED)
        return relay_in(line->reason);
    return (struct span){"", 0};
}

void track_connection_skipped(struct track *track, const struct line *line, int64_t at)
{
    struct track_process *process;
    struct track_connections *connections;
    struct track_connection connection = {
        .at = at, .level = TALLY_NONE, .cause = line->cause, .reason = line->reason};
    char relay[TRACK_RELAY_MAX];

    if (track->options.on_connection == NULL || !is_of_host(line->cause))
        return;
    process = track_process_of(track, line);
    if (process == NULL)
        return;
    connections = &process->connections;
    connection.relay = cut(relay_of_skipped(process, line));
    memcpy(relay, connection.relay.text, connection.relay.length);
    connection.relay.text = relay;
    connection.text = track_why_of(process, line->cause, 0);
    if (line->cause == TALLY_CERTIFICATE && connections->kept != NULL &&
        connections->kept->level != TALLY_NONE && connections->kept->cause == TALLY_NO_CAUSE) {
        connection.level = connections->kept->level;
        connection.at = connections->kept->at;
        drop_newest(connections);
    }
    if (line->cause == TALLY_HANDSHAKE)
        connections->retried = track_message_id(track, line);
    keep(connections, &connection);
}

/* ---- a delivery ---- */

static void tell(const struct track_delivery *delivery, struct track_connection connection)
{
    const struct track *track = delivery->track;

    connection.domain = delivery->nexthop;
    if (track_in_period(track, connection.at))
        track->options.on_connection(track->options.context, &connection);
}

static bool is_report(const struct track_delivery *delivery)
{
    return delivery->message != NULL && delivery->message->report;
}

static uint64_t transaction_of(const struct track_delivery *delivery)
{
    const struct line *line = delivery->line;
    uint64_t relay = hash_bytes(line->relay.text, line->relay.length);

    return track_mix(track_mix(delivery->message_id, relay),
                     hash_bytes(line->setup.text, line->setup.length));
}

/* Tells those that are kept. Of the last one the delivery may say that it failed; true when it was
 * there. */
static bool tell_kept(struct track_delivery *delivery, const struct track_connection *failure)
{
    struct track_connections *connections = &delivery->process->connections;
    bool found = false;

    for (bool newest = true; connections->kept != NULL; newest = false) {
        struct track_connection connection = connection_of(connections->kept);

        if (failure != NULL && newest && connection.level != TALLY_NONE &&
            connection.relay.length == failure->relay.length &&
            memcmp(connection.relay.text, failure->relay.text, connection.relay.length) == 0) {
            connection.cause = failure->cause;
            connection.reason = failure->reason;
            connection.text = failure->text;
            found = true;
        }
        tell(delivery, connection);
        drop_newest(connections);
    }
    return found;
}

void track_connection_ended(struct track_delivery *delivery)
{
    const struct line *line = delivery->line;
    struct track_connection failure = {
        .at = delivery->at, .relay = line->relay, .level = TALLY_NONE, .reason = line->reason};
    uint64_t transaction;
    bool failed, told;

    if (delivery->track->options.on_connection == NULL || delivery->process == NULL)
        return;
    if (is_report(delivery)) {
        track_connections_free(delivery->process);
        return;
    }
    failure.cause =
        line->status == TALLY_SENT ? TALLY_NO_CAUSE : track_cause_of(delivery, &failure.text);
    failed = is_of_host(failure.cause);
    if (span_is(failure.relay, "none"))
        failure.relay.length = 0;
    transaction = transaction_of(delivery);
    told = tell_kept(delivery, failed ? &failure : NULL) ||
           delivery->process->connections.transaction == transaction;
    delivery->process->connections.transaction = transaction;
    if (failed && !told)
        tell(delivery, failure);
}

void track_connection_clear(struct track_delivery *delivery)
{
    struct track_process *process = delivery->process;
    uint64_t transaction;

    if (delivery->track->options.on_connection == NULL || process == NULL || is_report(delivery) ||
        delivery->line->conn_use > 1 || process->connections.retried == delivery->message_id)
        return;
    transaction = transaction_of(delivery);
    if (process->connections.cleared == transaction)
        return;
    process->connections.cleared = transaction;
    tell(delivery, (struct track_connection){.at = delivery->at,
                                             .relay = delivery->line->relay,
                                             .level = TALLY_NONE,
                                             .cause = TALLY_NO_CAUSE,
                                             .reason = {"", 0},
                                             .text = {"", 0}});
}
