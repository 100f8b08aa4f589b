/* The grammar of the policy file: docs/conformance.md, D-2, hostile 6 and 7. */
#include "probe/sts/sts_parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ARENA_OCTETS (4u << 20)
#define HEAD         "version: STSv1\nmode: enforce\n"
#define TAIL         "max_age: 86400\n"
#define GOOD         HEAD "mx: mx.d.test\n" TAIL
#define MX(value)    HEAD "mx: " value "\n" TAIL
#define AGE(value)   HEAD "mx: mx.d.test\nmax_age: " value "\n"
#define EXT(line)    GOOD line "\n"
#define LABEL63      "a23456789012345678901234567890123456789012345678901234567890123"
#define EXT32        "e123456789abcdefghijABCDEFGHIJ_-"

/* `want`: "MODE MAX_AGE mx,mx" or NULL when it is no policy. */
struct row {
    const char *name;
    const char *text;
    const char *want;
};

static const struct row rows[] = {
    {"A-12 good", GOOD, "enforce 86400 mx.d.test"},
    {"A-12 no blank after the colon", "version:STSv1\nmode:enforce\nmx:mx.d.test\nmax_age:1\n",
     "enforce 1 mx.d.test"},
    {"A-12 tabs and blanks after the colon",
     "version: \tSTSv1\nmode:\t enforce\nmx:\tmx.d.test\nmax_age:  1\n", "enforce 1 mx.d.test"},
    {"A-12 trailing white space",
     "version: STSv1 \t\nmode: enforce \nmx: mx.d.test\t\r\nmax_age: 1 ", "enforce 1 mx.d.test"},
    {"A-12 blank lines", "\n\r\n" HEAD " \t\n\nmx: mx.d.test\n" TAIL "\n\n",
     "enforce 86400 mx.d.test"},
    {"A-12 blank before a key", " " GOOD, NULL},
    {"A-12 blank before a later key", HEAD " mx: mx.d.test\n" TAIL, NULL},
    {"A-12 blank before the colon", "version : STSv1\nmode: enforce\nmx: mx.d.test\n" TAIL, NULL},
    {"A-12 no colon", GOOD "foo\n", NULL},
    {"A-12 equals sign", "version=STSv1\nmode: enforce\nmx: mx.d.test\n" TAIL, NULL},
    {"A-12 no version", "mode: enforce\nmx: mx.d.test\n" TAIL, NULL},
    {"A-12 version 2", "version: STSv2\nmode: enforce\nmx: mx.d.test\n" TAIL, NULL},
    {"A-12 version in lower case", "version: stsv1\nmode: enforce\nmx: mx.d.test\n" TAIL, NULL},
    {"A-12 empty version", "version:\nmode: enforce\nmx: mx.d.test\n" TAIL, NULL},
    {"A-12 no mode", "version: STSv1\nmx: mx.d.test\n" TAIL, NULL},
    {"A-12 mode in upper case", "version: STSv1\nmode: Enforce\nmx: mx.d.test\n" TAIL, NULL},
    {"A-12 unknown mode", "version: STSv1\nmode: report\nmx: mx.d.test\n" TAIL, NULL},
    {"A-12 two words of mode", "version: STSv1\nmode: enforce none\nmx: mx.d.test\n" TAIL, NULL},
    {"A-12 empty mode", "version: STSv1\nmode:\nmx: mx.d.test\n" TAIL, NULL},
    {"A-12 key in upper case", "version: STSv1\nMode: enforce\nmx: mx.d.test\n" TAIL, NULL},
    {"A-12 no max_age", HEAD "mx: mx.d.test\n", NULL},
    {"A-12 no mx, enforce", HEAD TAIL, NULL},
    {"A-12 no mx, testing", "version: STSv1\nmode: testing\n" TAIL, NULL},
    {"A-12 empty", "", NULL},
    {"A-12 html", "<!DOCTYPE html>\n<html></html>\n", NULL},
    {"A-12 comment", "# policy\n" GOOD, NULL},
    {"A-12 folded", HEAD "mx: mx.d.test\n " TAIL, NULL},
    {"A-12 form feed", GOOD "\f\n", NULL},
    {"A-13 mode again", GOOD "mode: none\n", "enforce 86400 mx.d.test"},
    {"A-13 max_age again", GOOD "max_age: 5\n", "enforce 86400 mx.d.test"},
    {"A-13 garbage mode again", GOOD "mode: ???\n", "enforce 86400 mx.d.test"},
    {"A-13 garbage max_age again", GOOD "max_age: 99999999999\n", "enforce 86400 mx.d.test"},
    {"A-13 garbage version again", GOOD "version:\n", "enforce 86400 mx.d.test"},
    {"A-13 garbage first", "mode: ???\n" GOOD, NULL},
    {"A-14 any order", TAIL "mx: mx.d.test\nmode: enforce\nversion: STSv1\n",
     "enforce 86400 mx.d.test"},
    {"A-14 CRLF", "version: STSv1\r\nmode: testing\r\nmx: a.test\r\nmx: *.b.test\r\nmax_age: 7\r\n",
     "testing 7 a.test,*.b.test"},
    {"A-14 mixed line ends", "version: STSv1\r\nmode: enforce\nmx: a.test\r\nmax_age: 7\n",
     "enforce 7 a.test"},
    {"A-14 no line end at the end", HEAD "mx: a.test\nmax_age: 7", "enforce 7 a.test"},
    {"A-14 CR alone", "version: STSv1\rmode: enforce\rmx: a.test\rmax_age: 7\r", NULL},
    {"A-14 CR CR LF", "version: STSv1\r\r\nmode: enforce\nmx: a.test\nmax_age: 7\n", NULL},
    {"A-14 CR at the end", HEAD "mx: a.test\nmax_age: 7\r", NULL},
    {"A-14 unknown key", EXT("foo: bar baz: {x}"), "enforce 86400 mx.d.test"},
    {"A-14 unknown key first", "foo: bar\n" GOOD, "enforce 86400 mx.d.test"},
    {"A-14 unknown key, UTF-8", EXT("foo: \xc3\xa9 \xe2\x82\xac \xf0\x9f\x93\xa7"),
     "enforce 86400 mx.d.test"},
    {"A-14 unknown key, no value", EXT("foo:"), NULL},
    {"A-14 unknown key of 32", EXT(EXT32 ": x"), "enforce 86400 mx.d.test"},
    {"A-14 unknown key of 33", EXT(EXT32 "x: x"), NULL},
    {"A-14 unknown key begins with .", EXT(".a: x"), NULL},
    {"A-15 none without mx", "version: STSv1\nmode: none\nmax_age: 86400\n", "none 86400 "},
    {"A-15 none with mx", "version: STSv1\nmode: none\nmx: mx.d.test\nmax_age: 86400\n",
     "none 86400 mx.d.test"},
    {"A-16 testing", "version: STSv1\nmode: testing\nmx: mx.d.test\nmax_age: 86400\n",
     "testing 86400 mx.d.test"},
    {"A-17 max_age max-1", AGE("31557599"), "enforce 31557599 mx.d.test"},
    {"A-17 max_age max", AGE("31557600"), "enforce 31557600 mx.d.test"},
    {"A-17 max_age max+1", AGE("31557601"), "enforce 31557600 mx.d.test"},
    {"A-17 -1", AGE("-1"), NULL},
    {"A-17 +1", AGE("+1"), NULL},
    {"A-17 xxx", AGE("xxx"), NULL},
    {"A-17 empty", AGE(""), NULL},
    {"A-17 ten digits", AGE("0000086400"), "enforce 86400 mx.d.test"},
    {"A-17 eleven digits", AGE("00000086400"), NULL},
    {"A-17 past 2^32", AGE("4294967297"), "enforce 31557600 mx.d.test"},
    {"A-17 the greatest of ten digits", AGE("9999999999"), "enforce 31557600 mx.d.test"},
    {"A-17 decimals", AGE("1.5"), NULL},
    {"A-17 hexadecimal", AGE("0x10"), NULL},
    {"A-17 zero", AGE("0"), "enforce 0 mx.d.test"},
    {"A-18 wildcard", MX("*.example.net"), "enforce 86400 *.example.net"},
    {"A-18 wildcard inside", MX("a.*.example.net"), NULL},
    {"A-18 part of a label", MX("mx*.example.net"), NULL},
    {"A-18 two wildcards", MX("*.*.example.net"), NULL},
    {"A-44 wildcard of a TLD", MX("*.net"), "enforce 86400 *.net"},
    {"A-18 wildcard alone", MX("*"), NULL},
    {"A-18 wildcard and a dot", MX("*."), NULL},
    {"A-18 leading dot", MX(".example.net"), NULL},
    {"A-19 U-label",
     MX("mx.b\xc3\xbc"
        "cher.test"),
     NULL},
    {"A-19 A-label", MX("mx.xn--bcher-kva.test"), "enforce 86400 mx.xn--bcher-kva.test"},
    {"A-20 case", MX("MX.D.Test"), "enforce 86400 mx.d.test"},
    {"hostile 6 not ASCII in mode", "version: STSv1\nmode: enforce\xc2\xa0\nmx: a.test\n" TAIL,
     NULL},
    {"hostile 6 not ASCII in a key", EXT("f\xc3\xb6o: x"), NULL},
    {"hostile 6 not ASCII in a mode again", GOOD "mode: \xc3\xa9\n", NULL},
    {"hostile 6 byte order mark", "\xef\xbb\xbf" GOOD, NULL},
    {"hostile 6 bad UTF-8", EXT("foo: \xff"), NULL},
    {"hostile 6 overlong UTF-8", EXT("foo: \xc0\xaf"), NULL},
    {"hostile 6 overlong of 3", EXT("foo: \xe0\x80\xaf"), NULL},
    {"hostile 6 surrogate", EXT("foo: \xed\xa0\x80"), NULL},
    {"hostile 6 beyond Unicode", EXT("foo: \xf4\x90\x80\x80"), NULL},
    {"hostile 6 cut UTF-8", EXT("foo: \xe2\x82"), NULL},
    {"hostile 7 blank in mx", MX("a.test b.test"), NULL},
    {"hostile 7 tab in mx", MX("a.test\tb.test"), NULL},
    {"hostile 7 comma in mx", MX("a.test,b.test"), NULL},
    {"hostile 7 colon in mx", MX("a.test:b.test"), NULL},
    {"hostile 7 equals sign in mx", MX("a.test=b"), NULL},
    {"hostile 7 braces in mx", MX("{a.test}"), NULL},
    {"hostile 7 vertical tab in mx", MX("a.test\v"), NULL},
    {"A-44 hostname", MX("hostname"), "enforce 86400 hostname"},
    {"A-44 nexthop", MX("nexthop"), "enforce 86400 nexthop"},
    {"A-44 dot-nexthop", MX("dot-nexthop"), "enforce 86400 dot-nexthop"},
    {"hostile 7 dot", MX("."), NULL},
    {"hostile 7 empty mx", MX(""), NULL},
    {"A-44 one label", MX("localhost"), "enforce 86400 localhost"},
    {"hostile 7 trailing dot", MX("mx.d.test."), NULL},
    {"A-44 address", MX("192.0.2.1"), "enforce 86400 192.0.2.1"},
    {"A-44 wildcard of an address", MX("*.0.2.1"), "enforce 86400 *.0.2.1"},
    {"hostile 7 address literal", MX("[192.0.2.1]"), NULL},
    {"hostile 7 IPv6", MX("2001:db8::1"), NULL},
    {"hostile 7 underscore", MX("mx_1.d.test"), NULL},
    {"hostile 7 hyphen first", MX("-mx.d.test"), NULL},
    {"hostile 7 empty label", MX("mx..test"), NULL},
    {"hostile 7 label of 63", MX(LABEL63 ".test"), "enforce 86400 " LABEL63 ".test"},
    {"hostile 7 label of 64", MX(LABEL63 "4.test"), NULL},
    {"hostile 7 escape", EXT("foo: \x1b[31m"), NULL},
    {"hostile 7 DEL", EXT("foo: \x7f"), NULL},
    {"A-44 one label after a good one", GOOD "mx: hostname\n", "enforce 86400 mx.d.test,hostname"},
    {"hostile 7 bad mx after a good one", GOOD "mx: host name\n", NULL},
    {"hostile 7 bad mx at mode none", "version: STSv1\nmode: none\nmx: {\nmax_age: 1\n", NULL},
};

