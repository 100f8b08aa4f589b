/*
 * page_write: see page_write.h.
 *
 * The temporary file is beside the page and ends in .tmp, which node_exporter does not read. It is
 * made by open(2) with O_EXCL, so that nobody's file or symbolic link is written through, and umask
 * and default ACL count. It is gone when anything failed. A symbolic link in the page's place is
 * refused rather than followed or replaced, as Postfix does with the files that it writes.
 *
 * BUGS: the temporary file of a program that was killed stays. The next run takes another name.
 */
#include "base/page/page_write.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TRIES_MAX 100

/* 0, or the errno that says why nothing may be put at `path`. */
static int refusal(const char *path)
{
    struct stat status;

    if (lstat(path, &status) != 0)
        return errno == ENOENT ? 0 : errno;
    if (S_ISREG(status.st_mode))
        return 0;
    return S_ISLNK(status.st_mode) ? ELOOP : S_ISDIR(status.st_mode) ? EISDIR : EINVAL;
}

/* A new file beside `path`; its name is written to `name`. -1 with errno. */
static int open_beside(char name[PATH_MAX], const char *path)
{
    int fd = -1;

    for (int i = 0; i < TRIES_MAX && fd < 0; i++) {
        if (snprintf(name, PATH_MAX, "%s.%ld-%d.tmp", path, (long)getpid(), i) >= PATH_MAX) {
            errno = ENAMETOOLONG;
            return -1;
        }
        fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
        if (fd < 0 && errno != EEXIST)
            return -1;
    }
    return fd;
}

/* Writes all of it to the disk. 0, or an errno. */
static int fill(int fd, page_filler *filler, const void *context)
{
    FILE *out = fdopen(fd, "w");
    int error = 0;

    if (out == NULL) {
        error = errno;
        close(fd);
        return error;
    }
    errno = 0;
    if (!filler(out, context))
        error = errno != 0 ? errno : ENOMEM;
    else if (fflush(out) != 0 || fsync(fd) != 0)
        error = errno;
    if (fclose(out) != 0 && error == 0)
        error = errno;
    return error;
}

int page_replace(const char *path, page_filler *filler, const void *context)
{
    char name[PATH_MAX];
    int error = refusal(path), fd;

    if (error == 0) {
        fd = open_beside(name, path);
        if (fd < 0)
            return -1;
        error = fill(fd, filler, context);
        if (error == 0 && rename(name, path) != 0)
            error = errno;
        if (error != 0)
            unlink(name);
    }
    errno = error;
    return error == 0 ? 0 : -1;
}

static bool write_text(FILE *out, const void *context)
{
    const struct buf *text = context;

    return fwrite(text->data, 1, text->length, out) == text->length;
}

int page_replace_text(const char *path, const struct buf *text)
{
    return page_replace(path, write_text, text);
}
