/*
 * queue: lines of postqueue -j, friendly and hostile; what is counted and what is listed; limits.
 */
#include "tests/unit/support/rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/queue.h"
#include "base/buf.h"

#define HEAD                "{\"queue_name\": \"deferred\", \"queue_id\": \"4Xyz\", \"arrival_time\": 1790000000, "
#define TAIL                "\"message_size\": 500, \"forced_expire\": false, \"sender\": \"s@own.example\", "
#define TO(address, reason) "{\"address\": \"" address "\", \"delay_reason\": \"" reason "\"}"
#define NOT_OFFERED         "TLS is required, but was not offered by host mx.a.example[192.0.2.1]"

static struct queue *queue;
static struct judged judged;

static void begin(void)
{
    queue = queue_new();
    assert_non_null(queue);
    assert_int_equal(judged_init(&judged), 0);
}

static void give(void)
{
    assert_int_equal(queue_give(queue, &judged), 0);
    assert_true(judged.queue_read);
}

static void end(void)
{
    queue_free(queue);
    judged_fini(&judged);
}

static void add_line(const char *line)
{
    const char *why = queue_take_line(queue, line, strlen(line));

    if (why != NULL)
        fail_msg("%s: %s", why, line);
}

static void test_listed(void **state)
{
    const struct judged_waiting *first;

    (void)state;
    begin();
    add_line(HEAD TAIL "\"recipients\": [" TO("a@b.example", "connect to mx: timed out") ", " TO(
        "a@A.example", NOT_OFFERED) ", " TO("b@a.example", "host said: 450 busy") "]}");
    add_line("{\"queue_id\": \"OLD\", \"arrival_time\": 1780000000, \"recipients\": [" TO(
        "x@[192.0.2.7]", NOT_OFFERED) "]}");
    /* what has not been tried yet does not wait */
    add_line("{\"queue_id\": \"NEW\", \"arrival_time\": 1780000000, \"recipients\": [{\"address\": "
             "\"x@new.example\"}]}");
    add_line("{\"queue_id\": \"NONE\", \"arrival_time\": 1780000000, \"recipients\": []}");
    give();
    assert_int_equal(judged.waiting_total, 4);
    assert_int_equal(judged.waiting_by_cause[TALLY_NOT_OFFERED], 2);
    assert_int_equal(judged.waiting_by_cause[TALLY_NO_CAUSE], 2);
    assert_int_equal(judged.waiting_count, 3);
    first = &judged.waiting[0];
    assert_string_equal(first->queue_id, "OLD");
    assert_string_equal(first->domain, "[192.0.2.7]");
    assert_int_equal(first->since, 1780000000);
    assert_int_equal(first->cause, TALLY_NOT_OFFERED);
    assert_null(first->why);
    for (size_t i = 1; i < 3; i++) {
        const struct judged_waiting *waiting = &judged.waiting[i];
        bool is_a = strcmp(waiting->domain, "a.example") == 0;

        assert_string_equal(waiting->domain, is_a ? "a.example" : "b.example");
        assert_int_equal(waiting->recipients, is_a ? 2 : 1);
        assert_int_equal(waiting->cause, is_a ? TALLY_NOT_OFFERED : TALLY_NO_CAUSE);
        assert_string_equal(waiting->reason, is_a ? NOT_OFFERED : "connect to mx: timed out");
    }
    end();
}

/* The reason that TLS gave stands, wherever it comes. */
static void test_cause_of_one_recipient(void **state)
{
    (void)state;
    begin();
    add_line(HEAD "\"recipients\": [" TO("a@a.example", "busy") ", " TO("b@a.example",
                                                                        NOT_OFFERED) "]}");
    give();
    assert_int_equal(judged.waiting_count, 1);
    assert_int_equal(judged.waiting[0].recipients, 2);
    assert_int_equal(judged.waiting[0].cause, TALLY_NOT_OFFERED);
    assert_string_equal(judged.waiting[0].reason, NOT_OFFERED);
    end();
}

static const struct bad {
    const char *name, *line, *why; /* why: NULL: it is taken */
} bad[] = {
    {"empty", "", "it is no JSON object"},
    {"no JSON", "Mail queue is empty", "it is no JSON object"},
    {"an array", "[]", "it is no JSON object"},
    {"cut", HEAD "\"recipients\": [", "it is no JSON object"},
    {"two objects", HEAD "\"recipients\": []} {}", "it is no JSON object"},
    {"no UTF-8", HEAD "\"recipients\": [" TO("\xff@a.example", "x") "]}", "it is no JSON object"},
    {"a NUL in a string", HEAD "\"recipients\": [" TO("\\u0000@a.example", "x") "]}",
     "it is no JSON object"},
    {"nothing in it", "{}", "it has no queue_id"},
    {"another kind of queue_id", "{\"queue_id\": 5}", "it has no queue_id"},
    {"no time", "{\"queue_id\": \"A\"}", "it has no arrival_time"},
    {"a time in words", "{\"queue_id\": \"A\", \"arrival_time\": \"now\"}",
     "it has no arrival_time"},
    {"a time before all", "{\"queue_id\": \"A\", \"arrival_time\": -1}", "it has no arrival_time"},
    {"no recipients", "{\"queue_id\": \"A\", \"arrival_time\": 1}", "it has no recipients"},
    {"recipients in an object", "{\"queue_id\": \"A\", \"arrival_time\": 1, \"recipients\": {}}",
     "it has no recipients"},
    {"a recipient that is a number", HEAD "\"recipients\": [1]}", "a recipient has no address"},
    {"a recipient without address", HEAD "\"recipients\": [{\"delay_reason\": \"x\"}]}",
     "a recipient has no address"},
    {"an address of another kind", HEAD "\"recipients\": [{\"address\": null}]}",
     "a recipient has no address"},
    {"no domain", HEAD "\"recipients\": [" TO("root", "x") "]}", NULL},
    {"an empty domain", HEAD "\"recipients\": [" TO("root@", "x") "]}", NULL},
    {"a domain in quotes", HEAD "\"recipients\": [" TO("\\\"a@b.example\\\"", "x") "]}", NULL},
    {"blanks in a domain", HEAD "\"recipients\": [" TO("a@b example", "x") "]}", NULL},
    {"more members", HEAD "\"more\": {\"a\": [1, 2]}, \"recipients\": []}", NULL},
    {"the largest time",
     "{\"queue_id\": \"A\", \"arrival_time\": 9223372036854775807, \"recipients\": [" TO(
         "a@b.example", "x") "]}",
     NULL},
};

