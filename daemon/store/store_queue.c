/*
 * store_queue: see store_queue.h. The map's key is a letter for the sort of change, a digit for the
 * kind, and the identity. A put and a removal of one record have the same key, so the later one
 * replaces the other.
 */
#include "daemon/store/store_queue.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

#define ID_HEAD 2
#define ID_MAX  (ID_HEAD + RECORD_IDENTITY_MAX)

void store_queue_init(struct store_queue *queue, size_t max)
{
    memset(queue, 0, sizeof *queue);
    queue->max = max > 0 ? max : 1;
    list_init(&queue->order);
    for (int i = 0; i < STORE_CLASSES; i++)
        list_init(&queue->classes[i]);
}

static void detach(struct store_queue *queue, struct store_entry *entry)
{
    HASH_DEL(queue->map, entry);
    list_remove(&entry->order);
    list_remove(&entry->siblings);
    queue->count--;
    queue->octets -= entry->octets;
}

static void drop(struct store_queue *queue, struct store_entry *entry)
{
    detach(queue, entry);
    free(entry);
}

void store_queue_clear(struct store_queue *queue)
{
    HASH_CLEAR(hh, queue->map);
    while (!list_empty(&queue->order)) {
        struct store_entry *entry = LIST_ELEMENT(queue->order.next, struct store_entry, order);

        list_remove(&entry->order);
        list_remove(&entry->siblings);
        free(entry);
    }
    queue->count = queue->octets = 0;
}

/* ---- identities ---- */

static struct store_entry *find_id(const struct store_queue *queue, const char *id)
{
    struct store_entry *entry;

    HASH_FIND(hh, queue->map, id, (unsigned)strlen(id), entry);
    return entry;
}

/* False when the name is longer than any. */
static bool make_id(char id[ID_MAX], enum store_op op, enum record_kind kind, const char *name)
{
    static const char sorts[] = {[STORE_PUT] = 'R',
                                 [STORE_REMOVE] = 'R',
                                 [STORE_TOUCH] = 'T',
                                 [STORE_REMOVE_ADDRESS] = 'A',
                                 [STORE_LAPSE] = 'L'};

    size_t length = strlen(name);

    if (length >= RECORD_IDENTITY_MAX)
        return false;
    id[0] = sorts[op];
    id[1] = (char)('0' + (int)kind);
    memcpy(id + ID_HEAD, name, length + 1);
    return true;
}

static struct store_entry *find_named(const struct store_queue *queue, enum store_op op,
                                      enum record_kind kind, const char *name)
{
    char id[ID_MAX];

    return make_id(id, op, kind, name) ? find_id(queue, id) : NULL;
}

static bool id_of_change(char id[ID_MAX], struct store_queue *queue,
                         const struct store_change *change)
{
    char identity[RECORD_IDENTITY_MAX];
    const char *name = change->op == STORE_PUT ? identity : change->name;

    CHECK(change->op != STORE_REMOVE || change->kind <= RECORD_POLICY);
    if (change->op == STORE_PUT && change->kind == RECORD_EVENT)
        snprintf(identity, sizeof identity, "%" PRIu64, ++queue->sequence);
    else if (change->op == STORE_PUT && !record_identity(identity, change->record))
        return false;
    return make_id(id, change->op, change->kind, name);
}

/* ---- adding ---- */

static void make_room(struct store_queue *queue)
{
    for (int i = 0; i < STORE_CLASSES; i++)
        while ((queue->count > queue->max || queue->octets > STORE_QUEUE_OCTETS_MAX) &&
               !list_empty(&queue->classes[i])) {
            drop(queue, LIST_ELEMENT(queue->classes[i].next, struct store_entry, siblings));
            queue->dropped++;
        }
}

/* Takes the entry, which is in no queue, as the last one or the first one. */
static void attach(struct store_queue *queue, struct store_entry *entry, bool first)
{
    HASH_ADD_KEYPTR(hh, queue->map, entry->id, (unsigned)strlen(entry->id), entry);
    if (!MAP_ADDED(entry)) {
        free(entry);
        queue->dropped++;
        return;
    }
    list_append(first ? queue->order.next : &queue->order, &entry->order);
    list_append(first ? queue->classes[entry->class].next : &queue->classes[entry->class],
                &entry->siblings);
    queue->count++;
    queue->octets += entry->octets;
}

static enum store_class class_of(const struct store_change *change)
{
    const struct record *record = change->record;

    if (change->op != STORE_PUT)
        return change->op == STORE_TOUCH ? STORE_CHEAP : STORE_PRECIOUS;
    if (record->kind == RECORD_POLICY)
        return STORE_PRECIOUS;
    if (record->kind != RECORD_ANSWER)
        return STORE_CHEAP;
    return record->answer.dane_until != 0 ||
                   record->answer.remembered.observed != VERDICT_NO_OPINION
               ? STORE_PROVEN
               : STORE_PLAIN;
}

/* NULL without memory. */
static struct store_entry *entry_new(const char *id, const struct store_change *change)
{
    size_t id_octets = strlen(id) + 1, octets = sizeof(struct store_entry) + id_octets;
    struct store_entry *entry;

