/*
 * store_file: see store_file.h. SQLite opens by name what was checked here: between the two only
 * the owner of the folder could change it, and who owns the folder owns the store.
 */
#include "daemon/store/store_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SUFFIXES  4
#define ASIDE_MAX 1000

/* SQLite believes any -journal, although ours never keeps one for long. */
static const char *const suffixes[SUFFIXES] = {"", "-wal", "-shm", "-journal"};

/* What is wrong with it; NULL: nothing. */
static const char *wrong_with(const struct stat *status)
{
    if (S_ISLNK(status->st_mode))
        return "it is a symbolic link";
    if (!S_ISREG(status->st_mode))
        return "it is no regular file";
    if (status->st_uid != geteuid())
        return "it belongs to another user";
    if ((status->st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return "others than its owner can write to it";
    return NULL;
}

/* Looks at the files beside it; opening reports a path that is too long. */
static const char *wrong_beside(const char *path, struct store_file *out)
{
    const char *why = NULL;
    char name[PATH_MAX];
    struct stat status;

    for (int i = 1; i < SUFFIXES && why == NULL; i++) {
        if (snprintf(name, sizeof name, "%s%s", path, suffixes[i]) >= (int)sizeof name ||
            lstat(name, &status) != 0)
            continue;
        why = wrong_with(&status);
        out->beside |= i == 1 && status.st_size > 0;
    }
    return why;
}

/* A descriptor of the file, made if need be, or -1 with errno. */
static int open_or_make(const char *path, bool *readonly)
{
    int flags = O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
    int fd = open(path, O_RDWR | flags);

    if (fd < 0 && errno == ENOENT) {
        fd = open(path, O_RDWR | O_CREAT | O_EXCL | flags, 0600);
        if (fd >= 0)
            fchmod(fd, 0600);
    }
    if (fd < 0 && (errno == EROFS || errno == EACCES)) {
        fd = open(path, O_RDONLY | flags);
        *readonly = fd >= 0;
    }
    return fd;
}

int store_file_check(const char *path, struct store_file *out, const char **distrust)
{
    struct stat status;
    int fd, error = 0;

    memset(out, 0, sizeof *out);
    /* before opening: a file that is none of ours may be anything, a device too */
    *distrust = lstat(path, &status) == 0 ? wrong_with(&status) : NULL;
    if (*distrust != NULL)
        return 0;
    fd = open_or_make(path, &out->readonly);
    if (fd < 0)
        return errno;
    if (fstat(fd, &status) == 0) {
        out->device = status.st_dev;
        out->inode = status.st_ino;
        *distrust = wrong_with(&status);
        if (*distrust == NULL)
            *distrust = wrong_beside(path, out);
    } else {
        error = errno;
    }
    close(fd);
    return error;
}

bool store_file_same(const char *path, const struct store_file *file)
{
    struct stat status;

    return lstat(path, &status) == 0 && status.st_dev == file->device &&
           status.st_ino == file->inode;
}

/* ---- setting aside ---- */

static bool is_taken(const char *base)
{
    char name[PATH_MAX];
    struct stat status;

    for (int i = 0; i < SUFFIXES; i++)
        if (snprintf(name, sizeof name, "%s%s", base, suffixes[i]) < (int)sizeof name &&
            lstat(name, &status) == 0)
            return true;
    return false;
}

/* A name that is not taken; false when there is none. */
static bool aside_name(const char *path, int64_t wall_s, char aside[PATH_MAX])
{
    time_t now = (time_t)wall_s;
    struct tm parts;
    char stamp[32], number[16] = "";

    if (gmtime_r(&now, &parts) == NULL ||
        strftime(stamp, sizeof stamp, "%Y%m%d-%H%M%S", &parts) == 0)
        return false;
    for (int n = 1; n < ASIDE_MAX; n++) {
        /* room for the suffixes is left */
        if (snprintf(aside, PATH_MAX, "%s.aside-%s%s", path, stamp, number) >= PATH_MAX - 8)
            return false;
        if (!is_taken(aside))
            return true;
        snprintf(number, sizeof number, "-%d", n);
    }
    return false;
}

int store_file_set_aside(const char *path, int64_t wall_s, char aside[PATH_MAX])
{
    char from[PATH_MAX], to[PATH_MAX + 8];

    if (!aside_name(path, wall_s, aside))
        return ENAMETOOLONG;
    /* the main file last: what is left behind of a half-done renaming is set aside again */
    for (int i = SUFFIXES - 1; i >= 0; i--) {
        snprintf(from, sizeof from, "%s%s", path, suffixes[i]);
        snprintf(to, sizeof to, "%s%s", aside, suffixes[i]);
        if (rename(from, to) != 0 && errno != ENOENT)
            return errno;
    }
    return 0;
}
