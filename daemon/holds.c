/* holds: see holds.h. */
#include "daemon/holds.h"

#include <stdlib.h>
#include <string.h>

struct holds {
    struct hold *map; /* owned */
};

struct holds *holds_new(void)
{
    return calloc(1, sizeof(struct holds));
}

void holds_free(struct holds *holds)
{
    if (holds == NULL)
        return;
    while (holds->map != NULL)
        holds_remove(holds, holds->map);
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
    HASH_ADD_KEYPTR(hh, holds->map, hold->key, (unsigned)length, hold);
    if (MAP_ADDED(hold))
        return hold;
    free(hold);
    return NULL;
}

void holds_remove(struct holds *holds, struct hold *hold)
{
    HASH_DEL(holds->map, hold);
    free(hold);
}

const struct hold *holds_next(const struct holds *holds, const struct hold *hold)
{
    return hold == NULL ? holds->map : hold->hh.next;
}
