/* source_fixture: log files in a folder of their own, and what a source gives and warns of. */
#pragma once

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/source/source.h"
#include "base/buf.h"
#include "tests/unit/support/rows.h"
#include "tests/unit/support/virtual_clock.h"

#define PLACES_MAX 8
#define NAME_SIZE  160

struct fixture {
    char folder[64];
    char paths[PLACES_MAX][NAME_SIZE];
    struct source_place places[PLACES_MAX];
    size_t count;
    struct source *source;
    struct buf lines;    /* each with a newline */
    struct buf warnings; /* FILE:LINE: TEXT */
};

/* The name of a file in the folder; valid until PATHS more were asked for. */
static inline const char *fixture_path(const struct fixture *f, const char *name)
{
    enum { PATHS = 4 };
    static char paths[PATHS][NAME_SIZE];
    static size_t next;
    char *path = paths[next++ % PATHS];

    snprintf(path, NAME_SIZE, "%s/%s", f->folder, name);
    return path;
}

static inline void fixture_make(struct fixture *f)
{
    memset(f, 0, sizeof *f);
    snprintf(f->folder, sizeof f->folder, "/tmp/mxc-source-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    buf_init(&f->lines, (size_t)64 << 20);
    buf_init(&f->warnings, 65536);
}

static inline void fixture_end(struct fixture *f)
{
    char command[NAME_SIZE];

    source_close(f->source);
    snprintf(command, sizeof command, "rm -rf %s", f->folder);
    assert_int_equal(system(command), 0);
    buf_fini(&f->lines);
    buf_fini(&f->warnings);
}

static inline void fixture_put(const struct fixture *f, const char *name, const char *mode,
                               const void *data, size_t length)
{
    FILE *file = fopen(fixture_path(f, name), mode);

    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

static inline void fixture_write(const struct fixture *f, const char *name, const char *text)
{
    fixture_put(f, name, "w", text, strlen(text));
}

static inline void fixture_append(const struct fixture *f, const char *name, const char *text)
{
    fixture_put(f, name, "a", text, strlen(text));
}

/* The file's own time, in seconds since 1970. */
static inline void fixture_age(const struct fixture *f, const char *name, time_t at)
{
    struct timespec times[2] = {{at, 0}, {at, 0}};

    assert_int_equal(utimensat(AT_FDCWD, fixture_path(f, name), times, 0), 0);
}

static inline void fixture_name(struct fixture *f, const char *name)
{
    assert_true(f->count < PLACES_MAX);
    snprintf(f->paths[f->count], NAME_SIZE, "%s", fixture_path(f, name));
    f->places[f->count] = (struct source_place){.path = f->paths[f->count]};
    f->count++;
}

static inline void fixture_warn(void *context, const char *file, uint64_t line, const char *text)
{
    const char *slash = strrchr(file, '/');

    buf_addf(context, "%s:%llu: %s\n", slash == NULL ? file : slash + 1, (unsigned long long)line,
             text);
}

static inline void fixture_open(struct fixture *f)
{
    f->source = source_open(f->places, f->count, fixture_warn, &f->warnings);
    assert_non_null(f->source);
}

/* Reads all. Gives the number of lines. */
static inline size_t fixture_read(struct fixture *f)
{
    struct source_line line;
    size_t count = 0;

    if (f->source == NULL)
        fixture_open(f);
    for (; source_next(f->source, &line); count++) {
        buf_add(&f->lines, line.text, line.length);
        buf_adds(&f->lines, "\n");
    }
    assert_false(f->lines.failed);
    return count;
}
