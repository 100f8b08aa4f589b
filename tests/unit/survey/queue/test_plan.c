/* plan: what a survey in a queue is made of, as text; what is none; and how many chunks it has. */
#include "tests/unit/support/rows.h"

#include <stdio.h>
#include <string.h>

#include "survey/queue/job.h"
#include "survey/queue/plan.h"

#define TEXT                                                                                       \
    "mxcrypt-survey 1\nseed 7\nsample 0\nnames 1200\nlines-bad 3\ndomains 1200\nsize 500\n"        \
    "parts 64\ndnssec 1\ndane 1\nprobe 0\nrate 500\ndigest 123456789012345678\nlist "              \
    "/srv/list.txt\n"

static void it_is_written_and_read(void **state)
{
    struct plan plan;
    struct buf out;

    (void)state;
    assert_true(plan_read(&plan, TEXT, strlen(TEXT)));
    assert_int_equal(plan.seed, 7);
    assert_int_equal(plan.domains, 1200);
    assert_int_equal(plan.probe, 0);
    assert_int_equal(plan.digest, 123456789012345678);
    assert_string_equal(plan.list, "/srv/list.txt");
    buf_init(&out, PLAN_TEXT_MAX);
    plan_write(&out, &plan);
    assert_string_equal(buf_text(&out), TEXT);
    buf_fini(&out);
}

static const struct change_row {
    const char *from, *to;
    bool good;
} change_rows[] = {
    {"seed 7", "seed 0", true},
    {"seed 7", "seed 2147483647", true},
    {"seed 7", "seed 2147483648", false},
    {"seed 7", "seed 07", false},
    {"seed 7", "seed -1", false},
    {"seed 7", "seed ", false},
    {"seed 7", "seed  7", false},
    {"seed 7\n", "", false},
    {"mxcrypt-survey 1", "mxcrypt-survey 2", false},
    {"size 500", "size 99", false},
    {"size 500", "size 100", true},
    {"size 500", "size 1000", true},
    {"size 500", "size 1001", false},
    {"parts 64", "parts 1", false},
    {"parts 64", "parts 2", true},
    {"parts 64", "parts 1024", true},
    {"parts 64", "parts 1025", false},
    {"probe 0", "probe 2", false},
    {"rate 500", "rate 0", true},
    {"rate 500", "rate 1000000", true},
    {"rate 500", "rate 1000001", false},
    {"digest 123456789012345678", "digest 9223372036854775807", true},
    {"digest 123456789012345678", "digest 9223372036854775808", false},
    {"/srv/list.txt", "", true},
    {"/srv/list.txt", "a b", true},
    {"/srv/list.txt", "a\tb", false},
    {"/srv/list.txt", "a\nb", false},
    {"txt\n", "txt", false},
};

static void what_may_be_changed(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(change_rows); i++) {
        const struct change_row *row = &change_rows[i];
        const char *at = strstr(TEXT, row->from);
        char text[PLAN_TEXT_MAX];
        struct plan plan, usual;

        assert_non_null(at);
        snprintf(text, sizeof text, "%.*s%s%s", (int)(at - TEXT), TEXT, row->to,
                 at + strlen(row->from));
        if (plan_read(&plan, text, strlen(text)) != row->good)
            fail_msg("%s: %s", row->from, row->to);
        assert_true(plan_read(&usual, TEXT, strlen(TEXT)));
        assert_true(plan_equal(&usual, &usual));
        if (row->good)
            assert_false(plan_equal(&plan, &usual));
    }
}

static void no_beginning_is_one(void **state)
{
    struct plan plan;

    (void)state;
    for (size_t length = 0; length < strlen(TEXT); length++)
        assert_false(plan_read(&plan, TEXT, length));
}

static bool reads_list_of(size_t length)
{
    char text[2 * PLAN_TEXT_MAX];
    struct plan plan;
    size_t end = strlen(TEXT) - strlen("/srv/list.txt\n");

    memcpy(text, TEXT, end);
    memset(text + end, 'a', length);
    text[end + length] = '\n';
    return plan_read(&plan, text, end + length + 1);
}

static void a_list_has_a_limit(void **state)
{
    (void)state;
    assert_true(reads_list_of(PLAN_LIST_MAX - 1));
    assert_true(reads_list_of(PLAN_LIST_MAX));
    assert_false(reads_list_of(PLAN_LIST_MAX + 1));
}

static void chunks_are_counted(void **state)
{
    struct plan plan = {.domains = 1200, .size = 500};

    (void)state;
    assert_int_equal(plan_chunks(&plan), 3);
    assert_int_equal(plan_chunk_domains(&plan, 0), 0);
    assert_int_equal(plan_chunk_domains(&plan, 1), 500);
    assert_int_equal(plan_chunk_domains(&plan, 3), 200);
    assert_int_equal(plan_chunk_domains(&plan, 4), 0);
    plan.domains = 1000;
    assert_int_equal(plan_chunks(&plan), 2);
    assert_int_equal(plan_chunk_domains(&plan, 2), 500);
    plan.domains = 0;
    assert_int_equal(plan_chunks(&plan), 0);
    assert_int_equal(plan_chunk_domains(&plan, 1), 0);
}

static void names_of_runs(void **state)
{
    char name[PLAN_NAME_MAX + 2];

    (void)state;
    assert_true(plan_name_ok("2026-11.all_x"));
    assert_false(plan_name_ok(""));
    assert_false(plan_name_ok(".."));
    assert_false(plan_name_ok("-x"));
    assert_false(plan_name_ok("a/b"));
    assert_false(plan_name_ok("a b"));
    assert_false(plan_name_ok("a:b"));
    memset(name, 'a', sizeof name);
    name[PLAN_NAME_MAX + 1] = '\0';
    assert_false(plan_name_ok(name));
    assert_true(plan_name_ok(name + 1));
    assert_true(plan_name_ok(name + 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_written_and_read), cmocka_unit_test(what_may_be_changed),
        cmocka_unit_test(no_beginning_is_one),    cmocka_unit_test(a_list_has_a_limit),
        cmocka_unit_test(chunks_are_counted),     cmocka_unit_test(names_of_runs),
    };

    return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
