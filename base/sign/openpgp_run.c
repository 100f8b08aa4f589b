/*
 * openpgp_run: gpgv(1) with nothing of its caller's but the three files, as descriptors of memory: what
 * it reads cannot be replaced meanwhile, and it needs no right to any folder. It gets no environment,
 * no folder of its own and no terminal.
 */
#define _GNU_SOURCE /* memfd_create, posix_spawn_file_actions_addclosefrom_np */
#include "base/sign/openpgp.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"

/* gpgv's descriptors */
enum { FD_STATUS = 3, FD_KEY, FD_SIGNATURE, FD_DATA, FD_END };
#define FD_OURS 16 /* ours are from here on, so that none is in the way of those */

static const char *fail(char why[OPENPGP_WHY_MAX], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static const char *fail(char why[OPENPGP_WHY_MAX], const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(why, OPENPGP_WHY_MAX, format, arguments);
    va_end(arguments);
    return why;
}

/* The same file at a descriptor of FD_OURS or later; closes `fd`. -1 with errno. */
static int raised(int fd)
{
    int high = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, FD_OURS), error = errno;

    if (fd >= 0)
        close(fd);
    errno = error;
    return high;
}

/* A file in memory; -1 with errno. */
static int in_memory(const void *data, size_t length)
{
    int fd = raised(memfd_create("mxcrypt", MFD_CLOEXEC));
    size_t written = 0;

    while (fd >= 0 && written < length) {
        ssize_t n = write(fd, (const char *)data + written, length - written);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            int error = n == 0 ? EIO : errno;

            close(fd);
            errno = error;
            return -1;
        }
        written += (size_t)n;
    }
    return fd;
}

/* What gpgv gets, at FD_STATUS and so on, and where its status lines are read. */
struct run {
    int given[FD_END], read_fd;
    pid_t pid;
};

static void close_given(struct run *run)
{
    for (int i = FD_STATUS; i < FD_END; i++) {
        if (run->given[i] >= 0)
            close(run->given[i]);
        run->given[i] = -1;
    }
}

/* False with errno. */
static bool add_actions(posix_spawn_file_actions_t *actions, const struct run *run)
{
    int error = 0;

    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO && error == 0; fd++)
        error = posix_spawn_file_actions_addopen(actions, fd, "/dev/null", O_RDWR, 0);
    for (int fd = FD_STATUS; fd < FD_END && error == 0; fd++)
        error = posix_spawn_file_actions_adddup2(actions, run->given[fd], fd);
    if (error == 0)
        error = posix_spawn_file_actions_addclosefrom_np(actions, FD_END);
    errno = error;
    return error == 0;
}

/* A process group of its own, and the signals as they are for a program that is new. */
static bool set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none, all;

    sigemptyset(&none);
    sigfillset(&all);
    errno = posix_spawnattr_setsigmask(attributes, &none);
    if (errno == 0)
        errno = posix_spawnattr_setsigdefault(attributes, &all);
    if (errno == 0)
        errno = posix_spawnattr_setflags(
            attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    return errno == 0;
}

