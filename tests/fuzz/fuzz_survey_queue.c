/* fuzz_survey_queue: what the queue of a survey or its spool directory may hold: what is taken for a
 * plan, a job or a name is written the same again. */
#include <string.h>

#include "base/check.h"
#include "survey/queue/chunk_name.h"
#include "survey/queue/job.h"
#include "survey/queue/plan.h"

static void try_plan(const char *text, size_t length)
{
    struct plan plan;
    struct buf out;

    if (!plan_read(&plan, text, length))
        return;
    buf_init(&out, PLAN_TEXT_MAX);
    plan_write(&out, &plan);
    CHECK(!out.failed && out.length == length && memcmp(out.data, text, length) == 0);
    buf_fini(&out);
    CHECK(plan_chunk_domains(&plan, plan_chunks(&plan) + 1) == 0);
}

static void try_job(enum unit_kind kind, const char *text, size_t length)
{
    size_t count = job_count(kind, text, length), at = 0;
    struct job_name name;
    struct buf out;

    if (count == 0)
        return;
    buf_init(&out, JOB_TEXT_MAX);
    while (job_next(&name, kind, text, length, &at) == JOB_NAME) {
        job_add(&out, kind, name.name, name.weight);
        count--;
    }
    CHECK(count == 0 && !out.failed && out.length == length);
    CHECK(memcmp(out.data, text, length) == 0);
    buf_fini(&out);
}

static void try_name(const char *text, size_t length)
{
    struct results_chunk chunk;
    char again[CHUNK_NAME_MAX];

    if (!chunk_name_read(&chunk, text, length))
        return;
    chunk_name(again, &chunk);
    CHECK(strlen(again) == length && memcmp(again, text, length) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
    char *text = malloc(length + 1);

    CHECK(text != NULL);
    memcpy(text, data, length);
    try_plan(text, length);
    try_job(UNIT_DOMAIN, text, length);
    try_job(UNIT_HOST, text, length);
    try_name(text, length);
    free(text);
    return 0;
}
