/* file: see file.h. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"

int file_read(struct buf *out, const char *path)
{
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), error = 0;
    char part[4096];
    struct stat stat;
    ssize_t length = 1;

    if (file < 0)
        return -1;
    if (fstat(file, &stat) != 0)
        error = errno;
    else if (S_ISDIR(stat.st_mode))
        error = EISDIR;
    else if (!S_ISREG(stat.st_mode) && !S_ISCHR(stat.st_mode)) /* /dev/null is an empty file */
        error = EINVAL;
    while (error == 0 && length > 0) {
        length = read(file, part, sizeof part);
        if (length > 0)
            buf_add(out, part, (size_t)length);
        if (length < 0 || out->failed)
            error = length < 0 ? errno : EFBIG;
    }
    close(file);
    errno = error;
    return error == 0 ? 0 : -1;
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
