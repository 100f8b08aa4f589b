/* page_write: a page into a file, at once or not at all. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "base/buf.h"

/* Writes a page. False when it is not whole: without memory, or with an error of the file. */
typedef bool page_filler(FILE *out, const void *context);

/* Writes a page to `path` at once or not at all: a temporary file beside it is renamed. What is
 * there already must be a plain file. 0, or -1 with errno: ELOOP for a symbolic link, EISDIR for a
 * directory, EINVAL for any other thing, ENOMEM, or what the disk said. The file is readable for
 * all, as far as the umask allows. */
int page_replace(const char *path, page_filler *filler, const void *context);
/* The same with a text that is there already. */
int page_replace_text(const char *path, const struct buf *text);
