/*
 * source_unpack: the compressed files of source_stream: gzip, xz, zstd and bzip2. However much
 * comes out of a file, the memory for it is bounded: gzip takes 64 KiB, bzip2 4 MiB, zstd and xz
 * somewhat more than 128 MiB at most; a file that takes more is not read.
 */
#pragma once

#include "audit/source/source_stream.h"

/* What begins like this. STREAM_UNSEEN: these are too few octets to tell. */
enum stream_kind unpack_kind(const unsigned char *head, size_t length);

/* For streams of the kinds that are compressed. False without memory. */
bool unpack_start(struct stream *stream);
/* As stream_read. */
size_t unpack_read(struct stream *stream, void *out, size_t size);
void unpack_stop(struct stream *stream);
