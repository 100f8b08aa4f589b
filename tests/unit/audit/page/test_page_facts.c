/* page_facts: sums, days joined, and the first three sentences. */
#include "tests/unit/support/unit.h"

#include "audit/page/page_facts.h"
#include "tests/unit/audit/page/page_make.h"

/* ---- days ---- */

struct spans_row {
    int days[4]; /* with mail, counted from the first; 0 ends but at the first place */
    size_t max, count;
    unsigned each;
};

static void days_joined(void **state)
{
    static const struct spans_row rows[] = {
        {{0}, 14, 1, 1},          {{0, 13}, 14, 14, 1},      {{0, 14}, 14, 3, 7},
        {{0, 97}, 14, 14, 7},     {{0, 98}, 14, 4, 28},      {{0, 5000}, 14, 14, 364},
        {{0, 6000}, 14, 14, 429}, {{0, 30, 364}, 92, 53, 7},
    };
    struct page_span spans[PAGE_SPANS_MAX];

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct page_made made;
        size_t count;
        uint64_t sent = 0, marked = 0;

        page_make_empty(&made);
        for (size_t k = 0; k < 4 && (k == 0 || rows[i].days[k] > 0); k++, marked++)
            make_sent(made.tally, TALLY_OTHERS, TALLY_OTHERS,
                      MAKE_NOW + (int64_t)rows[i].days[k] * DAY_S, TALLY_NONE);
        count = page_spans(spans, rows[i].max, made.tally);
        assert_int_equal(count, rows[i].count);
        assert_int_equal(spans[0].days, rows[i].each);
        assert_int_equal(spans[0].from, made.tally->days[0].at);
        for (size_t k = 0; k < count; k++)
            sent += spans[k].levels[TALLY_NONE];
        assert_int_equal(sent, marked);
        assert_true(spans[count - 1].statuses[TALLY_SENT] > 0);
        page_unmake(&made);
    }
}

/* Where summer time ends a day has 25 hours; each stays a span of its own. */
static void day_of_25_hours(void **state)
{
    struct page_span spans[PAGE_SPANS_MAX];
    struct page_made made;
    char day[PAGE_FIGURE_MAX];

    (void)state;
    page_make_empty(&made);
    for (int i = 0; i < 4; i++) /* from 2026-10-24 on, at noon */
        make_sent(made.tally, TALLY_OTHERS, TALLY_OTHERS, 1792836000 + (int64_t)i * DAY_S,
                  TALLY_NONE);
    assert_int_equal(page_spans(spans, 14, made.tally), 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(spans[i].levels[TALLY_NONE], 1);
        assert_int_equal(spans[i].from, made.tally->days[i].at);
    }
    assert_string_equal(page_local(day, "%Y-%m-%d", spans[2].from), "2026-10-26");
    page_unmake(&made);
}

static void no_days(void **state)
{
    struct page_span spans[PAGE_SPANS_MAX];
    struct page_made made;

    (void)state;
    page_make_empty(&made);
    assert_int_equal(page_spans(spans, 14, made.tally), 0);
    page_unmake(&made);
}

/* ---- sentences ---- */

static void sentences_of_nothing(void **state)
{
    struct page_answers answers;
    struct page_made made;

    (void)state;
    page_make_empty(&made);
    page_answer(&answers, &made.page);
    assert_string_equal(answers.clear, "Nothing was sent.");
    assert_string_equal(answers.waits, "No mail waited or came back because of TLS.");
    assert_string_equal(answers.enforced,
                        "Not looked up: --verdicts asks for the present verdicts.");
    page_unmake(&made);
}

static void sentences_of_little(void **state)
{
    struct page_answers answers;
    struct page_made made;
    uint32_t domain;

    (void)state;
    page_make_empty(&made);
    domain = tally_domain_at(made.tally, "one.example", 11);
    make_sent(made.tally, domain, TALLY_OTHERS, MAKE_NOW, TALLY_VERIFIED);
    page_answer(&answers, &made.page);
    assert_string_equal(answers.clear, "No delivery is known to have gone out in clear, of 1.");
    make_sent(made.tally, domain, TALLY_OTHERS, MAKE_NOW, TALLY_NONE);
    make_sent(made.tally, domain, TALLY_OTHERS, MAKE_NOW, TALLY_UNKNOWN);
    page_answer(&answers, &made.page);
    assert_string_equal(answers.clear, "1 of 3 deliveries (33.3 %) went out in clear, to 1 domain: "
                                       "one.example. Of 1 (33.3 %) the level is not known.");
    make_trouble(made.tally, "one.example", TALLY_HANDSHAKE, "", (uint32_t[]){1, 0});
    page_answer(&answers, &made.page);
    assert_string_equal(answers.waits,
                        "Mail to 1 recipient waited because of TLS: 1 still waiting.");
    page_unmake(&made);
}

static void sentences_of_much(void **state)
{
    struct page_answers answers;
    struct page_made made;

    (void)state;
    page_make(&made);
    page_answer(&answers, &made.page);
    assert_non_null(strstr(answers.clear, "went out in clear, to 5 domains; most to old.example."));
    assert_string_equal(
        answers.waits,
        "Mail to 59 recipients waited because of TLS: 28 sent in the end, 13 came back, 18 still "
        "waiting; 1 h 6 min on average, 7 h at most. 5 deliveries bounced because of TLS.");
    assert_non_null(strstr(answers.enforced,
                           "With mode = enforce 93 messages to 1 domain would have "
                           "waited or come back; the answer would be another one "
                           "for 3 domains, with "));
    page_unmake(&made);
}

static void outcomes(void **state)
{
    static const struct {
        struct tally_trouble trouble;
        const char *want;
    } rows[] = {
        {{.bounced = 3}, ""},
        {{.recipients = 1}, "1 recipient waited: 1 still waiting"},
        {{.recipients = 2, .sent = 2, .waited_s = 121, .longest_s = 61},
         "2 recipients waited: 2 sent in the end; 1 min on average, 1 min 1 s at most"},
        {{.recipients = 9, .sent = 2, .gave_up = 1, .deleted = 3, .waited_s = 12, .longest_s = 7},
         "9 recipients waited: 2 sent in the end, 1 came back, 3 deleted, 3 still waiting; 2 s on "
         "average, "
         "7 s at most"},
        /* figures that do not fit each other must not wrap */
        {{.recipients = 1, .sent = 2, .waited_s = 2, .longest_s = 1},
         "1 recipient waited: 2 sent in the end; 1 s on average, 1 s at most"},
    };
    char out[PAGE_TEXT_MAX];

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_string_equal(page_outcome(out, &rows[i].trouble), rows[i].want);
}

static int berlin(void **state)
{
    (void)state;
    setenv("TZ", "Europe/Berlin", 1);
    tzset();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(days_joined),
        cmocka_unit_test(day_of_25_hours),
        cmocka_unit_test(no_days),
        cmocka_unit_test(sentences_of_nothing),
        cmocka_unit_test(sentences_of_little),
        cmocka_unit_test(sentences_of_much),
        cmocka_unit_test(outcomes),
    };

    return cmocka_run_group_tests(tests, berlin, NULL);
}
