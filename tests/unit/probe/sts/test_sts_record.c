/* The grammar of the _mta-sts record: docs/conformance.md. */
#include "probe/sts/sts_parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ID32  "0123456789abcdefghijABCDEFGHIJ01"
#define EXT32 "e123456789abcdefghijABCDEFGHIJ_-"

struct row {
    const char *name;
    const char *text;
    bool is_sts;
    const char *id; /* NULL: against the grammar */
};

static const struct row rows[] = {
    {"A-1 plain", "v=STSv1; id=1;", true, "1"},
    {"A-1 date", "v=STSv1; id=20160831085700Z;", true, "20160831085700Z"},
    {"A-4 SPF", "v=spf1 -all", false, NULL},
    {"A-4 empty", "", false, NULL},
    {"A-5 version 12", "v=STSv12;id=2", false, NULL},
    {"A-5 version 2", "v=STSv2; id=2", false, NULL},
    {"A-6 id before v", "id=x; v=STSv1;", false, NULL},
    {"A-7 joined without a blank", "v=STSv1;id=1", true, "1"},
    {"A-9 missing final semicolon", "v=STSv1; id=1", true, "1"},
    {"A-9 blanks around semicolons", "v=STSv1 \t; \tid=1 ; ", true, "1"},
    {"A-9 blank at the end", "v=STSv1; id=1 ", true, NULL},
    {"A-9 blank first", " v=STSv1; id=1;", false, NULL},
    {"A-9 blank before =", "v=STSv1; id =1;", true, NULL},
    {"A-9 blank after =", "v=STSv1; id= 1;", true, NULL},
    {"A-9 blank in v before =", "v =STSv1; id=1;", false, NULL},
    {"A-9 blank in v after =", "v= STSv1; id=1;", false, NULL},
    {"A-9 blank inside the id", "v=STSv1; id=1 2;", true, NULL},
    {"A-9 empty id", "v=STSv1; id=;", true, NULL},
    {"A-9 no id", "v=STSv1;", true, NULL},
    {"A-9 no id, blank", "v=STSv1; ", true, NULL},
    {"A-9 no semicolon", "v=STSv1", false, NULL},
    {"A-9 id of 31", "v=STSv1; id=123456789abcdefghijABCDEFGHIJ01", true,
     "123456789abcdefghijABCDEFGHIJ01"},
    {"A-9 id of 32", "v=STSv1; id=" ID32, true, ID32},
    {"A-9 id of 33", "v=STSv1; id=" ID32 "2", true, NULL},
    {"A-9 hyphen in the id", "v=STSv1; id=2016-08-31;", true, NULL},
    {"A-9 dot in the id", "v=STSv1; id=1.2;", true, NULL},
    {"A-9 underscore in the id", "v=STSv1; id=_;", true, NULL},
    {"A-9 quoted id", "v=STSv1; id=\"1\";", true, NULL},
    {"A-9 not ASCII in the id", "v=STSv1; id=\xc3\xa9;", true, NULL},
    {"A-9 two semicolons", "v=STSv1;; id=1;", true, NULL},
    {"A-9 two final semicolons", "v=STSv1; id=1;;", true, NULL},
    {"A-9 upper case V", "V=STSv1; id=1;", false, NULL},
    {"A-9 lower case version", "v=stsv1; id=1;", false, NULL},
    {"A-9 upper case id is an extension", "v=STSv1; ID=1;", true, NULL},
    {"A-9 line break", "v=STSv1;\r\n id=1;", true, NULL},
    {"A-9 comma", "v=STSv1, id=1", false, NULL},
    {"A-10 extension after", "v=STSv1; id=1; foo=bar;", true, "1"},
    {"A-10 extension before", "v=STSv1; foo=bar; id=1", true, "1"},
    {"A-10 extension alone", "v=STSv1; foo=bar;", true, NULL},
    {"A-10 printable value", "v=STSv1; id=1; a.b-c_d=!:<>~/@\"{}", true, "1"},
    {"A-10 name of 32", "v=STSv1; id=1; " EXT32 "=x", true, "1"},
    {"A-10 name of 33", "v=STSv1; id=1; " EXT32 "x=x", true, NULL},
    {"A-10 name begins with _", "v=STSv1; id=1; _a=x", true, NULL},
    {"A-10 no value", "v=STSv1; id=1; foo=;", true, NULL},
    {"A-10 no =", "v=STSv1; id=1; foo;", true, NULL},
    {"A-10 = in a value", "v=STSv1; id=1; foo=a=b;", true, NULL},
    {"A-10 blank in a value", "v=STSv1; id=1; foo=a b;", true, NULL},
    {"A-10 not ASCII in a value", "v=STSv1; id=1; foo=\xc3\xa9;", true, NULL},
    {"A-10 id as a prefix", "v=STSv1; idx=9; id=1;", true, "1"},
    {"A-11 two ids", "v=STSv1; id=1; id=2;", true, "1"},
    {"A-11 second id is garbage", "v=STSv1; id=1; id=?? =;", true, "1"},
    {"A-11 first id is garbage", "v=STSv1; id=-; id=2;", true, NULL},
    {"A-11 v again", "v=STSv1; v=STSv2; id=1;", true, "1"},
};

static void rows_are_read_as_they_should(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *row = &rows[i];
        size_t length = strlen(row->text);
        char id[STS_ID_MAX + 1];
        const char *why = sts_parse_record(id, row->text, length);
        bool ok = why == NULL;

        if (sts_is_record(row->text, length) != row->is_sts || ok != (row->id != NULL))
            fail_msg("%s: is_sts %d, parse %d (%s)", row->name, sts_is_record(row->text, length),
                     ok, why);
        if (ok && strcmp(id, row->id) != 0)
            fail_msg("%s: id %s", row->name, id);
        if (!ok && id[0] != '\0')
            fail_msg("%s: an id, though it is wrong", row->name);
    }
}

static void nul_is_no_character_of_a_name(void **state)
{
    static const char text[] = "v=STSv1; id=1; a\0b=c;";
    char id[STS_ID_MAX + 1];

    (void)state;
    assert_non_null(sts_parse_record(id, text, sizeof text - 1));
    assert_non_null(sts_parse_record(id, "v=STSv1; id=1\0", 14));
}

/* Every prefix of a record is read without a look beyond its end (the sanitizer watches). */
static void prefixes_end_where_they_end(void **state)
{
    static const char text[] = "v=STSv1 ; foo=bar ; id=20160831 ; id=2";

    (void)state;
    for (size_t length = 0; length < sizeof text; length++) {
        char *copy = test_malloc(length == 0 ? 1 : length);
        char id[STS_ID_MAX + 1];

        memcpy(copy, text, length);
        sts_parse_record(id, copy, length);
        test_free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_read_as_they_should),
        cmocka_unit_test(nul_is_no_character_of_a_name),
        cmocka_unit_test(prefixes_end_where_they_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
