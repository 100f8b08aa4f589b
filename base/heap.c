/* heap: a binary heap of pointers; see heap.h. */
#include "base/heap.h"

#include <stdlib.h>

#define SIZE_FIRST 64

void heap_init(struct heap *heap)
{
    *heap = (struct heap){0};
}

void heap_fini(struct heap *heap)
{
    free(heap->links);
    heap_init(heap);
}

static void place(struct heap *heap, size_t at, struct heap_link *link)
{
    heap->links[at] = link;
    link->place = at;
}

static void sift_up(struct heap *heap, struct heap_link *link)
{
    size_t at = link->place;

    for (; at > 1 && heap->links[at / 2]->at > link->at; at /= 2)
        place(heap, at, heap->links[at / 2]);
    place(heap, at, link);
}

static void sift_down(struct heap *heap, struct heap_link *link)
{
    size_t at = link->place, child;

    for (; (child = 2 * at) <= heap->count; at = child) {
        if (child < heap->count && heap->links[child + 1]->at < heap->links[child]->at)
            child++;
        if (heap->links[child]->at >= link->at)
            break;
        place(heap, at, heap->links[child]);
    }
    place(heap, at, link);
}

static bool make_room(struct heap *heap)
{
    size_t size = heap->size == 0 ? SIZE_FIRST : heap->size * 2;
    struct heap_link **links;

    if (heap->count + 1 < heap->size)
        return true;
    links = realloc(heap->links, size * sizeof *links);
    if (links == NULL)
        return false;
    heap->links = links;
    heap->size = size;
    return true;
}

bool heap_put(struct heap *heap, struct heap_link *link, int64_t at)
{
    link->at = at;
    if (link->place == 0) {
        if (!make_room(heap))
            return false;
        place(heap, ++heap->count, link);
    }
    sift_up(heap, link);
    sift_down(heap, link);
    return true;
}

void heap_remove(struct heap *heap, struct heap_link *link)
{
    struct heap_link *last;
    size_t hole = link->place;

    if (hole == 0)
        return;
    link->place = 0;
    last = heap->links[heap->count--];
    if (last == link)
        return;
    place(heap, hole, last);
    sift_up(heap, last);
    sift_down(heap, last);
}

struct heap_link *heap_first(const struct heap *heap)
{
    return heap->count == 0 ? NULL : heap->links[1];
}
