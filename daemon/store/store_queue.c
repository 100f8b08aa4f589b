/*
 * store_queue: see store_queue.h. The map's key is a letter for the sort of operation and the
 * identity; a put and a removal of one record share theirs, so the later one replaces the other.
 */
#include "daemon/store/store_queue.h"

#include <stdlib.h>
#include <string.h>

#define SORT_RECORD  'A' /* + kind: a put, or a removal of one record */
#define SORT_EVENTS  'H' /* the removal of all events of a key */
#define SORT_TOUCH   'T'
#define SORT_ADDRESS 'I'
#define SORT_LAPSE   'L'
#define ID_MAX       (1 + RECORD_IDENTITY_MAX)

struct id {
    size_t length;
    char text[ID_MAX];
};

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
    struct list *link, *next;

    HASH_CLEAR(hh, queue->map);
    for (link = queue->order.next; link != &queue->order; link = next) {
        next = link->next;
        free(LIST_ELEMENT(link, struct store_entry, order));
    }
    list_init(&queue->order);
    for (int i = 0; i < STORE_CLASSES; i++)
        list_init(&queue->classes[i]);
    queue->count = queue->octets = 0;
}

void store_queue_fini(struct store_queue *queue)
{
    store_queue_clear(queue);
}

/* ---- identities ---- */

static bool id_make(struct id *id, char sort, const char *name)
{
    size_t length = strlen(name);

    if (length >= RECORD_IDENTITY_MAX)
        return false;
    id->text[0] = sort;
    memcpy(id->text + 1, name, length + 1);
    id->length = length + 1;
    return true;
}

static bool id_of_record(struct id *id, struct store_queue *queue, const struct record *record)
{
    size_t length;

    id->text[0] = (char)(SORT_RECORD + (int)record->kind);
    if (record->kind == RECORD_EVENT) {
        queue->sequence++;
        memcpy(id->text + 1, &queue->sequence, sizeof queue->sequence);
        id->length = 1 + sizeof queue->sequence;
        return true;
    }
    length = record_write_identity(id->text + 1, record);
    id->length = 1 + length;
    return length > 0;
}

static struct store_entry *find(const struct store_queue *queue, const char *id, size_t length)
{
    struct store_entry *entry;

    HASH_FIND(hh, queue->map, id, (unsigned)length, entry);
    return entry;
}

/* ---- adding ---- */

static bool too_much(const struct store_queue *queue)
{
    return queue->count > queue->max || queue->octets > STORE_QUEUE_OCTETS_MAX;
}

static void make_room(struct store_queue *queue)
{
    for (int i = 0; i < STORE_CLASSES; i++)
        while (too_much(queue) && !list_empty(&queue->classes[i])) {
            drop(queue, LIST_ELEMENT(queue->classes[i].next, struct store_entry, siblings));
            queue->dropped++;
        }
}

