/* tally: see tally.h. Arrays grow by doubling; maps find an element by its name. */
#include "audit/tally.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/stamp.h"
#include "base/arena.h"
#include "base/escape.h"
#include "base/map.h"
#include "base/net/hostname.h"

#define FIRST_SIZE   64
#define TEXT_MAX     400 /* octets of a trouble's text, escaped */
#define NAMES_OCTETS ((size_t)512 * 1024 * 1024)
#define DAY_S        ((int64_t)24 * 60 * 60)
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const char *const level_names[] = {
#define X(word, name) name,
    TALLY_LEVELS(X)
#undef X
};
static const char *const protocol_names[] = {
#define X(word, name) name,
    TALLY_PROTOCOLS(X)
#undef X
};
static const char *const status_names[] = {
#define X(word, name) name,
    TALLY_STATUSES(X)
#undef X
};
static const struct {
    const char *name, *text;
} cause_names[] = {
#define X(word, name, text) {name, text},
    TALLY_CAUSES(X)
#undef X
};

const char *tally_level_name(enum tally_level level)
{
    return level_names[level];
}

const char *tally_protocol_name(enum tally_protocol protocol)
{
    return protocol_names[protocol];
}

const char *tally_status_name(enum tally_status status)
{
    return status_names[status];
}

const char *tally_cause_name(enum tally_cause cause)
{
    return cause_names[cause].name;
}

const char *tally_cause_text(enum tally_cause cause)
{
    return cause_names[cause].text;
}

/* ---- elements by name ---- */

/* In the arena of the maps. The name is also the element's. */
struct named {
    struct hashmap_link link;
    uint32_t index;
    char name[];
};

struct tally_maps {
    struct hashmap domains, hosts, troubles;
    struct arena *names;
    int64_t day_begin, day_end; /* of the day that was looked up last */
    uint32_t day;
    uint32_t domain_room, host_room, trouble_room; /* of the arrays */
};

/* The next element of an array, all zero; NULL without memory. */
static void *next_element(void **array, uint32_t *count, uint32_t *room, size_t size)
{
    uint32_t larger = *room == 0 ? FIRST_SIZE : *room * 2;
    void *grown;

    if (*count == *room) {
        grown = realloc(*array, larger * size);
        if (grown == NULL)
            return NULL;
        *array = grown;
        *room = larger;
    }
    memset((char *)*array + *count * size, 0, size);
    return (char *)*array + (*count)++ * size;
}

static struct named *find(const struct hashmap *map, const char *name, size_t length)
{
    struct hashmap_link *link = hashmap_find(map, name, length);

    return link == NULL ? NULL : HASHMAP_ELEMENT(link, struct named, link);
}

/* NULL without memory. */
static const char *add_name(struct tally *tally, struct hashmap *map, const char *name,
                            size_t length, uint32_t index)
{
    struct named *named = arena_alloc(tally->maps->names, sizeof *named + length + 1);

    if (named == NULL)
        return NULL;
    named->index = index;
    memcpy(named->name, name, length);
    return hashmap_add(map, &named->link, length) ? named->name : NULL;
}

static bool is_printable(const char *name, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (name[i] < '!' || name[i] > '~')
            return false;
    return length > 0 && length <= TALLY_NAME_MAX;
}

uint32_t tally_domain_at(struct tally *tally, const char *name, size_t length)
{
    struct tally_maps *maps = tally->maps;
    struct named *known = find(&maps->domains, name, length);
    struct tally_domain *domain;

    if (known != NULL)
        return known->index;
    if (!is_printable(name, length))
        return TALLY_OTHERS;
    if (tally->domain_count > tally->limits.domains) {
        tally->domains_folded++;
        return TALLY_OTHERS;
    }
    domain = next_element((void **)&tally->domains, &tally->domain_count, &maps->domain_room,
                          sizeof *domain);
    if (domain == NULL || (domain->name = add_name(tally, &maps->domains, name, length,
                                                   tally->domain_count - 1)) == NULL) {
        tally->domain_count -= domain != NULL;
        tally->no_memory = true;
        return TALLY_OTHERS;
    }
    return tally->domain_count - 1;
}

uint32_t tally_domain_find(const struct tally *tally, const char *name, size_t length)
{
    struct named *known = find(&tally->maps->domains, name, length);

    return known == NULL ? TALLY_OTHERS : known->index;
}

