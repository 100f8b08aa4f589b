/*
 * Fail directions (policy/decide/verdict.h), over the product of verdicts, operator's rules and
 * limits of a reply: an answer is never weaker than the verdict except by the operator's rule,
 * mode or rollout, and a text that does not fit becomes TEMP, never a weaker policy.
 */
#include "tests/unit/support/rows.h"

#include <stdio.h>
#include <string.h>

#include "daemon/serve/protocol.h"
#include "policy/render/render.h"
#include "policy/rules/override.h"
#include "tests/unit/support/evidence_make.h"

#define RULE(action, level, policy)                                                                \
    {                                                                                              \
        "example.com", action, policy, sizeof(policy) - 1, level, 0, NULL, 1                       \
    }

/* ---- rules, mode and rollout ---- */

static const struct rule rules[] = {
    RULE(RULE_AT_LEAST, VERDICT_ENCRYPT, "encrypt"),
    RULE(RULE_AT_LEAST, VERDICT_VERIFY, "verify servername=hostname"),
    RULE(RULE_AT_LEAST, VERDICT_SECURE, "secure match=mx.example.com"),
    RULE(RULE_AT_LEAST, VERDICT_DANE_ONLY, "dane-only"),
    RULE(RULE_EXACTLY, VERDICT_NO_OPINION, "may"),
    RULE(RULE_EXACTLY, VERDICT_DANE_ONLY, "dane-only"),
    RULE(RULE_OFF, VERDICT_NO_OPINION, ""),
    RULE(RULE_MONITOR, VERDICT_NO_OPINION, ""),
};

/* `dane` is as strong as TLSA makes it: at hosts without, Postfix reads it as `may`. */
static bool dane_protects(const struct verdict *found)
{
    return found->dane == DANE_FULL || found->dane == DANE_MIXED || found->dane == DANE_ERROR;
}

static bool is_weaker(const struct final_answer *final, const struct verdict *found)
{
    if (found->level == VERDICT_DANE && final->level == VERDICT_ENCRYPT)
        return dane_protects(found);
    return final->level < found->level;
}

static void check_final(const struct verdict *found, const struct override *override)
{
    const struct rule *rule = override->rule;
    bool operators = rule != NULL && (rule->action == RULE_EXACTLY || rule->action == RULE_OFF);
    bool refused = found->starttls == STARTTLS_SOME_REFUSED || found->remembered.refused != 0;
    struct final_answer final;

    override_apply(&final, override, found);
    if (is_weaker(&final, found) && !operators && !final.withheld)
        fail_msg("%s became %s", verdict_level_name(found->level), final_level_name(&final));
    if (final.withheld && override->withheld == WITHHELD_NO)
        fail_msg("withheld by nobody");
    if (final.kind == FINAL_FOUND && final.level != found->level)
        fail_msg("found, and another level");
    if (override->withheld != WITHHELD_NO || rule == NULL || rule->action != RULE_AT_LEAST)
        return;
    if (final.level < rule->level)
        fail_msg("%s is less than the rule's", final_level_name(&final));
    if (refused && final.kind == FINAL_POLICY && final.level != VERDICT_DANE_ONLY)
        fail_msg("a rule makes mail bounce");
}

static void check_overrides(const struct verdict *found)
{
    for (int withheld = WITHHELD_NO; withheld <= WITHHELD_ROLLOUT; withheld++) {
        check_final(found, &(struct override){NULL, (enum withheld)withheld});
        for (size_t i = 0; i < COUNT(rules); i++)
            check_final(found, &(struct override){&rules[i], (enum withheld)withheld});
    }
}

static void test_only_the_operator_weakens(void **state)
{
    (void)state;
    for (int level = VERDICT_NO_OPINION; level <= VERDICT_TEMP; level++)
        for (int dane = DANE_UNKNOWN; dane <= DANE_ERROR; dane++)
            for (int starttls = STARTTLS_ALL_UNKNOWN; starttls <= STARTTLS_SOME_REFUSED; starttls++)
                for (uint64_t refused = 0; refused < 2; refused++)
                    check_overrides(&(struct verdict){.level = (enum verdict_level)level,
                                                      .dane = (enum dane_state)dane,
                                                      .starttls = (enum starttls_state)starttls,
                                                      .remembered.refused = refused});
}

/* ---- without evidence ---- */

static void test_without_evidence_mail_waits(void **state)
{
    (void)state;
    for (int reason = 0; reason < REASON_COUNT; reason++) {
        struct verdict got;

        verdict_without_evidence(&got, (enum verdict_reason)reason, 5000);
        assert_int_equal(got.level, reason == REASON_KEY ? VERDICT_NO_OPINION : VERDICT_TEMP);
        assert_int_equal(got.reason, reason);
        assert_true(got.settled && got.valid_until == 5000 && got.refresh_at < 5000);
    }
}

