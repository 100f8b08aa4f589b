/* cache: see cache.h. */
#include "daemon/cache/cache_map.h"

#include <stdlib.h>

struct segment {
    struct list recent; /* least recently used first */
    size_t entries, octets, entries_max, octets_max;
};

struct cache_map {
    struct cache_entry *by_key;
    struct segment positive, negative;
    struct heap due;
    struct list used; /* asked for, or marked: longest ago first */
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
    heap_init(&map->due);
    list_init(&map->used);
    segment_init(&map->positive, entries_max - entries_max / 4, octets_max - octets_max / 4);
    segment_init(&map->negative, entries_max / 4, octets_max / 4);
    return map;
}

static struct segment *segment_of(struct cache_map *map, const struct cache_entry *entry)
{
    return entry->negative ? &map->negative : &map->positive;
}

static void drop(struct cache_map *map, struct cache_entry *entry)
{
    struct segment *segment = segment_of(map, entry);

    segment->entries--;
    segment->octets -= entry->size;
    list_remove(&entry->recent);
    list_remove(&entry->used);
    heap_remove(&map->due, &entry->due);
    HASH_DEL(map->by_key, entry);
    cache_entry_free(entry);
}

void cache_map_flush(struct cache_map *map)
{
    struct cache_entry *entry, *next;

    HASH_ITER(hh, map->by_key, entry, next)
    drop(map, entry);
}

void cache_map_free(struct cache_map *map)
{
    if (map == NULL)
        return;
    cache_map_flush(map);
    heap_fini(&map->due);
    free(map);
}

struct cache_entry *cache_map_get(struct cache_map *map, const char *key, size_t length)
{
    struct cache_entry *entry;

    HASH_FIND(hh, map->by_key, key, (unsigned)length, entry);
    return entry;
}

struct cache_entry *cache_map_use(struct cache_map *map, const char *key, size_t length,
                                  int64_t now)
{
    struct cache_entry *entry = cache_map_get(map, key, length);

    if (entry == NULL || now >= entry->verdict.valid_until)
        return NULL;
    list_remove(&entry->recent);
    list_append(&segment_of(map, entry)->recent, &entry->recent);
    entry->used_at = now;
    if (now - entry->use_noted_at >= CACHE_USE_NOTED_MS) {
        entry->use_noted_at = now;
        cache_map_mark(map, entry);
    }
    return entry;
}

void cache_map_mark(struct cache_map *map, struct cache_entry *entry)
{
    list_remove(&entry->used);
    list_append(&map->used, &entry->used);
}

struct cache_entry *cache_map_next_used(struct cache_map *map)
{
    struct cache_entry *entry;

    if (list_empty(&map->used))
        return NULL;
    entry = LIST_ELEMENT(map->used.next, struct cache_entry, used);
    list_remove(&entry->used);
    return entry;
}

bool cache_map_has_used(const struct cache_map *map)
{
    return !list_empty(&map->used);
}

bool cache_map_schedule(struct cache_map *map, struct cache_entry *entry, int64_t at)
{
    return heap_put(&map->due, &entry->due, at);
}

struct cache_entry *cache_map_due(const struct cache_map *map)
{
    struct heap_link *link = heap_first(&map->due);

    return link == NULL ? NULL : HEAP_ELEMENT(link, struct cache_entry, due);
}

static void make_room(struct cache_map *map, struct segment *segment)
{
    while (!list_empty(&segment->recent) &&
           (segment->entries > segment->entries_max || segment->octets > segment->octets_max)) {
        map->evictions++;
        drop(map, LIST_ELEMENT(segment->recent.next, struct cache_entry, recent));
    }
}

bool cache_map_put(struct cache_map *map, struct cache_entry *take, bool wanted)
{
    struct segment *segment;

    cache_map_remove(map, take->key, take->key_length);
    HASH_ADD_KEYPTR(hh, map->by_key, take->key, take->key_length, take);
    if (!MAP_ADDED(take)) {
        cache_entry_free(take);
        return false;
    }
    segment = segment_of(map, take);
    /* before the first of a list is behind its last */
    list_append(wanted ? &segment->recent : segment->recent.next, &take->recent);
    segment->entries++;
    segment->octets += take->size;
    make_room(map, segment);
    return true;
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
    out->evictions = map->evictions;
}

struct cache_entry *cache_map_next(const struct cache_map *map, const struct cache_entry *entry)
{
    return entry == NULL ? map->by_key : entry->hh.next;
}

/* The least reversed hash of a bucket that is not below `at`; MAP_HASHES when there is none. */
static uint64_t next_hash(const UT_hash_handle *handle, uint64_t at)
{
    uint64_t least = MAP_HASHES;

    for (; handle != NULL; handle = handle->hh_next) {
        uint64_t hash = map_reversed(handle->hashv);

        if (hash >= at && hash < least)
            least = hash;
    }
    return least;
}

bool cache_map_some(const struct cache_map *map, struct map_walk *walk, cache_map_take take,
                    void *context)
{
    const UT_hash_table *table = map->by_key == NULL ? NULL : map->by_key->hh.tbl;
    const UT_hash_handle *handle;
    struct map_walk next = *walk;
    uint64_t hash;

    if (map_walk_over(walk, table))
        return true;
    handle = map_walk_next(&next, table);
    hash = next_hash(handle, walk->at);
    walk->at = hash == MAP_HASHES ? next.at : hash + 1;
    for (; handle != NULL; handle = handle->hh_next)
        if (map_reversed(handle->hashv) == hash)
            take(context, ELMT_FROM_HH(table, handle));
    return false;
}
