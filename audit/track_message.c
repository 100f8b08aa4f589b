/* track_message: messages in the queue, the domains each was counted for, and the recipients that
 * wait; see track.h. */
#include <stdlib.h>

#include "audit/track_internal.h"
#include "base/hash.h"

static struct track_message *find_message(const struct track *track, uint64_t id)
{
    struct hashmap_link *link = hashmap_find(&track->messages, &id, sizeof id);

    return link == NULL ? NULL : HASHMAP_ELEMENT(link, struct track_message, link);
}

static void part_free(struct track *track, struct track_part *part)
{
    hashmap_remove(&track->parts, &part->link);
    list_remove(&part->of_message);
    part->message->waiting -= part->waits;
    list_remove(&part->age);
    track->part_count--;
    free(part);
}

static void message_free(struct track *track, struct track_message *message)
{
    while (!list_empty(&message->parts))
        part_free(track, LIST_ELEMENT(message->parts.next, struct track_part, of_message));
    hashmap_remove(&track->messages, &message->link);
    list_remove(&message->age);
    track->message_count--;
    free(message);
}

static void forget_oldest_message(struct track *track)
{
    message_free(track, LIST_ELEMENT(track->message_ages.next, struct track_message, age));
    track->tally->messages_forgotten++;
}

static uint64_t message_id(struct track *track, const struct line *line, struct span queue_id)
{
    return track_mix(track_name_id(&track->host, line->host),
                     hash_bytes(queue_id.text, queue_id.length));
}

uint64_t track_message_id(struct track *track, const struct line *line)
{
    return message_id(track, line, line->queue_id);
}

/* Of an alias; NULL when the message is gone. */
static struct track_message *message_of_alias(const struct track *track,
                                              const struct track_message *alias)
{
    struct track_message *message = find_message(track, alias->requeued);

    return message != NULL && message->requeued == alias->id ? message : NULL;
}

struct track_message *track_message_of(struct track *track, uint64_t id, bool add)
{
    struct track_message *message = find_message(track, id), *named;

    if (message != NULL && message->alias) {
        named = message_of_alias(track, message);
        if (named != NULL)
            return named;
        message->alias = false;
        message->requeued = 0;
    }
    if (message != NULL || !add)
        return message;
    if (track->message_count == TRACK_MESSAGES_MAX)
        forget_oldest_message(track);
    message = calloc(1, sizeof *message);
    if (message == NULL)
        return NULL;
    message->id = id;
    list_init(&message->age);
    list_init(&message->parts);
    if (!hashmap_add(&track->messages, &message->link, sizeof message->id)) {
        free(message);
        return NULL;
    }
    list_append(&track->message_ages, &message->age);
    track->message_count++;
    return message;
}

/* Forgets that a message has another name. */
static void end_alias(struct track *track, struct track_message *message)
{
    struct track_message *alias =
        message->requeued == 0 ? NULL : find_message(track, message->requeued);

    message->requeued = 0;
    if (alias != NULL && alias->alias && alias->requeued == message->id)
        message_free(track, alias);
}

void track_requeued(struct track *track, const struct line *line)
{
    uint64_t id = track_message_id(track, line), former;
    struct track_message *message =
        track_message_of(track, message_id(track, line, line->former_id), false);
    struct track_message *alias;

    if (message == NULL || message->id == id)
        return;
    end_alias(track, message);
    former = message->id;
    alias = track_message_of(track, id, true); /* may be at the cost of the oldest one */
    message = find_message(track, former);
    if (message == NULL || alias == NULL || alias == message || alias->counted ||
        alias->waiting > 0 || alias->requeued != 0) /* the id is another message's */
        return;
    alias->alias = true;
    alias->requeued = former;
    message->requeued = id;
    message->queued = false; /* its size is another now */
}

struct track_part *track_recipient_of(struct track *track, struct track_message *message,
                                      const struct line *line, bool add)
{
    uint64_t id = track_mix(~message->id, hash_bytes(line->recipient.text, line->recipient.length));

    return track_part_of(track, message, id, true, add);
}

static void trouble_ended(struct track *track, const struct track_part *part, uint32_t *how,
                          int64_t at)
{
    struct tally_trouble *trouble = &track->tally->troubles[part->trouble];
    int64_t waited = at > part->since ? at - part->since : 0;

    ++*how;
    trouble->waited_s += (uint64_t)waited;
    if (waited > trouble->longest_s)
        trouble->longest_s = waited > UINT32_MAX ? UINT32_MAX : (uint32_t)waited;
}

void track_message_end(struct track *track, struct track_message *message, int64_t at)
{
    for (struct list *link = message->parts.next; link != &message->parts; link = link->next) {
        struct track_part *part = LIST_ELEMENT(link, struct track_part, of_message);
        struct tally_trouble *trouble = &track->tally->troubles[part->trouble];

        if (part->trouble != TALLY_OTHERS)
            trouble_ended(track, part, message->expired ? &trouble->gave_up : &trouble->deleted,
                          at);
    }
    end_alias(track, message);
    message_free(track, message);
}

struct track_part *track_part_of(struct track *track, struct track_message *message, uint64_t id,
                                 bool waits, bool add)
{
    struct hashmap_link *link = hashmap_find(&track->parts, &id, sizeof id);
    struct track_part *part;

    if (link != NULL)
        return HASHMAP_ELEMENT(link, struct track_part, link);
    if (!add)
        return NULL;
    if (track->part_count == TRACK_WAITING_MAX) {
        part_free(track, LIST_ELEMENT(track->part_ages.next, struct track_part, age));
        track->tally->messages_forgotten++;
    }
    part = calloc(1, sizeof *part);
    if (part == NULL)
        return NULL;
    part->id = id;
    part->message = message;
    part->waits = waits;
    list_init(&part->of_message);
    list_init(&part->age);
    if (!hashmap_add(&track->parts, &part->link, sizeof part->id)) {
        free(part);
        return NULL;
    }
    message->waiting += waits;
    list_append(&message->parts, &part->of_message);
    list_append(&track->part_ages, &part->age);
    track->part_count++;
    return part;
}

void track_part_end(struct track *track, struct track_part *part, enum tally_status status,
                    int64_t at)
{
    struct tally_trouble *trouble = &track->tally->troubles[part->trouble];

    if (part->trouble != TALLY_OTHERS)
        trouble_ended(track, part, status == TALLY_SENT ? &trouble->sent : &trouble->gave_up, at);
    part_free(track, part);
}

void track_returned(struct track *track, const struct line *line, int64_t at)
{
    struct track_message *message = track_message_of(track, track_message_id(track, line), false);
    struct track_part *part = message == NULL || message->waiting == 0
                                  ? NULL
                                  : track_recipient_of(track, message, line, false);

    if (part != NULL)
        track_part_end(track, part, TALLY_BOUNCED, at);
}

void track_messages_free(struct track *track)
{
    while (!list_empty(&track->message_ages))
        message_free(track, LIST_ELEMENT(track->message_ages.next, struct track_message, age));
}
