/*
 * postfix_run: runs postconf(1) and its like, without a shell, bounded in time and output; see
 * postfix.h. What the program writes is read only here and parsed in postfix_read.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/postfix/postfix.h"

#define NOT_FOUND 127 /* as a shell says it */

/* Never returns. PATH first, then where Postfix's programs are when PATH is a user's. */
static void become(const char *const *words)
{
    static const char *const folders[] = {"/usr/sbin", "/usr/local/sbin", "/sbin"};
    char path[256];

    execvp(words[0], (char *const *)words);
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", folders[i], words[0]);
        execv(path, (char *const *)words);
    }
    _exit(NOT_FOUND);
}

struct running {
    pid_t pid;
    int out, err;
};

static int start(struct running *running, const char *const *words)
{
    int out[2], err[2], null;

    if (pipe(out) != 0)
        return -1;
    if (pipe(err) != 0) {
        close(out[0]);
        close(out[1]);
        return -1;
    }
    running->pid = fork();
    if (running->pid == 0) {
        null = open("/dev/null", O_RDWR);
        dup2(null, STDIN_FILENO);
        dup2(out[1], STDOUT_FILENO);
        dup2(err[1], STDERR_FILENO);
        for (int fd = STDERR_FILENO + 1; fd < 64; fd++)
            close(fd);
        become(words);
    }
    close(out[1]);
    close(err[1]);
    running->out = out[0];
    running->err = err[0];
    if (running->pid > 0)
        return 0;
    close(out[0]);
    close(err[0]);
    return -1;
}

/* Takes what is there; false at the end of the stream or when `to` is full. */
static bool take(int fd, struct buf *to)
{
    char part[4096];
    ssize_t n = read(fd, part, sizeof part);

    if (n < 0 && errno == EINTR)
        return true;
    if (n <= 0)
        return false;
    buf_add(to, part, (size_t)n);
    return !to->failed;
}

/* Reads both streams to their ends, until `end` at most; NULL, or what went wrong. What is too much
 * on standard error is dropped. */
static const char *drain(const struct running *running, int64_t end, struct buf *out,
                         struct buf *complaints)
{
    int64_t left;
    struct pollfd fds[2] = {{running->out, POLLIN, 0}, {running->err, POLLIN, 0}};

    while (fds[0].fd >= 0 || fds[1].fd >= 0) {
        left = end - clock_monotonic_ms();
        if (left <= 0)
            return "takes too long";
        if (poll(fds, 2, (int)left) < 0 && errno != EINTR)
            return strerror(errno);
        if (fds[0].fd >= 0 && fds[0].revents != 0 && !take(running->out, out)) {
            if (out->failed)
                return "prints too much";
            fds[0].fd = -1;
        }
        if (fds[1].fd >= 0 && fds[1].revents != 0 && !take(running->err, complaints)) {
            if (complaints->failed)
                buf_clear(complaints);
            else
                fds[1].fd = -1;
        }
        fds[0].revents = fds[1].revents = 0;
    }
    return NULL;
}

/* Waits for its end, until `end` at most: it may have closed its streams and stay. */
static bool reap(pid_t pid, int64_t end, int *state)
{
    const struct timespec nap = {0, 2000000};
    pid_t reaped;

    while ((reaped = waitpid(pid, state, WNOHANG)) == 0 && clock_monotonic_ms() < end)
        nanosleep(&nap, NULL);
    return reaped != 0;
}

/* The last line of what it said, without its end. */
static void last_line(char error[POSTFIX_ERROR_MAX], const char *text)
{
    size_t length = strlen(text);
    const char *begin;

    while (length > 0 && text[length - 1] == '\n')
        length--;
    for (begin = text + length; begin > text && begin[-1] != '\n'; begin--)
        continue;
    snprintf(error, POSTFIX_ERROR_MAX, "%.*s", (int)(text + length - begin), begin);
}

int postfix_program(const char *const *words, int64_t deadline_ms, struct buf *out,
                    char error[POSTFIX_ERROR_MAX])
{
    struct running running;
    struct buf complaints;
    const char *why;
    int64_t end = clock_monotonic_ms() + deadline_ms;
    int state = 0, status = -1;

    error[0] = '\0';
    if (start(&running, words) != 0) {
        snprintf(error, POSTFIX_ERROR_MAX, "cannot run %s: %s", words[0], strerror(errno));
        return -1;
    }
    buf_init(&complaints, POSTFIX_LINE_MAX);
    why = drain(&running, end, out, &complaints);
    close(running.out);
    close(running.err);
    if (why == NULL && !reap(running.pid, end, &state))
        why = "takes too long";
    if (why != NULL) {
        kill(running.pid, SIGKILL);
        while (waitpid(running.pid, &state, 0) < 0 && errno == EINTR)
            continue;
    }
    if (why != NULL)
        snprintf(error, POSTFIX_ERROR_MAX, "%s %s", words[0], why);
    else if (WIFEXITED(state) && WEXITSTATUS(state) == NOT_FOUND)
        snprintf(error, POSTFIX_ERROR_MAX, "%s is not found", words[0]);
    else
        status = WIFEXITED(state) ? WEXITSTATUS(state) : -1;
    if (why == NULL && error[0] == '\0' && status != 0)
        last_line(error, buf_text(&complaints));
    buf_fini(&complaints);
    return status;
}

/* ---- the questions ---- */

/* postconf [-c DIRECTORY] WORDS */
static int ask(struct postfix *postfix, struct arena *arena, const char *directory,
               enum postfix_question question, char error[POSTFIX_ERROR_MAX])
{
    static const char *const words[][3] = {
        [POSTFIX_VALUES] = {"-x"},
        [POSTFIX_SERVICES] = {"-F"},
        [POSTFIX_OVERRIDES] = {"-x", "-P"},
    };
    const char *all[POSTFIX_PARAMETER_COUNT + 6] = {"postconf"};
    size_t count = 1;
    struct buf out;
    int status;

    if (directory != NULL) {
        all[count++] = "-c";
        all[count++] = directory;
    }
    for (size_t i = 0; words[question][i] != NULL; i++)
        all[count++] = words[question][i];
    for (size_t i = 0; i < POSTFIX_PARAMETER_COUNT && question == POSTFIX_VALUES; i++)
        all[count++] = postfix_parameter_names[i];
    buf_init(&out, POSTFIX_OUTPUT_MAX);
    status = postfix_program(all, POSTFIX_DEADLINE_MS, &out, error);
    if (status == 0)
        status = postfix_read(postfix, arena, question, buf_text(&out), out.length, error);
    else if (error[0] == '\0')
        snprintf(error, POSTFIX_ERROR_MAX, "postconf fails without a word");
    buf_fini(&out);
    return status == 0 ? 0 : -1;
}

int postfix_load(struct postfix *postfix, struct arena *arena, const char *directory,
                 char error[POSTFIX_ERROR_MAX])
{
    int status = 0;

    for (int i = POSTFIX_VALUES; i <= POSTFIX_OVERRIDES && status == 0; i++)
        status = ask(postfix, arena, directory, (enum postfix_question)i, error);
    return status;
}
