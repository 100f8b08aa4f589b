/* chunk_name: names of chunks, of their streams and entries, and what is none. */
#include "tests/unit/support/rows.h"

#include <string.h>

#include "survey/queue/chunk_name.h"

static const struct name_row {
    const char *name;
    struct results_chunk chunk;
    const char *stream, *entry;
} name_rows[] = {
    {"domains-1", {UNIT_DOMAIN, 0, 1}, "domains", "1-0"},
    {"hosts-42", {UNIT_HOST, 0, 42}, "hosts", "42-0"},
    {"addresses-0-1", {UNIT_ADDRESS, 0, 1}, "addresses-0", "1-0"},
    {"addresses-1023-7", {UNIT_ADDRESS, 1023, 7}, "addresses-1023", "7-0"},
    {"domains-1000000000000", {UNIT_DOMAIN, 0, CHUNK_NUMBER_MAX}, "domains", "1000000000000-0"},
};

static void it_is_written_and_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(name_rows); i++) {
        const struct name_row *row = &name_rows[i];
        struct results_chunk chunk;
        char text[CHUNK_NAME_MAX];
        int64_t number;

        assert_string_equal(chunk_name(text, &row->chunk), row->name);
        assert_true(chunk_name_read(&chunk, text, strlen(text)));
        assert_int_equal(chunk.kind, row->chunk.kind);
        assert_int_equal(chunk.part, row->chunk.part);
        assert_int_equal(chunk.number, row->chunk.number);
        assert_string_equal(chunk_stream(text, &row->chunk), row->stream);
        assert_string_equal(chunk_entry(text, &row->chunk), row->entry);
        assert_true(chunk_entry_read(&number, text, strlen(text)));
        assert_int_equal(number, row->chunk.number);
    }
}

static const char *const no_names[] = {
    "",           "domains",         "domains-",       "domains-0",
    "domains-01", "domains-1 ",      "domains--1",     "domains-1000000000001",
    "domain-1",   "domains-1.db",    "addresses-1",    "addresses-1024-1",
    "hosts-1-1",  "addresses-01-1",  "addresses-1-0",  "../domains-1",
    "addresses-", "addresses-1-1-1", "addresses--1-1", "domains-99999999999999999999",
    "Hosts-1",    "addresses_1-1",   "addresses-1-",   "hosts-+1",
};

static void others_are_none(void **state)
{
    struct results_chunk chunk;

    (void)state;
    for (size_t i = 0; i < COUNT(no_names); i++)
        if (chunk_name_read(&chunk, no_names[i], strlen(no_names[i])))
            fail_msg("%s", no_names[i]);
    assert_false(chunk_name_read(&chunk, "hosts-12", 6));
    assert_true(chunk_name_read(&chunk, "hosts-12", 7));
    assert_int_equal(chunk.number, 1);
}

static void others_are_no_entry(void **state)
{
    static const char *const rows[] = {
        "", "0-0", "1", "1-", "1-1", "1-00", "-0", "01-0", "1000000000001-0", "1-0 "};
    int64_t number;

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        if (chunk_entry_read(&number, rows[i], strlen(rows[i])))
            fail_msg("%s", rows[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_written_and_read),
        cmocka_unit_test(others_are_none),
        cmocka_unit_test(others_are_no_entry),
    };

    return cmocka_run_group_tests_name("chunk_name", tests, NULL, NULL);
}
