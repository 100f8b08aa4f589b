/* queue_chunks: what a server may answer, and what is made of it. */
#include "tests/unit/support/rows.h"

#include <signal.h>
#include <stdio.h>
#include <uv.h>

#include "survey/queue/job.h"
#include "survey/queue/queue_chunks.h"
#include "tests/unit/base/valkey/scripted_valkey.h"

#define OK      "+OK\r\n"
#define PRIMARY "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n"

/* The server has a loop and a thread of its own, for the queue's runs only while it waits. */
static struct {
    uv_loop_t loop;
    uv_async_t stop;
    uv_thread_t thread;
    struct scripted scripted;
    const char *script[8];
} server;

static struct queue *queue;
static unsigned said;

static void say(const char *text)
{
    assert_non_null(text);
    said++;
}

static void on_stop(uv_async_t *async)
{
    scripted_stop(&server.scripted);
    uv_close((uv_handle_t *)async, NULL);
}

static void serve(void *context)
{
    (void)context;
    uv_run(&server.loop, UV_RUN_DEFAULT);
}

/* A queue whose server answers so after the log-in. */
static void begin(const char *first, const char *second)
{
    const struct queue_options options = {NULL, "run", say};
    struct queue_options with_url = options;
    const char *why;
    char url[64];

    signal(SIGPIPE, SIG_IGN);
    said = 0;
    server.script[0] = OK;
    server.script[1] = PRIMARY;
    server.script[2] = first;
    server.script[3] = second;
    assert_int_equal(uv_loop_init(&server.loop), 0);
    assert_int_equal(uv_async_init(&server.loop, &server.stop, on_stop), 0);
    scripted_start(&server.scripted, &server.loop, 0, server.script);
    assert_int_equal(uv_thread_create(&server.thread, serve, NULL), 0);
    snprintf(url, sizeof url, "valkey://127.0.0.1:%u", (unsigned)server.scripted.port);
    with_url.url = url;
    queue = queue_open(&with_url, &why);
    assert_non_null(queue);
}

static void end(void)
{
    queue_close(queue);
    uv_async_send(&server.stop);
    uv_thread_join(&server.thread);
    assert_int_equal(uv_loop_close(&server.loop), 0);
}

/* ---- entries ---- */

#define ENTRY(id, field, text) "*2\r\n$" id "\r\n*2\r\n$" field "\r\n$" text "\r\n"
#define CLAIMED(cursor, entry) "*3\r\n$" cursor "\r\n*1\r\n" entry "*0\r\n"

static const struct claim_row {
    const char *reply;
    int64_t number;
    const char *job, *cursor;
} claim_rows[] = {
    {CLAIMED("3\r\n0-0", ENTRY("3\r\n7-0", "1\r\nj", "5\r\nabcde")), 7, "abcde", ""},
    {CLAIMED("3\r\n8-0", ENTRY("3\r\n7-0", "1\r\nj", "0\r\n")), 7, "", "8-0"},
    {CLAIMED("3\r\n8-0", "*2\r\n$3\r\n7-0\r\n$-1\r\n"), 0, "", "8-0"}, /* it was deleted */
    {CLAIMED("3\r\n8-0", ENTRY("3\r\n7-1", "1\r\nj", "1\r\na")), 0, "", "8-0"},
    {CLAIMED("3\r\n8-0", ENTRY("3\r\n0-0", "1\r\nj", "1\r\na")), 0, "", "8-0"},
    {CLAIMED("3\r\n8-0", ENTRY("3\r\n7-0", "1\r\nk", "1\r\na")), 0, "", "8-0"},
    {"*3\r\n$3\r\n0-0\r\n*0\r\n*0\r\n", 0, "", ""},
    {"*0\r\n", 0, "", ""},
    {"$-1\r\n", 0, "", ""},
    {":1\r\n", 0, "", ""},
    {"*2\r\n:1\r\n:2\r\n", 0, "", ""},
    {"*3\r\n*0\r\n*1\r\n*1\r\n$3\r\n7-0\r\n*0\r\n", 0, "", ""},
    {"-NOGROUP No such key\r\n", 0, "", ""},
};

static void entries_that_are_claimed(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(claim_rows); i++) {
        const struct claim_row *row = &claim_rows[i];
        struct queue_reader reader = {"me", 1000, ""};
        struct results_chunk chunk = {UNIT_HOST, 0, 5};
        struct buf job;

        buf_init(&job, JOB_TEXT_MAX);
        begin(row->reply, NULL);
        assert_true(queue_claim(queue, &reader, &chunk, &job));
        assert_int_equal(chunk.number, row->number);
        assert_string_equal(buf_text(&job), row->job);
        assert_string_equal(reader.cursor, row->cursor);
        end();
        buf_fini(&job);
    }
}

static const struct read_row {
    const char *reply;
    int64_t number;
} read_rows[] = {
    {"*1\r\n*2\r\n$5\r\nhosts\r\n*1\r\n" ENTRY("4\r\n12-0", "1\r\nj", "1\r\na"), 12},
    {"*1\r\n*2\r\n$5\r\nhosts\r\n*0\r\n", 0},
    {"*1\r\n*1\r\n$5\r\nhosts\r\n", 0},
    {"*1\r\n:1\r\n", 0},
    {"*-1\r\n", 0},
    {"$1\r\na\r\n", 0},
};

