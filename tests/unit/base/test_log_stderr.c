/*
 * log_stderr and log_limit: a reader of stderr that does not read holds nobody up, whatever it
 * is; no line is cut in two; what is lost is counted; and stderr's flags stay what they were.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <syslog.h>
#include <termios.h>
#include <unistd.h>

#include "base/log/log.h"
#include "base/log/log_sink.h"
#include "tests/unit/support/rows.h"

#define LINES 20000
#define LONG  8100 /* nearly as long as lines get; more than a pipe takes at once */

/* ---- what stderr can be: two ends ---- */

static void make_pipe(int ends[2])
{
    assert_int_equal(pipe(ends), 0);
}

static void make_stream(int ends[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
}

static void make_terminal(int ends[2])
{
    struct termios raw;

    ends[0] = posix_openpt(O_RDWR | O_NOCTTY);
    assert_true(ends[0] >= 0 && grantpt(ends[0]) == 0 && unlockpt(ends[0]) == 0);
    ends[1] = open(ptsname(ends[0]), O_RDWR | O_NOCTTY);
    assert_true(ends[1] >= 0);
    assert_int_equal(tcgetattr(ends[1], &raw), 0);
    cfmakeraw(&raw);
    assert_int_equal(tcsetattr(ends[1], TCSANOW, &raw), 0);
}

/* Ctrl-S. */
static void make_stopped_terminal(int ends[2])
{
    make_terminal(ends);
    assert_int_equal(tcflow(ends[1], TCOOFF), 0);
}

/* ---- stderr, for a while ---- */

struct ends {
    int read_end, saved, flags;
    bool stopped;
    char *heard;
    size_t length;
};

static void begin(struct ends *ends, void (*make)(int ends[2]), bool without_proc)
{
    struct rlimit limit, none = {0};
    int pair[2];

    make(pair);
    fflush(stderr);
    ends->saved = dup(STDERR_FILENO);
    ends->read_end = pair[0];
    ends->stopped = make == make_stopped_terminal;
    dup2(pair[1], STDERR_FILENO);
    close(pair[1]);
    ends->flags = fcntl(STDERR_FILENO, F_GETFL);
    unsetenv("JOURNAL_STREAM");
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none.rlim_max = limit.rlim_max;
    if (without_proc) /* it cannot be opened anew */
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    log_stderr_open();
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    ends->heard = calloc(1, 1 << 24);
    ends->length = 0;
}

/* Reads all that is there. */
static void hear(struct ends *ends)
{
    struct pollfd ready = {.fd = ends->read_end, .events = POLLIN};

    while (poll(&ready, 1, 0) > 0 && (ready.revents & POLLIN) != 0) {
        ssize_t count = read(ends->read_end, ends->heard + ends->length, 65536);

        if (count <= 0)
            break;
        ends->length += (size_t)count;
        assert_true(ends->length < (1 << 24) - 65536);
    }
}

static void end(struct ends *ends)
{
    bool same = fcntl(STDERR_FILENO, F_GETFL) == ends->flags;

    dup2(ends->saved, STDERR_FILENO);
    log_stderr_open();
    close(ends->saved);
    close(ends->read_end);
    free(ends->heard);
    assert_true(same);
}

static void say(unsigned number, size_t length)
{
    char text[LONG + 1];
    int used = snprintf(text, sizeof text, "number=%u ", number);

    memset(text + used, 'x', sizeof text - (size_t)used);
    log_sink_send(&log_stderr, LOG_INFO, text, length > (size_t)used ? length : (size_t)used);
}

/* Each line is whole, in order, and with those that were lost they are all. */
static unsigned check(const struct ends *ends, size_t length)
{
    unsigned next = 0, number, lost;
    char *line = ends->heard;

    while (line < ends->heard + ends->length) {
        char *line_end = strchr(line, '\n');

        assert_non_null(line_end);
        *line_end = '\0';
        if (sscanf(line, "level=warning event=log-lines-lost lines=%u", &lost) == 1) {
            next += lost;
        } else {
            assert_int_equal(sscanf(line, "number=%u x", &number), 1);
            assert_int_equal(number, next++);
            if (length > 20)
                assert_int_equal(strlen(line), length);
        }
        line = line_end + 1;
    }
    return next;
}

struct row {
    const char *name;
    void (*make)(int ends[2]);
    bool without_proc;
    size_t length;
};

static const struct row rows[] = {
    {"a pipe", make_pipe, false, 0},
    {"a pipe, long lines", make_pipe, false, LONG},
    {"a pipe, lines of a page", make_pipe, false, 4095},
    {"a pipe, lines of a page and an octet", make_pipe, false, 4096},
    {"a pipe that cannot be opened anew", make_pipe, true, 0},
    {"a pipe that cannot be opened anew, long lines", make_pipe, true, LONG},
    {"the journal's socket", make_stream, false, 0},
    {"the journal's socket, long lines", make_stream, false, LONG},
    {"a terminal", make_terminal, false, 0},
    {"a terminal, long lines", make_terminal, false, LONG},
    {"a terminal that was stopped", make_stopped_terminal, false, 0},
};

static void nobody_is_held_up(void **state)
{
    const struct row *row = *state;
    uint64_t lost = log_stderr.lost;
    struct ends ends;

    alarm(60); /* one that waits is a failure */
    begin(&ends, row->make, row->without_proc);
    for (unsigned i = 0; i < LINES; i++)
        say(i, row->length);
    assert_true(log_stderr.lost > lost);
    if (ends.stopped)
        tcflow(STDERR_FILENO, TCOON);
    for (unsigned i = 0; i < 10; i++) { /* what is left of a line, what was lost, and more */
        hear(&ends);
        say(LINES + i, row->length);
    }
    hear(&ends);
    assert_int_equal(check(&ends, row->length), LINES + 10);
    end(&ends);
    alarm(0);
}

/* Somebody reads: nothing is lost. */
static void a_reader_gets_it_all(void **state)
{
    const struct row *row = *state;
    uint64_t lost = log_stderr.lost;
    struct ends ends;

    begin(&ends, row->make, row->without_proc);
    for (unsigned i = 0; i < 1000; i++) {
        say(i, row->length);
        hear(&ends);
    }
    assert_int_equal(log_stderr.lost, lost);
    assert_int_equal(check(&ends, row->length), 1000);
    end(&ends);
}

/* What stands in a file already stays, and what another process adds too. */
static void a_file_is_written_where_it_ends(void **state)
{
    char path[] = "/tmp/mxc-log-XXXXXX", text[200] = "";
    int fd = mkstemp(path), saved = dup(STDERR_FILENO);

    (void)state;
    assert_int_equal(write(fd, "before\n", 7), 7);
    dup2(fd, STDERR_FILENO);
    log_stderr_open();
    log_sink_send(&log_stderr, LOG_INFO, "one", 3);
    assert_int_equal(write(fd, "between\n", 8), 8);
    log_sink_send(&log_stderr, LOG_INFO, "two", 3);
    dup2(saved, STDERR_FILENO);
    log_stderr_open();
    close(saved);
    assert_true(pread(fd, text, sizeof text - 1, 0) > 0);
    close(fd);
    unlink(path);
    assert_string_equal(text, "before\none\nbetween\ntwo\n");
}

static void a_reader_that_is_gone(void **state)
{
    static void (*const makes[])(int ends[2]) = {make_pipe, make_stream};

    (void)state;
    for (size_t i = 0; i < COUNT(makes); i++) {
        uint64_t lost = log_stderr.lost;
        struct ends ends;

        begin(&ends, makes[i], false);
        close(ends.read_end);
        for (unsigned n = 0; n < 10; n++)
            say(n, 0);
        ends.read_end = -1;
        end(&ends);
        assert_int_equal(log_stderr.lost, lost + 10);
    }
}

static void no_stderr_at_all(void **state)
{
    int saved = dup(STDERR_FILENO);
    uint64_t lost = log_stderr.lost;

    (void)state;
    close(STDERR_FILENO);
    log_stderr_open();
    say(1, 0);
    dup2(saved, STDERR_FILENO);
    log_stderr_open();
    close(saved);
    assert_int_equal(log_stderr.lost, lost + 1);
}

/* ---- log_limit ---- */

static void once_a_minute(void **state)
{
    static const struct {
        int64_t at;
        bool passes;
        uint64_t left_out;
    } steps[] = {{5, true, 0},           {5, false, 0},         {6, false, 0},
                 {5 + 59999, false, 0},  {5 + 60000, true, 3},  {5 + 60001, false, 0},
                 {5 + 120000, true, 1},  {5 + 180000, true, 0}, {5 + 9000000, true, 0},
                 {5 + 9000001, false, 0}};
    struct log_limit limit = {0}, other = {0};
    uint64_t left_out;

    (void)state;
    for (size_t i = 0; i < COUNT(steps); i++) {
        left_out = 0;
        assert_int_equal(log_limit_passes(&limit, steps[i].at, &left_out), steps[i].passes);
        assert_int_equal(left_out, steps[i].left_out);
    }
    assert_true(log_limit_passes(&other, 5, &left_out)); /* each kind for itself */
}

static void a_flood_is_counted(void **state)
{
    struct log_limit limit = {0};
    uint64_t left_out, passed = 0, counted = 0;

    (void)state;
    for (int64_t now = 1; now <= 10 * LOG_LIMIT_MS; now++)
        if (log_limit_passes(&limit, now, &left_out)) {
            passed++;
            counted += left_out;
        }
    assert_int_equal(passed, 10);
    assert_int_equal(passed + counted + limit.left_out, 10 * LOG_LIMIT_MS);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN); /* as the daemon does */
    ROWS_ADD(rows, nobody_is_held_up);
    for (size_t i = 0; i < COUNT(rows); i++) /* a terminal hands on what it has when it likes to */
        if (rows[i].make == make_pipe || rows[i].make == make_stream)
            rows_add_one(rows[i].name, a_reader_gets_it_all, &rows[i]);
    ROWS_ADD_TEST(a_file_is_written_where_it_ends);
    ROWS_ADD_TEST(a_reader_that_is_gone);
    ROWS_ADD_TEST(no_stderr_at_all);
    ROWS_ADD_TEST(once_a_minute);
    ROWS_ADD_TEST(a_flood_is_counted);
    return rows_run("log_stderr");
}