    if (change->op == STORE_PUT)
        octets += record_octets(change->record);
    entry = malloc(octets);
    if (entry == NULL)
        return NULL;
    *entry = (struct store_entry){.op = change->op,
                                  .class = class_of(change),
                                  .kind = change->kind,
                                  .at = change->at,
                                  .name = entry->id + ID_HEAD,
                                  .octets = octets};
    memcpy(entry->id, id, id_octets);
    if (change->op == STORE_PUT)
        record_place(&entry->record, entry->id + id_octets, change->record);
    return entry;
}

/* What waits to be put is changed as the store's rows will be. */
static void change_puts(struct store_queue *queue, const struct store_change *change)
{
    size_t length = change->op == STORE_REMOVE_ADDRESS ? strlen(change->name) : 0;
    struct list *link, *next;

    for (link = queue->order.next; link != &queue->order; link = next) {
        struct store_entry *entry = LIST_ELEMENT(link, struct store_entry, order);

        next = link->next;
        if (entry->op != STORE_PUT || entry->kind != change->kind)
            continue;
        if (change->op == STORE_LAPSE)
            record_lapse(&entry->record, change->at);
        else if (strncmp(entry->name, change->name, length) == 0 && entry->name[length] == ' ')
            drop(queue, entry);
    }
}

void store_queue_add(struct store_queue *queue, const struct store_change *change)
{
    struct store_entry *entry = NULL, *before = NULL;
    char id[ID_MAX];

    if (change->op == STORE_TOUCH)
        before = find_named(queue, STORE_PUT, RECORD_ANSWER, change->name);
    if (before != NULL && before->op == STORE_PUT)
        before->record.answer.used_at = change->at;
    if (before != NULL)
        return;
    if (change->op == STORE_LAPSE || change->op == STORE_REMOVE_ADDRESS)
        change_puts(queue, change);
    if (id_of_change(id, queue, change) &&
        (change->op != STORE_PUT || change->kind != RECORD_ANSWER ||
         change->record->answer.evidence_length <= RECORD_EVIDENCE_MAX)) {
        before = find_id(queue, id);
        if (before != NULL)
            drop(queue, before);
        entry = entry_new(id, change);
    }
    if (entry == NULL) {
        queue->dropped++;
        return;
    }
    attach(queue, entry, false);
    make_room(queue);
}

/* ---- handing over, taking back, looking up ---- */

void store_queue_hand_over(struct store_queue *queue, struct store_queue *to)
{
    to->map = queue->map;
    to->count = queue->count;
    to->octets = queue->octets;
    queue->map = NULL;
    queue->count = queue->octets = 0;
    list_take(&to->order, &queue->order);
    for (int i = 0; i < STORE_CLASSES; i++)
        list_take(&to->classes[i], &queue->classes[i]);
}

/* Moves all of `from` before what is in `to`, which then counts for more where both have the same
 * identity, or behind it, counting for more itself. */
static void move(struct store_queue *from, struct store_queue *to, bool before)
{
    while (!list_empty(&from->order)) {
        struct list *link = before ? from->order.prev : from->order.next;
        struct store_entry *entry = LIST_ELEMENT(link, struct store_entry, order);
        struct store_entry *same = find_id(to, entry->id);

        detach(from, entry);
        if (same != NULL && before) {
            free(entry);
            continue;
        }
        if (same != NULL)
            drop(to, same);
        attach(to, entry, before);
    }
}

void store_queue_take_back(struct store_queue *queue, struct store_queue *earlier)
{
    const struct store_entry *lapse = find_named(queue, STORE_LAPSE, RECORD_ANSWER, "");

    if (lapse != NULL)
        change_puts(earlier, &(struct store_change){STORE_LAPSE, RECORD_ANSWER, .at = lapse->at});
    if (queue->count < earlier->count) { /* the fewer are moved */
        move(queue, earlier, false);
        queue->dropped += earlier->dropped;
        earlier->dropped = 0;
        store_queue_hand_over(earlier, queue);
    } else {
        move(earlier, queue, true);
    }
    make_room(queue);
}

const struct record *store_queue_overlay(const struct store_queue *queue, struct arena *arena,
                                         enum record_kind kind, const char *name,
                                         const struct record *row)
{
    const struct store_entry *entry, *touch, *lapse;
    struct record *copy;

    entry = find_named(queue, STORE_PUT, kind, name);
    if (entry != NULL)
        return entry->op == STORE_PUT ? record_copy(arena, &entry->record) : NULL;
    if (row == NULL || kind != RECORD_ANSWER)
        return row;
    touch = find_named(queue, STORE_TOUCH, RECORD_ANSWER, name);
    lapse = find_named(queue, STORE_LAPSE, RECORD_ANSWER, "");
    if (touch == NULL && lapse == NULL)
        return row;
    copy = record_copy(arena, row);
    if (copy != NULL && touch != NULL)
        copy->answer.used_at = touch->at;
    if (copy != NULL && lapse != NULL)
        record_lapse(copy, lapse->at);
    return copy;
}