/* Takes the entry, which is in no queue, as the last one or the first one. */
static void attach(struct store_queue *queue, struct store_entry *entry, bool first)
{
    list_init(&entry->order);
    list_init(&entry->siblings);
    HASH_ADD_KEYPTR(hh, queue->map, entry->id, (unsigned)entry->id_length, entry);
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

/* A new entry at the end, in place of one of the same identity; NULL without memory. */
static struct store_entry *add(struct store_queue *queue, const struct id *id, size_t room,
                               enum store_op op, enum store_class class)
{
    struct store_entry *entry, *before = find(queue, id->text, id->length);

    if (before != NULL)
        drop(queue, before);
    room += sizeof *entry + id->length + 1;
    entry = malloc(room);
    if (entry == NULL) {
        queue->dropped++;
        return NULL;
    }
    memset(entry, 0, sizeof *entry);
    entry->op = op;
    entry->class = class;
    entry->octets = room;
    entry->id_length = id->length;
    memcpy(entry->id, id->text, id->length);
    entry->id[id->length] = '\0';
    entry->name = entry->id + 1;
    return entry;
}

static void add_operation(struct store_queue *queue, const struct id *id, enum store_op op,
                          enum record_kind kind, int64_t at)
{
    struct store_entry *entry =
        add(queue, id, 0, op, op == STORE_TOUCH ? STORE_CHEAP : STORE_PRECIOUS);

    if (entry == NULL)
        return;
    entry->kind = kind;
    entry->at = at;
    attach(queue, entry, false);
    make_room(queue);
}

static enum store_class class_of(const struct record *record)
{
    switch (record->kind) {
    case RECORD_ANSWER:
        return record->answer.dane_until != 0 ||
                       record->answer.remembered.observed != VERDICT_NO_OPINION
                   ? STORE_PROVEN
                   : STORE_PLAIN;
    case RECORD_POLICY:
        return STORE_PRECIOUS;
    case RECORD_PROBE:
    case RECORD_EVENT:
    case RECORD_KINDS:
        break;
    }
    return STORE_CHEAP;
}

void store_queue_put(struct store_queue *queue, const struct record *record)
{
    struct store_entry *entry = NULL;
    struct id id;

    if (id_of_record(&id, queue, record) &&
        (record->kind != RECORD_ANSWER || record->answer.evidence_length <= RECORD_EVIDENCE_MAX))
        entry = add(queue, &id, record_octets(record), STORE_PUT, class_of(record));
    else
        queue->dropped++;
    if (entry == NULL)
        return;
    entry->kind = record->kind;
    record_place(&entry->record, entry->id + id.length + 1, record);
    attach(queue, entry, false);
    make_room(queue);
}

void store_queue_touch(struct store_queue *queue, const char *key, int64_t used_at)
{
    struct store_entry *put;
    struct id id;

    if (!id_make(&id, SORT_RECORD + RECORD_ANSWER, key))
        return;
    put = find(queue, id.text, id.length);
    if (put != NULL && put->op == STORE_PUT)
        put->record.answer.used_at = used_at;
    if (put != NULL)
        return;
    id.text[0] = SORT_TOUCH;
    add_operation(queue, &id, STORE_TOUCH, RECORD_ANSWER, used_at);
}

/* Events of a key are not written only to be removed again. */
static void drop_events(struct store_queue *queue, const char *key)
{
    struct list *link, *next;

    for (link = queue->classes[STORE_CHEAP].next; link != &queue->classes[STORE_CHEAP];
         link = next) {
        struct store_entry *entry = LIST_ELEMENT(link, struct store_entry, siblings);

        next = link->next;
        if (entry->op == STORE_PUT && entry->kind == RECORD_EVENT &&
            strcmp(entry->record.event.key, key) == 0)
            drop(queue, entry);
    }
}

void store_queue_remove(struct store_queue *queue, enum record_kind kind, const char *name)
{
    char sort = kind == RECORD_EVENT ? SORT_EVENTS : (char)(SORT_RECORD + (int)kind);
    struct id id;

    if (!id_make(&id, sort, name))
        return;
    if (kind == RECORD_EVENT)
        drop_events(queue, name);
    add_operation(queue, &id, STORE_REMOVE, kind, 0);
}

void store_queue_remove_address(struct store_queue *queue, const struct ip *ip)
{
    char text[IP_TEXT_MAX];
    struct list *link, *next;
    struct id id;

    for (link = queue->classes[STORE_CHEAP].next; link != &queue->classes[STORE_CHEAP];
         link = next) {
        struct store_entry *entry = LIST_ELEMENT(link, struct store_entry, siblings);

        next = link->next;
        if (entry->op == STORE_PUT && entry->kind == RECORD_PROBE &&
            ip_equal(&entry->record.probe.ip, ip))
            drop(queue, entry);
    }
    if (id_make(&id, SORT_ADDRESS, ip_text(ip, text)))
        add_operation(queue, &id, STORE_REMOVE_ADDRESS, RECORD_PROBE, 0);
}

static void lapse_answers(const struct store_queue *queue, int64_t now)
{
    for (struct list *link = queue->order.next; link != &queue->order; link = link->next) {
        struct store_entry *entry = LIST_ELEMENT(link, struct store_entry, order);

        if (entry->op == STORE_PUT && entry->kind == RECORD_ANSWER)
            record_lapse(&entry->record, now);
    }
}

void store_queue_lapse(struct store_queue *queue, int64_t now)
{
    struct id id = {1, {SORT_LAPSE}};

    lapse_answers(queue, now);
    add_operation(queue, &id, STORE_LAPSE, RECORD_ANSWER, now);
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

/* Moves what is in `earlier` before all that is in `queue`. */
static void move_before(struct store_queue *queue, struct store_queue *earlier)
{
    while (!list_empty(&earlier->order)) {
        struct store_entry *entry = LIST_ELEMENT(earlier->order.prev, struct store_entry, order);

        detach(earlier, entry);
        if (find(queue, entry->id, entry->id_length) != NULL)
            free(entry);
        else
            attach(queue, entry, true);
    }
}

/* The same, by moving what is in `queue` behind: for when that is less. */
static void move_behind(struct store_queue *queue, struct store_queue *earlier)
{
    while (!list_empty(&queue->order)) {
        struct store_entry *entry = LIST_ELEMENT(queue->order.next, struct store_entry, order);
        struct store_entry *before = find(earlier, entry->id, entry->id_length);

        detach(queue, entry);
        if (before != NULL)
            drop(earlier, before);
        attach(earlier, entry, false);
    }
    queue->dropped += earlier->dropped;
    earlier->dropped = 0;
    store_queue_hand_over(earlier, queue);
}

void store_queue_take_back(struct store_queue *queue, struct store_queue *earlier)
{
    char sort = SORT_LAPSE;
    const struct store_entry *lapse = find(queue, &sort, 1);

    if (lapse != NULL)
        lapse_answers(earlier, lapse->at);
    if (queue->count < earlier->count)
        move_behind(queue, earlier);
    else
        move_before(queue, earlier);
    make_room(queue);
}

const struct store_entry *store_queue_find(const struct store_queue *queue, enum record_kind kind,
                                           const char *name)
{
    struct id id;

    if (!id_make(&id, (char)(SORT_RECORD + (int)kind), name))
        return NULL;
    return find(queue, id.text, id.length);
}

/* A copy of `row` as the touch or the lapse that waits leaves it. */
static const struct record *overlay_row(const struct store_queue *queue, struct arena *arena,
                                        const char *name, const struct record *row)
{
    const struct store_entry *touch = NULL, *lapse;
    char sort = SORT_LAPSE;
    struct record *copy;
    struct id id;

    lapse = find(queue, &sort, 1);
    if (id_make(&id, SORT_TOUCH, name))
        touch = find(queue, id.text, id.length);
    if (lapse == NULL && touch == NULL)
        return row;
    copy = record_copy(arena, row);
    if (copy != NULL && touch != NULL)
        copy->answer.used_at = touch->at;
    if (copy != NULL && lapse != NULL)
        record_lapse(copy, lapse->at);
    return copy;
}

const struct record *store_queue_overlay(const struct store_queue *queue, struct arena *arena,
                                         enum record_kind kind, const char *name,
                                         const struct record *row)
{
    const struct store_entry *entry = store_queue_find(queue, kind, name);

    if (entry != NULL)
        return entry->op == STORE_PUT ? record_copy(arena, &entry->record) : NULL;
    if (row == NULL || kind != RECORD_ANSWER)
        return row;
    return overlay_row(queue, arena, name, row);
}
