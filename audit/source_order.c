/*
 * source_order: the order of files, by their first stamps, and the year of a first stamp that has
 * none. See source.h.
 *
 * A stamp without a year is mostly of the year before the time of its file. In a log of more than a
 * year it is not. Such a log is sampled: where the stamps of two samples go back by more than half a
 * year, a year has passed. It cannot be seen in compressed files, which would have to be unpacked.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/source_internal.h"
#include "base/ascii.h"

#define STAMP_LINES_MAX 1000 /* that are looked at for the first stamp */
#define STAMP_TEXT_MAX  64   /* of a line: more than a stamp */
#define SAMPLES         256
#define SAMPLE_SIZE     4096
#define DAY_S           INT64_C(86400)
#define HALF_YEAR_S     (183 * DAY_S)

/* The stamp of the first whole line behind an offset. */
static bool sample_at(int fd, uint64_t offset, int64_t newest, int64_t *at)
{
    char part[SAMPLE_SIZE];
    ssize_t length = pread(fd, part, sizeof part, (off_t)offset);
    const char *line = length <= 0 ? NULL : memchr(part, '\n', (size_t)length);

    return line != NULL && stamp_of_line(line + 1, (size_t)(part + length - line - 1), newest, at);
}

/* How many more years lie between the first and the last stamp than their dates show. */
static int count_years(int fd, uint64_t size, int64_t newest, int64_t first_at)
{
    uint64_t step = size / SAMPLES < SAMPLE_SIZE ? SAMPLE_SIZE : size / SAMPLES;
    int64_t last = first_at, at;
    int years = 0;

    for (uint64_t offset = 0; offset < size; offset += step) {
        if (!sample_at(fd, offset, newest, &at))
            continue;
        if (at < last - HALF_YEAR_S)
            years++;
        else if (at > last + HALF_YEAR_S)
            years--;
        last = at;
    }
    return years;
}

/* A plain file whose first line, without a year, is `text`. */
static void find_year(struct source_part *part, int64_t newest, const char *text, size_t length)
{
    int fd = open(part->place.path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int years = fd < 0 ? 0 : count_years(fd, part->size, newest, part->first_at);

    if (fd >= 0)
        close(fd);
    for (int i = 0; i < years; i++) {
        /* two days: no stamp of a file is later than it, give or take a day */
        if (!stamp_of_line(text, length, part->first_at - 2 * DAY_S, &part->first_at))
            return;
        part->newest = part->first_at;
    }
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

/* qsort: stable, by `index`. */
static int compare_parts(const void *a, const void *b)
{
    const struct source_part *left = a, *right = b;

    if (left->stamped != right->stamped)
        return left->stamped ? -1 : 1;
    if (left->stamped && left->first_at != right->first_at)
        return left->first_at < right->first_at ? -1 : 1;
    return left->index < right->index ? -1 : 1;
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
        find_first(part);
    }
    qsort(source->parts, source->count, sizeof *source->parts, compare_parts);
}