uint32_t tally_host_at(struct tally *tally, const char *name, size_t length)
{
    struct tally_maps *maps = tally->maps;
    char lower[TALLY_NAME_MAX + 1];
    struct tally_host *host;
    struct named *known;

    if (!is_printable(name, length))
        return TALLY_OTHERS;
    memcpy(lower, name, length);
    hostname_fold(lower, length);
    known = find(&maps->hosts, lower, length);
    if (known != NULL)
        return known->index;
    if (tally->host_count > tally->limits.hosts) {
        tally->hosts_folded++;
        return TALLY_OTHERS;
    }
    host = next_element((void **)&tally->hosts, &tally->host_count, &maps->host_room, sizeof *host);
    if (host == NULL || (host->name = add_name(tally, &maps->hosts, lower, length,
                                               tally->host_count - 1)) == NULL) {
        tally->host_count -= host != NULL;
        tally->no_memory = true;
        return TALLY_OTHERS;
    }
    return tally->host_count - 1;
}

/* Its key: numbers and text as one string. */
uint32_t tally_trouble_at(struct tally *tally, uint32_t domain, enum tally_cause cause,
                          const char *text, size_t length)
{
    struct tally_maps *maps = tally->maps;
    char escaped[TEXT_MAX], key[TEXT_MAX + 32];
    struct tally_trouble *trouble;
    const char *name;
    struct named *known;
    size_t key_length;

    escape_bytes(escaped, sizeof escaped, text, length);
    key_length = (size_t)snprintf(key, sizeof key, "%u %d %s", domain, (int)cause, escaped);
    known = find(&maps->troubles, key, key_length);
    if (known != NULL)
        return known->index;
    if (tally->trouble_count > tally->limits.troubles) {
        tally->troubles_folded++;
        return TALLY_OTHERS;
    }
    trouble = next_element((void **)&tally->troubles, &tally->trouble_count, &maps->trouble_room,
                           sizeof *trouble);
    name = trouble == NULL
               ? NULL
               : add_name(tally, &maps->troubles, key, key_length, tally->trouble_count - 1);
    if (name == NULL) {
        tally->trouble_count -= trouble != NULL;
        tally->no_memory = true;
        return TALLY_OTHERS;
    }
    trouble->domain = domain;
    trouble->cause = cause;
    trouble->text = name + (key_length - strlen(escaped));
    return tally->trouble_count - 1;
}

/* ---- days ---- */

/* Where a day is, or would be. */
static uint32_t day_place(const struct tally *tally, int64_t begin)
{
    uint32_t place = 0, end = tally->day_count;

    while (place < end) {
        uint32_t middle = place + (end - place) / 2;

        if (tally->days[middle].at < begin)
            place = middle + 1;
        else
            end = middle;
    }
    return place;
}

uint32_t tally_day_at(struct tally *tally, int64_t at)
{
    struct tally_maps *maps = tally->maps;
    uint32_t place;

    if (maps->day_end > 0 && at >= maps->day_begin && at < maps->day_end)
        return maps->day;
    maps->day_begin = stamp_day(at);
    maps->day_end = stamp_day(maps->day_begin + DAY_S + DAY_S / 2);
    place = day_place(tally, maps->day_begin);
    if (place == tally->day_count || tally->days[place].at != maps->day_begin) {
        if (tally->day_count == TALLY_DAYS_MAX) {
            tally->days_folded++;
            place = place == 0 ? 0 : place - 1;
        } else {
            memmove(tally->days + place + 1, tally->days + place,
                    (tally->day_count - place) * sizeof *tally->days);
            tally->days[place] = (struct tally_day){.at = maps->day_begin};
            tally->day_count++;
        }
    }
    maps->day = place;
    return place;
}

/* ---- the whole ---- */

struct tally *tally_new(const struct tally_limits *limits)
{
    struct tally *tally = calloc(1, sizeof *tally);

