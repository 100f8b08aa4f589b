/* tcp_table: docs/conformance.md hostile 31 and 32 as tables, and the replies. */
#include "tests/unit/support/unit.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/serve/protocol.h"

static char decoded[PROTOCOL_REQUEST_MAX];

struct row {
    const char *name, *input;
    enum parse_status want;
    const char *key;
    size_t key_length;
};

static const struct row rows[] = {
    {"whole", "get a.example\n", PARSE_REQUEST, "a.example", 9},
    {"coded", "get a%20b%2e\n", PARSE_REQUEST, "a b.", 4},
    {"CRLF", "get a\r\n", PARSE_REQUEST, "a", 1},
    {"hostile-31 %00 is a key like any other", "get a%00\n", PARSE_REQUEST, "a\0", 2},
    {"hostile-31 %0A", "get %0A\n", PARSE_REQUEST, "\n", 1},
    {"hostile-31 no newline", "get a", PARSE_MORE, NULL, 0},
    {"hostile-31 get without key", "get \n", PARSE_MALFORMED, NULL, 0},
    {"hostile-31 get alone", "get\n", PARSE_MALFORMED, NULL, 0},
    {"hostile-31 put", "put a b\n", PARSE_MALFORMED, NULL, 0},
    {"hostile-31 bad hex", "get a%zz\n", PARSE_MALFORMED, NULL, 0},
    {"hostile-31 cut hex", "get a%2\n", PARSE_MALFORMED, NULL, 0},
    {"empty line", "\n", PARSE_MALFORMED, NULL, 0},
};

static void requests(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        size_t used = 0, length = strlen(rows[i].input);
        struct request request = {0};
        char *input = malloc(length + 1);
        enum parse_status status;

        memcpy(input, rows[i].input, length);
        status = tcp_table_protocol.parse(input, length, &used, decoded, &request);
        if (status != rows[i].want)
            fail_msg("%s: status %d, want %d", rows[i].name, status, rows[i].want);
        if (status == PARSE_REQUEST) {
            assert_int_equal(request.key_length, rows[i].key_length);
            assert_memory_equal(request.key, rows[i].key, request.key_length);
        }
        if (status != PARSE_MORE)
            assert_int_equal(used, length);
        free(input);
    }
}

/* A request line of `size` octets, with or without its newline. */
static enum parse_status parse_line(size_t size, bool newline)
{
    char *input = malloc(size + 1);
    struct request request;
    enum parse_status status;
    size_t used;

    memset(input, 'x', size);
    memcpy(input, "get ", 4);
    input[size] = '\n';
    status = tcp_table_protocol.parse(input, size + newline, &used, decoded, &request);
    free(input);
    return status;
}

static void limits(void **state)
{
    const size_t max = 12 * 1024;

    (void)state;
    assert_int_equal(parse_line(max - 1, true), PARSE_REQUEST);
    assert_int_equal(parse_line(max, true), PARSE_REQUEST);
    assert_int_equal(parse_line(max + 1, true), PARSE_CLOSE);
    assert_int_equal(parse_line(max, false), PARSE_MORE);
    assert_int_equal(parse_line(max + 1, false), PARSE_CLOSE);
}

static void replies(void **state)
{
    static const struct {
        struct answer answer;
        const char *want;
    } table[] = {
        {{ANSWER_OK, "secure match=a:.b", 17, false}, "200 secure%20match=a:.b\n"},
        {{ANSWER_NOTFOUND, "", 0, false}, "500 not%20found\n"},
        {{ANSWER_TEMP, "50%", 3, false}, "400 50%25\n"},
    };
    struct buf out;

    (void)state;
    for (size_t i = 0; i < COUNT(table); i++) {
        buf_init(&out, 1000);
        tcp_table_protocol.reply(&out, &table[i].answer);
        assert_string_equal(buf_text(&out), table[i].want);
        buf_fini(&out);
    }
}

/* A rule's policy may be longer than what found policies are made to fit. */
static void reply_limit(void **state)
{
    static char text[RENDER_TCP_TABLE_MAX + 2];

    (void)state;
    memset(text, 'a', sizeof text);
    text[7] = ' '; /* three octets on the wire */
    for (size_t line = RENDER_TCP_TABLE_MAX - 1; line <= RENDER_TCP_TABLE_MAX + 1; line++) {
        struct answer answer = {ANSWER_OK, text, line - strlen("200 ") - 2, false};
        struct buf out;

        buf_init(&out, 100000);
        buf_adds(&out, "500 before\n");
        tcp_table_protocol.reply(&out, &answer);
        if (line <= RENDER_TCP_TABLE_MAX) {
            assert_int_equal(out.length, strlen("500 before\n") + line + 1);
            assert_memory_equal(out.data, "500 before\n200 aaaaaaa%20aaa", 28);
        } else {
            assert_string_equal(out.data, "500 before\n400 the%20policy%20is%20too%20long%20for%20"
                                          "this%20protocol\n");
        }
        buf_fini(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests),
        cmocka_unit_test(limits),
        cmocka_unit_test(replies),
        cmocka_unit_test(reply_limit),
    };

    return cmocka_run_group_tests_name("tcp_table", tests, NULL, NULL);
}
