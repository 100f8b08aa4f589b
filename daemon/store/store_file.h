/* store_file: the file of the store before SQLite sees it: ours alone, or set aside. Blocks. */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Which file it was. */
struct store_file {
    dev_t device;
    ino_t inode;
    bool readonly; /* it, or its file system, cannot be written */
    bool beside;   /* a -wal file with something in it lies beside it */
};

/* Opens it, or makes an empty one for the owner only, whatever the umask, without following a link
 * at its end, and fills *out. 0, with *distrust saying why the file is to be set aside, if it is;
 * else an errno: it can be neither opened nor made. */
int store_file_check(const char *path, struct store_file *out, const char **distrust);
/* True while `path` still is that file. */
bool store_file_same(const char *path, const struct store_file *file);
/* Renames the file and those that SQLite keeps beside it to PATH.aside-TIME. 0 or an errno. */
int store_file_set_aside(const char *path, int64_t wall_s, char aside[PATH_MAX]);
