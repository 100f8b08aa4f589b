/* socketmap: docs/conformance.md hostile 30, 32, 35 as tables, and the replies. */
#include "tests/unit/support/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/serve/protocol.h"

struct row {
    const char *name, *input;
    enum parse_status want;
    const char *map, *key;
    size_t used;
};

static const struct row rows[] = {
    {"whole", "16:QUERY a.example.,", PARSE_REQUEST, "QUERY", "a.example.", 20},
    {"first of two", "5:a bcd,5:a xyz,", PARSE_REQUEST, "a", "bcd", 8},
    {"key with blanks", "7:m a b c,", PARSE_REQUEST, "m", "a b c", 10},
    {"empty key", "2:m ,", PARSE_REQUEST, "m", "", 5},
    {"empty map name", "2: k,", PARSE_REQUEST, "", "k", 5},
    {"hostile-30 leading zeros are accepted", "005:a bcd,", PARSE_REQUEST, "a", "bcd", 10},
    {"nothing yet", "", PARSE_MORE, NULL, NULL, 0},
    {"half a length", "12", PARSE_MORE, NULL, NULL, 0},
    {"half a value", "5:a b", PARSE_MORE, NULL, NULL, 0},
    {"comma missing still", "5:a bcd", PARSE_MORE, NULL, NULL, 0},
    {"hostile-30 wrong end", "5:a bcd;", PARSE_CLOSE, NULL, NULL, 0},
    {"hostile-30 overflow", "99999999999999999999:", PARSE_CLOSE, NULL, NULL, 0},
    {"hostile-30 seven digits", "0000005:a bcd,", PARSE_CLOSE, NULL, NULL, 0},
    {"hostile-30 minus", "-1:", PARSE_CLOSE, NULL, NULL, 0},
    {"hostile-30 plus", "+5:a bcd,", PARSE_CLOSE, NULL, NULL, 0},
    {"hostile-30 blank", " 5:a bcd,", PARSE_CLOSE, NULL, NULL, 0},
    {"hostile-30 no length", ":a,", PARSE_CLOSE, NULL, NULL, 0},
    {"hostile-35 HTTP", "GET / HTTP/1.1\r\n", PARSE_CLOSE, NULL, NULL, 0},
    {"hostile-35 TLS", "\x16\x03\x01\x02", PARSE_CLOSE, NULL, NULL, 0},
    {"no blank", "3:abc,", PARSE_MALFORMED, NULL, NULL, 6},
    {"empty value", "0:,", PARSE_MALFORMED, NULL, NULL, 3},
};

static void check_row(const struct row *row)
{
    struct request request = {0};
    size_t used = 0, length = strlen(row->input);
    /* memory of its own, so that a read beyond the input is seen */
    char *input = malloc(length + 1);
    enum parse_status status;

    memcpy(input, row->input, length);
    status = socketmap_protocol.parse(input, length, &used, NULL, &request);
    if (status != row->want)
        fail_msg("%s: status %d, want %d", row->name, status, row->want);
    if (status == PARSE_REQUEST) {
        assert_int_equal(request.map_length, strlen(row->map));
        assert_memory_equal(request.map, row->map, request.map_length);
        assert_int_equal(request.key_length, strlen(row->key));
        assert_memory_equal(request.key, row->key, request.key_length);
    }
    if (status == PARSE_REQUEST || status == PARSE_MALFORMED)
        assert_int_equal(used, row->used);
    free(input);
}

static void requests(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        check_row(&rows[i]);
}

/* A netstring of exactly `size` octets of value. */
static enum parse_status parse_of_size(size_t size)
{
    char *input = malloc(size + 32);
    int head = sprintf(input, "%zu:", size);
    struct request request;
    enum parse_status status;
    size_t used;

    memset(input + head, 'x', size);
    memcpy(input + head, "m ", 2);
    input[(size_t)head + size] = ',';
    status = socketmap_protocol.parse(input, (size_t)head + size + 1, &used, NULL, &request);
    free(input);
    return status;
}

static void limits(void **state)
{
    (void)state;
    assert_int_equal(parse_of_size(PROTOCOL_KEY_MAX - 1), PARSE_REQUEST);
    assert_int_equal(parse_of_size(PROTOCOL_KEY_MAX), PARSE_REQUEST);
    assert_int_equal(parse_of_size(PROTOCOL_KEY_MAX + 1), PARSE_CLOSE);
}

static void replies(void **state)
{
    static const struct {
        struct answer answer;
        const char *want;
    } table[] = {
        {{ANSWER_OK, "dane-only", 9, false}, "12:OK dane-only,"},
        {{ANSWER_NOTFOUND, "", 0, false}, "9:NOTFOUND ,"},
        {{ANSWER_TEMP, "no", 2, false}, "7:TEMP no,"},
    };
    struct buf out;

    (void)state;
    for (size_t i = 0; i < COUNT(table); i++) {
        buf_init(&out, 1000);
        socketmap_protocol.reply(&out, &table[i].answer);
        assert_string_equal(buf_text(&out), table[i].want);
        buf_fini(&out);
    }
    buf_init(&out, 1000);
    buf_adds(&out, socketmap_protocol.malformed);
    assert_memory_equal(buf_text(&out), "56:PERM ", 8);
    assert_int_equal(out.length, 56 + 4);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests),
        cmocka_unit_test(limits),
        cmocka_unit_test(replies),
    };

    return cmocka_run_group_tests_name("socketmap", tests, NULL, NULL);
}
