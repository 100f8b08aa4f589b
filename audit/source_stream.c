/* source_stream: see source_stream.h. The only user of libarchive and zlib: libarchive's own reader
 * of gzip gives nothing of the last 64 KiB before a place where a file is cut. */
#include "audit/source_stream.h"

#include <archive.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include "base/clock.h"

#define GZIP_WINDOW (15 + 16) /* the largest window, gzip's header: zlib.h, inflateInit2 */

extern char **environ;

/* The stream ends here. */
static void end_with(struct stream *stream, const char *why, const char *detail)
{
    stream->ended = true;
    snprintf(stream->error, sizeof stream->error, "%s%s", why, detail == NULL ? "" : detail);
}

/* ---- octets as they are ---- */

static size_t read_octets(struct stream *stream, void *out, size_t size)
{
    ssize_t length;

    do
        length = read(stream->fd, out, size);
    while (length < 0 && errno == EINTR);
    if (length < 0) {
        end_with(stream, "cannot be read: ", strerror(errno));
        return 0;
    }
    stream->taken += (uint64_t)length;
    return (size_t)length;
}

/* Reads into `head` when it is empty. False at the end. */
static bool fill_head(struct stream *stream)
{
    if (stream->head_begin < stream->head_end)
        return true;
    stream->head_begin = 0;
    stream->head_end = read_octets(stream, stream->head, STREAM_INPUT);
    return stream->head_end > 0;
}

static size_t read_plain(struct stream *stream, void *out, size_t size)
{
    size_t left = stream->head_end - stream->head_begin;

    if (left == 0) {
        size = read_octets(stream, out, size);
        stream->ended = stream->ended || (size == 0 && !stream->regular);
        return size;
    }
    if (left < size)
        size = left;
    memcpy(out, stream->head + stream->head_begin, size);
    stream->head_begin += size;
    return size;
}

/* ---- gzip ---- */

