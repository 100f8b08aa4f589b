/* policy_lint: every fault with its line, and that it agrees with sts_parse. */
#include "tests/unit/support/rows.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/ascii.h"
#include "check/policy_lint.h"
#include "probe/sts/sts_parse.h"

#define ARENA_OCTETS (4u << 20)
#define HEAD         "version: STSv1\r\nmode: enforce\r\nmax_age: 604800\r\n"
#define SOUND        HEAD "mx: mx.d.test\r\n"

/* `want`: a line for each fault, "LINE TEXT" or, severe, "LINE! TEXT". */
static const struct row {
    const char *name, *text, *want;
} rows[] = {
    {"sound", SOUND, ""},
    {"LF alone", "version: STSv1\nmode: testing\nmax_age: 1\nmx: *.d.test\n", ""},
    {"no end of the last line", HEAD "mx: mx.d.test", ""},
    {"blanks around values", "version:STSv1 \nmode:\tenforce\t \nmax_age:  5\nmx: a.test\n", ""},
    {"an extension", SOUND "x-note: \xc3\xa9 {}\r\n", ""},
    {"none needs no mx", "version: STSv1\nmode: none\nmax_age: 86400\n", ""},
    {"empty", "",
     "0! a key is missing: \"version\"\n0! a key is missing: \"mode\"\n"
     "0! a key is missing: \"max_age\"\n0! a key is missing: \"mx\"\n"},
    {"no version", "mode: enforce\nmax_age: 604800\nmx: mx.d.test\n",
     "0! a key is missing: \"version\"\n"},
    {"no mx", HEAD, "0! a key is missing: \"mx\"\n"},
    {"another version", "version: STSv2\nmode: enforce\nmax_age: 604800\nmx: mx.d.test\n",
     "1! the version is not STSv1: \"STSv2\"\n"},
    {"the version comes second", "mode: enforce\nversion: STSv1\nmax_age: 604800\nmx: mx.d.test\n",
     "2 the version is not the first key\n"},
    {"another mode", "version: STSv1\nmode: enforced\nmax_age: 604800\nmx: mx.d.test\n",
     "2! the mode is none of enforce, testing and none: \"enforced\"\n"},
    {"max_age with a unit", "version: STSv1\nmode: enforce\nmax_age: 1d\nmx: mx.d.test\n",
     "3! max_age is not a number of 1 to 10 digits: \"1d\"\n"},
    {"max_age of 11 digits", "version: STSv1\nmode: enforce\nmax_age: 00000604800\nmx: mx.d.test\n",
     "3! max_age is not a number of 1 to 10 digits: \"00000604800\"\n"},
    {"max_age at its greatest", "version: STSv1\nmode: enforce\nmax_age: 31557600\nmx: mx.d.test\n",
     ""},
    {"max_age beyond it", "version: STSv1\nmode: enforce\nmax_age: 31557601\nmx: mx.d.test\n",
     "3 max_age is more than a year, 31557600: \"31557601\"\n"},
    {"an mx with a dot at its end", HEAD "mx: mx.d.test.\r\n",
     "4! an mx is not a domain name, nor one behind \"*.\": \"mx.d.test.\"\n"},
    {"an mx with two names", HEAD "mx: a.test, b.test\r\n",
     "4! an mx is not a domain name, nor one behind \"*.\": \"a.test, b.test\"\n"},
    {"a star alone", HEAD "mx: *\r\n",
     "4! an mx is not a domain name, nor one behind \"*.\": \"*\"\n"},
    {"an address", HEAD "mx: 192.0.2.1\r\n",
     "4 an mx that is an address, or a name of one label: \"192.0.2.1\"\n"},
    {"one label", HEAD "mx: localhost\r\n",
     "4 an mx that is an address, or a name of one label: \"localhost\"\n"},
    {"an mx twice", SOUND "mx: MX.d.test\r\n", "5 an mx for the second time: \"MX.d.test\"\n"},
    {"a mode twice", SOUND "mode: {\r\n",
     "5 a key for the second time; the first counts: \"mode\"\n"},
    {"a faulty mode first",
     "version: STSv1\nmode: x\nmode: enforce\nmax_age: 604800\nmx: mx.d.test\n",
     "2! the mode is none of enforce, testing and none: \"x\"\n"
     "3 a key for the second time; the first counts: \"mode\"\n"},
    {"other case", "version: STSv1\nMode: enforce\nmax_age: 604800\nmx: mx.d.test\n",
     "2! the key is to be written: \"mode\"\n"},
    {"a hyphen", "version: STSv1\nmode: enforce\nmax-age: 604800\nmx: mx.d.test\n",
     "3! the key is to be written: \"max_age\"\n"},
    {"other case beside the key", SOUND "MX: b.test\r\n", "5 the key is to be written: \"mx\"\n"},
    {"a blank before the colon", "version: STSv1\nmode : enforce\nmax_age: 604800\nmx: mx.d.test\n",
     "0! a key is missing: \"mode\"\n2! a line that is not \"key: value\": \"mode : enforce\"\n"},
    {"a blank before the key", SOUND " mx: b.test\r\n",
     "5! a line that is not \"key: value\": \" mx: b.test\"\n"},
    {"a comment", SOUND "# mine\r\n", "5! a line that is not \"key: value\": \"# mine\"\n"},
    {"an empty line within", "version: STSv1\n\nmode: enforce\n\nmax_age: 604800\nmx: mx.d.test\n",
     "2 an empty line\n"},
    {"an empty line at the end", SOUND "\r\n", ""},
    {"an empty value", SOUND "x:\r\n", "5! a key without a value: \"x\"\n"},
    {"a control character", SOUND "x: a\x1b[31m\r\n",
     "5! a control character: \"x: a\\x1b[31m\"\n"},
    {"a CR alone", "version: STSv1\rmode: none\r",
     "1! a control character: "
     "\"version: STSv1\\x0dmode: none\\x0d\"\n"
     "0! a key is missing: \"version\"\n"
     "0! a key is missing: \"mode\"\n"
     "0! a key is missing: \"max_age\"\n"
     "0! a key is missing: \"mx\"\n"},
    {"a tab in a value", SOUND "x: a\tb\r\n", "5! a tab in a value: \"a\\x09b\"\n"},
    {"a known key that is not ASCII", SOUND "mx: b\xc3\xa9.test\r\n",
     "5! a value that is not ASCII: \"b\\xc3\\xa9.test\"\n"},
    {"an extension that is not UTF-8", SOUND "x: \xff\r\n",
     "5! an extension that is not UTF-8: \"x\"\n"},
    {"a byte order mark", "\xef\xbb\xbf" SOUND,
     "0! a key is missing: \"version\"\n"
     "1! a byte order mark before the key: \"\\xef\\xbb\\xbfversion: STSv1\"\n"},
    {"HTML", "\r\n <!DOCTYPE html>\n<html>\n", "1! HTML or XML, and no policy\n"},
    {"several", "version: STSv1\nmode: on\nmax_age: 1d\nmx: a_b.test\nmx: *.c.test\n",
     "2! the mode is none of enforce, testing and none: \"on\"\n"
     "3! max_age is not a number of 1 to 10 digits: \"1d\"\n"
     "4! an mx is not a domain name, nor one behind \"*.\": \"a_b.test\"\n"},
};

