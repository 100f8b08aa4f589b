/*
 * source_internal: what the parts of a source share. source.c takes lines from the buffer,
 * source_order.c finds the order of the files and their years, source_follow.c waits for more.
 */
#pragma once

#include <time.h>

#include "audit/source/source.h"
#include "audit/source/source_stream.h"

#define SOURCE_BUFFER ((size_t)256 * 1024) /* more than SOURCE_LINE_MAX + 1 */

struct source_part {
    struct source_place place;
    bool stamped;  /* `first_at` is known */
    int64_t begin; /* for struct source_line; 0: as the stream says */
    int64_t first_at;
    bool sized; /* a file: */
    uint64_t size;
    struct timespec changed;
    size_t index; /* as given */
};

struct source {
    struct source_part *parts; /* owned; in order */
    size_t count, next;        /* the next to be opened */
    source_warn *warn;         /* NULL: nobody hears */
    void *context;
    size_t failures;
    uint64_t done; /* octets of the parts before */
    /* The open one. */
    bool open, at_end;
    int64_t newest; /* for struct source_line */
    const struct source_part *part;
    struct stream stream;
    uint64_t number;    /* of the last line */
    uint64_t cut, nuls; /* lines that were cut, that had NULs before them */
    bool skipping;      /* the rest of a line that was cut */
    bool in_nuls;       /* before a line */
    char *buffer;       /* owned: SOURCE_BUFFER octets, of which are not yet given: */
    size_t begin, end;
    /* source_follow */
    bool following;
    bool missing; /* a warning was given */
    bool renamed; /* another file has its name: what was written meanwhile is read first */
    bool again;   /* at its end: the same part is opened anew */
};

enum source_step {
    SOURCE_LINE,
    SOURCE_WAIT, /* following: nothing more now */
    SOURCE_END
};

/* Without an order. NULL without memory. */
struct source *source_new(const struct source_place *places, size_t count, source_warn *warn,
                          void *context);
enum source_step source_step(struct source *source, struct source_line *out);
/* A warning about the open part; `line` 0: about all of it. */
void source_say(const struct source *source, uint64_t line, const char *text);

/* Sorts the parts. */
void source_sort(struct source *source);

/* For a part that is followed and has come to its end: whether more can come. False: it is read to
 * its end, and the next thing is to open it anew. */
bool source_may_grow(struct source *source);
/* For a part that is followed and could not be opened. */
void source_note_missing(struct source *source);
