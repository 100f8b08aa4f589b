/* sendmail: see sendmail.h. */
#include "policy/render/sendmail.h"

#include <string.h>

#include "base/ascii.h"
#include "base/net/hostname.h"
#include "policy/render/postfix_syntax.h"
#include "policy/span.h"

/* Bits of the cipher at least: triple DES, as Sendmail's manual counts it, and all that is better. */
#define BITS           "112"
#define NO_REQUIREMENT "NONE"
#define STS_START      "secure"
#define STS_MATCH      " match="
#define STS_END        " servername=hostname"
#define REASON_CANNOT  "what a rule asks for, Sendmail cannot do"
#define REASON_INVALID "the answer cannot be sent to Sendmail"

/* What is used of a policy. */
struct policy {
    enum postfix_level level;
    struct buf *match; /* NULL: not wanted; else the names are added to it */
    bool matched, cannot;
};

static void take_attribute(void *context, const char *name, struct span value)
{
    struct policy *policy = context;

    policy->cannot |= strcmp(name, "tafile") == 0;
    if (policy->match == NULL || strcmp(name, "match") != 0)
        return;
    buf_adds(policy->match, policy->matched ? ":" : STS_MATCH);
    policy->matched = true;
    for (size_t i = 0; i < value.length; i++) {
        char c = value.text[i];

        if (ascii_is_upper(c))
            c = (char)(c - 'A' + 'a');
        buf_add(policy->match, &c, 1);
    }
}

static enum answer_status refuse(struct buf *out, size_t start, const char *why)
{
    buf_truncate(out, start);
    buf_adds(out, why);
    return ANSWER_TEMP;
}

/* Reads the policy of an answer with ANSWER_OK; false for one that Sendmail cannot carry out. */
static bool read_policy(struct policy *policy, const struct answer *answer)
{
    return postfix_policy_read(&policy->level, (struct span){answer->text, answer->length},
                               POSTFIX_3_10, take_attribute, policy) == NULL &&
           !policy->cannot && policy->level != POSTFIX_FINGERPRINT;
}

enum answer_status sendmail_sts(struct buf *out, const struct answer *answer)
{
    struct policy policy = {.match = out};
    size_t start = out->length;

    if (answer->status != ANSWER_OK) {
        buf_add(out, answer->text, answer->status == ANSWER_TEMP ? answer->length : 0);
        return answer->status;
    }
    buf_adds(out, STS_START);
    if (!read_policy(&policy, answer))
        return refuse(out, start, REASON_CANNOT);
    if ((policy.level & (POSTFIX_SECURE | POSTFIX_VERIFY)) == 0) {
        buf_truncate(out, start);
        return ANSWER_NOTFOUND;
    }
    buf_adds(out, STS_END);
    if (out->failed || !sendmail_sts_ok(buf_text(out) + start, out->length - start))
        return refuse(out, start, REASON_INVALID);
    return ANSWER_OK;
}

enum answer_status sendmail_requirement(struct buf *out, const struct answer *answer)
{
    struct policy policy = {.match = NULL};
    size_t start = out->length;

    if (answer->status == ANSWER_TEMP) {
        buf_add(out, answer->text, answer->length);
        return ANSWER_TEMP;
    }
    if (answer->status == ANSWER_NOTFOUND) {
        buf_adds(out, NO_REQUIREMENT);
        return ANSWER_OK;
    }
    if (!read_policy(&policy, answer))
        return refuse(out, start, REASON_CANNOT);
    if ((policy.level & (POSTFIX_VERIFY | POSTFIX_SECURE)) != 0)
        buf_adds(out, "VERIFY:" BITS);
    else if ((policy.level & (POSTFIX_ENCRYPT | POSTFIX_DANE_ONLY)) != 0)
        buf_adds(out, "ENCR:" BITS);
    else
        buf_adds(out, NO_REQUIREMENT);
    if (out->failed || !sendmail_requirement_ok(buf_text(out) + start, out->length - start))
        return refuse(out, start, REASON_INVALID);
    return ANSWER_OK;
}

/* ---- checking ---- */

static bool is_pattern(struct span item)
{
    for (size_t i = 0; i < item.length; i++)
        if (ascii_is_upper(item.text[i]))
            return false;
    if (span_starts(item, "."))
        span_skip(&item, 1);
    return hostname_valid(item.text, item.length, HOSTNAME_LDH) &&
           hostname_labels(item.text, item.length) >= 2;
}

static bool names_ok(struct span list)
{
    while (list.length > 0) {
        struct span item = span_until(list, ":");

        if (!is_pattern(item))
            return false;
        if (item.length == list.length)
            return true;
        span_skip(&list, item.length + 1);
    }
    return false;
}

bool sendmail_sts_ok(const char *text, size_t length)
{
    struct span rest = {text, length}, list;

    if (length > RENDER_SENDMAIL_MAX || !span_starts(rest, STS_START))
        return false;
    span_skip(&rest, strlen(STS_START));
    if (!span_starts(rest, STS_MATCH))
        return span_is(rest, STS_END);
    span_skip(&rest, strlen(STS_MATCH));
    list = span_until(rest, " ");
    span_skip(&rest, list.length);
    return names_ok(list) && span_is(rest, STS_END);
}

bool sendmail_requirement_ok(const char *text, size_t length)
{
    struct span requirement = {text, length};

    return span_is(requirement, "ENCR:" BITS) || span_is(requirement, "VERIFY:" BITS) ||
           span_is(requirement, NO_REQUIREMENT);
}
