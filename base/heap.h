/*
 * heap: what is due next, among elements that carry their own link: O(log n) to put, move and take
 * out, the first at once. Only pointers are allocated.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_link {
    int64_t at;   /* the caller's, but changed by heap_put only while it is in a heap */
    size_t place; /* 0: in no heap */
};

struct heap {
    struct heap_link **links; /* owned; from 1 */
    size_t count, size;
};

#define HEAP_ELEMENT(link, type, member) ((type *)(void *)((char *)(link)-offsetof(type, member)))

void heap_init(struct heap *heap);
void heap_fini(struct heap *heap);
/* Puts it in, or moves it when it is in already; false without memory: then it is in no heap. */
bool heap_put(struct heap *heap, struct heap_link *link, int64_t at);
/* Harmless for one that is in no heap. */
void heap_remove(struct heap *heap, struct heap_link *link);
/* The one with the smallest `at`; NULL when empty. */
struct heap_link *heap_first(const struct heap *heap);
