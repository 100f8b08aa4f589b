/* source_follow: a log that grows, is renamed, replaced, cut, missing; a program that goes on. */
#include "tests/unit/audit/source/source_fixture.h"

#include <signal.h>
#include <sys/time.h>

#define PATIENCE_MS 20000 /* for what comes at once */

static void expect(struct fixture *f, const char *text, uint64_t number)
{
    struct source_line line;

    assert_int_equal(source_follow(f->source, &line, PATIENCE_MS), 1);
    assert_int_equal(line.length, strlen(text));
    assert_memory_equal(line.text, text, line.length);
    assert_int_equal(line.number, number);
    assert_int_equal(line.first, number == 1);
}

static void expect_nothing(struct fixture *f)
{
    struct source_line line;

    assert_int_equal(source_follow(f->source, &line, 0), 0);
    assert_int_equal(source_follow(f->source, &line, 1), 0);
}

static void follow(struct fixture *f, const char *text)
{
    fixture_make(f);
    fixture_write(f, "log", text);
    fixture_name(f, "log");
    fixture_open(f);
}

static void test_grows(void **state)
{
    struct fixture f;

    (void)state;
    follow(&f, "a\nb\n");
    expect(&f, "a", 1);
    expect(&f, "b", 2);
    expect_nothing(&f);
    fixture_append(&f, "log", "c\n");
    expect(&f, "c", 3);
    expect_nothing(&f);
    assert_string_equal(buf_text(&f.warnings), "");
    fixture_end(&f);
}

/* The file is old, what is written now is not. */
static void test_time_goes_on(void **state)
{
    struct source_line line;
    struct fixture f;

    (void)state;
    fixture_make(&f);
    fixture_write(&f, "log", "a\n");
    fixture_age(&f, "log", 1234567890);
    fixture_name(&f, "log");
    fixture_open(&f);
    expect(&f, "a", 1);
    expect_nothing(&f);
    fixture_append(&f, "log", "b\n");
    assert_int_equal(source_follow(f.source, &line, PATIENCE_MS), 1);
    assert_true(line.newest > 1234567890);
    fixture_end(&f);
}

/* The beginning of a log of 30 months is not that of the file which replaces it. */
static void test_long_log_replaced(void **state)
{
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct source_line line;
    struct fixture f;
    struct buf text;

    (void)state;
    buf_init(&text, 1 << 20);
    for (int i = 0; i < 30 * 100; i++)
        buf_addf(&text, "%s 15 12:00:00 host postfix/qmgr[1]: 4bXyz: removed, and more of it\n",
                 months[i / 100 % 12]);
    follow(&f, buf_text(&text));
    buf_fini(&text);
    source_close(f.source);
    fixture_age(&f, "log", 1781784000); /* 2026-06-18 */
    fixture_open(&f);
    assert_int_equal(source_follow(f.source, &line, PATIENCE_MS), 1);
    assert_true(line.newest - line.begin > INT64_C(2) * 365 * 86400);
    while (source_follow(f.source, &line, 0) == 1)
        continue;
    assert_int_equal(truncate(fixture_path(&f, "log"), 0), 0);
    fixture_append(&f, "log", "a\n");
    assert_int_equal(source_follow(f.source, &line, PATIENCE_MS), 1);
    assert_int_equal(line.number, 1);
    assert_int_equal(line.begin, line.newest);
    fixture_end(&f);
}

static void test_line_in_parts(void **state)
{
    struct fixture f;

    (void)state;
    follow(&f, "a\nb");
    expect(&f, "a", 1);
    expect_nothing(&f);
    fixture_append(&f, "log", "c");
    expect_nothing(&f);
    fixture_append(&f, "log", "d\n");
    expect(&f, "bcd", 2);
    fixture_end(&f);
}

/* logrotate: renamed, made anew; the log daemon still writes into the old one for a while. */
static void test_renamed(void **state)
{
    struct fixture f;

    (void)state;
    follow(&f, "a\n");
    expect(&f, "a", 1);
    assert_int_equal(rename(fixture_path(&f, "log"), fixture_path(&f, "log.1")), 0);
    expect_nothing(&f);
    fixture_append(&f, "log.1", "b\n");
    expect(&f, "b", 2);
    fixture_write(&f, "log", "");
    expect_nothing(&f);
    fixture_append(&f, "log.1", "c\n");
    expect(&f, "c", 3);
    fixture_append(&f, "log.1", "d\ne");
    fixture_append(&f, "log", "f\n");
    expect(&f, "d", 4);
    expect(&f, "e", 5);
    expect(&f, "f", 1);
    fixture_append(&f, "log", "g\n");
    expect(&f, "g", 2);
    assert_string_equal(buf_text(&f.warnings), "log:5: the last line has no end\n");
    fixture_end(&f);
}

/* Old and new are written between two looks at them, after the new one was seen. */
static void test_written_while_replaced(void **state)
{
    struct source_line line;
    struct fixture f;

    (void)state;
    follow(&f, "a\n");
    expect(&f, "a", 1);
    assert_int_equal(rename(fixture_path(&f, "log"), fixture_path(&f, "log.1")), 0);
    fixture_write(&f, "log", "c\n");
    assert_int_equal(source_follow(f.source, &line, 0), 0); /* seen, and the time was over */
    fixture_append(&f, "log.1", "b\n");
    expect(&f, "b", 2);
    expect(&f, "c", 1);
    fixture_end(&f);
}