static void test_bad(void **state)
{
    const struct bad *row = *state;
    const char *why;

    begin();
    why = queue_take_line(queue, row->line, strlen(row->line));
    if (row->why == NULL)
        assert_null(why);
    else
        assert_string_equal(why, row->why);
    give();
    if (row->why != NULL)
        assert_int_equal(judged.waiting_total, 0);
    for (size_t i = 0; i < judged.waiting_count; i++)
        for (const char *p = judged.waiting[i].domain; *p != '\0'; p++)
            assert_true(*p > ' ' && *p < 0x7f && *p != '"');
    end();
}

/* What servers said is made printable, and cut. */
static void test_reasons_are_printable(void **state)
{
    struct buf line;

    (void)state;
    begin();
    buf_init(&line, QUEUE_LINE_MAX);
    buf_adds(&line, HEAD "\"recipients\": [{\"address\": \"a@b.example\", \"delay_reason\": \"");
    buf_adds(&line, "\\u001b[31m <b> \xc3\xbc ");
    for (int i = 0; i < 1000; i++)
        buf_adds(&line, "abc");
    buf_adds(&line, "\"}]}");
    assert_null(queue_take_line(queue, line.data, line.length));
    give();
    assert_int_equal(strlen(judged.waiting[0].reason), QUEUE_REASON_MAX);
    assert_int_equal(strncmp(judged.waiting[0].reason, "\\x1b[31m <b> \\xc3\\xbc abc", 24), 0);
    buf_fini(&line);
    end();
}

/* ---- limits ---- */

static void add_message(uint32_t number, int domains)
{
    struct buf line;

    buf_init(&line, QUEUE_LINE_MAX);
    buf_addf(&line, "{\"queue_id\": \"Q%u\", \"arrival_time\": %u, \"recipients\": [", number,
             number);
    for (int i = 0; i < domains; i++)
        buf_addf(&line, "%s{\"address\": \"a@d%d.example\", \"delay_reason\": \"busy\"}",
                 i == 0 ? "" : ", ", i);
    buf_adds(&line, "]}");
    assert_null(queue_take_line(queue, line.data, line.length));
    buf_fini(&line);
}

static void test_longest_are_kept(void **state)
{
    (void)state;
    begin();
    for (uint32_t i = JUDGED_WAITING_MAX + 1000; i > 0; i--)
        add_message(i, 1);
    give();
    assert_int_equal(judged.waiting_total, JUDGED_WAITING_MAX + 1000);
    assert_int_equal(judged.waiting_count, JUDGED_WAITING_MAX);
    for (size_t i = 0; i < JUDGED_WAITING_MAX; i++)
        assert_int_equal(judged.waiting[i].since, i + 1);
    end();
}

static void test_domains_of_a_message(void **state)
{
    (void)state;
    for (int more = -1; more <= 1; more++) {
        begin();
        add_message(1, QUEUE_DOMAINS_MAX + more);
        give();
        assert_int_equal(judged.waiting_total, QUEUE_DOMAINS_MAX + more);
        assert_int_equal(judged.waiting_count, QUEUE_DOMAINS_MAX + (more > 0 ? 0 : more));
        end();
    }
}

static void test_long_line(void **state)
{
    char *line = malloc(QUEUE_LINE_MAX + 2);

    (void)state;
    begin();
    assert_non_null(line);
    memset(line, ' ', QUEUE_LINE_MAX + 2);
    memcpy(line, HEAD "\"recipients\": []}", strlen(HEAD "\"recipients\": []}"));
    assert_null(queue_take_line(queue, line, QUEUE_LINE_MAX));
    assert_string_equal(queue_take_line(queue, line, QUEUE_LINE_MAX + 1), "it is too long");
    free(line);
    end();
}

int main(void)
{
    ROWS_ADD_TEST(test_listed);
    ROWS_ADD_TEST(test_cause_of_one_recipient);
    ROWS_ADD(bad, test_bad);
    ROWS_ADD_TEST(test_reasons_are_printable);
    ROWS_ADD_TEST(test_longest_are_kept);
    ROWS_ADD_TEST(test_domains_of_a_message);
    ROWS_ADD_TEST(test_long_line);
    return rows_run("queue");
}