static void describe(char *out, size_t size, const struct sts_policy *policy)
{
    static const char *const modes[] = {"none", "testing", "enforce"};
    size_t used = (size_t)snprintf(out, size, "%s %u ", modes[policy->mode], policy->max_age);

    for (size_t i = 0; i < policy->mx_count; i++)
        used += (size_t)snprintf(out + used, size - used, "%s%s", i == 0 ? "" : ",", policy->mx[i]);
}

static void rows_are_read_as_they_should(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *row = &rows[i];
        struct arena *arena = arena_new(ARENA_OCTETS);
        const char *why = NULL;
        const struct sts_policy *policy =
            sts_parse_policy(arena, row->text, strlen(row->text), &why);
        char got[512];

        if ((policy != NULL) != (row->want != NULL) || (policy != NULL) != (why == NULL))
            fail_msg("%s: %s", row->name, policy != NULL ? "taken" : why);
        if (policy != NULL) {
            describe(got, sizeof got, policy);
            if (strcmp(got, row->want) != 0)
                fail_msg("%s: %s", row->name, got);
        }
        arena_free(arena);
    }
}

static const struct sts_policy *parse(struct arena *arena, const char *text, size_t length)
{
    const char *why;

    return sts_parse_policy(arena, text, length, &why);
}

/* D-1, D-2: every line in its order, as it stands, but nothing policy_string cannot carry. */
static void lines_are_fit_for_policy_string(void **state)
{
    static const char text[] = "version:\tSTSv1  \r\n\r\nfoo: {bar}\nmode: enforce\nmode: {\n"
                               "mx: MX.d.test\nmx: *.e.test\nfoo: a=b, c\nbar: \xc3\xa9\n"
                               "max_age: 86400";
    static const char *const want[] = {"version: STSv1", "mode: enforce", "mx: MX.d.test",
                                       "mx: *.e.test",   "foo: a=b, c",   "max_age: 86400"};
    struct arena *arena = arena_new(ARENA_OCTETS);
    const struct sts_policy *policy = parse(arena, text, sizeof text - 1);

    (void)state;
    assert_non_null(policy);
    assert_int_equal(policy->line_count, sizeof want / sizeof want[0]);
    for (size_t i = 0; i < policy->line_count; i++)
        assert_string_equal(policy->lines[i], want[i]);
    assert_int_equal(policy->mx_count, 2);
    assert_string_equal(policy->mx[0], "mx.d.test");
    arena_free(arena);
}

