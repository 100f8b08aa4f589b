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
    struct renewal member = {.mode = row->mode};
    const char *step = row->steps;
    int64_t day = DAY_ONE;

    for (const char *look = row->looks; *look != '\0'; look++) {
        if (*look == '!')
            day--;
        else if (*look == '.')
            day++;
        else
            assert_int_equal(letters[renewal_count(&member, *look == '+', day++, &rules)], *step++);
    }
    assert_int_equal(*step, '\0');
    assert_int_equal(member.good, row->good);
    assert_int_equal(member.failed, row->failed);
}

/* Of the days of a clock that was ahead none counts, but those after them do. */
static void clock_that_was_ahead(void **state)
{
    const struct renewal_rules rules = {3, 3};

    (void)state;
    for (int good = 0; good <= 1; good++) {
        const enum renewal_step last = good ? RENEWAL_ENFORCE : RENEWAL_DROP;
        struct renewal member = {.mode = LIST_TESTING, .day = DAY_ONE + 3000};

        *(good ? &member.good : &member.failed) = 2;
        for (int i = 0; i < 3; i++) {
            assert_int_equal(renewal_count(&member, good, DAY_ONE + i, &rules),
                             i == 2 ? last : RENEWAL_KEEP);
            assert_int_equal(good ? member.good : member.failed, i + 1);
            assert_int_equal(member.day, DAY_ONE + i);
        }
    }
}

/* A clock that goes to and fro does not make days. */
static void clock_to_and_fro(void **state)
{
    const struct renewal_rules rules = {3, 3};
    struct renewal member = {.mode = LIST_ENFORCE};

    (void)state;
    for (int i = 0; i < 10; i++)
        assert_int_equal(renewal_count(&member, false, DAY_ONE - i % 2, &rules), RENEWAL_KEEP);
}

static void most_days(void **state)
{
    const struct renewal_rules rules = {RENEWAL_DAYS_MAX, 0};
    struct renewal member = {.mode = LIST_TESTING, .day = DAY_ONE, .good = RENEWAL_DAYS_MAX - 1};

    (void)state;
    for (int i = 1; i <= 3; i++) {
        renewal_count(&member, true, DAY_ONE + i, &rules);
        assert_int_equal(member.good, RENEWAL_DAYS_MAX);
    }
}

/* ---- which entry ---- */

#define HOSTS "mx1.example\0mx2.example" /* and its NUL */

/* Gives the days, good and failed, that are left of three when the entry is this one. */
static unsigned left(bool good, enum list_mode mode, const char *hosts, size_t count)
{
    struct renewal member = {0};

    assert_true(renewal_begin(&member, LIST_TESTING, HOSTS, 2));
    member.day = DAY_ONE;
    *(good ? &member.good : &member.failed) = 3;
    assert_true(renewal_begin(&member, mode, hosts, count));
    assert_int_equal(member.mode, mode);
    assert_int_equal(member.day, member.good + member.failed == 0 ? 0 : DAY_ONE);
    return member.good + member.failed;
}

static void days_of_another_entry(void **state)
{
    (void)state;
    for (int good = 0; good <= 1; good++) {
        assert_int_equal(left(good, LIST_TESTING, HOSTS, 2), 3);
        assert_int_equal(left(good, LIST_TESTING, "mx2.example\0mx1.example", 2), 3);
        assert_int_equal(left(good, LIST_ENFORCE, HOSTS, 2), 0);
        assert_int_equal(left(good, LIST_TESTING, HOSTS, 1), 0);
        assert_int_equal(left(good, LIST_TESTING, "mx1.example\0mx3.example", 2), 0);
        assert_int_equal(left(good, LIST_TESTING, "mx1.examplemx2.example", 1), 0);
        assert_int_equal(left(good, LIST_TESTING, NULL, 0), 0);
    }
}

/* ---- the file ---- */

static void assert_same(const struct renewals *all, const char *domain, const struct renewal *want)
{
    const struct renewal got = renewals_find(all, domain);

    assert_int_equal(got.day, want->day);
    assert_int_equal(got.good, want->good);
    assert_int_equal(got.failed, want->failed);
    assert_int_equal(got.mode, want->mode);
    assert_string_equal(got.hosts, want->hosts);
}

