/*
 * list_kept: what is kept of a source in the folder of the store, from one life of the daemon to the
 * next: two files, of which each is replaced at once or not at all.
 *
 *   list-HASH.state   the latest timestamp that was in force, and what had it; a few lines of text
 *   list-HASH.copy    the list and its signature as they were read last, to be verified anew
 *
 * All of it waits for the disk: for threads. A state that is damaged, or cannot be read, is not taken
 * for none: an older list could come in.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

#define LIST_KEPT_PATH_MAX 600 /* octets; store is STORE_PATH_MAX at most */
#define LIST_KEPT_WHY_MAX  700

struct list_kept {
    int64_t newest_s;         /* timestamp, wall clock; 0: no list was in force */
    uint64_t text, signature; /* hash_stable of the list that had it, and of its signature */
    int64_t good_s; /* when the source had a list that may be used, or will be; 0: never */
};

/* Where the files of a source are, without their ends. False when the path is too long. */
bool list_kept_path(char out[LIST_KEPT_PATH_MAX], const char *store_path, const char *source);

/* Pure: the text of a state, which is of the source; appended, and read again. */
void list_kept_text(struct buf *out, const struct list_kept *kept, const char *source);
bool list_kept_parse(struct list_kept *out, const char *text, size_t length, const char *source);
/* Pure: what stands before signature and list in a copy; and both out of it: `text` has the copy at
 * first, and the list afterwards. False when it is none. */
#define LIST_COPY_HEADER_MAX 64
int list_copy_header(char out[LIST_COPY_HEADER_MAX], size_t signature_length, size_t length);
bool list_copy_parse(struct buf *text, struct buf *signature);

/* False when something is there that cannot be read, with `why`. {0} when there is nothing. */
bool list_kept_read(struct list_kept *out, const char *path, const char *source,
                    char why[LIST_KEPT_WHY_MAX]);
/* False, with `why`, when the disk does not take it: then what was there before is there still. */
bool list_kept_write(const struct list_kept *kept, const char *path, const char *source,
                     char why[LIST_KEPT_WHY_MAX]);

bool list_copy_exists(const char *path);
/* The copy; false when there is none of the right form. Both buffers are empty then. */
bool list_copy_read(struct buf *text, struct buf *signature, const char *path);
bool list_copy_write(const struct buf *text, const struct buf *signature, const char *path,
                     char why[LIST_KEPT_WHY_MAX]);
