/* log: lines on stderr as the journal wants them, and by syslog. */
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stderr_is_plain),
        cmocka_unit_test(the_journal_gets_priorities),
        cmocka_unit_test(errors_are_on_stderr_beside_syslog),
    };

    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