static void there_and_back(void **state)
{
    const struct renewal none = {0};
    struct renewal one = {0}, two = {0};
    struct renewals *all = renewals_new(), *again;
    char error[RENEWAL_ERROR_MAX];
    struct buf text;

    (void)state;
    assert_true(renewal_begin(&one, LIST_TESTING, HOSTS, 2) &&
                renewal_begin(&two, LIST_ENFORCE, HOSTS, 1));
    one.day = DAY_ONE, one.good = 3;
    two.day = 1, two.failed = 7;
    buf_init(&text, RENEWAL_TEXT_MAX);
    assert_true(renewals_put(all, "one.example", &one) && renewals_put(all, "two.example", &two));
    renewals_write(&text, all);
    again = renewals_read(text.data, text.length, error);
    assert_non_null(again);
    assert_same(again, "one.example", &one);
    assert_same(again, "two.example", &two);
    assert_same(again, "three.example", &none);
    buf_fini(&text);
    renewals_free(all);
    renewals_free(again);
}

#define NOT_OURS "it is not what mxcrypt list renew writes"
#define NO_SUCH  "it has a domain that mxcrypt list renew would not write"
#define OTHER    "it was written by another version of mxcrypt"
#define OF(text) "{\"version\": 2, \"domains\": {" text "}}"
#define DIGEST   "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ONE(days, more)                                                                            \
    OF("\"a.example\": {" days ", \"mode\": \"enforce\", \"hosts\": \"" DIGEST "\"" more "}")
#define ENTRY(mode, hosts) OF("\"a.example\": {" DAYS ", \"mode\": " mode ", \"hosts\": " hosts "}")
#define DAYS               "\"day\": 1, \"good\": 0, \"failed\": 3650"

static const struct {
    const char *name, *text, *why; /* NULL: good */
} files[] = {
    {"none", OF(""), NULL},
    {"one", ONE(DAYS, ""), NULL},
    {"more at the top", "{\"version\": 2, \"domains\": {}, \"more\": 1}", NULL},
    {"no JSON", "", "it is no JSON"},
    {"cut", "{\"version\": 2, \"domains\": {", "it is no JSON"},
    {"twice", OF("\"a.example\": 1, \"a.example\": 1"), "it is no JSON"},
    {"an array", "[]", NOT_OURS},
    {"no version", "{\"domains\": {}}", NOT_OURS},
    {"no domains", "{\"version\": 2}", NOT_OURS},
    {"domains are none", "{\"version\": 2, \"domains\": []}", NOT_OURS},
    {"an earlier version", "{\"version\": 1, \"domains\": {}}", OTHER},
    {"a later version", "{\"version\": 3, \"domains\": {}}", OTHER},
    {"upper case", OF("\"A.example\": {" DAYS "}"), NO_SUCH},
    {"no name", OF("\"a b\": {" DAYS "}"), NO_SUCH},
    {"too many days", ONE("\"day\": 1, \"good\": 0, \"failed\": 3651", ""), NO_SUCH},
    {"negative", ONE("\"day\": 1, \"good\": -1, \"failed\": 0", ""), NO_SUCH},
    {"a fraction", ONE("\"day\": 1, \"good\": 1.5, \"failed\": 0", ""), NO_SUCH},
    {"one is missing", ONE("\"day\": 1, \"good\": 1", ""), NO_SUCH},
    {"one more", ONE(DAYS, ", \"x\": 1"), NO_SUCH},
    {"no object", OF("\"a.example\": 1"), NO_SUCH},
    {"in testing", ENTRY("\"testing\"", "\"" DIGEST "\""), NULL},
    {"in no mode", ENTRY("\"none\"", "\"" DIGEST "\""), NO_SUCH},
    {"a mode that is no text", ENTRY("1", "\"" DIGEST "\""), NO_SUCH},
    {"no digest", ENTRY("\"testing\"", "\"\""), NO_SUCH},
    {"a digest that is no text", ENTRY("\"testing\"", "1"), NO_SUCH},
    {"a short digest", ENTRY("\"testing\"", "\"abc\""), NO_SUCH},
    {"a long digest", ENTRY("\"testing\"", "\"" DIGEST "0\""), NO_SUCH},
    {"a capital",
     ENTRY("\"testing\"", "\"A123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\""),
     NO_SUCH},
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
    ROWS_ADD_TEST(clock_that_was_ahead);
    ROWS_ADD_TEST(clock_to_and_fro);
    ROWS_ADD_TEST(most_days);
    ROWS_ADD_TEST(days_of_another_entry);
    ROWS_ADD_TEST(there_and_back);
    ROWS_ADD_TEST(texts);
    return rows_run("renewal");
}
