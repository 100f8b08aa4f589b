/* sendmail: what Sendmail's two maps say to each answer (mxcrypt-sendmail(5)). */
#include "tests/unit/support/rows.h"

#include "policy/render/sendmail.h"

#define CANNOT  "what a rule asks for, Sendmail cannot do"
#define INVALID "the answer cannot be sent to Sendmail"

static void must_be(const char *name, const char *text, const char *wanted)
{
    if (strcmp(text, wanted) != 0)
        fail_msg("%s: \"%s\", not \"%s\"", name, text, wanted);
}

static void each_answer_in_both_maps(void **state)
{
    static const struct {
        enum answer_status status;
        const char *text;
        enum answer_status sts;
        const char *sts_text;
        enum answer_status required;
        const char *required_text;
    } table[] = {
        {ANSWER_OK, "secure match=mx.a.example:.b.example servername=hostname", ANSWER_OK,
         "secure match=mx.a.example:.b.example servername=hostname", ANSWER_OK, "VERIFY:112"},
        {ANSWER_OK, "secure match=MX.a.example match=b.example protocols=TLSv1.2", ANSWER_OK,
         "secure match=mx.a.example:b.example servername=hostname", ANSWER_OK, "VERIFY:112"},
        {ANSWER_OK, "verify servername=hostname", ANSWER_OK, "secure servername=hostname",
         ANSWER_OK, "VERIFY:112"},
        {ANSWER_OK, "verify match=a.example", ANSWER_OK,
         "secure match=a.example servername=hostname", ANSWER_OK, "VERIFY:112"},
        {ANSWER_OK, "encrypt", ANSWER_NOTFOUND, "", ANSWER_OK, "ENCR:112"},
        {ANSWER_OK, "dane-only", ANSWER_NOTFOUND, "", ANSWER_OK, "ENCR:112"},
        {ANSWER_OK, "dane", ANSWER_NOTFOUND, "", ANSWER_OK, "NONE"},
        {ANSWER_OK, "may", ANSWER_NOTFOUND, "", ANSWER_OK, "NONE"},
        {ANSWER_OK, "none", ANSWER_NOTFOUND, "", ANSWER_OK, "NONE"},
        {ANSWER_NOTFOUND, "", ANSWER_NOTFOUND, "", ANSWER_OK, "NONE"},
        {ANSWER_TEMP, "try later", ANSWER_TEMP, "try later", ANSWER_TEMP, "try later"},
        {ANSWER_OK, "fingerprint match=00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff",
         ANSWER_TEMP, CANNOT, ANSWER_TEMP, CANNOT},
        {ANSWER_OK, "secure match=a.example tafile=/etc/ca", ANSWER_TEMP, CANNOT, ANSWER_TEMP,
         CANNOT},
        {ANSWER_OK, "secure", ANSWER_TEMP, CANNOT, ANSWER_TEMP, CANNOT},
        {ANSWER_OK, "nonsense", ANSWER_TEMP, CANNOT, ANSWER_TEMP, CANNOT},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(table); i++) {
        const struct answer answer = {table[i].status, table[i].text, strlen(table[i].text), true};
        struct buf out;

        buf_init(&out, RENDER_SOCKETMAP_MAX);
        assert_int_equal(sendmail_sts(&out, &answer), table[i].sts);
        must_be(table[i].text, buf_text(&out), table[i].sts_text);
        buf_clear(&out);
        assert_int_equal(sendmail_requirement(&out, &answer), table[i].required);
        must_be(table[i].text, buf_text(&out), table[i].required_text);
        buf_fini(&out);
    }
}

/* A rule may ask for more names than Sendmail can be given: its mail waits. */
static void too_many_names(void **state)
{
    for (int more = 0; more <= 1; more++) {
        struct buf policy, out;
        struct answer answer;

        buf_init(&policy, 4 * RENDER_SENDMAIL_MAX);
        buf_init(&out, 4 * RENDER_SENDMAIL_MAX);
        buf_adds(&policy, "secure match=a.example");
        while (policy.length + strlen(" servername=hostname:b.example") <= RENDER_SENDMAIL_MAX)
            buf_adds(&policy, ":b.example");
        if (more)
            buf_adds(&policy, ":b.example");
        answer = (struct answer){ANSWER_OK, buf_text(&policy), policy.length, true};
        assert_int_equal(sendmail_sts(&out, &answer), more ? ANSWER_TEMP : ANSWER_OK);
        if (more)
            assert_string_equal(buf_text(&out), INVALID);
        buf_fini(&out);
        buf_fini(&policy);
    }
    (void)state;
}

static void what_may_not_be_sent(void **state)
{
    static const char *const policies[] = {
        "",
        "secure",
        "secure match=a.example",
        "secure servername=a.example",
        "secureservername=hostname",
        "secure match= servername=hostname",
        "secure match=a.example: servername=hostname",
        "secure match=a.example servername=hostname ",
        "secure match=a.example servername=hostname policy_type=sts",
        "secure match=A.example servername=hostname",
        "secure match=*.a.example servername=hostname",
        "secure match=example servername=hostname",
        "secure match=a.example,b.example servername=hostname",
        "secure  match=a.example servername=hostname",
        "verify servername=hostname",
    };
    static const char *const requirements[] = {"", "ENCR", "ENCR:1120", "VERIFY:112 ",
                                               "TEMP+ENCR:112"};

    (void)state;
    for (size_t i = 0; i < COUNT(policies); i++)
        if (sendmail_sts_ok(policies[i], strlen(policies[i])))
            fail_msg("passes: %s", policies[i]);
    for (size_t i = 0; i < COUNT(requirements); i++)
        if (sendmail_requirement_ok(requirements[i], strlen(requirements[i])))
            fail_msg("passes: %s", requirements[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_answer_in_both_maps),
        cmocka_unit_test(too_many_names),
        cmocka_unit_test(what_may_not_be_sent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
