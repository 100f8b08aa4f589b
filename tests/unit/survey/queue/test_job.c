/* job: names of a chunk as the queue has them, and what is no job. */
#include "tests/unit/support/rows.h"

#include <stdio.h>
#include <string.h>

#include "survey/names.h"
#include "survey/queue/job.h"

static void it_is_written_and_read(void **state)
{
    struct job_name name;
    struct buf job;
    size_t at = 0;

    (void)state;
    buf_init(&job, JOB_TEXT_MAX);
    job_add(&job, UNIT_DOMAIN, "a.example", 1);
    job_add(&job, UNIT_DOMAIN, "b.example", NAMES_WEIGHT_MAX);
    assert_string_equal(buf_text(&job), "a.example 1\nb.example 1000000000000\n");
    assert_int_equal(job_count(UNIT_DOMAIN, job.data, job.length), 2);
    assert_int_equal(job_count(UNIT_HOST, job.data, job.length), 0);
    assert_int_equal(job_next(&name, UNIT_DOMAIN, job.data, job.length, &at), JOB_NAME);
    assert_int_equal(job_next(&name, UNIT_DOMAIN, job.data, job.length, &at), JOB_NAME);
    assert_string_equal(name.name, "b.example");
    assert_int_equal(name.weight, NAMES_WEIGHT_MAX);
    assert_int_equal(job_next(&name, UNIT_DOMAIN, job.data, job.length, &at), JOB_END);
    buf_clear(&job);
    job_add(&job, UNIT_HOST, "mx.example", 0);
    assert_int_equal(job_count(UNIT_HOST, job.data, job.length), 1);
    buf_fini(&job);
}

static const struct bad_row {
    enum unit_kind kind;
    const char *text;
} bad_rows[] = {
    {UNIT_DOMAIN, ""},
    {UNIT_DOMAIN, "\n"},
    {UNIT_DOMAIN, "a.example\n"},
    {UNIT_DOMAIN, "a.example 1"},
    {UNIT_DOMAIN, "a.example \n"},
    {UNIT_DOMAIN, "a.example 01\n"},
    {UNIT_DOMAIN, "a.example -1\n"},
    {UNIT_DOMAIN, "a.example 1000000000001\n"},
    {UNIT_DOMAIN, "a.example 99999999999999999999\n"},
    {UNIT_DOMAIN, "A.example 1\n"},
    {UNIT_DOMAIN, "a.example 1 \n"},
    {UNIT_DOMAIN, "a..example 1\n"},
    {UNIT_DOMAIN, " 1\n"},
    {UNIT_DOMAIN, "a.example 1\n\n"},
    {UNIT_HOST, "mx.example 1\n"},
    {UNIT_HOST, "mx.example\r\n"},
    {UNIT_HOST, "../etc/passwd\n"},
};

static void others_are_none(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad_rows); i++)
        if (job_count(bad_rows[i].kind, bad_rows[i].text, strlen(bad_rows[i].text)) != 0)
            fail_msg("%s", bad_rows[i].text);
    assert_int_equal(job_count(UNIT_HOST, "m\0x.example\n", 12), 0);
}

/* A job of `count` names, each as long as one can be. */
static size_t count_of(size_t count)
{
    char label[64], name[HOSTNAME_MAX + 1];
    struct buf job;
    size_t found;

    memset(label, 'a', 63);
    label[63] = '\0';
    snprintf(name, sizeof name, "%s.%s.%s.%.61s", label, label, label, label);
    assert_int_equal(strlen(name), HOSTNAME_MAX);
    buf_init(&job, 2 * JOB_TEXT_MAX);
    for (size_t i = 0; i < count; i++)
        job_add(&job, UNIT_DOMAIN, name, NAMES_WEIGHT_MAX);
    assert_false(job.failed);
    found = job_count(UNIT_DOMAIN, job.data, job.length);
    buf_fini(&job);
    return found;
}

static void it_has_a_limit(void **state)
{
    (void)state;
    assert_int_equal(count_of(JOB_NAMES_MAX - 1), JOB_NAMES_MAX - 1);
    assert_int_equal(count_of(JOB_NAMES_MAX), JOB_NAMES_MAX);
    assert_int_equal(count_of(JOB_NAMES_MAX + 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_written_and_read),
        cmocka_unit_test(others_are_none),
        cmocka_unit_test(it_has_a_limit),
    };

    return cmocka_run_group_tests_name("job", tests, NULL, NULL);
}
