/* track: what is counted of each delivery; see track.h. Without memory for a message or process its
 * delivery is counted, but may be counted as a new one again. */
#include "audit/track.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "audit/track_internal.h"
#include "base/hash.h"
#include "base/net/hostname.h"

uint64_t track_name_id(struct track_name *last, struct span name)
{
    if (name.length == last->length && memcmp(name.text, last->text, name.length) == 0)
        return last->id;
    last->id = hash_bytes(name.text, name.length);
    last->length = 0;
    if (name.length <= sizeof last->text) {
        memcpy(last->text, name.text, name.length);
        last->length = name.length;
    }
    return last->id;
}

uint64_t track_instance_id(struct track *track, const struct line *line)
{
    const char *end = line->instance.text + line->instance.length;

    return track_name_id(&track->instance,
                         (struct span){line->host.text, (size_t)(end - line->host.text)});
}

/* Of "[host]:587" and "[host]:submission": ":587", as it stands in a relay. */
static const char *port_of(const char *relayhost)
{
    static const struct {
        const char *service, *port;
    } known[] = {
        {":smtp", ":25"},
        {":smtps", ":465"},
        {":submissions", ":465"},
        {":submission", ":587"},
    };
    const char *end = strchr(relayhost, ']');

    for (size_t i = 0; end != NULL && i < sizeof known / sizeof known[0]; i++)
        if (strcmp(end + 1, known[i].service) == 0)
            return known[i].port;
    return end == NULL ? "" : end + 1;
}

struct track *track_new(struct tally *tally, const struct track_options *options)
{
    struct track *track = calloc(1, sizeof *track);

    if (track == NULL)
        return NULL;
    track->tally = tally;
    track->options = *options;
    for (size_t i = 0; i < options->relayhost_count; i++)
        track->relayports[i] = port_of(options->relayhosts[i]);
    hashmap_init_ids(&track->processes,
                     offsetof(struct track_process, id) - offsetof(struct track_process, link));
    hashmap_init_ids(&track->messages,
                     offsetof(struct track_message, id) - offsetof(struct track_message, link));
    hashmap_init_ids(&track->parts,
                     offsetof(struct track_part, id) - offsetof(struct track_part, link));
    list_init(&track->process_ages);
    list_init(&track->message_ages);
    list_init(&track->part_ages);
    return track;
}

void track_free(struct track *track)
{
    if (track == NULL)
        return;
    track_sessions_free(track);
    track_messages_free(track);
    hashmap_fini(&track->processes);
    hashmap_fini(&track->messages);
    hashmap_fini(&track->parts);
    free(track);
}

bool track_in_period(const struct track *track, int64_t at)
{
    return at >= track->options.since && (track->options.until == 0 || at < track->options.until);
}

/* ---- next-hops ---- */

/* What "[host]:port" has behind its bracket, ":port" or "", stands at the end of a relay. */
static bool has_port(struct span relay, const char *port)
{
    size_t length = strlen(port);

    return relay.length >= length && memcmp(relay.text + relay.length - length, port, length) == 0;
}

/* Whether a delivery went to a relayhost as main.cf names it: "[host]:port", "[host]", "domain".
 * The mail hosts of a domain are not known here: all that smtp(8) sends goes there. */
static bool is_relayed(const char *relayhost, const char *port, const struct line *line)
{
    const char *end = strchr(relayhost, ']');
    struct span address = line->relay;
    size_t length;

    if (relayhost[0] != '[' || end == NULL || span_is(line->relay, "none"))
        return true;
    if (!has_port(line->relay, port))
        return false;
    length = (size_t)(end - relayhost) - 1;
    if (line->relay_host.length == length &&
        strncasecmp(line->relay_host.text, relayhost + 1, length) == 0)
        return true;
    span_skip(&address, line->relay_host.length); /* "[address]:port" */
    return address.length >= length + 2 && strncasecmp(address.text, relayhost, length + 2) == 0;
}

/* The next-hop of a delivery, as text; its length, 0 for none. */
static size_t nexthop_of(const struct track *track, const struct line *line,
                         char out[TALLY_NAME_MAX + 1])
{
    for (size_t i = 0; i < track->options.relayhost_count; i++) {
        const char *relayhost = track->options.relayhosts[i];
        size_t length = strlen(relayhost);

        if (length == 0 || length > TALLY_NAME_MAX ||
            !is_relayed(relayhost, track->relayports[i], line))
            continue;
        memcpy(out, relayhost, length + 1);
        hostname_fold(out, length);
        return length;
    }
    return line_nexthop(out, line->domain);
}