/* hostile 7: 999, 1000 and 1001 mx. */
static void mx_are_counted(void **state)
{
    (void)state;
    for (unsigned count = 999; count <= 1001; count++) {
        struct arena *arena = arena_new(ARENA_OCTETS);
        char *text = test_malloc(64 * 1024);
        size_t used = (size_t)sprintf(text, "%s%s", HEAD, TAIL);
        const struct sts_policy *policy;

        for (unsigned i = 0; i < count; i++)
            used += (size_t)sprintf(text + used, "mx: mx%u.d.test\n", i);
        policy = parse(arena, text, used);
        assert_int_equal(policy != NULL, count <= 1000);
        if (policy != NULL)
            assert_int_equal(policy->mx_count, count);
        test_free(text);
        arena_free(arena);
    }
}

/* 65535, 65536 and 65537 octets, all but a few in one line (hostile 7: 60 KB one line). */
static void size_is_bounded(void **state)
{
    (void)state;
    for (size_t length = STS_BODY_MAX - 1; length <= STS_BODY_MAX + 1; length++) {
        struct arena *arena = arena_new(ARENA_OCTETS);
        char *text = test_malloc(length);

        memset(text, 'x', length);
        memcpy(text, GOOD "foo: ", strlen(GOOD "foo: "));
        assert_int_equal(parse(arena, text, length) != NULL, length <= STS_BODY_MAX);
        test_free(text);
        arena_free(arena);
    }
}

