/* render: what an MTA without DANE is told where DANE decides (docs/verdicts.md §3), and that all else is
 * the same for it. */
#include "tests/unit/support/render_common.h"

static const struct render_capabilities without = {.text_max = RENDER_SENDMAIL_MAX,
                                                   .without_dane = true};

struct row {
    const char *name;
    enum verdict_level level;
    enum dane_state dane;
    bool sts;    /* a policy in enforce mode is in force */
    bool listed; /* a policy list has the domain in enforce mode */
    enum verdict_level probed;
    enum answer_status status;
    const char *text;
};

#define STS    "secure match=mx.example.com servername=hostname"
#define LISTED "secure match=mx.list.example servername=hostname"
#define NAMED  "verify servername=hostname"

static const struct row rows[] = {
    {"DANE beside MTA-STS", VERDICT_DANE_ONLY, DANE_FULL, true, false, VERDICT_VERIFY, ANSWER_OK,
     STS},
    {"some hosts DANE, MTA-STS", VERDICT_DANE_ONLY, DANE_MIXED, true, false, 0, ANSWER_OK, STS},
    {"DANE beside a list", VERDICT_DANE_ONLY, DANE_FULL, false, true, 0, ANSWER_OK, LISTED},
    {"MTA-STS goes before a list", VERDICT_DANE_ONLY, DANE_FULL, true, true, 0, ANSWER_OK, STS},
    {"certificates are valid", VERDICT_DANE_ONLY, DANE_FULL, false, false, VERDICT_VERIFY,
     ANSWER_OK, NAMED},
    {"they are not", VERDICT_DANE_ONLY, DANE_FULL, false, false, VERDICT_ENCRYPT, ANSWER_OK,
     "encrypt"},
    {"nobody knows", VERDICT_DANE_ONLY, DANE_FULL, false, false, 0, ANSWER_OK, "encrypt"},
    {"remembered, the lookup failed", VERDICT_DANE_ONLY, DANE_ERROR, false, false, 0, ANSWER_OK,
     "encrypt"},
    {"dane: all verified", VERDICT_DANE, DANE_MIXED, false, false, VERDICT_VERIFY, ANSWER_OK,
     NAMED},
    {"dane: all TLS", VERDICT_DANE, DANE_UNSIGNED, false, false, VERDICT_ENCRYPT, ANSWER_OK,
     "encrypt"},
    {"dane: some in clear", VERDICT_DANE, DANE_MIXED, false, false, 0, ANSWER_NOTFOUND, ""},
    {"dane: MTA-STS", VERDICT_DANE, DANE_UNSIGNED, true, false, 0, ANSWER_OK, STS},
    {"dane: a failed lookup", VERDICT_DANE, DANE_ERROR, false, false, VERDICT_ENCRYPT, ANSWER_TEMP,
     NULL},
    {"dane: a failed lookup, nothing known", VERDICT_DANE, DANE_ERROR, false, false, 0, ANSWER_TEMP,
     NULL},
};

static void one_row(void **state)
{
    const struct row *row = *state;
    const char *mx = "mx.example.com";
    const struct sts_policy policy = {.mode = STS_MODE_ENFORCE, .mx_count = 1, .mx = &mx};
    const struct evidence evidence = {
        .domain = "example.com",
        .sts = {.state = row->sts ? STS_POLICY : STS_NO_RECORD,
                .policy = row->sts ? &policy : NULL},
        .list = {.mode = row->listed ? LIST_ENFORCE : LIST_NONE,
                 .mx = "mx.list.example",
                 .mx_count = row->listed},
    };
    const struct verdict verdict = {
        .level = row->level,
        .reason = row->level == VERDICT_DANE_ONLY ? REASON_DANE_FULL : REASON_DANE_ERROR,
        .dane = row->dane,
        .sts_enforced = row->sts,
        .listed = evidence.list.mode,
        .probed = row->probed,
    };
    struct buf out;

    buf_init(&out, RENDER_SOCKETMAP_MAX);
    assert_int_equal(render_verdict(&out, &verdict, &evidence, &without), row->status);
    if (row->text != NULL)
        assert_string_equal(buf_text(&out), row->text);
    else
        assert_reason_fit(&out);
    buf_fini(&out);
}

static void where_dane_does_not_decide_nothing_changes(void **state)
{
    static const enum verdict_level levels[] = {VERDICT_NO_OPINION, VERDICT_ENCRYPT, VERDICT_VERIFY,
                                                VERDICT_TEMP};

    (void)state;
    for (size_t i = 0; i < COUNT(levels); i++) {
        const struct verdict verdict = {
            .level = levels[i], .reason = REASON_MX_ERROR, .probed = VERDICT_VERIFY};
        struct buf one, other;

        buf_init(&one, RENDER_SOCKETMAP_MAX);
        buf_init(&other, RENDER_SOCKETMAP_MAX);
        assert_int_equal(render_verdict(&one, &verdict, NULL, &plain),
                         render_verdict(&other, &verdict, NULL, &without));
        assert_string_equal(buf_text(&one), buf_text(&other));
        buf_fini(&one);
        buf_fini(&other);
    }
}

static void a_policy_in_testing_mode_goes_before_a_list(void **state)
{
    const char *mx = "mx.example.com";
    const struct sts_policy policy = {.mode = STS_MODE_TESTING, .mx_count = 1, .mx = &mx};
    const struct evidence evidence = {
        .domain = "example.com",
        .sts = {.state = STS_POLICY, .policy = &policy},
        .list = {.mode = LIST_ENFORCE, .mx = "mx.list.example", .mx_count = 1}};
    const struct verdict verdict = {.level = VERDICT_DANE_ONLY,
                                    .reason = REASON_DANE_FULL,
                                    .dane = DANE_FULL,
                                    .listed = LIST_ENFORCE,
                                    .probed = VERDICT_VERIFY};
    struct buf out;

    (void)state;
    buf_init(&out, RENDER_SOCKETMAP_MAX);
    assert_int_equal(render_verdict(&out, &verdict, &evidence, &without), ANSWER_OK);
    assert_string_equal(buf_text(&out), NAMED);
    buf_fini(&out);
}

int main(void)
{
    ROWS_ADD(rows, one_row);
    ROWS_ADD_TEST(where_dane_does_not_decide_nothing_changes);
    ROWS_ADD_TEST(a_policy_in_testing_mode_goes_before_a_list);
    return rows_run("render for an MTA without DANE");
}
