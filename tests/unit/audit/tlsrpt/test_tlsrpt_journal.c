/* tlsrpt_journal: what lines say, half ones too, and when a report is tried again. */
#include "tests/unit/support/rows.h"

#include <stdio.h>

#include "audit/tlsrpt/tlsrpt_journal.h"

#define A             "s.example!a.example!1!2!1.json.gz"
#define U             "mailto:a@a.example"
#define OF(name)      ((struct tlsrpt_delivery){name, {"", 0}})
#define TO(name, uri) ((struct tlsrpt_delivery){name, {uri, strlen(uri)}})
#define B             "s.example!b.example!1!2!1.json.gz"

static const struct {
    const char *name, *text;
    unsigned failed;
    bool over, sent;
} rows[] = {
    {"nothing", "", 0, false, false},
    {"sent", "100 sent " A "\n", 0, true, true},
    {"failed", "100 failed " A "\n200 failed " A "\n", 2, false, false},
    {"failed, then sent", "100 failed " A "\n200 sent " A "\n", 1, true, true},
    {"given up", "100 failed " A "\n200 given-up " A "\n", 1, true, false},
    {"sent to an address, and to no other", "100 sent " A " " U "\n", 0, false, false},
    {"another's", "100 sent " B "\n", 0, false, false},
    {"half a line", "100 failed " A "\n200 sent " A, 1, false, false},
    {"behind half a line", "100 failed\n200 sent " A "\n", 0, true, true},
    {"garbage",
     "\n\n \n100\n100 \nx sent " A "\n-1 sent " A "\n100 lost " A "\n100  " A "\n100 sent ../" A
     "\n100 sent " A "x\n100 sent " A " a b\n100 sent journal\n1234567890123 sent " A "\n",
     0, false, false},
};

static void test_lines(void **state)
{
    const __typeof__(rows[0]) *row = *state;
    struct tlsrpt_journal *journal = tlsrpt_journal_new();
    struct tlsrpt_attempts got;

    assert_true(tlsrpt_journal_read(journal, row->text, strlen(row->text)));
    got = tlsrpt_journal_find(journal, OF(A));
    assert_int_equal(got.failed, row->failed);
    assert_int_equal(got.over, row->over);
    assert_int_equal(got.sent, row->sent);
    tlsrpt_journal_free(journal);
}

/* An address at the bound is kept, a longer one is not. */
static void test_bound(void **state)
{
    static char text[TLSRPT_LINE_MAX + 10], uri[TLSRPT_URI_MAX + 2];

    (void)state;
    memset(uri, 'a', TLSRPT_URI_MAX + 1);
    for (int length = TLSRPT_URI_MAX - 1; length <= TLSRPT_URI_MAX + 1; length++) {
        struct tlsrpt_journal *journal = tlsrpt_journal_new();
        struct tlsrpt_delivery delivery = {A, {uri, (size_t)length}};

        snprintf(text, sizeof text, "100 sent " A " %.*s\n", length, uri);
        assert_true(tlsrpt_journal_read(journal, text, strlen(text)));
        assert_int_equal(tlsrpt_journal_find(journal, delivery).over, length <= TLSRPT_URI_MAX);
        assert_int_equal(tlsrpt_journal_note(journal, delivery, 1, TLSRPT_SENT),
                         length <= TLSRPT_URI_MAX);
        tlsrpt_journal_free(journal);
    }
}

static void test_nul(void **state)
{
    static const char text[] = "100 sent " A "\0\n";
    struct tlsrpt_journal *journal = tlsrpt_journal_new();

    (void)state;
    assert_true(tlsrpt_journal_read(journal, text, sizeof text - 1));
    assert_false(tlsrpt_journal_find(journal, OF(A)).over);
    tlsrpt_journal_free(journal);
}