/* 16,000 tiny lines cost pointers, not allocations of their own. */
static void tiny_lines_stay_cheap(void **state)
{
    struct arena *arena = arena_new(ARENA_OCTETS);
    char *text = test_malloc(STS_BODY_MAX);
    size_t used = strlen(GOOD);
    const struct sts_policy *policy;

    (void)state;
    memcpy(text, GOOD, used);
    while (used + 4 <= STS_BODY_MAX) {
        memcpy(text + used, "a:b\n", 4);
        used += 4;
    }
    policy = parse(arena, text, used);
    assert_non_null(policy);
    assert_int_equal(policy->line_count, 4 + (used - strlen(GOOD)) / 4);
    assert_true(arena_octets(arena) < 6 * STS_BODY_MAX);
    test_free(text);
    arena_free(arena);
}

static void nul_is_never_taken(void **state)
{
    static const char text[] = GOOD "foo: a\0b\n";
    struct arena *arena = arena_new(ARENA_OCTETS);

    (void)state;
    assert_null(parse(arena, text, sizeof text - 1));
    assert_null(parse(arena, GOOD "\0", strlen(GOOD) + 1));
    arena_free(arena);
}

/* Without memory, at any point: no policy and a reason. */
static void no_memory_is_no_policy(void **state)
{
    bool taken = false;

    (void)state;
    for (size_t limit = 16; limit < 2048 && !taken; limit += 16) {
        struct arena *arena = arena_new(limit);
        const char *why = NULL;

        taken = sts_parse_policy(arena, GOOD, strlen(GOOD), &why) != NULL;
        if (!taken)
            assert_string_equal(why, "no memory");
        arena_free(arena);
    }
    assert_true(taken);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_read_as_they_should),
        cmocka_unit_test(lines_are_fit_for_policy_string),
        cmocka_unit_test(mx_are_counted),
        cmocka_unit_test(size_is_bounded),
        cmocka_unit_test(tiny_lines_stay_cheap),
        cmocka_unit_test(nul_is_never_taken),
        cmocka_unit_test(no_memory_is_no_policy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
