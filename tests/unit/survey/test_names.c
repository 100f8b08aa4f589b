/* names: the lines that a list of domains may have. */
#include "survey/names.h"

#include <string.h>

#include "tests/unit/support/rows.h"

static const struct line_row {
    const char *line;
    enum names_line want;
    const char *name;
    int64_t weight;
} rows[] = {
    {"example.com", NAMES_DOMAIN, "example.com", 1},
    {"EXAMPLE.com.", NAMES_DOMAIN, "example.com", 1},
    {"  example.com  ", NAMES_DOMAIN, "example.com", 1},
    {"example.com\r", NAMES_DOMAIN, "example.com", 1},
    {"\xef\xbb\xbf"
     "example.com",
     NAMES_DOMAIN, "example.com", 1},
    {"b\xc3\xbc"
     "cher.example",
     NAMES_DOMAIN, "xn--bcher-kva.example", 1},
    {"example.com 120", NAMES_DOMAIN, "example.com", 120},
    {"example.com\t0", NAMES_DOMAIN, "example.com", 0},
    {"example.com,120", NAMES_DOMAIN, "example.com", 120},
    {"example.com , 120 # comment", NAMES_DOMAIN, "example.com", 120},
    {"17,example.com", NAMES_DOMAIN, "example.com", 1},
    {"17 example.com", NAMES_DOMAIN, "example.com", 1},
    {"example.com 1000000000000", NAMES_DOMAIN, "example.com", INT64_C(1000000000000)},
    {"example.com 1000000000001", NAMES_BAD, NULL, 0},
    {"example.com 99999999999999999999999999", NAMES_BAD, NULL, 0},
    {"example.com #no comment without a blank before", NAMES_DOMAIN, "example.com", 1},
    {"example.com#no", NAMES_BAD, NULL, 0},
    {"# comment", NAMES_NOTHING, NULL, 0},
    {"", NAMES_NOTHING, NULL, 0},
    {"   \t", NAMES_NOTHING, NULL, 0},
    {"example.com -1", NAMES_BAD, NULL, 0},
    {"example.com 1.5", NAMES_BAD, NULL, 0},
    {"example.com 1 2", NAMES_BAD, NULL, 0},
    {"17,example.com,5", NAMES_BAD, NULL, 0},
    {",example.com", NAMES_BAD, NULL, 0},
    {"17,18", NAMES_BAD, NULL, 0},
    {"localhost", NAMES_BAD, NULL, 0},
    {"192.0.2.1", NAMES_BAD, NULL, 0},
    {"[mx.example.com]", NAMES_BAD, NULL, 0},
    {"example.com:587", NAMES_BAD, NULL, 0},
    {"example.com:25", NAMES_BAD, NULL, 0},
    {".example.com", NAMES_BAD, NULL, 0},
    {"user@example.com", NAMES_BAD, NULL, 0},
    {"<b>.example.com", NAMES_BAD, NULL, 0},
    {"a..example.com", NAMES_BAD, NULL, 0},
};

static void lines(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct name_line out;
        enum names_line got = names_read(&out, rows[i].line, strlen(rows[i].line));

        if (got != rows[i].want || (got == NAMES_DOMAIN && (strcmp(out.name, rows[i].name) != 0 ||
                                                            out.weight != rows[i].weight)))
            fail_msg("%s: %d", rows[i].line, (int)got);
    }
}

/* A NUL is part of the line, as any other octet. */
static void octets(void **state)
{
    static const char line[] = "example.com\0.example.org";
    struct name_line out;

    (void)state;
    assert_int_equal(names_read(&out, line, sizeof line - 1), NAMES_BAD);
}

static void lengths(void **state)
{
    char line[NAMES_LINE_MAX + 2];
    struct name_line out;

    (void)state;
    memset(line, ' ', sizeof line);
    memcpy(line, "example.com", 11);
    assert_int_equal(names_read(&out, line, NAMES_LINE_MAX - 1), NAMES_DOMAIN);
    assert_int_equal(names_read(&out, line, NAMES_LINE_MAX), NAMES_DOMAIN);
    assert_int_equal(names_read(&out, line, NAMES_LINE_MAX + 1), NAMES_BAD);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines),
        cmocka_unit_test(octets),
        cmocka_unit_test(lengths),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
