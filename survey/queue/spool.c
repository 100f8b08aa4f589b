/* spool: see spool.h. */
#include "survey/queue/spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COLLECTED "collected"

static bool make_folder(const char *path)
{
    return mkdir(path, 0777) == 0 || errno == EEXIST;
}

bool spool_open(struct spool *out, const char *dir, const char *run)
{
    int length = snprintf(out->folder, sizeof out->folder, "%s/%s", dir, run);
    char path[PATH_MAX];
    struct stat status;

    errno = ENAMETOOLONG;
    if (length < 0 || length + 99 > PATH_MAX) /* room for the names in it */
        return false;
    snprintf(path, sizeof path, "%.*s/" COLLECTED, PATH_MAX - 50, out->folder);
    if (!make_folder(out->folder) || !make_folder(path) || stat(path, &status) != 0)
        return false;
    errno = ENOTDIR;
    return S_ISDIR(status.st_mode);
}

const char *spool_path(const struct spool *spool, const struct results_chunk *chunk,
                       const char *suffix, char out[PATH_MAX])
{
    char name[CHUNK_NAME_MAX];

    snprintf(out, PATH_MAX, "%.*s/%s%s", PATH_MAX - 100, spool->folder, chunk_name(name, chunk),
             suffix);
    return out;
}

const char *spool_new_path(const struct spool *spool, const struct results_chunk *chunk,
                           char out[PATH_MAX])
{
    char suffix[80] = "", host[41] = "";

    gethostname(host, sizeof host - 1);
    snprintf(suffix, sizeof suffix, ".%s.%d.new", host, (int)getpid());
    spool_path(spool, chunk, suffix, out);
    results_remove(out); /* of a process before, which had this number */
    return out;
}

static const char *mark_path(const struct spool *spool, const struct results_chunk *chunk,
                             char out[PATH_MAX])
{
    char name[CHUNK_NAME_MAX];

    snprintf(out, PATH_MAX, "%.*s/" COLLECTED "/%s", PATH_MAX - 100, spool->folder,
             chunk_name(name, chunk));
    return out;
}

enum spool_state spool_state(const struct spool *spool, const struct results_chunk *chunk)
{
    char path[PATH_MAX];

    if (access(mark_path(spool, chunk, path), F_OK) == 0)
        return SPOOL_HAS_COLLECTED;
    if (access(spool_path(spool, chunk, SPOOL_READY, path), F_OK) == 0)
        return SPOOL_HAS_READY;
    return access(spool_path(spool, chunk, SPOOL_WORK, path), F_OK) == 0 ? SPOOL_HAS_WORK
                                                                         : SPOOL_HAS_NONE;
}

bool spool_is_one_file(const struct spool *spool, const struct results_chunk *chunk)
{
    char path[PATH_MAX];

    return access(spool_path(spool, chunk, SPOOL_WORK "-wal", path), F_OK) != 0;
}

bool spool_rename(const struct spool *spool, const struct results_chunk *chunk, const char *from,
                  const char *to)
{
    char old[PATH_MAX], new[PATH_MAX];

    return rename(spool_path(spool, chunk, from, old), spool_path(spool, chunk, to, new)) == 0;
}

bool spool_collect(const struct spool *spool, const struct results_chunk *chunk)
{
    char path[PATH_MAX];
    int mark = open(mark_path(spool, chunk, path), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);

    if (mark < 0)
        return false;
    close(mark);
    spool_path(spool, chunk, SPOOL_WORK, path); /* of one that was begun twice */
    results_remove(path);
    return unlink(spool_path(spool, chunk, SPOOL_READY, path)) == 0 || errno == ENOENT;
}

void spool_forget(const struct spool *spool, const struct results_chunk *chunk)
{
    char path[PATH_MAX];

    unlink(mark_path(spool, chunk, path));
}

/* ---- all of them ---- */

/* Reads a directory; false when `take` says so, or with errno. */
static bool each_name(const char *folder, bool (*take)(void *context, const char *name),
                      void *context)
{
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    bool ok = dir != NULL;

    while (ok && (entry = readdir(dir)) != NULL)
        ok = entry->d_name[0] == '.' || take(context, entry->d_name);
    if (dir != NULL)
        closedir(dir);
    return ok;
}

struct ready {
    spool_taker *take;
    void *context;
};

static bool take_ready(void *context, const char *name)
{
    const struct ready *ready = context;
    size_t length = strlen(name), suffix = strlen(SPOOL_READY);
    struct results_chunk chunk;

    if (length <= suffix || strcmp(name + length - suffix, SPOOL_READY) != 0 ||
        !chunk_name_read(&chunk, name, length - suffix))
        return true;
    return ready->take(ready->context, &chunk);
}

bool spool_each_ready(const struct spool *spool, spool_taker *take, void *context)
{
    struct ready ready = {take, context};

    return each_name(spool->folder, take_ready, &ready);
}

static bool take_first(void *context, const char *name)
{
    (void)name;
    *(bool *)context = true;
    return false;
}

bool spool_has_collected(const struct spool *spool)
{
    char path[PATH_MAX];
    bool any = false;

    snprintf(path, sizeof path, "%.*s/" COLLECTED, PATH_MAX - 50, spool->folder);
    each_name(path, take_first, &any);
    return any;
}

/* Only what is of a chunk, by its name. */
static bool remove_named(void *context, const char *name)
{
    struct results_chunk chunk;
    char path[PATH_MAX];

    if (strstr(name, SPOOL_BAD) != NULL || !chunk_name_read(&chunk, name, strcspn(name, ".")))
        return true;
    if (snprintf(path, sizeof path, "%s/%s", (const char *)context, name) < PATH_MAX)
        unlink(path);
    return true;
}

void spool_remove(const struct spool *spool)
{
    char path[PATH_MAX];

    snprintf(path, sizeof path, "%.*s/" COLLECTED, PATH_MAX - 50, spool->folder);
    each_name(path, remove_named, path);
    rmdir(path);
    snprintf(path, sizeof path, "%s", spool->folder);
    each_name(path, remove_named, path);
    rmdir(path);
}