/* False with errno. */
static bool spawn(struct run *run)
{
    static const char *const words[] = {
        "gpgv",          "--quiet",   "--status-fd", "3",         "--homedir",
        "/nonexistent", /* it wants none of it */
        "--weak-digest", "SHA1",      "--keyring",   "/dev/fd/4", "--",
        "/dev/fd/5",     "/dev/fd/6", NULL};
    static const char *const environment[] = {"LC_ALL=C", "PATH=/usr/bin:/bin", NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int error = posix_spawn_file_actions_init(&actions);

    if (error == 0) {
        error = posix_spawnattr_init(&attributes);
        if (error == 0) {
            error = !add_actions(&actions, run) || !set_attributes(&attributes)
                        ? errno
                        : posix_spawnp(&run->pid, words[0], &actions, &attributes,
                                       (char *const *)words, (char *const *)environment);
            posix_spawnattr_destroy(&attributes);
        }
        posix_spawn_file_actions_destroy(&actions);
    }
    errno = error;
    return error == 0;
}

/* Reads to the end of its status lines, until `end` at most; NULL, or what went wrong. */
static const char *read_status(const struct run *run, struct buf *out, int64_t end)
{
    for (;;) {
        struct pollfd fd = {run->read_fd, POLLIN, 0};
        int64_t left = end - clock_monotonic_ms();
        char part[4096];
        ssize_t n;

        if (left <= 0)
            return "takes too long";
        if (poll(&fd, 1, (int)left) <= 0)
            continue;
        n = read(run->read_fd, part, sizeof part);
        if (n == 0)
            return NULL;
        if (n < 0 && errno != EINTR)
            return strerror(errno);
        if (n > 0)
            buf_add(out, part, (size_t)n);
        if (out->failed)
            return "says too much";
    }
}

/* Waits for its end, until `end` at most: it may have closed its descriptor and stay. */
static const char *reap(const struct run *run, int64_t end, int *state)
{
    const struct timespec nap = {0, 2000000};
    pid_t reaped;

    while ((reaped = waitpid(run->pid, state, WNOHANG)) == 0 && clock_monotonic_ms() < end)
        nanosleep(&nap, NULL);
    return reaped == run->pid ? NULL : reaped == 0 ? "takes too long" : "is gone";
}

/* It and all that it started. */
static void end_it(const struct run *run)
{
    int state;

    kill(-run->pid, SIGKILL);
    kill(run->pid, SIGKILL); /* it may not have its group yet */
    while (waitpid(run->pid, &state, 0) < 0 && errno == EINTR)
        continue;
}

/* Reads what it says to its end, and that it ended well. NULL, or what is wrong, in `why`. */
static const char *hear(const struct run *run, const struct openpgp_check *check,
                        char why[OPENPGP_WHY_MAX])
{
    int64_t end = clock_monotonic_ms() + check->deadline_ms;
    const char *wrong;
    struct buf status;
    int state = 0;

    buf_init(&status, OPENPGP_STATUS_MAX);
    wrong = read_status(run, &status, end);
    if (wrong == NULL)
        wrong = reap(run, end, &state);
    if (wrong != NULL) {
        end_it(run);
        wrong = fail(why, "gpgv %s", wrong);
    } else {
        wrong = openpgp_status(buf_text(&status), status.length, check->fingerprint, why);
        if (wrong == NULL && (!WIFEXITED(state) || WEXITSTATUS(state) != 0))
            wrong = fail(why, "gpgv says that it is good, and fails");
    }
    buf_fini(&status);
    return wrong;
}

/* The pipe, and the files in memory. */
static bool give(struct run *run, const struct openpgp_check *check, const struct buf *key,
                 const struct buf *signature)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0)
        return false;
    run->read_fd = raised(ends[0]);
    run->given[FD_STATUS] = raised(ends[1]);
    run->given[FD_KEY] = in_memory(key->data, key->length);
    run->given[FD_SIGNATURE] = in_memory(signature->data, signature->length);
    run->given[FD_DATA] = in_memory(check->data, check->length);
    for (int i = FD_STATUS; i < FD_END; i++)
        if (run->given[i] < 0)
            return false;
    return run->read_fd >= 0;
}

static const char *verify(const struct openpgp_check *check, const struct buf *key,
                          const struct buf *signature, char why[OPENPGP_WHY_MAX])
{
    struct run run = {{-1, -1, -1, -1, -1, -1, -1}, -1, -1};
    const char *wrong = NULL;

    if (!give(&run, check, key, signature))
        wrong = fail(why, "gpgv cannot be run: %s", strerror(errno));
    else if (!spawn(&run))
        wrong = errno == ENOENT ? fail(why, "gpgv is not installed")
                                : fail(why, "gpgv cannot be run: %s", strerror(errno));
    close_given(&run);
    if (wrong == NULL)
        wrong = hear(&run, check, why);
    if (run.read_fd >= 0)
        close(run.read_fd);
    return wrong;
}

const char *openpgp_verify(const struct openpgp_check *check, char why[OPENPGP_WHY_MAX])
{
    struct buf file, key, signature;
    const char *wrong;
    char part[OPENPGP_WHY_MAX];

    buf_init(&file, OPENPGP_KEY_MAX);
    buf_init(&key, OPENPGP_KEY_MAX);
    buf_init(&signature, OPENPGP_SIGNATURE_MAX);
    if (file_read(&file, check->key_path) != 0)
        wrong = fail(why, "%s: %s", check->key_path, strerror(errno));
    else if (openpgp_key_read(&key, file.data, file.length, part) != NULL)
        wrong = fail(why, "%.100s: %.100s", check->key_path, part);
    else
        wrong = openpgp_signature_read(&signature, check->signature, check->signature_length, why);
    if (wrong == NULL)
        wrong = verify(check, &key, &signature, why);
    buf_fini(&file);
    buf_fini(&key);
    buf_fini(&signature);
    return wrong;
}
