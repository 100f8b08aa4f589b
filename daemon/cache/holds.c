/* holds: see holds.h. */
#include "daemon/cache/holds.h"

#include <stdlib.h>
#include <string.h>

struct holds {
    struct hold *map; /* owned */
    struct heap ends;
};

struct holds *holds_new(void)
{
    struct holds *holds = calloc(1, sizeof *holds);

    if (holds != NULL)
        heap_init(&holds->ends);
    return holds;
}

void holds_free(struct holds *holds)
{
    if (holds == NULL)
        return;
    while (holds->map != NULL)
        holds_remove(holds, holds->map);
    heap_fini(&holds->ends);
    free(holds);
}

size_t holds_count(const struct holds *holds)
{
    return HASH_COUNT(holds->map);
}

struct hold *holds_find(const struct holds *holds, const char *key)
{
    struct hold *hold;

    HASH_FIND_STR(holds->map, key, hold);
    return hold;
}

struct hold *holds_add(struct holds *holds, const char *key)
{
    size_t length = strlen(key);
    struct hold *hold;

    if (holds_count(holds) >= HOLDS_MAX)
        return NULL;
    hold = calloc(1, sizeof *hold + length + 1);
    if (hold == NULL)
        return NULL;
    memcpy(hold->key, key, length + 1);
    if (heap_put(&holds->ends, &hold->end, 0)) {
        HASH_ADD_KEYPTR(hh, holds->map, hold->key, (unsigned)length, hold);
        if (MAP_ADDED(hold))
            return hold;
        heap_remove(&holds->ends, &hold->end);
    }
    free(hold);
    return NULL;
}

void holds_remove(struct holds *holds, struct hold *hold)
{
    HASH_DEL(holds->map, hold);
    heap_remove(&holds->ends, &hold->end);
    free(hold);
}

void holds_set_downgrade(struct holds *holds, struct hold *hold, struct downgrade downgrade)
{
    hold->downgrade = downgrade;
    heap_put(&holds->ends, &hold->end, downgrade.until); /* moves it: no memory is needed */
}

struct hold *holds_first_to_end(const struct holds *holds)
{
    struct heap_link *link = heap_first(&holds->ends);

    return link == NULL ? NULL : HEAP_ELEMENT(link, struct hold, end);
}

const struct hold *holds_next(const struct holds *holds, const struct hold *hold)
{
    return hold == NULL ? holds->map : hold->hh.next;
}
