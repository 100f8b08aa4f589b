/*
 * source: see source.h. Lines are handed out in place, from a buffer that a plain file is read into
 * directly: this is the way of a gigabyte. Only a line that lies across the buffer's end is moved.
 */
#include "audit/source/source_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* ---- warnings ---- */

static const char *name_of(const struct source_place *place)
{
    return place->path == NULL ? "journal" : place->path;
}

void source_say(const struct source *source, uint64_t line, const char *text)
{
    if (source->warn != NULL)
        source->warn(source->context, name_of(&source->part->place), line, text);
}

/* A part that is not read, or not to its end. */
static void fail(struct source *source, const char *why)
{
    source->failures++;
    source_say(source, source->number, why);
}

/* ---- one part after the other ---- */

static enum source_step open_next(struct source *source)
{
    bool follow = source->following && source->next + 1 == source->count;

    if (source->next >= source->count)
        return SOURCE_END;
    source->part = &source->parts[source->next];
    source->number = source->cut = source->nuls = 0;
    source->begin = source->end = 0;
    source->skipping = source->in_nuls = source->at_end = false;
    if (stream_open(&source->stream, &source->part->place) == 0) {
        source->next++;
        source->open = true;
        source->missing = false;
        source->newest = source->stream.changed_s;
        return SOURCE_LINE;
    }
    if (follow && source->part->place.path != NULL && (errno == ENOENT || errno == EACCES)) {
        source_note_missing(source);
        return SOURCE_WAIT;
    }
    source->next++;
    fail(source, source->stream.error);
    return SOURCE_LINE;
}

/* Of what happens more than once in a part, only the first is said at once. */
static void say_count(const struct source *source, uint64_t count, const char *what)
{
    char text[80];

    if (count <= 1)
        return;
    snprintf(text, sizeof text, "%llu %s", (unsigned long long)count, what);
    source_say(source, 0, text);
}

/* What there is to say at the end of a part. */
static void close_part(struct source *source)
{
    struct stream *stream = &source->stream;
    bool follow = source->following && source->next == source->count;

    stream_close(stream);
    source->open = false;
    if (source->again) {
        source->parts[--source->next].begin = 0;
        source->again = false;
    }
    source->done += stream->taken;
    if (stream->error[0] != '\0')
        fail(source, stream->error);
    else if (stream->kind == STREAM_PLAIN && stream->regular && stream->taken < stream->size &&
             !follow)
        fail(source, "the file became shorter while it was read");
    else if (source->part->place.path != NULL && !stream->regular && stream->taken == 0)
        source_say(source, 0, "nothing was written to it");
    say_count(source, source->cut, "lines were cut");
    say_count(source, source->nuls, "lines had NULs before them");
}

/* ---- lines ---- */

static void give(struct source *source, struct source_line *out, size_t length, size_t used)
{
    const struct source_part *part = source->part;

    source->number++;
    *out = (struct source_line){
        .text = source->buffer + source->begin,
        .length = length,
        .file = name_of(&part->place),
        .number = source->number,
        .first = source->number == 1,
        .newest = source->newest,
        .begin = part->begin != 0 ? part->begin : source->newest,
    };
    source->begin += used;
}

/* A line that is longer than SOURCE_LINE_MAX: `used` octets of it are here. */
static void give_cut(struct source *source, struct source_line *out, size_t used, bool whole)
{
    give(source, out, SOURCE_LINE_MAX, used);
    out->cut = true;
    source->skipping = !whole;
    if (source->cut++ == 0)
        source_say(source, source->number, "the line is too long: its rest is left out");
}

/* The last line has no end: its writer was interrupted, or the file was cut. */
static void give_rest(struct source *source, struct source_line *out)
{
    size_t length = source->end - source->begin;

    give(source, out, length, length);
    if (source->stream.error[0] == '\0')
        source_say(source, source->number, "the last line has no end");
}

/* Leaves out the rest of a line that was cut. False when its end is not here. */
static bool skip_rest(struct source *source)
{
    const char *begin = source->buffer + source->begin;
    const char *end = memchr(begin, '\n', source->end - source->begin);

    source->begin = end == NULL ? source->end : source->begin + (size_t)(end - begin) + 1;
    source->skipping = end == NULL;
    return end != NULL;
}

