/*
 * store_writer: the two halves of tests/store_kill.py.
 *
 *   store_writer write PATH RUN   puts numbered records until it is killed; says "written N"
 *                                 whenever the store says that it has written N
 *   store_writer check PATH       says "answer KEY" and "policy DOMAIN" for all that is there
 *
 * Record n of a run is an answer "aN.runR.example"; every fourth is a policy that is to be
 * enforced, "pN.runR.example". After RECORDS_MAX they are put again from the first, so that there
 * is something to write at any moment.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "daemon/store/store.h"

#define FLUSH_MS    5
#define PUTS        40   /* each millisecond */
#define RECORDS_MAX 2000 /* of one run: what is checked must end */
#define BODY        "version: STSv1\nmode: enforce\nmx: mx.example.org\nmax_age: 86400\n"

struct writer {
    uv_loop_t loop;
    struct store *store;
    uv_timer_t tick;
    const char *run;
    unsigned next;
    uint64_t told;
    /* checking */
    struct store_read *read;
    char *cursor;
    enum record_kind kind;
    int status;
};

static int open_store(struct writer *writer, const char *path)
{
    const struct store_options options = {
        .path = path,
        .flush_ms = FLUSH_MS,
        .pending_max = 100000,
        .keep_ms = INT64_C(86400000) * 30,
        .answers_max = 10000000,
        .policies_max = 10000000,
        .probes_max = 10,
    };

    return uv_loop_init(&writer->loop) != 0 ||
           store_new(&writer->store, &writer->loop, &options, NULL, NULL) != 0;
}

/* ---- write ---- */

static void put_answer(struct writer *writer, const char *name, int64_t now)
{
    static const char evidence[200] = "";
    struct record record = {.kind = RECORD_ANSWER};

    record.answer = (struct answer_record){
        .key = name,
        .level = VERDICT_DANE_ONLY,
        .reason = REASON_DANE_FULL,
        .answer = "OK dane-only",
        .decided_at = now,
        .valid_until = now + 3600000,
        .used_at = now,
        .dane_until = now + 3600000,
        .evidence = evidence,
        .evidence_length = sizeof evidence,
    };
    store_put(writer->store, &record);
}

static void put_policy(struct writer *writer, const char *name, int64_t now)
{
    struct record record = {.kind = RECORD_POLICY};

    record.policy = (struct sts_saved){
        .domain = name,
        .id = "1",
        .mode = STS_MODE_ENFORCE,
        .body = BODY,
        .fetched_at = now,
        .valid_until = now + 86400000,
        .last_id = "1",
    };
    store_put(writer->store, &record);
}

static void on_tick(uv_timer_t *timer)
{
    struct writer *writer = timer->data;
    struct store_stats stats;
    char name[64];

    for (int i = 0; i < PUTS; i++, writer->next++) {
        unsigned number = writer->next % RECORDS_MAX;
        bool policy = number % 4 == 0;

        snprintf(name, sizeof name, "%c%u.run%s.example", policy ? 'p' : 'a', number, writer->run);
        if (policy)
            put_policy(writer, name, clock_wall_ms());
        else
            put_answer(writer, name, clock_wall_ms());
    }
    store_get_stats(writer->store, &stats);
    if (stats.written == writer->told)
        return;
    writer->told = stats.written;
    printf("written %" PRIu64 "\n", stats.written);
    fflush(stdout);
}

static int write_records(struct writer *writer, const char *path, const char *run)
{
    if (open_store(writer, path) != 0)
        return 1;
    writer->run = run;
    writer->tick.data = writer;
    uv_timer_init(&writer->loop, &writer->tick);
    uv_timer_start(&writer->tick, on_tick, 0, 1);
    return uv_run(&writer->loop, UV_RUN_DEFAULT);
}

/* ---- check ---- */

static void next_page(struct writer *writer);

static void on_page(void *context, const struct store_page *page)
{
    struct writer *writer = context;

    if (page->error != NULL) {
        fprintf(stderr, "%s\n", page->error);
        writer->status = 1;
    }
    for (size_t i = 0; i < page->count; i++)
        printf("%s %s\n", record_word(RECORD_TYPE, writer->kind),
               writer->kind == RECORD_ANSWER ? page->records[i].answer.key
                                             : page->records[i].policy.domain);
    free(writer->cursor);
    writer->cursor = page->next == NULL ? NULL : strdup(page->next);
    if (page->error == NULL && writer->cursor == NULL)
        writer->kind++;
    if (page->error == NULL && writer->kind <= RECORD_POLICY)
        next_page(writer);
    else
        store_close(writer->store);
}

static void next_page(struct writer *writer)
{
    const struct store_selection selection = {.kind = writer->kind, .cursor = writer->cursor};

    if (store_list(&writer->read, writer->store, &selection, on_page, writer) != 0)
        abort();
}

static int check_records(struct writer *writer, const char *path)
{
    if (open_store(writer, path) != 0)
        return 1;
    next_page(writer);
    uv_run(&writer->loop, UV_RUN_DEFAULT);
    free(writer->cursor);
    return uv_loop_close(&writer->loop) != 0 ? 1 : writer->status;
}

int main(int argc, char **argv)
{
    static struct writer writer;

    if (argc == 4 && strcmp(argv[1], "write") == 0)
        return write_records(&writer, argv[2], argv[3]);
    if (argc == 3 && strcmp(argv[1], "check") == 0)
        return check_records(&writer, argv[2]);
    fputs("usage: store_writer write PATH RUN | check PATH\n", stderr);
    return 64;
}
