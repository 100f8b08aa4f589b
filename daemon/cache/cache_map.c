/* cache_map: see cache_map.h. */
#include "daemon/cache/cache_map.h"

#include <stdlib.h>

/* A walk of the map is divided into so many stretches. */
#define GROUPS     4096
#define GROUP_BITS 20 /* 32 - 12 */

struct segment {
    struct list recent; /* least recently used first */
    size_t entries, octets, entries_max, octets_max;
};

struct cache_map {
    struct hashmap by_key;
    struct segment positive, negative;
    struct heap due;
    size_t marked;              /* entries */
    uint32_t marked_in[GROUPS]; /* of them, by the place in a walk */
    struct map_walk marked_walk;
    uint64_t evictions;
};

static void segment_init(struct segment *segment, size_t entries_max, size_t octets_max)
{
    list_init(&segment->recent);
    segment->entries_max = entries_max > 0 ? entries_max : 1;
    segment->octets_max = octets_max;
}

struct cache_map *cache_map_new(size_t entries_max, size_t octets_max)
{
    struct cache_map *map = calloc(1, sizeof *map);

    if (map == NULL)
        return NULL;
    hashmap_init(&map->by_key,
                 offsetof(struct cache_entry, key) - offsetof(struct cache_entry, by_key));
    heap_init(&map->due);
    segment_init(&map->positive, entries_max - entries_max / 4, octets_max - octets_max / 4);
    segment_init(&map->negative, entries_max / 4, octets_max / 4);
    return map;
}

static struct segment *segment_of(struct cache_map *map, const struct cache_entry *entry)
{
    return cache_entry_is_negative(entry) ? &map->negative : &map->positive;
}

void cache_map_mark(struct cache_map *map, struct cache_entry *entry, bool marked)
{
    int change = (int)marked - (int)entry->marked;

    entry->marked = marked;
    map->marked_in[hashmap_place(&entry->by_key) >> GROUP_BITS] += (uint32_t)change;
    map->marked += (size_t)change;
}

static void drop(struct cache_map *map, struct cache_entry *entry)
{
    struct segment *segment = segment_of(map, entry);

    segment->entries--;
    segment->octets -= entry->size;
    list_remove(&entry->recent);
    cache_map_mark(map, entry, false);
    heap_remove(&map->due, &entry->due);
    hashmap_remove(&map->by_key, &entry->by_key);
    cache_entry_free(entry);
}

/* Drops the least recently used while there is more than so much. */
static void drop_oldest(struct cache_map *map, struct segment *segment, size_t entries,
                        size_t octets)
{
    while (!list_empty(&segment->recent) &&
           (segment->entries > entries || segment->octets > octets)) {
        map->evictions++;
        drop(map, LIST_ELEMENT(segment->recent.next, struct cache_entry, recent));
    }
}

void cache_map_free(struct cache_map *map)
{
    if (map == NULL)
        return;
    drop_oldest(map, &map->positive, 0, 0);
    drop_oldest(map, &map->negative, 0, 0);
    hashmap_fini(&map->by_key);
    heap_fini(&map->due);
    free(map);
}

struct cache_entry *cache_map_get(struct cache_map *map, const char *key, size_t length)
{
    struct hashmap_link *link = hashmap_find(&map->by_key, key, length);

    return link == NULL ? NULL : HASHMAP_ELEMENT(link, struct cache_entry, by_key);
}

/* Uses of different entries are noted at different times. */
static int64_t use_period(const struct cache_entry *entry, int64_t at)
{
    return (at + entry->by_key.hash % CACHE_USE_NOTED_MS) / CACHE_USE_NOTED_MS;
}

struct cache_entry *cache_map_use(struct cache_map *map, const char *key, size_t length,
                                  int64_t now)
{
    struct cache_entry *entry = cache_map_get(map, key, length);

    if (entry == NULL || now >= entry->verdict.valid_until)
        return NULL;
    if (entry->used_at == now) /* what is used all the time is among the last already */
        return entry;
    list_remove(&entry->recent);
    list_append(&segment_of(map, entry)->recent, &entry->recent);
    if (use_period(entry, now) != use_period(entry, entry->used_at))
        cache_map_mark(map, entry, true);
    if (now > entry->used_at) /* it may have been made after this turn's requests arrived */
        entry->used_at = now;
    return entry;
}

/* The walk goes round and round, past the stretches in which nothing is marked. */
struct cache_entry *cache_map_next_marked(struct cache_map *map)
{
    while (map->marked > 0) {
        uint64_t *at = &map->marked_walk.at;
        struct hashmap_link *link;

        if (*at >= MAP_HASHES)
            *at = 0;
        if (map->marked_in[*at >> GROUP_BITS] == 0) {
            *at = ((*at >> GROUP_BITS) + 1) << GROUP_BITS;
            continue;
        }
        if (!hashmap_step(&map->by_key, &map->marked_walk, &link))
            break;
        for (; link != NULL; link = link->next) {
            struct cache_entry *entry = HASHMAP_ELEMENT(link, struct cache_entry, by_key);

            if (!entry->marked)
                continue;
            cache_map_mark(map, entry, false);
            return entry;
        }
    }
    return NULL;
}

/* ---- when entries are due ---- */

bool cache_map_schedule(struct cache_map *map, struct cache_entry *entry, int64_t at)
{
    return heap_put(&map->due, &entry->due, at);
}

struct cache_entry *cache_map_due(const struct cache_map *map)
{
    struct heap_link *link = heap_first(&map->due);

    return link == NULL ? NULL : HEAP_ELEMENT(link, struct cache_entry, due);
}

struct cache_entry *cache_map_put(struct cache_map *map, struct cache_entry *take, bool wanted)
{
    struct segment *segment = segment_of(map, take);
    size_t left = take->size < segment->octets_max ? segment->octets_max - take->size : 0;
    bool has_room;

    cache_map_remove(map, take->key, take->key_length);
    if (wanted && take->size <= segment->octets_max)
        drop_oldest(map, segment, segment->entries_max - 1, left);
    has_room = segment->entries < segment->entries_max &&
               segment->octets + take->size <= segment->octets_max;
    if (!has_room || !hashmap_add(&map->by_key, &take->by_key, take->key_length)) {
        map->evictions += !has_room;
        cache_entry_free(take);
        return NULL;
    }
    /* before the first of a list is behind its last */
    list_append(wanted ? &segment->recent : segment->recent.next, &take->recent);
    segment->entries++;
    segment->octets += take->size;
    return take;
}

bool cache_map_remove(struct cache_map *map, const char *key, size_t length)
{
    struct cache_entry *entry = cache_map_get(map, key, length);

    if (entry != NULL)
        drop(map, entry);
    return entry != NULL;
}

void cache_map_get_stats(const struct cache_map *map, struct cache_map_stats *out)
{
    out->entries = map->positive.entries + map->negative.entries;
    out->octets = map->positive.octets + map->negative.octets;
    out->negative_entries = map->negative.entries;
    out->marked = map->marked;
    out->evictions = map->evictions;
}

bool cache_map_some(const struct cache_map *map, struct map_walk *walk, cache_map_take take,
                    void *context)
{
    struct hashmap_link *link, *next;

    if (!hashmap_step(&map->by_key, walk, &link))
        return true;
    for (; link != NULL; link = next) {
        next = link->next;
        take(context, HASHMAP_ELEMENT(link, struct cache_entry, by_key));
    }
    return false;
}
