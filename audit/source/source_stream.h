/*
 * source_stream: one log as octets, uncompressed: a file, standard input, or the output of a
 * program. What is compressed is recognised by how it begins.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "audit/source/source.h"

#define STREAM_INPUT     65536
#define STREAM_ERROR_MAX 160

enum stream_kind {
    STREAM_UNSEEN, /* nothing was read yet */
    STREAM_PLAIN,
    STREAM_GZIP,
    STREAM_XZ,
    STREAM_ARCHIVE /* what libarchive unpacks: zstd, bzip2 */
};

struct stream {
    enum stream_kind kind;
    int fd;
    pid_t pid;           /* the program; 0: none */
    bool regular;        /* a file with a size */
    bool ended;          /* nothing more comes, or can be unpacked */
    uint64_t taken;      /* octets read, compressed as they are */
    uint64_t size;       /* of the file when it was opened */
    int64_t changed_s;   /* of the file, seconds since 1970; of all else now */
    dev_t device;        /* of the file */
    ino_t inode;         /* of the file */
    void *unpacker;      /* of source_unpack.c; owned */
    unsigned char *head; /* owned: STREAM_INPUT octets; those read and not yet used: */
    size_t head_begin, head_end;
    char error[STREAM_ERROR_MAX]; /* why it ended; "" where it is at its end */
};

/* Opens a place without reading. 0, or -1 with `error` and errno. */
int stream_open(struct stream *stream, const struct source_place *place);
/* Up to `size` octets. Their number; 0 at the end, and where no more can be read or unpacked: then
 * `error` says why. */
size_t stream_read(struct stream *stream, void *out, size_t size);
/* Whether a stream_read would not wait for somebody to write; waits for that `wait_ms` at most. */
bool stream_ready(const struct stream *stream, int wait_ms);
/* Frees all. A program is killed if it has not come to its end; when it has, and failed, `error`
 * says so. */
void stream_close(struct stream *stream);

/* ---- for source_unpack.c ---- */

/* Reads into `head` when it is empty. False at the end. */
bool stream_fill_head(struct stream *stream);
/* Nothing more comes: sets `ended`, and `error` to the two texts; `detail` may be NULL. */
void stream_end_with(struct stream *stream, const char *why, const char *detail);
