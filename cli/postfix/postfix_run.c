/*
 * postfix_run: runs postconf(1) and its like, without a shell, bounded in time and output; see
 * postfix.h. What the program writes is read only here and parsed in postfix_read.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
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

/* Its process, or -1 with errno; fds are where its two streams are read. It reads `input`, unless
 * that is -1. */
static pid_t start(struct pollfd fds[2], const char *const *words, int input)
{
    int ends[2][2] = {{-1, -1}, {-1, -1}}, null, error;
    pid_t pid = pipe(ends[0]) == 0 && pipe(ends[1]) == 0 ? fork() : -1;

    if (pid == 0) {
        null = open("/dev/null", O_RDWR);
        dup2(input >= 0 ? input : null, STDIN_FILENO);
        dup2(ends[0][1], STDOUT_FILENO);
        dup2(ends[1][1], STDERR_FILENO);
        for (int fd = STDERR_FILENO + 1; fd < 64; fd++)
            close(fd);
        become(words);
    }
    error = errno;
    for (int i = 0; i < 2; i++) {
        fds[i] = (struct pollfd){ends[i][0], POLLIN, 0};
        if (ends[i][1] >= 0)
            close(ends[i][1]);
        if (ends[i][0] >= 0 && pid < 0)
            close(ends[i][0]);
    }
    errno = error;
    return pid;
}

/* Where what a stream says goes. */
struct drain {
    postfix_taker *take;
    void *context;
    bool full; /* it takes no more */
};

/* Takes what is there; false at the end of the stream or when nothing more is taken. */
static bool take_some(int fd, struct drain *drain)
{
    char part[16384];
    ssize_t n = read(fd, part, sizeof part);

    if (n < 0 && errno == EINTR)
        return true;
    if (n <= 0)
        return false;
    drain->full = !drain->take(drain->context, part, (size_t)n);
    return !drain->full;
}

/* What is too much is dropped. */
static bool take_complaint(void *context, const char *text, size_t length)
{
    struct buf *complaints = context;

    buf_add(complaints, text, length);
    if (complaints->failed)
        buf_clear(complaints);
    return true;
}

/* Reads both streams to their ends, until `end` at most, and closes them; NULL, or what went
 * wrong. */
static const char *read_streams(const struct pollfd streams[2], int64_t end, struct drain to[2])
{
    struct pollfd fds[2] = {streams[0], streams[1]};
    const char *why = NULL;

    while (why == NULL && (fds[0].fd >= 0 || fds[1].fd >= 0)) {
        int64_t left = end - clock_monotonic_ms();

        fds[0].revents = fds[1].revents = 0;
        if (left <= 0)
            why = "takes too long";
        else if (poll(fds, 2, (int)left) < 0 && errno != EINTR)
            why = strerror(errno);
        for (int i = 0; i < 2 && why == NULL; i++) {
            if (fds[i].fd < 0 || fds[i].revents == 0 || take_some(fds[i].fd, &to[i]))
                continue;
            if (to[i].full)
                why = "prints too much";
            fds[i].fd = -1;
        }
    }
    close(streams[0].fd);
    close(streams[1].fd);
    return why;
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
    size_t length = strlen(text), begin;

    while (length > 0 && text[length - 1] == '\n')
        length--;
    for (begin = length; begin > 0 && text[begin - 1] != '\n'; begin--)
        continue;
    snprintf(error, POSTFIX_ERROR_MAX, "%.*s", (int)(length - begin), text + begin);
}

/* What is run, and for how long. */
struct run {
    const char *const *words;
    int input; /* -1: none */
    int64_t deadline_ms;
};

static int run_program(const struct run *run, postfix_taker *take, void *context,
                       char error[POSTFIX_ERROR_MAX])
{
    const char *const *words = run->words;
    struct pollfd streams[2];
    struct buf complaints;
    struct drain to[2] = {{take, context, false}, {take_complaint, &complaints, false}};
    const char *why;
    int64_t end = clock_monotonic_ms() + run->deadline_ms;
    int state = 0, status = -1;
    pid_t pid = start(streams, words, run->input);

    error[0] = '\0';
    if (pid < 0) {
        snprintf(error, POSTFIX_ERROR_MAX, "cannot run %s: %s", words[0], strerror(errno));
        return -1;
    }
    buf_init(&complaints, POSTFIX_LINE_MAX);
    why = read_streams(streams, end, to);
    if (why == NULL && !reap(pid, end, &state))
        why = "takes too long";
    if (why != NULL) {
        snprintf(error, POSTFIX_ERROR_MAX, "%s %s", words[0], why);
        kill(pid, SIGKILL);
        while (waitpid(pid, &state, 0) < 0 && errno == EINTR)
            continue;
    } else if (WIFEXITED(state) && WEXITSTATUS(state) == NOT_FOUND)
        snprintf(error, POSTFIX_ERROR_MAX, "%s is not found", words[0]);
    else
        status = WIFEXITED(state) ? WEXITSTATUS(state) : -1;
    if (error[0] == '\0' && status != 0)
        last_line(error, buf_text(&complaints));
    buf_fini(&complaints);
    return status;
}

int postfix_stream(const char *const *words, int64_t deadline_ms, postfix_taker *take,
                   void *context, char error[POSTFIX_ERROR_MAX])
{
    return run_program(&(struct run){words, -1, deadline_ms}, take, context, error);
}

static bool take_output(void *context, const char *text, size_t length)
{
    struct buf *out = context;

    buf_add(out, text, length);
    return !out->failed;
}

int postfix_program(const char *const *words, int64_t deadline_ms, struct buf *out,
                    char error[POSTFIX_ERROR_MAX])
{
    return postfix_stream(words, deadline_ms, take_output, out, error);
}

int postfix_feed(const char *const *words, int64_t deadline_ms, int input,
                 char error[POSTFIX_ERROR_MAX])
{
    struct buf out;
    int status;

    buf_init(&out, POSTFIX_OUTPUT_MAX);
    status = run_program(&(struct run){words, input, deadline_ms}, take_output, &out, error);
    buf_fini(&out);
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
