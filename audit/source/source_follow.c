/*
 * source_follow: a log that grows; see source.h. Files are looked at a few times a second, which
 * costs two system calls each time and works on every file system. A file that is cut and has
 * grown beyond its former length between two looks is read on from there.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "audit/source/source_internal.h"
#include "base/clock.h"

#define LOOK_MS 100

static bool was_cut(const struct stream *stream)
{
    struct stat st;

    return fstat(stream->fd, &st) == 0 && (uint64_t)st.st_size < stream->taken;
}

/* Another file has its name, and is written to. Before that the old one still may be: logrotate
 * makes the new file before it tells the log daemon. */
static bool was_replaced(const struct source *source)
{
    const struct stream *stream = &source->stream;
    struct stat st;

    return stat(source->part->place.path, &st) == 0 && st.st_size > 0 &&
           (st.st_dev != stream->device || st.st_ino != stream->inode);
}

bool source_may_grow(struct source *source)
{
    struct stream *stream = &source->stream;
    const char *path = source->part->place.path;

    if (stream->kind != STREAM_PLAIN || !stream->regular || stream->error[0] != '\0')
        return false;
    if (strcmp(path, "-") == 0)
        return true;
    if (source->renamed || was_cut(stream)) {
        source->again = true;
        source->renamed = false;
        return false;
    }
    source->renamed = was_replaced(source);
    return true;
}

void source_note_missing(struct source *source)
{
    if (!source->missing)
        source_say(source, 0, source->stream.error);
    source->missing = true;
}

/* False when a signal arrived, or the time is over. */
static bool wait_for_more(const struct source *source, int64_t end)
{
    const struct stream *stream = &source->stream;
    int64_t left = end - clock_monotonic_ms();
    struct timespec nap = {0, (left < LOOK_MS ? left : LOOK_MS) * 1000000};
    struct pollfd fd = {stream->fd, POLLIN, 0};

    if (left <= 0)
        return false;
    if (source->renamed) /* nothing to wait for */
        return true;
    if (source->open && !stream->regular)
        return poll(&fd, 1, (int)left) > 0;
    return nanosleep(&nap, NULL) == 0;
}

int source_follow(struct source *source, struct source_line *out, int wait_ms)
{
    int64_t end = clock_monotonic_ms() + wait_ms;
    enum source_step step;

    source->following = true;
    do {
        step = source_step(source, out);
        if (step != SOURCE_WAIT)
            return step == SOURCE_LINE ? 1 : -1;
    } while (wait_for_more(source, end));
    return 0;
}
