/* queue: see queue.h; the form of a line is that of Postfix's postqueue(1). */
#include "audit/queue.h"

#include <stdlib.h>
#include <string.h>

#include "audit/line.h"
#include "base/escape.h"
#include "base/heap.h"

#define QUEUE_ID_MAX 64

struct waiting {
    struct heap_link newest; /* at: less than 0, the newest comes first */
    uint32_t recipients;
    int64_t since;
    enum tally_cause cause;
    char queue_id[QUEUE_ID_MAX + 1];
    char domain[TALLY_NAME_MAX + 1];
    char reason[QUEUE_REASON_MAX + 1];
};

struct queue {
    struct heap newest; /* of struct waiting, owned */
    uint64_t total, by_cause[TALLY_CAUSE_COUNT + 1];
};

/* A message that is being read. */
struct message {
    const char *queue_id;
    int64_t since;
    struct waiting *domains[QUEUE_DOMAINS_MAX]; /* owned */
    size_t domain_count;
};

struct queue *queue_new(void)
{
    struct queue *queue = calloc(1, sizeof *queue);

    if (queue != NULL)
        heap_init(&queue->newest);
    return queue;
}

/* The newest, taken out; NULL when there is none. */
static struct waiting *take_newest(struct queue *queue)
{
    struct heap_link *link = heap_first(&queue->newest);

    if (link == NULL)
        return NULL;
    heap_remove(&queue->newest, link);
    return HEAP_ELEMENT(link, struct waiting, newest);
}

void queue_free(struct queue *queue)
{
    struct waiting *waiting;

    if (queue == NULL)
        return;
    while ((waiting = take_newest(queue)) != NULL)
        free(waiting);
    heap_fini(&queue->newest);
    free(queue);
}

/* ---- a line ---- */

/* The element of a domain of the message, made at need; NULL for no room, or no memory. */
static struct waiting *waiting_at(struct message *message, const char *domain, const char *reason)
{
    struct waiting *waiting;

    for (size_t i = 0; i < message->domain_count; i++)
        if (strcmp(message->domains[i]->domain, domain) == 0)
            return message->domains[i];
    waiting = message->domain_count == QUEUE_DOMAINS_MAX ? NULL : calloc(1, sizeof *waiting);
    if (waiting == NULL)
        return NULL;
    message->domains[message->domain_count++] = waiting;
    waiting->since = message->since;
    waiting->cause = TALLY_NO_CAUSE;
    escape_bytes(waiting->queue_id, sizeof waiting->queue_id, message->queue_id,
                 strlen(message->queue_id));
    memcpy(waiting->domain, domain, strlen(domain) + 1);
    escape_bytes(waiting->reason, sizeof waiting->reason, reason, strlen(reason));
    return waiting;
}

static void take_recipient(struct queue *queue, struct message *message, const json_t *recipient)
{
    const char *address = json_string_value(json_object_get(recipient, "address"));
    const char *reason = json_string_value(json_object_get(recipient, "delay_reason"));
    char domain[TALLY_NAME_MAX + 1];
    struct waiting *waiting = NULL;
    enum tally_cause cause;

    if (reason == NULL)
        return;
    cause = cause_of((struct span){reason, strlen(reason)});
    queue->total++;
    queue->by_cause[cause]++;
    if (line_nexthop(domain, line_domain((struct span){address, strlen(address)})) > 0)
        waiting = waiting_at(message, domain, reason);
    if (waiting == NULL)
        return;
    waiting->recipients++;
    /* TLS is the cause at one of them */
    if (waiting->cause == TALLY_NO_CAUSE && cause != TALLY_NO_CAUSE) {
        waiting->cause = cause;
        escape_bytes(waiting->reason, sizeof waiting->reason, reason, strlen(reason));
    }
}

/* Keeps it if it has waited longer than another, or there is room. */
static void keep_waiting(struct queue *queue, struct waiting *take)
{
    if (!heap_put(&queue->newest, &take->newest, -take->since)) {
        free(take);
        return;
    }
    if (queue->newest.count > JUDGED_WAITING_MAX)
        free(take_newest(queue));
}

static const char *fault_of(const json_t *object)
{
    const json_t *recipients = json_object_get(object, "recipients"), *recipient;
    size_t i;

    if (!json_is_object(object))
        return "it is no JSON object";
    if (!json_is_string(json_object_get(object, "queue_id")))
        return "it has no queue_id";
    if (!json_is_integer(json_object_get(object, "arrival_time")) ||
        json_integer_value(json_object_get(object, "arrival_time")) < 0)
        return "it has no arrival_time";
    if (!json_is_array(recipients))
        return "it has no recipients";
    json_array_foreach(recipients, i, recipient)
    {
        if (!json_is_string(json_object_get(recipient, "address")))
            return "a recipient has no address";
    }
    return NULL;
}

const char *queue_take_line(struct queue *queue, const char *line, size_t length)
{
    json_t *object = length > QUEUE_LINE_MAX ? NULL : json_loadb(line, length, 0, NULL);
    const char *fault = length > QUEUE_LINE_MAX ? "it is too long" : fault_of(object);
    struct message message = {.domain_count = 0};
    const json_t *recipient;
    size_t i;

    if (fault == NULL) {
        message.queue_id = json_string_value(json_object_get(object, "queue_id"));
        message.since = json_integer_value(json_object_get(object, "arrival_time"));
        json_array_foreach(json_object_get(object, "recipients"), i, recipient)
            take_recipient(queue, &message, recipient);
        for (i = 0; i < message.domain_count; i++)
            keep_waiting(queue, message.domains[i]);
    }
    json_decref(object);
    return fault;
}

/* ---- all of them ---- */

int queue_give(struct queue *queue, struct judged *judged)
{
    struct arena *arena = judged->arena;
    size_t count = queue->newest.count;
    struct waiting *waiting;

    judged->queue_read = true;
    judged->waiting_total = queue->total;
    memcpy(judged->waiting_by_cause, queue->by_cause, sizeof queue->by_cause);
    judged->waiting = arena_array(arena, count + 1, sizeof *judged->waiting);
    judged->waiting_count = judged->waiting == NULL ? 0 : count;
    while (judged->waiting != NULL && (waiting = take_newest(queue)) != NULL) {
        judged->waiting[--count] = (struct judged_waiting){
            .queue_id = arena_strdup(arena, waiting->queue_id),
            .domain = arena_strdup(arena, waiting->domain),
            .recipients = waiting->recipients,
            .since = waiting->since,
            .cause = waiting->cause,
            .reason = arena_strdup(arena, waiting->reason),
        };
        free(waiting);
    }
    return arena_failed(arena) ? -1 : 0;
}
