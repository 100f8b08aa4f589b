/*
 * arena: memory that is freed once, as a whole. For everything that belongs to one lookup.
 *
 * Failure is sticky: after the first allocation that could not be had (no memory, or the arena's
 * own limit) every further one fails too and arena_failed() is true, so that a chain of allocations
 * may be checked once at its end.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct arena;

/* A new arena that hands out at most `limit` octets; NULL without memory. Free with arena_free. */
struct arena *arena_new(size_t limit);
void arena_free(struct arena *arena);
/* Takes back all that was handed out, and forgets a failure; keeps some memory for what comes. */
void arena_reset(struct arena *arena);

/* Zeroed memory, aligned for any type, owned by the arena; NULL on failure. */
void *arena_alloc(struct arena *arena, size_t size);
/* Zeroed memory for `count` objects of `size`; NULL on failure or overflow. */
void *arena_array(struct arena *arena, size_t count, size_t size);
/* Copies; NULL on failure, and for a NULL `text`. arena_strndup ends the copy with a NUL. */
char *arena_strdup(struct arena *arena, const char *text);
char *arena_strndup(struct arena *arena, const char *text, size_t length);
void *arena_memdup(struct arena *arena, const void *data, size_t length);
/* A formatted string; NULL on failure. */
char *arena_printf(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* True once an allocation has failed. */
bool arena_failed(const struct arena *arena);
/* Octets taken from the heap, for accounting. */
size_t arena_octets(const struct arena *arena);
