/*
 * policy_list_index: see policy_list_index.h. Linear probing. A hash has its place by the upper bits
 * of hash * size, so that a size need not be a power of two and can grow by half.
 */
#include "policy/list/policy_list_index.h"

#include <stdlib.h>

#define SIZE_FIRST 16
/* Elements for each five slots, at most. */
#define LOAD_MAX 4

static uint32_t place_of(const struct policy_list_index *index, uint32_t hash)
{
    return (uint32_t)((uint64_t)hash * index->size >> 32);
}

bool policy_list_index_next(const struct policy_list_index *index, uint32_t hash, uint32_t *at,
                            uint32_t *number)
{
    /* *at is the number of slots looked at */
    while (*at < index->size) {
        uint64_t place = (uint64_t)place_of(index, hash) + *at;
        const struct policy_list_slot *slot =
            &index->slots[place < index->size ? place : place - index->size];

        if (slot->number == 0)
            return false;
        (*at)++;
        if (slot->hash == hash) {
            *number = slot->number - 1;
            return true;
        }
    }
    return false;
}

static void put_slot(struct policy_list_index *index, const struct policy_list_slot *slot)
{
    uint32_t place = place_of(index, slot->hash);

    while (index->slots[place].number != 0)
        if (++place == index->size)
            place = 0;
    index->slots[place] = *slot;
}

static bool grow_index(struct policy_list_index *index)
{
    struct policy_list_index larger = *index;

    larger.size = index->size == 0 ? SIZE_FIRST : index->size + index->size / 2;
    larger.slots = calloc(larger.size, sizeof *larger.slots);
    if (larger.slots == NULL)
        return false;
    for (uint32_t i = 0; i < index->size; i++)
        if (index->slots[i].number != 0)
            put_slot(&larger, &index->slots[i]);
    free(index->slots);
    *index = larger;
    return true;
}

bool policy_list_index_add(struct policy_list_index *index, uint32_t hash, uint32_t number)
{
    if ((uint64_t)index->count * 5 >= (uint64_t)index->size * LOAD_MAX && !grow_index(index))
        return false;
    put_slot(index, &(struct policy_list_slot){hash, number + 1});
    index->count++;
    return true;
}

void policy_list_index_fini(struct policy_list_index *index)
{
    free(index->slots);
    *index = (struct policy_list_index){0};
}
