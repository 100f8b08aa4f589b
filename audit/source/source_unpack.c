/*
 * source_unpack: see source_unpack.h. The only user of libarchive, zlib and liblzma. libarchive
 * would unpack all of it; but its readers of gzip and xz give nothing of the last 64 KiB before a
 * place where a file is cut, and that of xz takes as much memory as a file asks for.
 */
#include "audit/source/source_unpack.h"

#include <archive.h>
#include <errno.h>
#include <lzma.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define GZIP_WINDOW (15 + 16) /* the largest window, gzip's header: zlib.h, inflateInit2 */
/* Enough for the dictionary of 64 MiB that `xz -9` makes, and for twice as much. */
#define XZ_MEMORY_MAX ((uint64_t)136 << 20)

#define CUT     "the compressed data are cut"
#define DAMAGED "the compressed data are damaged: "

/* ---- gzip ---- */

/* Another member may follow a member (RFC 1952 §2.2), and tapes fill up with NULs. */
static void end_member(struct stream *stream, z_stream *gzip)
{
    while (stream_fill_head(stream) && stream->head[stream->head_begin] == 0)
        stream->head_begin++;
    if (stream->head_begin == stream->head_end)
        stream->ended = true;
    else if (stream->head[stream->head_begin] != 0x1f)
        stream_end_with(stream, "something else follows the compressed data", NULL);
    else
        inflateReset(gzip);
}

static size_t read_gzip(struct stream *stream, void *out, size_t size)
{
    z_stream *gzip = stream->unpacker;
    int status;

    gzip->next_out = out;
    gzip->avail_out = (uInt)size;
    while (gzip->avail_out == size && !stream->ended) {
        if (!stream_fill_head(stream)) {
            if (!stream->ended)
                stream_end_with(stream, CUT, NULL);
            break;
        }
        gzip->next_in = stream->head + stream->head_begin;
        gzip->avail_in = (uInt)(stream->head_end - stream->head_begin);
        status = inflate(gzip, Z_NO_FLUSH);
        stream->head_begin = stream->head_end - gzip->avail_in;
        if (status == Z_STREAM_END)
            end_member(stream, gzip);
        else if (status != Z_OK)
            stream_end_with(stream, DAMAGED, gzip->msg == NULL ? zError(status) : gzip->msg);
    }
    return size - gzip->avail_out;
}

static bool start_gzip(struct stream *stream)
{
    z_stream *gzip = calloc(1, sizeof *gzip);

    if (gzip == NULL || inflateInit2(gzip, GZIP_WINDOW) != Z_OK) {
        free(gzip);
        return false;
    }
    stream->unpacker = gzip;
    return true;
}

static void stop_gzip(void *unpacker)
{
    inflateEnd(unpacker);
    free(unpacker);
}

/* ---- xz ---- */

static size_t read_xz(struct stream *stream, void *out, size_t size)
{
    lzma_stream *xz = stream->unpacker;
    lzma_ret status;
    bool more;

    xz->next_out = out;
    xz->avail_out = size;
    while (xz->avail_out == size && !stream->ended) {
        more = stream_fill_head(stream);
        if (stream->ended) /* it cannot be read */
            break;
        xz->next_in = stream->head + stream->head_begin;
        xz->avail_in = stream->head_end - stream->head_begin;
        status = lzma_code(xz, more ? LZMA_RUN : LZMA_FINISH);
        stream->head_begin = stream->head_end - xz->avail_in;
        if (status == LZMA_STREAM_END)
            stream->ended = true;
        else if (status == LZMA_BUF_ERROR)
            stream_end_with(stream, CUT, NULL);
        else if (status == LZMA_MEMLIMIT_ERROR || status == LZMA_MEM_ERROR)
            stream_end_with(stream, "it takes too much memory to unpack it", NULL);
        else if (status != LZMA_OK)
            stream_end_with(stream, DAMAGED,
                            status == LZMA_OPTIONS_ERROR ? "unknown options" : "a check fails");
    }
    return size - xz->avail_out;
}

static bool start_xz(struct stream *stream)
{
    static const lzma_stream fresh = LZMA_STREAM_INIT;
    lzma_stream *xz = malloc(sizeof *xz);

    if (xz == NULL)
        return false;
    *xz = fresh;
    if (lzma_stream_decoder(xz, XZ_MEMORY_MAX, LZMA_CONCATENATED) != LZMA_OK) {
        free(xz);
        return false;
    }
    stream->unpacker = xz;
    return true;
}

