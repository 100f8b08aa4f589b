/* log: lines on stderr as the journal wants them, and by syslog. */
#include "base/log/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include "base/log/log_sink.h"

#include "tests/unit/support/unit.h"

static char line[2048];

static void speak(void)
{
    log_event(LOG_LEVEL_WARNING, "held", "domain", "example.com", "why", "a b", NULL);
}

/* What `say` writes to stderr while that is a pipe of which JOURNAL_STREAM speaks, or not. */
static const char *heard(const char *stream, enum log_target target, void (*say)(void))
{
    int pipes[2], saved = dup(STDERR_FILENO);
    struct stat status;
    char own[64];
    ssize_t length;

    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(fstat(pipes[1], &status), 0);
    snprintf(own, sizeof own, "%ju:%ju", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
    unsetenv("JOURNAL_STREAM");
    if (stream != NULL)
        setenv("JOURNAL_STREAM", *stream == '\0' ? own : stream, 1);
    dup2(pipes[1], STDERR_FILENO);
    log_open(target);
    say();
    dup2(saved, STDERR_FILENO);
    log_open(LOG_TO_STDERR);
    close(saved);
    close(pipes[1]);
    length = read(pipes[0], line, sizeof line - 1);
    close(pipes[0]);
    line[length < 0 ? 0 : length] = '\0';
    return line;
}

#define LINE "level=warning event=held domain=example.com why=\"a b\"\n"

static void stderr_is_plain(void **state)
{
    (void)state;
    assert_string_equal(heard(NULL, LOG_TO_STDERR, speak), LINE);
    /* the journal was stderr's parent's, or stderr was sent elsewhere since */
    assert_string_equal(heard("1:1", LOG_TO_STDERR, speak), LINE);
    assert_string_equal(heard("nonsense", LOG_TO_STDERR, speak), LINE);
}

static void the_journal_gets_priorities(void **state)
{
    (void)state;
    assert_string_equal(heard("", LOG_TO_STDERR, speak), "<4>" LINE);
}

static void fail_to_start(void)
{
    log_event(LOG_LEVEL_INFO, "listening", NULL);
    log_event(LOG_LEVEL_ERROR, "cannot-start", NULL);
}

/* Who starts it by hand must not be left without a word. */
static void errors_are_on_stderr_beside_syslog(void **state)
{
    (void)state;
    assert_string_equal(heard(NULL, LOG_TO_SYSLOG, fail_to_start),
                        "level=error event=cannot-start\n");
}

/* ---- the log daemon ---- */

static char path[64];

/* Somebody at `path` who reads nothing yet. */
static int log_daemon(void)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

    snprintf(name.sun_path, sizeof name.sun_path, "%s", path);
    unlink(path);
    assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof name), 0);
    return fd;
}

static const char *next_line(int fd)
{
    ssize_t length = recv(fd, line, sizeof line - 1, 0);

    if (length < 0)
        return NULL;
    line[length] = '\0';
    return line;
}

static void send_number(int number)
{
    char text[32];

    log_sink_send(&log_syslog, LOG_INFO, text,
                  (size_t)snprintf(text, sizeof text, "number=%d", number));
}

static void a_log_daemon_that_does_not_read_holds_nobody_up(void **state)
{
    int fd, count = 0, lost = 0;
    const char *text;

    (void)state;
    snprintf(path, sizeof path, "/tmp/mxc-log-%ld", (long)getpid());
    fd = log_daemon();
    log_syslog_open(path, "test");
    for (int i = 0; i < 5000; i++)
        send_number(i);
    while ((text = next_line(fd)) != NULL) {
        assert_memory_equal(text, "<22>", 4); /* mail, info */
        assert_non_null(strstr(text, " test["));
        count++;
    }
    assert_in_range(count, 1, 4999);
    send_number(5000);
    text = next_line(fd);
    assert_memory_equal(text, "<20>", 4); /* mail, warning */
    assert_non_null(strstr(text, "event=log-lines-lost lines="));
    sscanf(strstr(text, "lines="), "lines=%d", &lost);
    assert_int_equal(count + lost, 5000);
    assert_non_null(strstr(next_line(fd), "number=5000"));
    close(fd);
    log_syslog_close();
    unlink(path);
}

static void a_log_daemon_may_come_late_and_come_back(void **state)
{
    int fd;

    (void)state;
    log_syslog_open(path, "test");
    send_number(1);
    fd = log_daemon();
    send_number(2);
    assert_non_null(strstr(next_line(fd), "lines=1"));
    assert_non_null(strstr(next_line(fd), "number=2"));
    close(fd);
    fd = log_daemon();
    send_number(3); /* at the first try it is gone, at the second there again */
    assert_non_null(strstr(next_line(fd), "number=3"));
    close(fd);
    log_syslog_close();
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stderr_is_plain),
        cmocka_unit_test(the_journal_gets_priorities),
        cmocka_unit_test(errors_are_on_stderr_beside_syslog),
        cmocka_unit_test(a_log_daemon_that_does_not_read_holds_nobody_up),
        cmocka_unit_test(a_log_daemon_may_come_late_and_come_back),
    };

    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
