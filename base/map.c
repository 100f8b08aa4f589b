/* map: see map.h; the hashmap. */
#include "base/map.h"

#include <stdlib.h>
#include <string.h>

#define BUCKETS_FIRST 64
#define BUCKETS_MAX   (UINT32_C(1) << 31)
/* Elements for each two buckets, before the buckets are doubled. Maps of ids are small and asked all
 * the time: a chain costs them more than its memory does. */
#define LOAD_MAX     4
#define LOAD_MAX_IDS 1

void hashmap_init(struct hashmap *map, size_t key_at)
{
    *map = (struct hashmap){.key_at = (uint32_t)key_at};
}

void hashmap_init_ids(struct hashmap *map, size_t key_at)
{
    *map = (struct hashmap){.key_at = (uint32_t)key_at, .of_ids = true};
}

void hashmap_fini(struct hashmap *map)
{
    free(map->buckets);
    *map = (struct hashmap){.key_at = map->key_at, .of_ids = map->of_ids};
}

static uint32_t hash_of(const struct hashmap *map, const void *key, size_t length)
{
    uint64_t id;

    if (!map->of_ids)
        return (uint32_t)hash_bytes(key, length);
    memcpy(&id, key, sizeof id);
    return (uint32_t)id;
}

static struct hashmap_link **bucket_of(const struct hashmap *map, uint32_t hash)
{
    return &map->buckets[hash & (map->bucket_count - 1)];
}

struct hashmap_link *hashmap_find(const struct hashmap *map, const void *key, size_t length)
{
    uint32_t hash = hash_of(map, key, length);
    struct hashmap_link *link = map->buckets == NULL ? NULL : *bucket_of(map, hash);

    for (; link != NULL; link = link->next)
        if (link->hash == hash && link->key_length == length &&
            memcmp((const char *)link + map->key_at, key, length) == 0)
            break;
    return link;
}

static void push(struct hashmap *map, struct hashmap_link *link)
{
    struct hashmap_link **bucket = bucket_of(map, link->hash);

    link->next = *bucket;
    *bucket = link;
}

/* Doubles the buckets. Without memory the chains only become longer, unless there are none yet. */
static bool grow(struct hashmap *map)
{
    struct hashmap larger = *map;

    larger.bucket_count = map->bucket_count == 0 ? BUCKETS_FIRST : map->bucket_count * 2;
    larger.buckets = calloc(larger.bucket_count, sizeof *larger.buckets);
    if (larger.buckets == NULL)
        return map->buckets != NULL;
    for (uint32_t i = 0; i < map->bucket_count; i++)
        for (struct hashmap_link *link = map->buckets[i], *next; link != NULL; link = next) {
            next = link->next;
            push(&larger, link);
        }
    free(map->buckets);
    *map = larger;
    return true;
}

bool hashmap_add(struct hashmap *map, struct hashmap_link *link, size_t key_length)
{
    size_t load_max = map->of_ids ? LOAD_MAX_IDS : LOAD_MAX;

    if (map->count >= load_max * map->bucket_count / 2 && map->bucket_count < BUCKETS_MAX &&
        !grow(map))
        return false;
    link->hash = hash_of(map, (const char *)link + map->key_at, key_length);
    link->key_length = (uint32_t)key_length;
    push(map, link);
    map->count++;
    return true;
}

void hashmap_remove(struct hashmap *map, struct hashmap_link *link)
{
    struct hashmap_link **at = bucket_of(map, link->hash);

    while (*at != link)
        at = &(*at)->next;
    *at = link->next;
    map->count--;
}

static uint32_t reversed(uint32_t hash)
{
    hash = (hash & 0x55555555) << 1 | (hash >> 1 & 0x55555555);
    hash = (hash & 0x33333333) << 2 | (hash >> 2 & 0x33333333);
    hash = (hash & 0x0f0f0f0f) << 4 | (hash >> 4 & 0x0f0f0f0f);
    return __builtin_bswap32(hash);
}

uint32_t hashmap_place(const struct hashmap_link *link)
{
    return reversed(link->hash);
}

bool hashmap_step(const struct hashmap *map, struct map_walk *walk, struct hashmap_link **chain)
{
    uint64_t stretch;

    if (map->count == 0 || walk->at >= MAP_HASHES)
        return false;
    stretch = MAP_HASHES / map->bucket_count;
    *chain = *bucket_of(map, reversed((uint32_t)walk->at));
    walk->at = (walk->at / stretch + 1) * stretch;
    return true;
}