    if (tally == NULL)
        return NULL;
    tally->limits = *limits;
    tally->maps = calloc(1, sizeof *tally->maps);
    tally->days = calloc(TALLY_DAYS_MAX, sizeof *tally->days);
    if (tally->maps != NULL) {
        hashmap_init(&tally->maps->domains, offsetof(struct named, name));
        hashmap_init(&tally->maps->hosts, offsetof(struct named, name));
        hashmap_init(&tally->maps->troubles, offsetof(struct named, name));
        tally->maps->names = arena_new(NAMES_OCTETS);
    }
    if (tally->maps == NULL || tally->maps->names == NULL || tally->days == NULL ||
        next_element((void **)&tally->domains, &tally->domain_count, &tally->maps->domain_room,
                     sizeof *tally->domains) == NULL ||
        next_element((void **)&tally->hosts, &tally->host_count, &tally->maps->host_room,
                     sizeof *tally->hosts) == NULL ||
        next_element((void **)&tally->troubles, &tally->trouble_count, &tally->maps->trouble_room,
                     sizeof *tally->troubles) == NULL) {
        tally_free(tally);
        return NULL;
    }
    return tally;
}

void tally_free(struct tally *tally)
{
    if (tally == NULL)
        return;
    if (tally->maps != NULL) {
        hashmap_fini(&tally->maps->domains);
        hashmap_fini(&tally->maps->hosts);
        hashmap_fini(&tally->maps->troubles);
        arena_free(tally->maps->names);
    }
    free(tally->maps);
    free(tally->domains);
    free(tally->hosts);
    free(tally->troubles);
    free(tally->days);
    free(tally);
}

/* ---- orders ---- */

uint64_t tally_by_messages(const struct tally *tally, uint32_t index)
{
    return tally->domains[index].messages;
}

uint64_t tally_by_clear(const struct tally *tally, uint32_t index)
{
    return tally->domains[index].levels[TALLY_NONE];
}

uint64_t tally_by_tls_deferred(const struct tally *tally, uint32_t index)
{
    return tally->domains[index].tls_deferred;
}

uint64_t tally_host_by_sent(const struct tally *tally, uint32_t index)
{
    return tally->hosts[index].statuses[TALLY_SENT];
}

uint64_t tally_trouble_by_deferred(const struct tally *tally, uint32_t index)
{
    return (uint64_t)tally->troubles[index].deferred + tally->troubles[index].bounced;
}

/* The list is a heap with the lowest on top, so that a million domains are passed once. */
struct ranking {
    const struct tally *tally;
    tally_value *value;
    uint32_t *indexes;
    size_t count;
};

/* Earlier elements go first where the values are equal. */
static bool is_lower(const struct ranking *ranking, uint32_t a, uint32_t b)
{
    uint64_t one = ranking->value(ranking->tally, a), other = ranking->value(ranking->tally, b);

    return one != other ? one < other : a > b;
}

static void sift_down(struct ranking *ranking, size_t at)
{
    uint32_t *heap = ranking->indexes;

    for (size_t child; (child = 2 * at + 1) < ranking->count; at = child) {
        uint32_t moved = heap[at];

        if (child + 1 < ranking->count && is_lower(ranking, heap[child + 1], heap[child]))
            child++;
        if (!is_lower(ranking, heap[child], moved))
            return;
        heap[at] = heap[child];
        heap[child] = moved;
    }
}

size_t tally_top(const struct tally *tally, uint32_t *out, size_t count, uint32_t of,
                 tally_value *value)
{
    struct ranking ranking = {tally, value, out, 0};
    size_t found;

    for (uint32_t i = 0; i < of && count > 0; i++) {
        if (value(tally, i) == 0)
            continue;
        if (ranking.count < count) {
            out[ranking.count++] = i;
            for (size_t at = ranking.count; ranking.count == count && at-- > 0;)
                sift_down(&ranking, at);
        } else if (is_lower(&ranking, out[0], i)) {
            out[0] = i;
            sift_down(&ranking, 0);
        }
    }
    for (size_t at = ranking.count; ranking.count < count && at-- > 0;)
        sift_down(&ranking, at);
    found = ranking.count;
    while (ranking.count > 1) { /* the lowest goes last */
        uint32_t lowest = out[0];

        out[0] = out[--ranking.count];
        out[ranking.count] = lowest;
        sift_down(&ranking, 0);
    }
    return found;
}

enum tally_level tally_worst(const uint32_t levels[TALLY_LEVEL_COUNT])
{
    for (int level = TALLY_LEVEL_COUNT - 1; level >= 0; level--)
        if (levels[level] > 0)
            return (enum tally_level)level;
    return TALLY_LEVEL_COUNT;
}
