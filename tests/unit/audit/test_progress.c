/* progress: what is shown, when, and that nothing is left of it. */
#include "audit/progress.h"

#include <fcntl.h>
#include <pty.h>
#include <termios.h>
#include <unistd.h>

#include "tests/unit/support/rows.h"
#include "tests/unit/support/virtual_clock.h"

#define KIB UINT64_C(1024)
#define MIB (KIB * 1024)
#define GIB (MIB * 1024)

static const struct text_row {
    const char *name;
    struct progress_amount amount;
    size_t columns;
    const char *want;
} texts[] = {
    {"the middle",
     {GIB, 2 * GIB, NULL, 2000, 0, NULL},
     79,
     " 50% [================>               ] 1.0 GiB of 2.0 GiB, 512 MiB/s, 2 s left"},
    {"the beginning",
     {0, 100 * MIB, NULL, 0, 0, NULL},
     79,
     "  0% [>                                       ] 0 octets of 100 MiB, 0 octets/s"},
    {"the end",
     {100 * MIB, 100 * MIB, NULL, 10000, 0, NULL},
     79,
     "100% [=================================] 100 MiB of 100 MiB, 10 MiB/s, 0 s left"},
    {"a file that grew",
     {200 * MIB, 100 * MIB, NULL, 10000, 0, NULL},
     60,
     "100% [==============] 200 MiB of 200 MiB, 20 MiB/s, 0 s left"},
    {"of an unknown size", {100 * MIB, 0, NULL, 1000, 0, NULL}, 79, "100 MiB, 100 MiB/s"},
    {"minutes",
     {MIB, 601 * MIB, NULL, 1000, 0, NULL},
     50,
     "  0% 1.0 MiB of 601 MiB, 1.0 MiB/s, 10 min left"},
    {"hours",
     {MIB, 36001 * MIB, NULL, 1000, 0, NULL},
     50,
     "  0% 1.0 MiB of 35 GiB, 1.0 MiB/s, 10 h left"},
    {"days",
     {2, 36001 * MIB, NULL, 1000, 0, NULL},
     48,
     "  0% [>         ] 2 octets of 35 GiB, 2 octets/s"},
    {"domains",
     {100, 400, "domains", 10000, 0, NULL},
     60,
     " 25% [====>            ] 100 of 400 domains, 10/s, 30 s left"},
    {"a survey that was resumed, with a note",
     {300, 400, "hosts", 10000, 200, "3 failed: dns 3"},
     79,
     " 75% [===============>     ] 300 of 400 hosts, 10/s, 10 s left; 3 failed: dns 3"},
    {"domains of an unknown number", {100, 0, "domains", 10000, 0, NULL}, 60, "100 domains, 10/s"},
    {"a narrow terminal", {GIB, 2 * GIB, NULL, 2000, 0, NULL}, 10, " 50% 1.0 G"},
    {"no columns", {GIB, 2 * GIB, NULL, 2000, 0, NULL}, 0, ""},
    {"the most",
     {UINT64_MAX, UINT64_MAX, NULL, 1, 0, NULL},
     60,
     "100% 16777216 TiB of 16777216 TiB, 16777216000 TiB/s, 0 s le"},
};

static void test_text(void **state)
{
    const struct text_row *row = *state;
    char text[200];
    size_t length = progress_text(text, sizeof text, &row->amount, row->columns);

    assert_int_equal(length, strlen(text));
    assert_string_equal(text, row->want);
    assert_true(strlen(text) <= row->columns);
}

/* Never longer than there is room, for every width. */
static void test_widths(void **state)
{
    const struct progress_amount amount = {GIB, 3 * GIB, NULL, 1234, 0, NULL};
    char text[200];

    (void)state;
    for (size_t columns = 0; columns < 199; columns++)
        assert_true(progress_text(text, sizeof text, &amount, columns) <= columns);
}

/* ---- on a terminal ---- */

/* Gives the end at which it is read. */
static int open_terminal(FILE **out)
{
    int master, slave;
    struct termios settings;

    assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
    assert_int_equal(tcgetattr(slave, &settings), 0);
    settings.c_oflag &= ~(tcflag_t)OPOST;
    assert_int_equal(tcsetattr(slave, TCSANOW, &settings), 0);
    assert_int_equal(fcntl(master, F_SETFL, O_NONBLOCK), 0);
    *out = fdopen(slave, "w");
    assert_non_null(*out);
    return master;
}

static void expect_written(int master, const char *want)
{
    char got[512];
    ssize_t length = read(master, got, sizeof got - 1);

    got[length < 0 ? 0 : length] = '\0';
    assert_string_equal(got, want);
}

static void test_terminal(void **state)
{
    struct progress progress;
    FILE *out;
    int master = open_terminal(&out);

    (void)state;
    progress_begin(&progress, out);
    progress_show(&progress, MIB, 0);
    virtual_clock_pass(999);
    progress_show(&progress, MIB, 0);
    expect_written(master, "");
    virtual_clock_pass(1);
    progress_show(&progress, 100 * MIB, 0);
    expect_written(master, "\r100 MiB, 100 MiB/s");
    virtual_clock_pass(249);
    progress_show(&progress, 200 * MIB, 0);
    expect_written(master, "");
    virtual_clock_pass(751);
    progress_show(&progress, 20 * MIB, 0);
    expect_written(master, "\r20 MiB, 10 MiB/s  \r20 MiB, 10 MiB/s");
    progress_clear(&progress);
    expect_written(master, "\r                \r");
    progress_clear(&progress);
    expect_written(master, "");
    fclose(out);
    close(master);
}

static void test_no_terminal(void **state)
{
    struct progress progress;
    FILE *out = tmpfile();

    (void)state;
    assert_non_null(out);
    progress_begin(&progress, out);
    virtual_clock_pass(5000);
    progress_show(&progress, MIB, 2 * MIB);
    progress_clear(&progress);
    assert_int_equal(ftell(out), 0);
    fclose(out);
}

int main(void)
{
    ROWS_ADD(texts, test_text);
    ROWS_ADD_TEST(test_widths);
    ROWS_ADD_TEST(test_terminal);
    ROWS_ADD_TEST(test_no_terminal);
    return rows_run("progress");
}
