/*
 * arena: a list of chunks, each twice the one before it; see arena.h.
 *
 * The first chunk is small, because most lookups end with a few hundred octets of evidence and
 * that evidence stays in the cache.
 */
#include "base/arena.h"

#include <stdarg.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_FIRST_CHUNK   512
#define ARENA_LARGEST_CHUNK 65536

struct chunk {
    struct chunk *next;
    size_t size;
    size_t used;
    alignas(max_align_t) char data[];
};

struct arena {
    struct chunk *chunks; /* newest first; owned */
    size_t limit;
    size_t octets;
    bool failed;
};

struct arena *arena_new(size_t limit)
{
    struct arena *arena = calloc(1, sizeof *arena);

    if (arena != NULL)
        arena->limit = limit;
    return arena;
}

static void free_chunks(struct chunk *chunks)
{
    while (chunks != NULL) {
        struct chunk *next = chunks->next;

        free(chunks);
        chunks = next;
    }
}

void arena_free(struct arena *arena)
{
    if (arena == NULL)
        return;
    free_chunks(arena->chunks);
    free(arena);
}

void arena_reset(struct arena *arena)
{
    struct chunk *saved = arena->chunks;

    if (saved != NULL && saved->size > ARENA_LARGEST_CHUNK) {
        free_chunks(saved);
        saved = NULL;
    } else if (saved != NULL) {
        free_chunks(saved->next);
        memset(saved->data, 0, saved->used);
        saved->next = NULL;
        saved->used = 0;
    }
    arena->chunks = saved;
    arena->octets = saved == NULL ? 0 : saved->size;
    arena->failed = false;
}

static struct chunk *chunk_add(struct arena *arena, size_t wanted)
{
    size_t size = arena->chunks == NULL ? ARENA_FIRST_CHUNK : arena->chunks->size * 2;
    struct chunk *chunk;

    if (size > ARENA_LARGEST_CHUNK)
        size = ARENA_LARGEST_CHUNK;
    if (size < wanted)
        size = wanted;
    if (size > arena->limit - arena->octets)
        size = wanted;
    if (size > arena->limit - arena->octets)
        return NULL;
    chunk = calloc(1, sizeof *chunk + size);
    if (chunk == NULL)
        return NULL;
    chunk->size = size;
    chunk->next = arena->chunks;
    arena->chunks = chunk;
    arena->octets += size;
    return chunk;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    const size_t align = alignof(max_align_t);
    struct chunk *chunk = arena->chunks;
    size_t rounded;
    void *data;

    if (arena->failed || size > SIZE_MAX / 2)
        goto failed;
    rounded = (size + align - 1) / align * align;
    if (rounded == 0)
        rounded = align;
    if (chunk == NULL || chunk->size - chunk->used < rounded)
        chunk = chunk_add(arena, rounded);
    if (chunk == NULL)
        goto failed;
    data = chunk->data + chunk->used;
    chunk->used += rounded;
    return data;
failed:
    arena->failed = true;
    return NULL;
}

void *arena_array(struct arena *arena, size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / size) {
        arena->failed = true;
        return NULL;
    }
    return arena_alloc(arena, count * size);
}

void *arena_memdup(struct arena *arena, const void *data, size_t length)
{
    void *copy = arena_alloc(arena, length);

    if (copy != NULL && length > 0)
        memcpy(copy, data, length);
    return copy;
}

char *arena_strndup(struct arena *arena, const char *text, size_t length)
{
    char *copy = arena_alloc(arena, length + 1);

    if (copy != NULL && length > 0)
        memcpy(copy, text, length);
    return copy;
}

char *arena_strdup(struct arena *arena, const char *text)
{
    return text == NULL ? NULL : arena_strndup(arena, text, strlen(text));
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    va_list args;
    int length;
    char *text;

    va_start(args, format);
    length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0)
        return NULL;
    text = arena_alloc(arena, (size_t)length + 1);
    if (text == NULL)
        return NULL;
    va_start(args, format);
    vsnprintf(text, (size_t)length + 1, format, args);
    va_end(args);
    return text;
}

bool arena_failed(const struct arena *arena)
{
    return arena->failed;
}

size_t arena_octets(const struct arena *arena)
{
    return arena->octets;
}