static void skip_nuls(struct source *source)
{
    if (source->begin == source->end || source->buffer[source->begin] != '\0')
        return;
    if (!source->in_nuls && source->nuls++ == 0)
        source_say(source, source->number + 1, "NULs before the line are left out");
    source->in_nuls = true;
    while (source->begin < source->end && source->buffer[source->begin] == '\0')
        source->begin++;
}

/* Takes a line from the buffer. False when no whole one is there. */
static bool take_line(struct source *source, struct source_line *out)
{
    const char *begin, *end;
    size_t length;

    if (source->skipping && !skip_rest(source))
        return false;
    skip_nuls(source);
    begin = source->buffer + source->begin;
    length = source->end - source->begin;
    end = memchr(begin, '\n', length);
    if (end != NULL)
        length = (size_t)(end - begin);
    if (end == NULL && length <= SOURCE_LINE_MAX)
        return false;
    source->in_nuls = false;
    if (length <= SOURCE_LINE_MAX)
        give(source, out, length, length + 1);
    else
        give_cut(source, out, length + (end != NULL), end != NULL);
    return true;
}

/* Reads more behind what is left of the buffer. */
static enum source_step fill(struct source *source)
{
    size_t left = source->end - source->begin, length;
    bool follow = source->following && source->next == source->count;

    if (follow && !stream_ready(&source->stream, 0))
        return SOURCE_WAIT;
    memmove(source->buffer, source->buffer + source->begin, left);
    source->begin = 0;
    source->end = left;
    length = stream_read(&source->stream, source->buffer + left, SOURCE_BUFFER - left);
    source->end += length;
    if (follow)
        source->newest = clock_wall_s();
    if (length > 0)
        return SOURCE_LINE;
    return follow && source_may_grow(source) ? SOURCE_WAIT : SOURCE_END;
}

enum source_step source_step(struct source *source, struct source_line *out)
{
    enum source_step step;

    for (;;) {
        if (!source->open) {
            step = open_next(source);
            if (step != SOURCE_LINE)
                return step;
            continue;
        }
        if (take_line(source, out))
            return SOURCE_LINE;
        step = source->at_end ? SOURCE_END : fill(source);
        if (step == SOURCE_WAIT)
            return step;
        if (step != SOURCE_END)
            continue;
        source->at_end = true;
        if (source->begin < source->end) {
            give_rest(source, out);
            return SOURCE_LINE;
        }
        close_part(source);
    }
}

bool source_next(struct source *source, struct source_line *out)
{
    return source_step(source, out) == SOURCE_LINE;
}

/* ---- the source ---- */

struct source *source_new(const struct source_place *places, size_t count, source_warn *warn,
                          void *context)
{
    struct source *source = calloc(1, sizeof *source);

    if (source == NULL)
        return NULL;
    source->warn = warn;
    source->context = context;
    source->count = count < SOURCE_FILES_MAX ? count : SOURCE_FILES_MAX;
    source->parts = calloc(source->count + 1, sizeof *source->parts);
    source->buffer = malloc(SOURCE_BUFFER);
    if (source->parts == NULL || source->buffer == NULL) {
        source_close(source);
        return NULL;
    }
    for (size_t i = 0; i < source->count; i++) {
        source->parts[i].place = places[i];
        source->parts[i].index = i;
    }
    source->part = source->parts;
    return source;
}

struct source *source_open(const struct source_place *places, size_t count, source_warn *warn,
                           void *context)
{
    struct source *source = source_new(places, count, warn, context);
    char text[80];

    if (source == NULL)
        return NULL;
    if (source->count < count) {
        snprintf(text, sizeof text, "more than %d files: this one and what follows are not read",
                 SOURCE_FILES_MAX);
        source->failures = count - source->count;
        if (warn != NULL)
            warn(context, name_of(&places[source->count]), 0, text);
    }
    source_sort(source);
    return source;
}

void source_progress(const struct source *source, uint64_t *done, uint64_t *all)
{
    *done = source->done + (source->open ? source->stream.taken : 0);
    *all = 0;
    for (size_t i = 0; i < source->count; i++)
        *all += source->parts[i].size;
    for (size_t i = 0; i < source->count; i++)
        if (!source->parts[i].sized)
            *all = 0;
}

size_t source_failures(const struct source *source)
{
    return source->failures;
}

void source_close(struct source *source)
{
    if (source == NULL)
        return;
    if (source->open)
        stream_close(&source->stream);
    free(source->parts);
    free(source->buffer);
    free(source);
}
