/* source_stream: see source_stream.h. Compressed files are source_unpack.c's. */
#include "audit/source/source_stream.h"

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

#include "audit/source/source_unpack.h"
#include "base/clock.h"

extern char **environ;

void stream_end_with(struct stream *stream, const char *why, const char *detail)
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
        stream_end_with(stream, "cannot be read: ", strerror(errno));
        return 0;
    }
    stream->taken += (uint64_t)length;
    return (size_t)length;
}

bool stream_fill_head(struct stream *stream)
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

/* ---- what it is ---- */

/* Reads the beginning. False when there is no memory. */
static bool find_kind(struct stream *stream)
{
    size_t more = 1;

    while (stream->kind == STREAM_UNSEEN && more > 0) {
        more =
            read_octets(stream, stream->head + stream->head_end, STREAM_INPUT - stream->head_end);
        stream->head_end += more;
        stream->kind = unpack_kind(stream->head, stream->head_end);
    }
    if (stream->kind == STREAM_UNSEEN)
        stream->kind = STREAM_PLAIN;
    return stream->kind == STREAM_PLAIN || unpack_start(stream);
}

size_t stream_read(struct stream *stream, void *out, size_t size)
{
    if (stream->kind == STREAM_UNSEEN && !find_kind(stream))
        stream_end_with(stream, "there is no memory to unpack it", NULL);
    if (stream->kind == STREAM_PLAIN) /* a file may grow behind its end */
        return read_plain(stream, out, size);
    return unpack_read(stream, out, size);
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

/* What it is. A FIFO is read to the end of what its writer writes; one without a writer is not
 * waited for. */
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
    stream_end_with(stream, place->path == NULL ? "cannot be run: " : "cannot be read: ",
                    error == EINVAL ? "this is no file" : strerror(error));
    errno = error;
    return -1;
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
    stream_end_with(stream, "the program failed: ", status);
}

void stream_close(struct stream *stream)
{
    unpack_stop(stream);
    if (stream->fd >= 0)
        close(stream->fd);
    stream->fd = -1;
    if (stream->pid > 0)
        reap_program(stream, stream->ended && stream->error[0] == '\0');
    free(stream->head);
    stream->head = NULL;
}
