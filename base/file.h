/* file: a whole file at once, or line by line; and whether it has changed. */
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "base/buf.h"

/* Appends the octets of the file to `out`. 0, or -1 with errno: EFBIG when it does not fit, EISDIR,
 * EINVAL for what is no plain file (it could block for ever). */
int file_read(struct buf *out, const char *path);
/* The next line of `file` without its end; what is beyond `size` octets is left out. Gives its
 * length, at most `size`; -1 at the end of the file. */
ssize_t file_line(char *out, size_t size, FILE *file);

/* What files are at one moment, cheap to ask for. */
struct file_mark {
    uint64_t identity;  /* another one: something was replaced or written */
    int64_t changed_ms; /* wall clock ms: the last change; 0 when there is nothing */
};

/* Adds a file or directory to a mark, which is {0} at first. NULL: none. */
void file_mark_add(struct file_mark *mark, const char *path);
