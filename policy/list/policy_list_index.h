/*
 * policy_list_index: finds what is numbered and has a hash: open addressing with a hash and a number
 * of 32 bits in each slot, 10 to 15 octets for each element.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct policy_list_slot {
    uint32_t hash;
    uint32_t number; /* of the element, from 1; 0: the slot is free */
};

struct policy_list_index {
    struct policy_list_slot *slots; /* owned */
    uint32_t size, count;
};

/* The next element with this hash, as a number from 0. Begin with *at = 0, which is then this
 * function's own; false after the last. The caller compares. */
bool policy_list_index_next(const struct policy_list_index *index, uint32_t hash, uint32_t *at,
                            uint32_t *number);
/* False without memory. */
bool policy_list_index_add(struct policy_list_index *index, uint32_t hash, uint32_t number);
/* Frees the slots; the index is empty then. */
void policy_list_index_fini(struct policy_list_index *index);
