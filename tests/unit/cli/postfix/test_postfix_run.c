/* postfix_run: a program's output and status, its limits in time and size; no shell. */
#include <stdio.h>

#include "base/clock.h"
#include "cli/postfix/postfix.h"
#include "tests/unit/support/rows.h"
#include "tests/unit/support/virtual_clock.h"

#define LIMIT 1000

static const struct row {
    const char *name, *words[5];
    int64_t deadline_ms;
    int status;
    size_t octets;     /* of output */
    const char *error; /* a part; "" for none */
} rows[] = {
    {"output", {"printf", "a = b\n"}, 9000, 0, 6, ""},
    {"no output", {"true"}, 9000, 0, 0, ""},
    {"no input", {"cat"}, 9000, 0, 0, ""},
    {"its status", {"false"}, 9000, 1, 0, ""},
    {"words are not for a shell", {"printf", "%s", "$(id);*"}, 9000, 0, 7, ""},
    {"what it says last", {"cat", "/nowhere"}, 9000, 1, 0, "cat: /nowhere: No such file"},
    {"too much said",
     {"sh", "-c", "head -c 200000 /dev/zero | tr '\\0' x >&2; echo so >&2"},
     9000,
     0,
     0,
     ""},
    {"not there",
     {"no-such-program-anywhere"},
     9000,
     -1,
     0,
     "no-such-program-anywhere is not found"},
    {"one octet below the limit", {"head", "-c", "999", "/dev/zero"}, 9000, 0, LIMIT - 1, ""},
    {"at the limit", {"head", "-c", "1000", "/dev/zero"}, 9000, 0, LIMIT, ""},
    {"one octet beyond the limit",
     {"head", "-c", "1001", "/dev/zero"},
     9000,
     -1,
     0,
     "head prints too much"},
    {"without end", {"yes"}, 9000, -1, 0, "yes prints too much"},
    {"never ready", {"sleep", "1000"}, 50, -1, 0, "sleep takes too long"},
    {"silent, and stays",
     {"sh", "-c", "exec >/dev/null 2>&1; exec sleep 1000"},
     50,
     -1,
     0,
     "sh takes too long"},
    {"killed", {"sh", "-c", "kill -9 $$"}, 9000, -1, 0, ""},
};

static void test_row(void **state)
{
    const struct row *row = *state;
    char error[POSTFIX_ERROR_MAX];
    struct buf out;

    buf_init(&out, LIMIT);
    assert_int_equal(postfix_program(row->words, row->deadline_ms, &out, error), row->status);
    if (row->status >= 0)
        assert_int_equal(out.length, row->octets);
    if (*row->error == '\0')
        assert_string_equal(error, "");
    else
        assert_non_null(strstr(error, row->error));
    buf_fini(&out);
}

/* ---- in parts ---- */

struct taken {
    size_t octets, most;
};

static bool take_part(void *context, const char *text, size_t length)
{
    struct taken *taken = context;

    assert_int_equal(text[length - 1], 0);
    taken->octets += length;
    return taken->octets <= taken->most;
}

/* Far more than is ever kept at once; and what is not taken any more ends the program. */
static void test_parts(void **state)
{
    static const char *const words[] = {"head", "-c", "20000000", "/dev/zero", NULL};
    struct taken all = {.most = 20000000}, some = {.most = 1000000};
    char error[POSTFIX_ERROR_MAX];

    (void)state;
    assert_int_equal(postfix_stream(words, 60000, take_part, &all, error), 0);
    assert_int_equal(all.octets, 20000000);
    assert_int_equal(postfix_stream(words, 60000, take_part, &some, error), -1);
    assert_string_equal(error, "head prints too much");
    assert_true(some.octets < 2000000);
}

int main(void)
{
    virtual_clock_stop(); /* a program that is run has the real one */
    ROWS_ADD(rows, test_row);
    ROWS_ADD_TEST(test_parts);
    return rows_run("postfix_run");
}