/* ---- limits of a reply ---- */

static void check_text(const struct verdict *verdict, const char *text, size_t length,
                       enum answer_status status, const struct render_capabilities *capabilities)
{
    const char *level = verdict_level_name(verdict->level);
    bool may_be_policy = verdict->level != VERDICT_NO_OPINION && verdict->level != VERDICT_TEMP;

    if (length > capabilities->text_max)
        fail_msg("%s: %zu octets where %zu fit", level, length, capabilities->text_max);
    if ((status == ANSWER_NOTFOUND) != (verdict->level == VERDICT_NO_OPINION))
        fail_msg("%s: no opinion because there is no room", level);
    if (status != ANSWER_OK)
        return;
    if (!may_be_policy || strncmp(text, level, strlen(level)) != 0 ||
        (text[strlen(level)] != '\0' && text[strlen(level)] != ' '))
        fail_msg("%s: another policy: %s", level, text);
    if (verdict->level == VERDICT_SECURE &&
        (strstr(text, " match=mx0.example.com") == NULL || strstr(text, " servername=") == NULL))
        fail_msg("secure for others: %s", text);
}

static void check_render(const struct verdict *verdict, const struct evidence *evidence,
                         const struct render_capabilities *capabilities)
{
    enum answer_status status;
    struct buf out;

    buf_init(&out, RENDER_SOCKETMAP_MAX);
    status = render_verdict(&out, verdict, evidence, capabilities);
    check_text(verdict, buf_text(&out), out.length, status, capabilities);
    buf_fini(&out);
}

static void test_what_does_not_fit_is_temp(void **state)
{
    struct made made;

    (void)state;
    make_evidence(&made, MX_LISTED, true, "UN", 'E', "V,T");
    for (int level = VERDICT_NO_OPINION; level <= VERDICT_TEMP; level++)
        for (size_t text_max = 0; text_max < 400; text_max++)
            for (int bits = 0; bits < 8; bits++) {
                struct verdict verdict = {.level = (enum verdict_level)level,
                                          .reason = REASON_STS_ENFORCE,
                                          .wildcard_hosts = bits & 4};
                struct render_capabilities capabilities = {bits & 1, bits & 2, text_max, false};

                check_render(&verdict, &made.evidence, &capabilities);
            }
}

static void test_a_policy_that_is_not_there_is_temp(void **state)
{
    static const struct render_capabilities plain = {.text_max = RENDER_SOCKETMAP_MAX};
    struct verdict verdict = {.level = VERDICT_SECURE, .reason = REASON_STS_ENFORCE};
    struct made made;
    struct buf out;

    (void)state;
    make_evidence(&made, MX_LISTED, true, "N", 'E', "V");
    buf_init(&out, RENDER_SOCKETMAP_MAX);
    assert_int_equal(render_verdict(&out, &verdict, NULL, &plain), ANSWER_TEMP);
    made.policy.mx_count = STS_MX_MAX + 1;
    assert_int_equal(render_verdict(&out, &verdict, &made.evidence, &plain), ANSWER_TEMP);
    made.evidence.sts.policy = NULL;
    assert_int_equal(render_verdict(&out, &verdict, &made.evidence, &plain), ANSWER_TEMP);
    buf_fini(&out);
}

/* A rule's policy may be longer than a line of tcp_table: it is not cut. */
static void test_a_rule_too_long_for_a_line_is_temp(void **state)
{
    static char text[RENDER_TCP_TABLE_MAX + 1];
    const size_t fits = RENDER_TCP_TABLE_MAX - strlen("200 ");
    struct buf out;

    (void)state;
    memset(text, 'a', sizeof text);
    for (size_t length = fits - 1; length <= fits + 1; length++) {
        const struct answer answer = {ANSWER_OK, text, length, false};

        buf_init(&out, 2 * RENDER_TCP_TABLE_MAX);
        tcp_table_protocol.reply(&out, &answer);
        assert_memory_equal(buf_text(&out), length <= fits ? "200 " : "400 ", 4);
        assert_true(length > fits || out.length == length + strlen("200 \n"));
        buf_fini(&out);
    }
}

int main(void)
{
    ROWS_ADD_TEST(test_only_the_operator_weakens);
    ROWS_ADD_TEST(test_without_evidence_mail_waits);
    ROWS_ADD_TEST(test_what_does_not_fit_is_temp);
    ROWS_ADD_TEST(test_a_policy_that_is_not_there_is_temp);
    ROWS_ADD_TEST(test_a_rule_too_long_for_a_line_is_temp);
    return rows_run("fail_directions");
}