static void entries_that_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(read_rows); i++) {
        const struct queue_reader reader = {.consumer = "me"};
        struct results_chunk chunk = {UNIT_HOST, 0, 5};
        struct buf job;

        buf_init(&job, JOB_TEXT_MAX);
        begin(read_rows[i].reply, NULL);
        assert_true(queue_read(queue, &reader, &chunk, &job));
        assert_int_equal(chunk.number, read_rows[i].number);
        end();
        buf_fini(&job);
    }
}

/* ---- others ---- */

static void a_run_that_cannot_be_read(void **state)
{
    struct queue_run run;

    (void)state;
    begin("*3\r\n$4\r\nplan\r\n$5\r\nended\r\n$3\r\n1.2\r\n", "*3\r\n$-1\r\n$-1\r\n$-1\r\n");
    assert_true(queue_get_run(queue, &run));
    assert_true(run.there && !run.good && run.ended);
    assert_string_equal(run.mark, "1.2");
    assert_true(queue_get_run(queue, &run));
    assert_true(!run.there && !run.good && !run.ended);
    assert_string_equal(run.mark, "");
    end();
}

static void parts_that_can_be(void **state)
{
    unsigned parts[2];
    size_t count;

    (void)state;
    begin("*5\r\n$4\r\n1024\r\n$1\r\nx\r\n:-1\r\n$4\r\n1023\r\n$1\r\n0\r\n",
          "*3\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n");
    assert_true(queue_parts(queue, parts, COUNT(parts), &count));
    assert_int_equal(count, 2);
    assert_int_equal(parts[0], 1023);
    assert_int_equal(parts[1], 0);
    assert_true(queue_parts(queue, parts, COUNT(parts), &count));
    assert_int_equal(count, 2); /* there is no room for more */
    end();
}

static void take_aside(void *context, const struct results_chunk *chunk, const char *job,
                       size_t length)
{
    assert_int_equal(chunk->kind, UNIT_DOMAIN);
    assert_int_equal(chunk->number, 3);
    assert_int_equal(length, 1);
    assert_string_equal(job, "a");
    ++*(int *)context;
}

static void what_is_aside(void **state)
{
    int count = 0;

    (void)state;
    begin("*7\r\n$2\r\n..\r\n$1\r\na\r\n$9\r\ndomains-3\r\n$1\r\na\r\n:1\r\n:2\r\n$1\r\nz\r\n",
          NULL);
    assert_true(queue_each_aside(queue, take_aside, &count));
    assert_int_equal(count, 1);
    end();
}

static void the_last_chunk(void **state)
{
    const struct results_chunk chunk = {UNIT_HOST, 0, 1};
    int64_t number = -1;

    (void)state;
    begin("-BUSYGROUP Consumer Group name already exists\r\n",
          "*4\r\n$6\r\nlength\r\n:3\r\n$17\r\nlast-generated-id\r\n$4\r\n17-0\r\n");
    assert_true(queue_last(queue, &chunk, &number));
    assert_int_equal(number, 17);
    end();
    begin(OK, "*2\r\n$17\r\nlast-generated-id\r\n$1\r\nx\r\n");
    assert_true(queue_last(queue, &chunk, &number));
    assert_int_equal(number, 0);
    end();
}

static void leases(void **state)
{
    bool ours;

    (void)state;
    begin(OK, NULL);
    assert_true(queue_lease(queue, "x", "me", 1000, &ours) && ours);
    end();
    begin("$-1\r\n", ":0\r\n");
    assert_true(queue_lease(queue, "x", "me", 1000, &ours) && !ours);
    end();
    begin("$-1\r\n", ":1\r\n"); /* it was ours before */
    assert_true(queue_lease(queue, "x", "me", 1000, &ours) && ours);
    assert_true(queue_renew(queue, "x", "me", 1000, &ours) && ours);
    end();
}

/* ---- errors ---- */

static void what_is_refused_is_told(void **state)
{
    bool ours;

    (void)state;
    begin("-NOPERM this user has no permissions\r\n", OK);
    assert_false(queue_lease(queue, "x", "me", 1000, &ours));
    assert_non_null(strstr(queue_why(queue), "NOPERM this user"));
    assert_false(queue_lease(queue, "x", "me", 1000, &ours)); /* and all that follows */
    end();
}

static void a_full_server_is_waited_for(void **state)
{
    bool ours;

    (void)state;
    begin("-OOM command not allowed when used memory > 'maxmemory'.\r\n", OK);
    assert_true(queue_lease(queue, "x", "me", 1000, &ours) && ours);
    assert_int_equal(said, 1);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_that_are_claimed),
        cmocka_unit_test(entries_that_are_read),
        cmocka_unit_test(a_run_that_cannot_be_read),
        cmocka_unit_test(parts_that_can_be),
        cmocka_unit_test(what_is_aside),
        cmocka_unit_test(the_last_chunk),
        cmocka_unit_test(leases),
        cmocka_unit_test(what_is_refused_is_told),
        cmocka_unit_test(a_full_server_is_waited_for),
    };

    return cmocka_run_group_tests_name("queue_chunks", tests, NULL, NULL);
}
