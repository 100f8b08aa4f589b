/* page_figures: figures and foreign text. */
#include "tests/unit/support/unit.h"

#include <string.h>

#include "base/page/page_figures.h"

static void percents(void **state)
{
    static const struct {
        uint64_t part, whole;
        const char *want;
    } rows[] = {
        {0, 0, "-"},
        {0, 7, "0 %"},
        {7, 7, "100 %"},
        {1, 3, "33.3 %"},
        {1, 1001, "<0.1 %"},
        {1, 1000, "0.1 %"},
        {9999, 10000, ">99.9 %"},
        {999, 1000, "99.9 %"},
        {UINT32_MAX, (uint64_t)UINT32_MAX * 2, "50.0 %"},
    };
    char out[PAGE_FIGURE_MAX];

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_string_equal(page_percent(out, rows[i].part, rows[i].whole), rows[i].want);
}

static void durations(void **state)
{
    static const struct {
        uint64_t seconds;
        const char *want;
    } rows[] = {
        {0, "0 s"},
        {59, "59 s"},
        {60, "1 min"},
        {61, "1 min 1 s"},
        {3599, "59 min 59 s"},
        {3600, "1 h"},
        {3661, "1 h 1 min"},
        {86399, "23 h 59 min"},
        {86400, "1 d"},
        {90000, "1 d 1 h"},
        {864000 + 7199, "10 d 1 h"},
    };
    char out[PAGE_FIGURE_MAX];

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_string_equal(page_duration(out, rows[i].seconds), rows[i].want);
}

static void sizes(void **state)
{
    static const struct {
        uint64_t number;
        const char *octets, *grouped;
    } rows[] = {
        {0, "0 octets", "0"},
        {999, "999 octets", "999"},
        {1000, "1.0 kB", "1,000"},
        {999949, "999.9 kB", "999,949"},
        {999950, "1.0 MB", "999,950"},
        {12345678, "12.3 MB", "12,345,678"},
        {UINT64_MAX, "18.4 EB", "18,446,744,073,709,551,615"},
    };
    char out[PAGE_FIGURE_MAX];

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_string_equal(page_octets(out, rows[i].number), rows[i].octets);
        assert_string_equal(page_grouped(out, rows[i].number), rows[i].grouped);
    }
}

static void foreign_text(void **state)
{
    char out[PAGE_TEXT_MAX], longest[PAGE_TEXT_MAX + 1];
    static const char back[] = "a\\b <\"&'>";

    (void)state;
    assert_string_equal(page_printable(out, NULL), "");
    assert_ptr_equal(page_printable(out, back), back);
    assert_string_equal(page_printable(out, "\033[31m\n\xc3\xa9\x7f"),
                        "\\x1b[31m\\x0a\\xc3\\xa9\\x7f");
    memset(longest, 'x', sizeof longest);
    longest[PAGE_TEXT_MAX - 1] = '\0';
    assert_ptr_equal(page_printable(out, longest), longest);
    longest[PAGE_TEXT_MAX - 1] = 'x';
    longest[PAGE_TEXT_MAX] = '\0';
    assert_int_equal(strlen(page_printable(out, longest)), PAGE_TEXT_MAX - 1);
    assert_string_equal(out + PAGE_TEXT_MAX - 4, "...");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(percents),
        cmocka_unit_test(durations),
        cmocka_unit_test(sizes),
        cmocka_unit_test(foreign_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