/* What is written is read. */
static void test_written(void **state)
{
    struct tlsrpt_journal *journal = tlsrpt_journal_new();
    struct buf out;

    (void)state;
    buf_init(&out, 1000);
    tlsrpt_journal_line(&out, OF(A), 1795834000, TLSRPT_FAILED);
    tlsrpt_journal_line(&out, TO(B, U), 1795834001, TLSRPT_SENT);
    tlsrpt_journal_line(&out, OF(A), 1795834002, TLSRPT_GIVEN_UP);
    assert_string_equal(out.data, "1795834000 failed " A "\n1795834001 sent " B " " U
                                  "\n1795834002 given-up " A "\n");
    assert_true(tlsrpt_journal_read(journal, out.data, out.length));
    assert_int_equal(tlsrpt_journal_find(journal, OF(A)).first_failed, 1795834000);
    assert_int_equal(tlsrpt_journal_find(journal, OF(A)).last_at, 1795834002);
    assert_true(tlsrpt_journal_find(journal, TO(B, U)).sent);
    assert_false(tlsrpt_journal_find(journal, OF(B)).over);
    assert_false(tlsrpt_journal_find(journal, TO(A, U)).over);
    buf_fini(&out);
    tlsrpt_journal_free(journal);
}

static bool is_any(void *context, const char *name)
{
    (void)context, (void)name;
    return true;
}

static bool is_a(void *context, const char *name)
{
    (void)context;
    return strcmp(name, A) == 0;
}

/* Of a report that is done with only its end is kept. */
static void test_prune_done(void **state)
{
    static const char text[] = "1 failed " A "\n2 failed " A " " U "\n3 given-up " A " " U
                               "\n4 given-up " A "\n5 failed " B "\n6 sent " B " " U "\n";
    struct tlsrpt_journal *journal = tlsrpt_journal_new();
    struct buf out;

    (void)state;
    assert_true(tlsrpt_journal_read(journal, text, strlen(text)));
    buf_init(&out, 1000);
    tlsrpt_journal_prune(&out, journal, text, strlen(text), is_any, NULL);
    assert_string_equal(buf_text(&out), "4 given-up " A "\n5 failed " B "\n6 sent " B " " U "\n");
    buf_fini(&out);
    tlsrpt_journal_free(journal);
}

static void test_prune(void **state)
{
    static const char text[] =
        "1 failed " A " " U "\ngarbage\n2 sent " B "\n3 sent " A " " U "\n4 sent " A;
    struct tlsrpt_journal *journal = tlsrpt_journal_new();
    struct buf out;

    (void)state;
    buf_init(&out, 1000);
    tlsrpt_journal_prune(&out, journal, text, strlen(text), is_a, NULL);
    assert_string_equal(out.data, "1 failed " A " " U "\n3 sent " A " " U "\n");
    tlsrpt_journal_free(journal);
    buf_fini(&out);
}

/* 10, 20, 40, ... minutes; the last attempt is a day after the first. */
static void test_back_off(void **state)
{
    static const int64_t minutes[] = {0, 10, 30, 70, 150, 310, 630, 1270, 1440};
    struct tlsrpt_attempts attempts = {0};
    int64_t begin = 1795834000, at = begin;

    (void)state;
    assert_int_equal(tlsrpt_next_attempt(&attempts), 0);
    for (size_t i = 0; i < COUNT(minutes); i++) {
        assert_int_equal((at - begin) / 60, minutes[i]);
        assert_int_equal(tlsrpt_is_last_attempt(&attempts, at), i + 1 == COUNT(minutes));
        if (attempts.failed++ == 0)
            attempts.first_failed = at;
        attempts.last_at = at;
        at = tlsrpt_next_attempt(&attempts);
    }
    attempts.failed = 1000000;
    assert_int_equal(tlsrpt_next_attempt(&attempts), begin + TLSRPT_RETRY_END_S);
}

int main(void)
{
    ROWS_ADD(rows, test_lines);
    ROWS_ADD_TEST(test_bound);
    ROWS_ADD_TEST(test_nul);
    ROWS_ADD_TEST(test_written);
    ROWS_ADD_TEST(test_prune);
    ROWS_ADD_TEST(test_prune_done);
    ROWS_ADD_TEST(test_back_off);
    return rows_run("tlsrpt_journal");
}
