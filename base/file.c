/* file: see file.h. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"

static int read_all(struct buf *out, int file)
{
    char part[4096];
    ssize_t n;

    while ((n = read(file, part, sizeof part)) > 0 && !out->failed)
        buf_add(out, part, (size_t)n);
    if (n >= 0 && out->failed)
        errno = EFBIG;
    return n < 0 || out->failed ? -1 : 0;
}

int file_read(struct buf *out, const char *path)
{
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat stat;
    int result = -1, saved;

    if (file < 0)
        return -1;
    if (fstat(file, &stat) != 0)
        saved = errno;
    else if (S_ISDIR(stat.st_mode))
        saved = EISDIR;
    else if (!S_ISREG(stat.st_mode) && !S_ISCHR(stat.st_mode)) /* /dev/null is an empty file */
        saved = EINVAL;
    else {
        result = read_all(out, file);
        saved = errno;
    }
    close(file);
    errno = saved;
    return result;
}

ssize_t file_line(char *out, size_t size, FILE *file)
{
    size_t length = 0;
    int c = getc(file);

    if (c == EOF)
        return -1;
    for (; c != '\n' && c != EOF; c = getc(file))
        if (length < size)
            out[length++] = (char)c;
    return (ssize_t)length;
}

/* A file that is replaced has another inode, one that is written over another time of change. */
void file_mark_add(struct file_mark *mark, const char *path)
{
    uint64_t seen[6] = {mark->identity};
    int64_t changed_ms;
    struct stat st;

    if (path != NULL && stat(path, &st) == 0) {
        changed_ms = (int64_t)st.st_ctim.tv_sec * 1000 + st.st_ctim.tv_nsec / 1000000;
        seen[1] = (uint64_t)st.st_dev;
        seen[2] = (uint64_t)st.st_ino;
        seen[3] = (uint64_t)st.st_size;
        seen[4] = (uint64_t)st.st_ctim.tv_sec;
        seen[5] = (uint64_t)st.st_ctim.tv_nsec;
        if (changed_ms > mark->changed_ms)
            mark->changed_ms = changed_ms;
    }
    mark->identity = hash_stable(seen, sizeof seen);
}