/* ---- one delivery ---- */

static void count_level(struct tally *tally, const struct track_silent *where,
                        enum tally_level level)
{
    struct tally_domain *domain = &tally->domains[where->domain];
    enum tally_level worst = tally_worst(domain->levels);

    if (worst == TALLY_LEVEL_COUNT || level >= worst)
        domain->worst_at = where->at;
    domain->levels[level]++;
    tally->hosts[where->host].levels[level]++;
    tally->days[tally_day_at(tally, where->day_at)].levels[level]++;
    tally->total.levels[level]++;
}

/* What was sent in silence is decided for an instance. */
static void end_silence(struct track *track, struct track_instance *instance,
                        enum tally_level level)
{
    for (uint32_t i = 0; i < instance->silent_count; i++)
        count_level(track->tally, &instance->silent[i], level);
    if (level == TALLY_UNKNOWN)
        track->tally->unlogged += instance->silent_count;
    instance->silent_count = 0;
}

static bool is_logged(const struct track *track, int64_t at)
{
    return track->options.tls_logged && at >= track->options.logged_since;
}

/* Nothing was said about TLS: it went in clear, if the instance logs TLS. The level, as far as that
 * is known. */
static enum tally_level count_silent(struct track_delivery *delivery,
                                     const struct track_silent *where)
{
    struct track *track = delivery->track;
    struct track_instance *instance = track_instance_of(track, delivery->line);

    if (instance != NULL && (instance->talks || is_logged(track, delivery->at))) {
        count_level(track->tally, where, TALLY_NONE);
        return TALLY_NONE;
    }
    if (instance != NULL && !instance->mute) {
        instance->silent[instance->silent_count++] = *where;
        instance->mute = instance->silent_count == TRACK_SILENT_MAX;
        if (instance->mute)
            end_silence(track, instance, TALLY_UNKNOWN);
    } else {
        count_level(track->tally, where, TALLY_UNKNOWN);
        track->tally->unlogged++;
    }
    return TALLY_UNKNOWN;
}

static void count_sent(struct track_delivery *delivery)
{
    struct tally *tally = delivery->track->tally;
    struct tally_domain *domain = &tally->domains[delivery->domain];
    const struct track_silent where = {delivery->domain, delivery->host, (uint32_t)delivery->at,
                                       delivery->counted ? tally->days[delivery->day].at : 0};
    uint64_t size = delivery->message == NULL ? 0 : delivery->message->size;
    enum tally_protocol protocol;
    enum tally_level level;
    bool silent;

    level = track_level_of(delivery, &protocol, &silent);
    if (!delivery->counted)
        return;
    domain->octets += size;
    tally->total.octets += size;
    if (domain->sent_first == 0 || where.at < domain->sent_first)
        domain->sent_first = where.at;
    if (where.at > domain->sent_last)
        domain->sent_last = where.at;
    if (protocol != TALLY_PROTOCOL_COUNT) {
        domain->protocols[protocol]++;
        tally->total.protocols[protocol]++;
    }
    if (silent)
        level = count_silent(delivery, &where);
    else
        count_level(tally, &where, level);
    if (level == TALLY_NONE)
        track_connection_clear(delivery);
}

/* ---- messages and recipients ---- */

/* Notes that a message goes to a domain; false when that was known. */
static bool add_domain(struct track_delivery *delivery)
{
    struct track_message *message = delivery->message;
    struct track_part *part;
    bool added;

    for (size_t i = 0; i < TRACK_DOMAINS; i++) {
        if (message->domains[i] == delivery->domain + 1)
            return false;
        if (message->domains[i] == 0) {
            message->domains[i] = delivery->domain + 1;
            return true;
        }
    }
    part = track_part_of(delivery->track, message, track_mix(message->id, delivery->domain), false,
                         true);
    added = part == NULL || !part->counted;
    if (part != NULL)
        part->counted = true;
    return added;
}

