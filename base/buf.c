/* buf: see buf.h. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUF_FIRST 256

void buf_init(struct buf *buf, size_t limit)
{
    memset(buf, 0, sizeof *buf);
    buf->limit = limit;
}

void buf_fini(struct buf *buf)
{
    free(buf->data);
    buf_init(buf, buf->limit);
}

/* Makes room for `more` octets and a NUL; false, and failed set, when that cannot be. */
static bool buf_reserve(struct buf *buf, size_t more)
{
    size_t size = buf->size == 0 ? BUF_FIRST : buf->size;
    char *data;

    if (buf->failed || more > buf->limit - buf->length) {
        buf->failed = true;
        return false;
    }
    while (size < buf->length + more + 1)
        size *= 2;
    if (size == buf->size)
        return true;
    data = realloc(buf->data, size);
    if (data == NULL) {
        buf->failed = true;
        return false;
    }
    buf->data = data;
    buf->size = size;
    return true;
}

void buf_add(struct buf *buf, const void *data, size_t length)
{
    if (!buf_reserve(buf, length))
        return;
    if (length > 0)
        memcpy(buf->data + buf->length, data, length);
    buf->length += length;
    buf->data[buf->length] = '\0';
}

void buf_adds(struct buf *buf, const char *text)
{
    buf_add(buf, text, strlen(text));
}

void buf_addf(struct buf *buf, const char *format, ...)
{
    va_list args;
    int length;

    va_start(args, format);
    length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0 || !buf_reserve(buf, (size_t)length))
        return;
    va_start(args, format);
    vsnprintf(buf->data + buf->length, (size_t)length + 1, format, args);
    va_end(args);
    buf->length += (size_t)length;
}

void buf_consume(struct buf *buf, size_t length)
{
    if (length > buf->length)
        length = buf->length;
    if (length == 0)
        return;
    memmove(buf->data, buf->data + length, buf->length - length + 1);
    buf->length -= length;
}

void buf_truncate(struct buf *buf, size_t length)
{
    buf->length = length;
    buf->failed = false;
    if (buf->data != NULL)
        buf->data[length] = '\0';
}

void buf_clear(struct buf *buf)
{
    buf_truncate(buf, 0);
}

const char *buf_text(const struct buf *buf)
{
    return buf->data == NULL ? "" : buf->data;
}