/* Another member may follow a member (RFC 1952 §2.2), and tapes fill up with NULs. */
static void end_member(struct stream *stream, z_stream *gzip)
{
    while (fill_head(stream) && stream->head[stream->head_begin] == 0)
        stream->head_begin++;
    if (stream->head_begin == stream->head_end)
        stream->ended = true;
    else if (stream->head[stream->head_begin] != 0x1f)
        end_with(stream, "something else follows the compressed data", NULL);
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
        if (!fill_head(stream)) {
            if (!stream->ended)
                end_with(stream, "the compressed data are cut", NULL);
            break;
        }
        gzip->next_in = stream->head + stream->head_begin;
        gzip->avail_in = (uInt)(stream->head_end - stream->head_begin);
        status = inflate(gzip, Z_NO_FLUSH);
        stream->head_begin = stream->head_end - gzip->avail_in;
        if (status == Z_STREAM_END)
            end_member(stream, gzip);
        else if (status != Z_OK)
            end_with(stream, "the compressed data are damaged: ",
                     gzip->msg == NULL ? zError(status) : gzip->msg);
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

/* ---- xz, zstd, bzip2 ---- */

/* For libarchive: the next compressed octets. */
static la_ssize_t give_archive(struct archive *archive, void *context, const void **out)
{
    struct stream *stream = context;
    size_t length = fill_head(stream) ? stream->head_end - stream->head_begin : 0;

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
        end_with(stream, "the compressed data are cut or damaged: ", archive_error_string(archive));
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
    archive_read_support_filter_xz(archive);
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
        end_with(stream, "the compressed data are cut or damaged: ", archive_error_string(archive));
    return true;
}

/* ---- which of them ---- */

static const struct magic {
    enum stream_kind kind;
    size_t length;
    unsigned char octets[6];
} magics[] = {
    {STREAM_GZIP, 2, {0x1f, 0x8b}},
    {STREAM_ARCHIVE, 6, {0xfd, '7', 'z', 'X', 'Z', 0}},
    {STREAM_ARCHIVE, 4, {0x28, 0xb5, 0x2f, 0xfd}},
    {STREAM_ARCHIVE, 3, {'B', 'Z', 'h'}},
};

/* STREAM_UNSEEN: too few octets to tell. */
static enum stream_kind kind_of(const unsigned char *head, size_t length)
{
    for (size_t i = 0; i < sizeof magics / sizeof magics[0]; i++) {
        size_t known = length < magics[i].length ? length : magics[i].length;

        if (memcmp(head, magics[i].octets, known) == 0)
            return known == magics[i].length ? magics[i].kind : STREAM_UNSEEN;
    }
    return STREAM_PLAIN;
}

/* Reads the beginning. False when there is no memory. */
static bool find_kind(struct stream *stream)
{
    size_t more = 1;

    while (stream->kind == STREAM_UNSEEN && more > 0) {
        more =
            read_octets(stream, stream->head + stream->head_end, STREAM_INPUT - stream->head_end);
        stream->head_end += more;
        stream->kind = kind_of(stream->head, stream->head_end);
    }
    if (stream->kind == STREAM_GZIP)
        return start_gzip(stream);
    if (stream->kind == STREAM_ARCHIVE)
        return start_archive(stream);
    stream->kind = STREAM_PLAIN;
    return true;
}

size_t stream_read(struct stream *stream, void *out, size_t size)
{
    if (stream->kind == STREAM_UNSEEN && !find_kind(stream))
        end_with(stream, "there is no memory to unpack it", NULL);
    if (stream->kind == STREAM_PLAIN) /* a file may grow behind its end */
        return read_plain(stream, out, size);
    if (stream->ended)
        return 0;
    return stream->kind == STREAM_GZIP ? read_gzip(stream, out, size)
                                       : read_archive(stream, out, size);
}

bool stream_ready(const struct stream *stream, int wait_ms)
{
    struct pollfd fd = {stream->fd, POLLIN, 0};

    return stream->regular || stream->head_begin < stream->head_end || poll(&fd, 1, wait_ms) > 0;
}

/* ---- opening and closing ---- */

/* Its output is the stream. */
static int run_program(struct stream *stream, const char *const *words)
{
    posix_spawn_file_actions_t actions;
    int ends[2], error;

    if (pipe(ends) != 0)
        return -1;
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    error = posix_spawnp(&stream->pid, words[0], &actions, NULL, (char *const *)words, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    stream->fd = ends[0];
    if (error == 0)
        return 0;
    stream->pid = 0;
    errno = error;
    return -1;
}

/* What it is. A FIFO is read as far as it is written; it is not waited for whoever may write one
 * day. */
static int look_at(struct stream *stream, bool file)
{
    struct stat st;

    if (fstat(stream->fd, &st) != 0)
        return -1;
    errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
    if (S_ISDIR(st.st_mode) || (file && !S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode)))
        return -1;
    if (file)
        fcntl(stream->fd, F_SETFL, 0); /* no O_NONBLOCK any more */
    stream->regular = S_ISREG(st.st_mode);
    stream->device = st.st_dev;
    stream->inode = st.st_ino;
    if (stream->regular) {
        stream->size = (uint64_t)st.st_size;
        stream->changed_s = st.st_mtim.tv_sec;
    }
    return 0;
}

int stream_open(struct stream *stream, const struct source_place *place)
{
    bool file = place->path != NULL && strcmp(place->path, "-") != 0;
    int error = 0;

    *stream = (struct stream){.fd = -1, .changed_s = clock_wall_s()};
    stream->head = malloc(STREAM_INPUT);
    if (stream->head == NULL)
        error = ENOMEM;
    else if (place->path == NULL)
        error = run_program(stream, place->words) == 0 ? 0 : errno;
    else
        stream->fd = file ? open(place->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
                          : fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
    if (error == 0 && (stream->fd < 0 || look_at(stream, file) != 0))
        error = errno;
    if (error == 0)
        return 0;
    stream_close(stream);
    end_with(stream, place->path == NULL ? "cannot be run: " : "cannot be read: ",
             error == EINVAL ? "this is no file" : strerror(error));
    errno = error;
    return -1;
}

static void close_unpacker(struct stream *stream)
{
    if (stream->unpacker != NULL && stream->kind == STREAM_GZIP) {
        inflateEnd(stream->unpacker);
        free(stream->unpacker);
    } else if (stream->unpacker != NULL) {
        archive_read_free(stream->unpacker);
    }
    stream->unpacker = NULL;
}

/* A program that was read to its end ends by itself. */
static void reap_program(struct stream *stream, bool at_end)
{
    char status[32];
    int state = 0;

    if (!at_end)
        kill(stream->pid, SIGKILL);
    while (waitpid(stream->pid, &state, 0) < 0 && errno == EINTR)
        continue;
    stream->pid = 0;
    if (!at_end || state == 0)
        return;
    snprintf(status, sizeof status, WIFEXITED(state) ? "exit status %d" : "signal %d",
             WIFEXITED(state) ? WEXITSTATUS(state) : WTERMSIG(state));
    end_with(stream, "the program failed: ", status);
}

void stream_close(struct stream *stream)
{
    close_unpacker(stream);
    if (stream->fd >= 0)
        close(stream->fd);
    stream->fd = -1;
    if (stream->pid > 0)
        reap_program(stream, stream->ended && stream->error[0] == '\0');
    free(stream->head);
    stream->head = NULL;
}
