/* track_trouble: what TLS made of a delivery that failed: its cause, what was logged before it, and
 * the trouble of its domain; see track.h. */
#define _GNU_SOURCE /* memmem */
#include <string.h>

#include "audit/track_internal.h"

enum tally_cause track_cause_of(struct track_delivery *delivery, struct span *text)
{
    static const char refused[] = " refused to start TLS: ";
    struct span reason = delivery->line->reason;
    enum tally_cause cause = cause_of(reason);
    const char *reply;

    if (cause == TALLY_NO_CAUSE &&
        span_is(reason, "server unavailable or unable to receive mail")) {
        *text = track_why_of(delivery->process, TALLY_MX_PATTERN, delivery->message_id);
        return text->length > 0 ? TALLY_MX_PATTERN : TALLY_NO_CAUSE;
    }
    *text = (struct span){"", 0};
    if (cause == TALLY_NO_CAUSE || cause == TALLY_NOT_OFFERED)
        return cause;
    *text = track_why_of(delivery->process, cause, delivery->message_id);
    if (cause == TALLY_REFUSED) {
        reply = memmem(reason.text, reason.length, refused, sizeof refused - 1);
        if (reply != NULL)
            span_skip(&reason, (size_t)(reply - reason.text) + sizeof refused - 1);
    }
    if (text->length == 0 && (cause == TALLY_REFUSED || cause == TALLY_NO_DANE ||
                              cause == TALLY_OUR_TLS || cause == TALLY_REQUIRETLS))
        *text = reason;
    return cause;
}

/* error(8) repeats the words of a delivery, but not what was logged before it: the domain's latest
 * trouble of that cause, among the last ones. TALLY_OTHERS for none. */
static uint32_t suspended_trouble(const struct tally *tally, uint32_t domain,
                                  enum tally_cause cause)
{
    enum { LOOKED_AT = 256 };

    for (uint32_t i = tally->trouble_count; i-- > 1 && i + LOOKED_AT >= tally->trouble_count;)
        if (tally->troubles[i].domain == domain && tally->troubles[i].cause == cause)
            return i;
    return TALLY_OTHERS;
}

static void count_cause(struct track_delivery *delivery, enum tally_cause cause, bool bounced)
{
    struct tally *tally = delivery->track->tally;
    uint32_t *counts[] = {
        bounced ? &tally->domains[delivery->domain].tls_bounced
                : &tally->domains[delivery->domain].tls_deferred,
        bounced ? &tally->hosts[delivery->host].tls_bounced
                : &tally->hosts[delivery->host].tls_deferred,
        bounced ? &tally->days[delivery->day].tls_bounced
                : &tally->days[delivery->day].tls_deferred,
        bounced ? &tally->total.tls_bounced : &tally->total.tls_deferred,
        bounced ? &tally->causes_bounced[cause] : &tally->causes[cause],
    };

    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        ++*counts[i];
}

/* Counts a delivery that TLS made fail; the index of its trouble. */
static uint32_t count_trouble(struct track_delivery *delivery, enum tally_cause cause,
                              struct span text)
{
    struct tally *tally = delivery->track->tally;
    bool bounced = delivery->line->status == TALLY_BOUNCED;
    uint32_t index = TALLY_OTHERS;
    struct tally_trouble *trouble;

    count_cause(delivery, cause, bounced);
    if (delivery->line->suspended)
        index = suspended_trouble(tally, delivery->domain, cause);
    if (index == TALLY_OTHERS)
        index = tally_trouble_at(tally, delivery->domain, cause, text.text, text.length);
    trouble = &tally->troubles[index];
    trouble->deferred += !bounced;
    trouble->bounced += bounced;
    if (delivery->host != TALLY_OTHERS)
        trouble->host = delivery->host;
    if (trouble->first_at == 0 || delivery->at < trouble->first_at)
        trouble->first_at = delivery->at;
    if (delivery->at > trouble->last_at)
        trouble->last_at = delivery->at;
    return index;
}

static void tell(const struct track_delivery *delivery, enum tally_cause cause, uint32_t trouble)
{
    const struct track *track = delivery->track;
    const struct track_event event = {
        .at = delivery->at,
        .queue_id = delivery->line->queue_id,
        .recipient = delivery->line->recipient,
        .relay = delivery->line->relay,
        .domain = track->tally->domains[delivery->domain].name,
        .status = delivery->line->status,
        .cause = cause,
        .text = trouble == TALLY_OTHERS ? "" : track->tally->troubles[trouble].text,
    };

    if (track->options.on_event != NULL)
        track->options.on_event(track->options.context, &event);
}

uint32_t track_failed(struct track_delivery *delivery)
{
    struct span text;
    enum tally_cause cause = track_cause_of(delivery, &text);
    uint32_t trouble;

    if (cause == TALLY_NO_CAUSE || !delivery->counted)
        return TALLY_OTHERS;
    trouble = count_trouble(delivery, cause, text);
    tell(delivery, cause, trouble);
    return trouble;
}