static void stop_xz(void *unpacker)
{
    lzma_end(unpacker);
    free(unpacker);
}

/* ---- zstd, bzip2 ---- */

/* For libarchive: the next compressed octets. */
static la_ssize_t give_archive(struct archive *archive, void *context, const void **out)
{
    struct stream *stream = context;
    size_t length = stream_fill_head(stream) ? stream->head_end - stream->head_begin : 0;

    *out = stream->head + stream->head_begin;
    stream->head_begin = stream->head_end;
    if (length == 0 && stream->ended) {
        archive_set_error(archive, errno, "%s", stream->error);
        return -1;
    }
    return (la_ssize_t)length;
}

static size_t read_archive(struct stream *stream, void *out, size_t size)
{
    struct archive *archive = stream->unpacker;
    la_ssize_t length;

    do
        length = archive_read_data(archive, out, size);
    while (length == ARCHIVE_RETRY);
    if (length > 0)
        return (size_t)length;
    if (length == 0)
        stream->ended = true;
    else if (!stream->ended) /* else it could not be read */
        stream_end_with(stream, CUT " or damaged: ", archive_error_string(archive));
    return 0;
}

/* One file without a name, compressed; or nothing, compressed. */
static bool start_archive(struct stream *stream)
{
    struct archive *archive = archive_read_new();
    struct archive_entry *entry;
    int status;

    if (archive == NULL)
        return false;
    stream->unpacker = archive;
    archive_read_support_filter_zstd(archive);
    archive_read_support_filter_bzip2(archive);
    archive_read_support_format_raw(archive);
    archive_read_support_format_empty(archive);
    status = archive_read_open(archive, stream, NULL, give_archive, NULL);
    if (status == ARCHIVE_OK || status == ARCHIVE_WARN)
        status = archive_read_next_header(archive, &entry);
    if (status == ARCHIVE_EOF)
        stream->ended = true;
    else if (status != ARCHIVE_OK && status != ARCHIVE_WARN && !stream->ended)
        stream_end_with(stream, CUT " or damaged: ", archive_error_string(archive));
    return true;
}

static void stop_archive(void *unpacker)
{
    archive_read_free(unpacker);
}

/* ---- which of them ---- */

static const struct codec {
    bool (*start)(struct stream *stream);
    size_t (*read)(struct stream *stream, void *out, size_t size);
    void (*stop)(void *unpacker);
} codecs[] = {
    [STREAM_GZIP] = {start_gzip, read_gzip, stop_gzip},
    [STREAM_XZ] = {start_xz, read_xz, stop_xz},
    [STREAM_ARCHIVE] = {start_archive, read_archive, stop_archive},
};

static const struct magic {
    enum stream_kind kind;
    size_t length;
    unsigned char octets[6];
} magics[] = {
    {STREAM_GZIP, 2, {0x1f, 0x8b}},
    {STREAM_XZ, 6, {0xfd, '7', 'z', 'X', 'Z', 0}},
    {STREAM_ARCHIVE, 4, {0x28, 0xb5, 0x2f, 0xfd}},
    {STREAM_ARCHIVE, 3, {'B', 'Z', 'h'}},
};

enum stream_kind unpack_kind(const unsigned char *head, size_t length)
{
    for (size_t i = 0; i < sizeof magics / sizeof magics[0]; i++) {
        size_t known = length < magics[i].length ? length : magics[i].length;

        if (memcmp(head, magics[i].octets, known) == 0)
            return known == magics[i].length ? magics[i].kind : STREAM_UNSEEN;
    }
    return STREAM_PLAIN;
}

bool unpack_start(struct stream *stream)
{
    return codecs[stream->kind].start(stream);
}

size_t unpack_read(struct stream *stream, void *out, size_t size)
{
    return stream->ended ? 0 : codecs[stream->kind].read(stream, out, size);
}

void unpack_stop(struct stream *stream)
{
    if (stream->unpacker != NULL)
        codecs[stream->kind].stop(stream->unpacker);
    stream->unpacker = NULL;
}