static void test_cut(void **state)
{
    struct fixture f;

    (void)state;
    follow(&f, "a\nb\n");
    expect(&f, "a", 1);
    expect(&f, "b", 2);
    assert_int_equal(truncate(fixture_path(&f, "log"), 0), 0);
    fixture_append(&f, "log", "c\n");
    expect(&f, "c", 1);
    assert_string_equal(buf_text(&f.warnings), "");
    assert_int_equal(source_failures(f.source), 0);
    fixture_end(&f);
}

static void test_missing(void **state)
{
    struct fixture f;

    (void)state;
    fixture_make(&f);
    fixture_name(&f, "log");
    fixture_open(&f);
    expect_nothing(&f);
    expect_nothing(&f);
    assert_string_equal(buf_text(&f.warnings),
                        "log:0: cannot be read: No such file or directory\n");
    fixture_write(&f, "log", "a\n");
    expect(&f, "a", 1);
    assert_int_equal(unlink(fixture_path(&f, "log")), 0);
    expect_nothing(&f);
    fixture_write(&f, "log", "b\n");
    expect(&f, "b", 1);
    fixture_end(&f);
}

/* What is there, and will never be a log, is not waited for. */
static void test_folder(void **state)
{
    struct source_line line;
    struct fixture f;

    (void)state;
    fixture_make(&f);
    f.places[f.count++] = (struct source_place){.path = f.folder};
    fixture_open(&f);
    assert_int_equal(source_follow(f.source, &line, PATIENCE_MS), -1);
    assert_int_equal(source_failures(f.source), 1);
    fixture_end(&f);
}

/* Only the last one in the order of stamps. */
static void test_several(void **state)
{
    struct fixture f;

    (void)state;
    fixture_make(&f);
    fixture_write(&f, "log", "2026-11-27T00:00:00Z h p: b\n");
    fixture_write(&f, "log.1", "2026-11-26T00:00:00Z h p: a\n");
    fixture_name(&f, "log");
    fixture_name(&f, "log.1");
    fixture_open(&f);
    expect(&f, "2026-11-26T00:00:00Z h p: a", 1);
    expect(&f, "2026-11-27T00:00:00Z h p: b", 1);
    fixture_append(&f, "log.1", "c\n");
    expect_nothing(&f);
    fixture_append(&f, "log", "d\n");
    expect(&f, "d", 2);
    fixture_end(&f);
}

static void test_program(void **state)
{
    static const char *const words[] = {"sh", "-c", "echo a; echo b; printf c", NULL};
    struct source_line line;
    struct fixture f;

    (void)state;
    fixture_make(&f);
    f.places[f.count++] = (struct source_place){.words = words};
    fixture_open(&f);
    expect(&f, "a", 1);
    expect(&f, "b", 2);
    expect(&f, "c", 3);
    assert_int_equal(source_follow(f.source, &line, PATIENCE_MS), -1);
    fixture_end(&f);
}

/* A program that says nothing more is not waited for beyond the time. */
static void test_silent_program(void **state)
{
    static const char *const words[] = {"sh", "-c", "echo a; exec sleep 1000", NULL};
    struct fixture f;

    (void)state;
    fixture_make(&f);
    f.places[f.count++] = (struct source_place){.words = words};
    fixture_open(&f);
    expect(&f, "a", 1);
    expect_nothing(&f);
    fixture_end(&f);
}

static volatile sig_atomic_t alarms;

static void on_alarm(int signal)
{
    (void)signal;
    alarms++;
}

/* The test ends long before the time is over. */
static void test_signal(void **state)
{
    const struct sigaction action = {.sa_handler = on_alarm};
    const struct itimerval soon = {{0, 50000}, {0, 50000}}, never = {{0, 0}, {0, 0}};
    struct source_line line;
    struct fixture f;

    (void)state;
    follow(&f, "a\n");
    expect(&f, "a", 1);
    assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &soon, NULL), 0);
    assert_int_equal(source_follow(f.source, &line, 600000), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
    assert_true(alarms > 0);
    fixture_end(&f);
}

int main(void)
{
    virtual_clock_stop(); /* programs that are run have the real one */
    ROWS_ADD_TEST(test_grows);
    ROWS_ADD_TEST(test_time_goes_on);
    ROWS_ADD_TEST(test_long_log_replaced);
    ROWS_ADD_TEST(test_line_in_parts);
    ROWS_ADD_TEST(test_renamed);
    ROWS_ADD_TEST(test_written_while_replaced);
    ROWS_ADD_TEST(test_cut);
    ROWS_ADD_TEST(test_missing);
    ROWS_ADD_TEST(test_folder);
    ROWS_ADD_TEST(test_several);
    ROWS_ADD_TEST(test_program);
    ROWS_ADD_TEST(test_silent_program);
    ROWS_ADD_TEST(test_signal);
    return rows_run("source_follow");
}
