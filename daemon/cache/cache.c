/* cache: see cache.h. */
#include "daemon/cache/cache.h"

#include <stdlib.h>

struct segment {
    struct list recent; /* least recently used first */
    size_t entries, octets, entries_max, octets_max;
};

struct cache {
    struct finding *map;
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

struct cache *cache_new(size_t entries_max, size_t octets_max)
{
    struct cache *cache = calloc(1, sizeof *cache);

    if (cache == NULL)
        return NULL;
    heap_init(&cache->due);
    list_init(&cache->used);
    segment_init(&cache->positive, entries_max - entries_max / 4, octets_max - octets_max / 4);
    segment_init(&cache->negative, entries_max / 4, octets_max / 4);
    return cache;
}

static struct segment *segment_of(struct cache *cache, const struct finding *finding)
{
    return finding->negative ? &cache->negative : &cache->positive;
}

static void drop(struct cache *cache, struct finding *finding)
{
    struct segment *segment = segment_of(cache, finding);

    segment->entries--;
    segment->octets -= finding->size;
    list_remove(&finding->recent);
    list_remove(&finding->used);
    heap_remove(&cache->due, &finding->due);
    HASH_DEL(cache->map, finding);
    finding_free(finding);
}

void cache_flush(struct cache *cache)
{
    struct finding *finding, *next;

    HASH_ITER(hh, cache->map, finding, next)
    drop(cache, finding);
}

void cache_free(struct cache *cache)
{
    if (cache == NULL)
        return;
    cache_flush(cache);
    heap_fini(&cache->due);
    free(cache);
}

struct finding *cache_get(struct cache *cache, const char *key, size_t length)
{
    struct finding *finding;

    HASH_FIND(hh, cache->map, key, (unsigned)length, finding);
    return finding;
}

struct finding *cache_use(struct cache *cache, const char *key, size_t length, int64_t now)
{
    struct finding *finding = cache_get(cache, key, length);

    if (finding == NULL || now >= finding->verdict.valid_until)
        return NULL;
    list_remove(&finding->recent);
    list_append(&segment_of(cache, finding)->recent, &finding->recent);
    finding->used_at = now;
    if (now - finding->use_noted_at >= CACHE_USE_NOTED_MS) {
        finding->use_noted_at = now;
        cache_mark(cache, finding);
    }
    return finding;
}

void cache_mark(struct cache *cache, struct finding *finding)
{
    list_remove(&finding->used);
    list_append(&cache->used, &finding->used);
}

struct finding *cache_next_used(struct cache *cache)
{
    struct finding *finding;

    if (list_empty(&cache->used))
        return NULL;
    finding = LIST_ELEMENT(cache->used.next, struct finding, used);
    list_remove(&finding->used);
    return finding;
}

bool cache_has_used(const struct cache *cache)
{
    return !list_empty(&cache->used);
}

bool cache_schedule(struct cache *cache, struct finding *finding, int64_t at)
{
    return heap_put(&cache->due, &finding->due, at);
}

struct finding *cache_due(const struct cache *cache)
{
    struct heap_link *link = heap_first(&cache->due);

    return link == NULL ? NULL : HEAP_ELEMENT(link, struct finding, due);
}

static void make_room(struct cache *cache, struct segment *segment)
{
    while (!list_empty(&segment->recent) &&
           (segment->entries > segment->entries_max || segment->octets > segment->octets_max)) {
        cache->evictions++;
        drop(cache, LIST_ELEMENT(segment->recent.next, struct finding, recent));
    }
}

bool cache_put(struct cache *cache, struct finding *take, bool wanted)
{
    struct segment *segment;

    cache_remove(cache, take->key, take->key_length);
    HASH_ADD_KEYPTR(hh, cache->map, take->key, take->key_length, take);
    if (!MAP_ADDED(take)) {
        finding_free(take);
        return false;
    }
    segment = segment_of(cache, take);
    /* before the first of a list is behind its last */
    list_append(wanted ? &segment->recent : segment->recent.next, &take->recent);
    segment->entries++;
    segment->octets += take->size;
    make_room(cache, segment);
    return true;
}

bool cache_remove(struct cache *cache, const char *key, size_t length)
{
    struct finding *finding = cache_get(cache, key, length);

    if (finding != NULL)
        drop(cache, finding);
    return finding != NULL;
}

void cache_get_stats(const struct cache *cache, struct cache_stats *out)
{
    out->entries = cache->positive.entries + cache->negative.entries;
    out->octets = cache->positive.octets + cache->negative.octets;
    out->negative_entries = cache->negative.entries;
    out->evictions = cache->evictions;
}

struct finding *cache_next(const struct cache *cache, const struct finding *finding)
{
    return finding == NULL ? cache->map : finding->hh.next;
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

bool cache_some(const struct cache *cache, struct map_walk *walk, cache_take take, void *context)
{
    const UT_hash_table *table = cache->map == NULL ? NULL : cache->map->hh.tbl;
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