/* Notes that a message was sent to a domain that is noted; false when that was known. */
static bool add_sent(struct track_delivery *delivery)
{
    struct track_message *message = delivery->message;
    struct track_part *part;
    bool added;

    for (size_t i = 0; i < TRACK_DOMAINS; i++) {
        if (message->domains[i] != delivery->domain + 1)
            continue;
        added = (message->domains_sent & 1U << i) == 0;
        message->domains_sent |= (uint8_t)(1U << i);
        return added;
    }
    part = track_part_of(delivery->track, message, track_mix(message->id, delivery->domain), false,
                         false);
    added = part == NULL || !part->sent;
    if (part != NULL)
        part->sent = true;
    return added;
}

static void count_message(struct track_delivery *delivery)
{
    struct tally *tally = delivery->track->tally;
    struct track_message *message = delivery->message;

    if (!delivery->counted)
        return;
    tally->total.messages += message == NULL || !message->counted;
    if (message == NULL || add_domain(delivery))
        tally->domains[delivery->domain].messages++;
    if (delivery->line->status == TALLY_SENT && (message == NULL || add_sent(delivery)))
        tally->domains[delivery->domain].messages_sent++;
    if (message != NULL)
        message->counted = true;
}

static void count_recipient(struct track_delivery *delivery, bool known)
{
    struct tally *tally = delivery->track->tally;

    if (!delivery->counted || known)
        return;
    tally->domains[delivery->domain].recipients++;
    tally->total.recipients++;
}

/* A recipient whose delivery failed in a trouble, for the first time. */
static void join_trouble(struct track_delivery *delivery, struct track_part *part, uint32_t trouble)
{
    struct tally *tally = delivery->track->tally;
    bool bounced = delivery->line->status == TALLY_BOUNCED;

    if (trouble == TALLY_OTHERS || (part != NULL && part->trouble != TALLY_OTHERS))
        return;
    tally->troubles[trouble].recipients++;
    tally->troubles[trouble].gave_up += bounced;
    if (part != NULL && !bounced) {
        part->trouble = trouble;
        part->since = delivery->at;
    }
}

static void follow_recipient(struct track_delivery *delivery, uint32_t trouble)
{
    bool waits = delivery->line->status == TALLY_DEFERRED;
    struct track_part *part = NULL;

    if (delivery->message != NULL && (waits || delivery->message->waiting > 0))
        part = track_recipient_of(delivery->track, delivery->message, delivery->line, waits);
    count_recipient(delivery, part != NULL && part->counted);
    join_trouble(delivery, part, trouble);
    if (part == NULL)
        return;
    part->counted = part->counted || delivery->counted;
    if (!waits)
        track_part_end(delivery->track, part, delivery->line->status, delivery->at);
}

static void count_status(struct track_delivery *delivery)
{
    struct tally *tally = delivery->track->tally;
    enum tally_status status = delivery->line->status;

    if (!delivery->counted)
        return;
    tally->domains[delivery->domain].statuses[status]++;
    tally->hosts[delivery->host].statuses[status]++;
    tally->days[delivery->day].statuses[status]++;
    tally->total.statuses[status]++;
}

/* Whether error(8) speaks for smtp(8): it does for lmtp(8) and others as well. */
static bool is_of_smtp(const struct track *track, const struct line *line, const char *nexthop,
                       size_t length)
{
    return cause_of(line->reason) != TALLY_NO_CAUSE ||
           tally_domain_find(track->tally, nexthop, length) != TALLY_OTHERS;
}

static void take_delivery(struct track *track, const struct line *line, int64_t at)
{
    struct track_delivery delivery = {.track = track, .line = line, .at = at};
    char nexthop[TALLY_NAME_MAX + 1];
    size_t length = nexthop_of(track, line, nexthop);
    uint32_t trouble = TALLY_OTHERS;

    delivery.nexthop = (struct span){nexthop, length};
    if (line->suspended && !is_of_smtp(track, line, nexthop, length))
        return;
    delivery.counted = track_in_period(track, at);
    if (delivery.counted) {
        delivery.domain = tally_domain_at(track->tally, nexthop, length);
        delivery.host = tally_host_at(track->tally, line->relay_host.text, line->relay_host.length);
        delivery.day = tally_day_at(track->tally, at);
    }
    delivery.message_id = track_message_id(track, line);
    delivery.process = line->suspended ? NULL : track_process_of(track, line);
    delivery.message = track_message_of(track, delivery.message_id, true);
    if (delivery.process != NULL)
        track_attribute(delivery.process, line, delivery.message_id);
    track_connection_ended(&delivery);
    count_status(&delivery);
    count_message(&delivery);
    if (line->status == TALLY_SENT)
        count_sent(&delivery);
    else
        trouble = track_failed(&delivery);
    follow_recipient(&delivery, trouble);
}

