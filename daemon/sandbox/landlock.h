/*
 * landlock: restricts what this process and its threads may do to files, for good (landlock(7)):
 * they read what file modes allow, run nothing, and write only where that was allowed here.
 */
#pragma once

#include <stdint.h>

struct landlock {
    int abi; /* the kernel's version of it; 0: it has none */
    int fd;  /* of the rules; -1 */
};

enum landlock_use {
    LANDLOCK_KEEP,   /* below a folder: files are made, written, renamed, removed */
    LANDLOCK_REMOVE, /* below a folder: files are removed */
    LANDLOCK_WRITE   /* a file that exists, or a device */
};

/* 0, also without Landlock (then abi is 0), or an errno. */
int landlock_open(struct landlock *landlock);
/* 0, or an errno: ENOENT when the path does not exist. */
int landlock_allow(struct landlock *landlock, const char *path, enum landlock_use use);
/* One more TCP port may be bound, where the kernel watches that (ABI 4); 0: those that it chooses.
 * 0, or an errno. */
int landlock_allow_bind(struct landlock *landlock, uint16_t port);
/* Takes effect now. Needs no_new_privs; call before any thread is made. 0, or an errno. */
int landlock_enforce(struct landlock *landlock);
void landlock_close(struct landlock *landlock);
