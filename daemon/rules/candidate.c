/* candidate: see candidate.h. One that is freed while the thread reads it is freed by
 * on_text_read. */
#include "daemon/rules/candidate.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/check.h"

struct candidate {
    struct buf text;
    uint16_t default_port;
    candidate_done done;
    void *context;
    uv_work_t work;
    bool reading, abandoned;
    /* the thread's, while it reads */
    struct rules *rules;
    char error[RULES_ERROR_MAX];
};

struct candidate *candidate_new(void)
{
    struct candidate *candidate = calloc(1, sizeof *candidate);

    if (candidate != NULL)
        buf_init(&candidate->text, RULES_TEXT_MAX);
    return candidate;
}

static void discard(struct candidate *candidate)
{
    rules_free(candidate->rules);
    buf_fini(&candidate->text);
    free(candidate);
}

void candidate_free(struct candidate *candidate)
{
    if (candidate == NULL)
        return;
    if (candidate->reading) {
        candidate->abandoned = true;
        uv_cancel((uv_req_t *)&candidate->work); /* if it has not begun */
    } else {
        discard(candidate);
    }
}

bool candidate_add(struct candidate *candidate, const char *text, size_t length)
{
    buf_add(&candidate->text, text, length);
    return !candidate->text.failed;
}

static void read_text(uv_work_t *work)
{
    struct candidate *candidate = work->data;

    if (rules_parse(&candidate->rules, buf_text(&candidate->text), candidate->text.length,
                    candidate->default_port, candidate->error) != 0)
        candidate->rules = NULL;
    buf_fini(&candidate->text);
}

static void on_text_read(uv_work_t *work, int status)
{
    struct candidate *candidate = work->data;
    struct rules *rules = candidate->rules;

    (void)status;
    candidate->reading = false;
    if (candidate->abandoned) {
        discard(candidate);
        return;
    }
    candidate->rules = NULL;
    candidate->done(candidate->context, rules, rules == NULL ? candidate->error : NULL);
}

void candidate_read(struct candidate *candidate, uv_loop_t *loop, uint16_t default_port,
                    candidate_done done, void *context)
{
    candidate->default_port = default_port;
    candidate->done = done;
    candidate->context = context;
    candidate->reading = true;
    candidate->work.data = candidate;
    CHECK(uv_queue_work(loop, &candidate->work, read_text, on_text_read) == 0);
}
