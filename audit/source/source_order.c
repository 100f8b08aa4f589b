/*
 * source_order: the order of files, by their first stamps, and the year of a first stamp that has
 * none. See source.h.
 *
 * A stamp without a year is mostly of the year before the time of its file. In a log of more than
 * a year it is not. So a log is sampled: the times between the samples, taken together, are as
 * long as the log. Compressed files are not: they would have to be unpacked.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/source/source_internal.h"
#include "base/ascii.h"

#define STAMP_LINES_MAX 1000 /* that are looked at for the first stamp */
#define STAMP_TEXT_MAX  64   /* of a line: more than a stamp */
#define SAMPLES         256
#define SAMPLE_SIZE     4096
#define YEAR_S          INT64_C(31557600) /* about */
#define ABOUT_S         (YEAR_S / 6)      /* more than sums of it are wrong by */

/* The stamp of the first whole line behind an offset. */
static bool sample_at(int fd, uint64_t offset, int64_t newest, int64_t *at)
{
    char part[SAMPLE_SIZE];
    ssize_t length = pread(fd, part, sizeof part, (off_t)offset);
    const char *line = length <= 0 ? NULL : memchr(part, '\n', (size_t)length);

    return line != NULL && stamp_of_line(line + 1, (size_t)(part + length - line - 1), newest, at);
}

/* The time between the first and the last stamp, in seconds, which is also put to *last_at. From
 * one sample to the next it is the shortest that their dates allow. */
static int64_t span_of(int fd, uint64_t size, int64_t newest, int64_t first_at, int64_t *last_at)
{
    uint64_t step = size / SAMPLES < SAMPLE_SIZE ? SAMPLE_SIZE : size / SAMPLES;
    int64_t at, passed, span = 0;

    *last_at = first_at;
    for (uint64_t offset = 0; offset < size; offset += step) {
        if (!sample_at(fd, offset, newest, &at))
            continue;
        for (passed = at - *last_at; passed < -YEAR_S / 2; passed += YEAR_S)
            continue;
        for (; passed > YEAR_S / 2; passed -= YEAR_S)
            continue;
        span += passed;
        *last_at = at;
    }
    return span;
}

/* A plain file whose first stamp, in `text`, has no year. */
static void find_year(struct source_part *part, int64_t newest, const char *text, size_t length)
{
    int fd = open(part->place.path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int64_t last_at, begin, span;

    if (fd < 0)
        return;
    span = span_of(fd, part->size, newest, part->first_at, &last_at);
    begin = last_at - span;
    close(fd);
    if (part->first_at - begin > YEAR_S / 2 &&
        stamp_of_line(text, length, begin + ABOUT_S, &part->first_at))
        part->begin = part->first_at;
}

static void find_first(struct source_part *part)
{
    struct source *source = source_new(&part->place, 1, NULL, NULL);
    char text[STAMP_TEXT_MAX];
    struct source_line line;
    int64_t newest;
    size_t length;

    for (int i = 0; i < STAMP_LINES_MAX && !part->stamped; i++) {
        if (source == NULL || !source_next(source, &line))
            break;
        length = line.length < sizeof text ? line.length : sizeof text;
        memcpy(text, line.text, length);
        newest = line.newest;
        part->stamped = stamp_of_line(text, length, newest, &part->first_at);
        if (part->stamped && !ascii_is_digit(text[0]) && source->stream.kind == STREAM_PLAIN)
            find_year(part, newest, text, length);
    }
    source_close(source);
}

static int compare_numbers(int64_t left, int64_t right)
{
    return (left > right) - (left < right);
}

/* qsort: stable, by `index`. A log that was rotated within a second of its first line and the one
 * after it have the same first stamp: the one that was written to last comes last. */
static int compare_parts(const void *a, const void *b)
{
    const struct source_part *left = a, *right = b;
    int order = right->stamped - left->stamped;

    if (order == 0 && left->stamped)
        order = compare_numbers(left->first_at, right->first_at);
    if (order == 0 && left->stamped)
        order = compare_numbers(left->changed.tv_sec, right->changed.tv_sec);
    if (order == 0 && left->stamped)
        order = compare_numbers(left->changed.tv_nsec, right->changed.tv_nsec);
    return order == 0 ? compare_numbers((int64_t)left->index, (int64_t)right->index) : order;
}

void source_sort(struct source *source)
{
    struct stat st;

    for (size_t i = 0; i < source->count; i++) {
        struct source_part *part = &source->parts[i];
        const char *path = part->place.path;

        if (path == NULL || strcmp(path, "-") == 0 || stat(path, &st) != 0 || !S_ISREG(st.st_mode))
            continue;
        part->sized = true;
        part->size = (uint64_t)st.st_size;
        part->changed = st.st_mtim;
        find_first(part);
    }
    qsort(source->parts, source->count, sizeof *source->parts, compare_parts);
}