/* ---- lines ---- */

static bool is_report(const struct track *track, struct span sender)
{
    const char *reporter = track->options.reporter;

    return reporter != NULL && strlen(reporter) == sender.length &&
           strncasecmp(reporter, sender.text, sender.length) == 0;
}

/* A message of another size is another message: the end of the one before was not logged. When it
 * was met without its size, the log began in its midst. */
static void take_queued(struct track *track, const struct line *line, int64_t at)
{
    uint64_t id = track_message_id(track, line);
    struct track_message *message = track_message_of(track, id, true);

    if (message != NULL && message->queued && message->counted && message->size != line->size) {
        track_message_end(track, message, at);
        message = track_message_of(track, id, true);
    }
    if (message == NULL)
        return;
    message->size = line->size;
    message->report = is_report(track, line->sender);
    message->queued = true;
}

static void take_removed(struct track *track, const struct line *line, int64_t at)
{
    struct track_message *message = track_message_of(track, track_message_id(track, line), false);

    if (message != NULL)
        track_message_end(track, message, at);
}

static void take_expired(struct track *track, const struct line *line)
{
    struct track_message *message = track_message_of(track, track_message_id(track, line), false);

    if (message != NULL)
        message->expired = true;
}

static void take_session(struct track *track, const struct line *line, int64_t at)
{
    struct track_instance *instance = track_instance_of(track, line);

    if (instance != NULL && !instance->talks) {
        /* that TLS is logged since then says nothing of the time before */
        end_silence(track, instance, is_logged(track, at) ? TALLY_UNKNOWN : TALLY_NONE);
        instance->talks = true;
    }
    track_session(track, line, at);
}

/* A mail host was given up. */
static void take_given_up(struct track *track, const struct line *line, int64_t at)
{
    if (line->kind == LINE_LOST)
        track_lost(track, line);
    track_connection_skipped(track, line, at);
}

/* Of an address: its connection has no mail that counts. */
static void take_probe(struct track *track, const struct line *line)
{
    struct track_process *process = track_process_of(track, line);

    if (process == NULL)
        return;
    process->relay_length = 0;
    track_attribute(process, line, track_message_id(track, line));
    track_connections_free(process);
}

/* When the log of a host begins, and from when to when lines were counted. */
static void note_moment(struct track *track, const struct line *line, int64_t at)
{
    struct tally *tally = track->tally;

    track_note_host(track, line, at);
    if (!track_in_period(track, at))
        return;
    if (tally->from == 0 || at < tally->from)
        tally->from = at;
    if (at > tally->to)
        tally->to = at;
}

void track_line(struct track *track, const struct line *line, int64_t at)
{
    track->tally->lines++;
    if (line->kind == LINE_UNREAD) {
        track->tally->lines_unread++;
        return;
    }
    track->now = at;
    note_moment(track, line, at);
    switch (line->kind) {
    case LINE_OTHER:
    case LINE_UNREAD:
        break;
    case LINE_SESSION:
        take_session(track, line, at);
        break;
    case LINE_DELIVERY:
        take_delivery(track, line, at);
        break;
    case LINE_PROBE:
        take_probe(track, line);
        break;
    case LINE_LOST:
    case LINE_SKIPPED:
        take_given_up(track, line, at);
        break;
    case LINE_QUEUED:
        take_queued(track, line, at);
        break;
    case LINE_RETURNED:
        track_returned(track, line, at);
        break;
    case LINE_REQUEUED:
        track_requeued(track, line);
        break;
    case LINE_REMOVED:
        take_removed(track, line, at);
        break;
    case LINE_EXPIRED:
        take_expired(track, line);
        break;
    case LINE_WHY:
        track_why(track, line);
        break;
    case LINE_SUPPRESSED:
        if (track_in_period(track, at))
            track->tally->suppressed += line->number;
        break;
    }
}

void track_finish(struct track *track)
{
    for (size_t i = 0; i < track->instance_count; i++)
        end_silence(track, track->instances[i], TALLY_UNKNOWN);
}
