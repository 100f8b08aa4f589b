/*
 * buf: a byte buffer that grows up to a limit of its own.
 *
 * Failure is sticky, as in the arena: appending past the limit or without memory sets `failed`
 * and changes nothing more, so that a long text is checked once at its end.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct buf {
    char *data;    /* owned; NUL-terminated whenever it is not NULL */
    size_t length; /* without the NUL */
    size_t size;   /* octets allocated */
    size_t limit;  /* longest `length` allowed */
    bool failed;
};

void buf_init(struct buf *buf, size_t limit);
void buf_fini(struct buf *buf);

void buf_add(struct buf *buf, const void *data, size_t length);
void buf_adds(struct buf *buf, const char *text);
void buf_addf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Drops the first `length` octets, at most all of them. */
void buf_consume(struct buf *buf, size_t length);
/* Drops what is behind the first `length` octets, and forgets a failure. */
void buf_truncate(struct buf *buf, size_t length);
/* Empties the buffer and forgets a failure; keeps the memory. */
void buf_clear(struct buf *buf);
/* The text so far, "" when empty. */
const char *buf_text(const struct buf *buf);