static bool parses(struct arena *arena, const char *text, size_t length)
{
    const char *why;

    return sts_parse_policy(arena, text, length, &why) != NULL;
}

/* Lints, and compares with the parser. */
static struct policy_lint *lint_it(struct arena *arena, const char *text, size_t length)
{
    struct policy_lint *lint = arena_alloc(arena, sizeof *lint);

    assert_true(policy_lint(lint, arena, text, length));
    assert_int_equal(lint->severe, !parses(arena, text, length));
    for (size_t i = 0; i < lint->count; i++)
        assert_true(ascii_is_printable(lint->faults[i].text));
    return lint;
}

static int by_line(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The lines of a text, sorted: those of the whole file come last in one and first in the other. */
static void sorted(char *text, const char *lines[CHECK_FAULTS_MAX], size_t *count)
{
    *count = 0;
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n"))
        lines[(*count)++] = line;
    qsort(lines, *count, sizeof lines[0], by_line);
}

static void test_faults(void **state)
{
    const struct row *row = *state;
    struct arena *arena = arena_new(ARENA_OCTETS);
    const struct policy_lint *lint = lint_it(arena, row->text, strlen(row->text));
    const char *got[CHECK_FAULTS_MAX], *want[CHECK_FAULTS_MAX];
    size_t got_count = lint->count, want_count;

    assert_int_equal(lint->dropped, 0);
    for (size_t i = 0; i < lint->count; i++)
        got[i] = arena_printf(arena, "%u%s %s", lint->faults[i].line,
                              lint->faults[i].severe ? "!" : "", lint->faults[i].text);
    for (size_t i = 0; i + 1 < lint->count; i++)
        assert_true(
            lint->faults[i + 1].line == 0 ||
            (lint->faults[i].line != 0 && lint->faults[i].line <= lint->faults[i + 1].line));
    qsort(got, got_count, sizeof got[0], by_line);
    sorted(arena_strdup(arena, row->want), want, &want_count);
    for (size_t i = 0; i < got_count && i < want_count; i++)
        assert_string_equal(got[i], want[i]);
    assert_int_equal(got_count, want_count);
    arena_free(arena);
}

/* ---- limits ---- */

/* `count` lines after the head, and what comes of it. */
static void repeated(const char *line, size_t count, size_t want, size_t dropped, bool severe)
{
    struct arena *arena = arena_new(ARENA_OCTETS);
    struct policy_lint *lint;
    struct buf text;

    buf_init(&text, STS_BODY_MAX);
    buf_adds(&text, SOUND);
    for (size_t i = 0; i < count; i++)
        buf_addf(&text, "%s\n", line);
    assert_false(text.failed);
    lint = lint_it(arena, buf_text(&text), text.length);
    assert_int_equal(lint->count, want);
    assert_int_equal(lint->dropped, dropped);
    assert_int_equal(lint->severe, severe);
    buf_fini(&text);
    arena_free(arena);
}

static void fifty_faults(void **state)
{
    (void)state;
    repeated("#", CHECK_FAULTS_MAX - 1, CHECK_FAULTS_MAX - 1, 0, true);
    repeated("#", CHECK_FAULTS_MAX, CHECK_FAULTS_MAX, 0, true);
    repeated("#", CHECK_FAULTS_MAX + 1, CHECK_FAULTS_MAX, 1, true);
    repeated("#", 30000, CHECK_FAULTS_MAX, 30000 - CHECK_FAULTS_MAX, true);
    repeated("mode: x", 100, CHECK_FAULTS_MAX, 100 - CHECK_FAULTS_MAX, false);
}

/* A severe fault behind many mild ones is told. */
static void severe_ones_stay(void **state)
{
    struct arena *arena = arena_new(ARENA_OCTETS);
    struct policy_lint *lint;
    struct buf text;

    (void)state;
    buf_init(&text, STS_BODY_MAX);
    buf_adds(&text, SOUND);
    for (int i = 0; i < 60; i++)
        buf_adds(&text, "mode: x\n");
    buf_adds(&text, "#\n");
    lint = lint_it(arena, buf_text(&text), text.length);
    assert_int_equal(lint->count, CHECK_FAULTS_MAX);
    assert_int_equal(lint->faults[CHECK_FAULTS_MAX - 1].line, 65);
    assert_true(lint->faults[CHECK_FAULTS_MAX - 1].severe);
    buf_fini(&text);
    arena_free(arena);
}

/* That many mx lines of different names. */
static void mx_lines(size_t count, bool severe)
{
    struct arena *arena = arena_new(ARENA_OCTETS);
    struct policy_lint *lint;
    struct buf text;

    buf_init(&text, STS_BODY_MAX);
    buf_adds(&text, HEAD);
    for (size_t i = 0; i < count; i++)
        buf_addf(&text, "mx: m%zu.test\n", i);
    lint = lint_it(arena, buf_text(&text), text.length);
    assert_int_equal(lint->severe, severe);
    assert_int_equal(lint->count, severe);
    buf_fini(&text);
    arena_free(arena);
}

static void a_thousand_mx(void **state)
{
    (void)state;
    mx_lines(STS_MX_MAX - 1, false);
    mx_lines(STS_MX_MAX, false);
    mx_lines(STS_MX_MAX + 1, true);
}

static void sixty_four_kilobytes(void **state)
{
    static char text[STS_BODY_MAX + 1];
    struct arena *arena = arena_new(ARENA_OCTETS);

    (void)state;
    memset(text, '\n', sizeof text);
    memcpy(text, SOUND, sizeof SOUND - 1);
    assert_false(lint_it(arena, text, STS_BODY_MAX - 1)->severe);
    assert_false(lint_it(arena, text, STS_BODY_MAX)->severe);
    assert_true(lint_it(arena, text, STS_BODY_MAX + 1)->severe);
    arena_free(arena);
}

/* ---- what the fuzzers know ---- */

static size_t walk(const char *folder)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    size_t count = 0;

    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        struct arena *arena = arena_new(ARENA_OCTETS);
        char path[1000], text[4096];
        size_t length;
        FILE *file;

        if (entry->d_name[0] != '.') {
            snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
            file = fopen(path, "r");
            assert_non_null(file);
            length = fread(text, 1, sizeof text, file);
            fclose(file);
            lint_it(arena, text, length);
            count++;
        }
        arena_free(arena);
    }
    closedir(dir);
    return count;
}

static void the_corpus(void **state)
{
    (void)state;
    assert_true(walk(MXC_SOURCE_DIR "/tests/fuzz/corpus/sts_policy") >= 7);
    assert_true(walk(MXC_SOURCE_DIR "/tests/fuzz/corpus/policy_lint") >= 10);
}

int main(void)
{
    ROWS_ADD(rows, test_faults);
    ROWS_ADD_TEST(fifty_faults);
    ROWS_ADD_TEST(severe_ones_stay);
    ROWS_ADD_TEST(a_thousand_mx);
    ROWS_ADD_TEST(sixty_four_kilobytes);
    ROWS_ADD_TEST(the_corpus);
    return rows_run("policy_lint");
}
