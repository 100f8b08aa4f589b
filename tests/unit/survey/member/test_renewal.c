/* test_renewal: the days of the members of a policy list, counted and kept. */
#include "tests/unit/support/rows.h"

#include <stdio.h>

#include "survey/member/renewal.h"

#define DAY_ONE 20000

/* ---- counting ---- */

struct row {
    const char *name;
    enum list_mode mode;
    const char *looks; /* a day each: + good, - failed, . not looked; ! the same day again */
    const char *steps; /* k keep, d drop, e enforce */
    unsigned drop_after, enforce_after, good, failed;
};

static const struct row rows[] = {
    {"good", LIST_ENFORCE, "+++", "kkk", 3, 3, 3, 0},
    {"failed for long enough", LIST_ENFORCE, "---", "kkd", 3, 3, 0, 3},
    {"one day is enough", LIST_ENFORCE, "-", "d", 1, 3, 0, 1},
    {"good in between", LIST_ENFORCE, "--+---", "kkkkkd", 3, 9, 0, 3},
    {"days without a look do not count", LIST_ENFORCE, "-..-.-", "kkd", 3, 3, 0, 3},
    {"several looks a day", LIST_ENFORCE, "-!-!-", "kkk", 3, 3, 0, 1},
    {"the last look of a day counts", LIST_ENFORCE, "---!+", "kkkk", 4, 9, 1, 0},
    {"and one that fails begins anew", LIST_TESTING, "++!-+", "kkkk", 9, 3, 1, 0},
    {"enforced", LIST_TESTING, "+++", "kke", 3, 3, 3, 0},
    {"enforced at last", LIST_TESTING, "+-+++", "kkkke", 3, 3, 3, 0},
    {"never enforced", LIST_TESTING, "+++++", "kkkkk", 3, 0, 5, 0},
    {"in testing, dropped", LIST_TESTING, "+---", "kkkd", 3, 3, 0, 3},
};

static void counts(void **state)
{
    static const char letters[] = {
        [RENEWAL_KEEP] = 'k', [RENEWAL_DROP] = 'd', [RENEWAL_ENFORCE] = 'e'};
    const struct row *row = *state;
    const struct renewal_rules rules = {row->drop_after, row->enforce_after};
    struct renewal member = {0};
    const char *step = row->steps;
    int64_t day = DAY_ONE;

    for (const char *look = row->looks; *look != '\0'; look++) {
        if (*look == '!')
            day--;
        else if (*look == '.')
            day++;
        else
            assert_int_equal(
                letters[renewal_count(&member, row->mode, *look == '+', day++, &rules)], *step++);
    }
    assert_int_equal(*step, '\0');
    assert_int_equal(member.good, row->good);
    assert_int_equal(member.failed, row->failed);
}

/* A clock that goes back does not make days. */
static void clock_that_goes_back(void **state)
{
    const struct renewal_rules rules = {3, 3};
    struct renewal member = {0};

    (void)state;
    renewal_count(&member, LIST_ENFORCE, false, DAY_ONE, &rules);
    for (int64_t day = DAY_ONE - 10; day < DAY_ONE; day++)
        assert_int_equal(renewal_count(&member, LIST_ENFORCE, false, day, &rules), RENEWAL_KEEP);
    assert_int_equal(member.failed, 1);
    assert_int_equal(member.day, DAY_ONE);
}

static void most_days(void **state)
{
    const struct renewal_rules rules = {RENEWAL_DAYS_MAX, 0};
    struct renewal member = {.day = DAY_ONE, .good = RENEWAL_DAYS_MAX - 1};

    (void)state;
    for (int i = 1; i <= 3; i++) {
        renewal_count(&member, LIST_TESTING, true, DAY_ONE + i, &rules);
        assert_int_equal(member.good, RENEWAL_DAYS_MAX);
    }
}

/* ---- the file ---- */

static void there_and_back(void **state)
{
    const struct renewal one = {.day = DAY_ONE, .good = 3}, two = {.day = 1, .failed = 7};
    struct renewals *all = renewals_new(), *again;
    char error[RENEWAL_ERROR_MAX];
    struct renewal got;
    struct buf text;

    (void)state;
    buf_init(&text, RENEWAL_TEXT_MAX);
    assert_true(renewals_put(all, "one.example", &one) && renewals_put(all, "two.example", &two));
    renewals_write(&text, all);
    again = renewals_read(text.data, text.length, error);
    assert_non_null(again);
    got = renewals_find(again, "one.example");
    assert_memory_equal(&got, &one, sizeof got);
    got = renewals_find(again, "two.example");
    assert_memory_equal(&got, &two, sizeof got);
    got = renewals_find(again, "three.example");
    assert_int_equal(got.day + got.good + got.failed, 0);
    buf_fini(&text);
    renewals_free(all);
    renewals_free(again);
}

#define NOT_OURS "it is not what mxcrypt list renew writes"
#define NO_SUCH  "it has a domain that mxcrypt list renew would not write"
#define OF(text) "{\"version\": 1, \"domains\": {" text "}}"
#define DAYS     "{\"day\": 1, \"good\": 0, \"failed\": 3650}"

static const struct {
    const char *name, *text, *why; /* NULL: good */
} files[] = {
    {"none", OF(""), NULL},
    {"one", OF("\"a.example\": " DAYS), NULL},
    {"more at the top", "{\"version\": 1, \"domains\": {}, \"more\": 1}", NULL},
    {"no JSON", "", "it is no JSON"},
    {"cut", "{\"version\": 1, \"domains\": {", "it is no JSON"},
    {"twice", OF("\"a.example\": " DAYS ", \"a.example\": " DAYS), "it is no JSON"},
    {"an array", "[]", NOT_OURS},
    {"no version", "{\"domains\": {}}", NOT_OURS},
    {"no domains", "{\"version\": 1}", NOT_OURS},
    {"domains are none", "{\"version\": 1, \"domains\": []}", NOT_OURS},
    {"another version", "{\"version\": 2, \"domains\": {}}",
     "it was written by another version of mxcrypt"},
    {"upper case", OF("\"A.example\": " DAYS), NO_SUCH},
    {"no name", OF("\"a b\": " DAYS), NO_SUCH},
    {"too many days", OF("\"a.example\": {\"day\": 1, \"good\": 0, \"failed\": 3651}"), NO_SUCH},
    {"negative", OF("\"a.example\": {\"day\": 1, \"good\": -1, \"failed\": 0}"), NO_SUCH},
    {"a fraction", OF("\"a.example\": {\"day\": 1, \"good\": 1.5, \"failed\": 0}"), NO_SUCH},
    {"one is missing", OF("\"a.example\": {\"day\": 1, \"good\": 1}"), NO_SUCH},
    {"one more", OF("\"a.example\": {\"day\": 1, \"good\": 1, \"failed\": 0, \"x\": 1}"), NO_SUCH},
    {"no object", OF("\"a.example\": 1"), NO_SUCH},
};

static void texts(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(files); i++) {
        char error[RENEWAL_ERROR_MAX] = "";
        struct renewals *all = renewals_read(files[i].text, strlen(files[i].text), error);

        if ((all != NULL) != (files[i].why == NULL) ||
            strcmp(error, files[i].why == NULL ? "" : files[i].why) != 0)
            fail_msg("%s: '%s'", files[i].name, error);
        renewals_free(all);
    }
}

int main(void)
{
    ROWS_ADD(rows, counts);
    ROWS_ADD_TEST(clock_that_goes_back);
    ROWS_ADD_TEST(most_days);
    ROWS_ADD_TEST(there_and_back);
    ROWS_ADD_TEST(texts);
    return rows_run("renewal");
}
