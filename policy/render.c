/*
 * render: writes policies; see render.h and POSTFIX.md.
 *
 * Nothing that a domain owner wrote reaches the text unless it is a host name, or, inside braces,
 * printable ASCII without braces. The whole is read again by postfix_syntax.c all the same.
 */
#include "policy/render.h"

#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/hostname.h"
#include "policy/postfix_syntax.h"
#include "policy/render_reason.h"
#include "policy/sts_match.h"

#define COUNT(array)       (sizeof(array) / sizeof(array)[0])
#define PATTERN_LABELS_MIN 2
/* Slots for the patterns of a policy: a power of two, at least twice STS_MX_MAX. */
#define PATTERN_SLOTS 2048

static const char *const level_texts[] = {
    [VERDICT_NO_OPINION] = NULL, [VERDICT_ENCRYPT] = "encrypt",
    [VERDICT_DANE] = "dane",     [VERDICT_VERIFY] = "verify servername=hostname",
    [VERDICT_SECURE] = NULL,     [VERDICT_DANE_ONLY] = "dane-only",
    [VERDICT_TEMP] = NULL,
};

/* One way to write a `secure`; the next is tried when it is too long. */
struct variant {
    bool attributes;   /* those of Postfix 3.10 */
    bool current_only; /* leave out patterns that match no current MX host */
};

/* Which patterns of a policy were written already: open addressing, index + 1, 0 for free. */
struct pattern_set {
    uint16_t slots[PATTERN_SLOTS];
};

static bool pattern_add(struct pattern_set *set, const struct sts_policy *policy, size_t index)
{
    const char *pattern = policy->mx[index];
    size_t slot = hash_bytes(pattern, strlen(pattern)) % PATTERN_SLOTS;

    while (set->slots[slot] != 0) {
        if (strcmp(policy->mx[set->slots[slot] - 1], pattern) == 0)
            return false;
        slot = (slot + 1) % PATTERN_SLOTS;
    }
    set->slots[slot] = (uint16_t)(index + 1);
    return true;
}

static bool is_wildcard(const char *pattern)
{
    return strncmp(pattern, "*.", 2) == 0;
}

static bool pattern_ok(const char *pattern)
{
    const char *name = is_wildcard(pattern) ? pattern + 2 : pattern;
    size_t length = strlen(name);

    return hostname_valid(name, length, HOSTNAME_LDH) &&
           hostname_labels(name, length) >= PATTERN_LABELS_MIN;
}

static bool matches_current_mx(const char *pattern, const struct evidence *evidence)
{
    for (size_t i = 0; i < evidence->host_count; i++)
        if (sts_match_pattern(pattern, evidence->hosts[i].name))
            return true;
    return false;
}

/* In match=, "*.d" is a literal: ".d" is what stands for the hosts of d. */
static bool write_match(struct buf *out, const struct evidence *evidence, bool current_only)
{
    const struct sts_policy *policy = evidence->sts.policy;
    struct pattern_set set = {{0}};
    const char *before = " match=";

    for (size_t i = 0; i < policy->mx_count; i++) {
        const char *pattern = policy->mx[i];

        if (!pattern_ok(pattern))
            return false;
        if (current_only && !matches_current_mx(pattern, evidence))
            continue;
        if (!pattern_add(&set, policy, i))
            continue;
        buf_adds(out, before);
        buf_adds(out, is_wildcard(pattern) ? pattern + 1 : pattern);
        before = ":";
    }
    return true;
}

static bool line_ok(const char *line)
{
    for (const char *p = line; *p != '\0'; p++)
        if (*p < ' ' || *p > '~' || *p == '{' || *p == '}')
            return false;
    return line[strspn(line, " ")] != '\0';
}

/* What Postfix 3.10 puts into TLSRPT reports, and from 3.10.5 enforces (RFC 8460, RFC 8461). */
static void write_attributes(struct buf *out, const struct evidence *evidence)
{
    const struct sts_policy *policy = evidence->sts.policy;

    buf_adds(out, " policy_type=sts policy_domain=");
    buf_adds(out, evidence->domain);
    for (size_t i = 0; i < policy->mx_count; i++) {
        buf_adds(out, " mx_host_pattern=");
        buf_adds(out, policy->mx[i]);
    }
    for (size_t i = 0; i < policy->line_count; i++) {
        if (!line_ok(policy->lines[i]))
            continue;
        buf_adds(out, " { policy_string = ");
        buf_adds(out, policy->lines[i]);
        buf_adds(out, " }");
    }
}

/* Octets on the wire; tcp_table(5) sends blanks, controls, non-ASCII and % as %XX. */
static size_t wire_length(const char *text, size_t length, bool encoded)
{
    size_t wire = length;

    for (size_t i = 0; encoded && i < length; i++)
        if (text[i] <= ' ' || text[i] > '~' || text[i] == '%')
            wire += 2;
    return wire;
}

static void roll_back(struct buf *out, size_t start)
{
    out->failed = false;
    out->length = start;
    if (out->data != NULL)
        out->data[start] = '\0';
}

/* NULL when what was written from `start` on may be sent. */
static const char *policy_fault(const struct buf *out, size_t start, bool postfix_3_10,
                                const struct render_capabilities *capabilities)
{
    const char *text = buf_text(out) + start;
    size_t length = out->length - start;
    const char *why;

    if (out->failed)
        return "it does not fit in a reply";
    if (!postfix_syntax_ok(text, length, postfix_3_10 ? POSTFIX_3_10 : POSTFIX_3_4, &why))
        return why;
    if (wire_length(text, length, capabilities->encoded) > capabilities->text_max)
        return "it does not fit in a reply";
    return NULL;
}

const char *answer_status_name(enum answer_status status)
{
    static const char *const names[] = {
        [ANSWER_OK] = "OK", [ANSWER_NOTFOUND] = "NOTFOUND", [ANSWER_TEMP] = "TEMP"};

    return names[status];
}

static enum answer_status temp(struct buf *out, size_t start, const char *reason,
                               const struct render_capabilities *capabilities)
{
    size_t length = strlen(reason);

    while (wire_length(reason, length, capabilities->encoded) > capabilities->text_max)
        length--;
    roll_back(out, start);
    buf_add(out, reason, length);
    return ANSWER_TEMP;
}

static enum answer_status temp_fault(struct buf *out, size_t start, const char *fault,
                                     const struct evidence *evidence,
                                     const struct render_capabilities *capabilities)
{
    char reason[RENDER_REASON_MAX + 1];

    return temp(out, start, render_fault(reason, evidence, fault), capabilities);
}

static bool wants_attributes(const struct evidence *evidence,
                             const struct render_capabilities *capabilities)
{
    /* a policy in testing mode is enforced by the operator, not by its domain: nothing to report */
    return capabilities->tlsrpt && evidence->sts.policy->mode == STS_MODE_ENFORCE;
}

static enum answer_status render_secure(struct buf *out, const struct evidence *evidence,
                                        const struct render_capabilities *capabilities)
{
    static const struct variant variants[] = {{true, false}, {false, false}, {false, true}};
    const char *fault = "there is none", *now;
    size_t start = out->length;

    if (evidence == NULL || evidence->sts.policy == NULL)
        return temp_fault(out, start, fault, evidence, capabilities);
    if (evidence->sts.policy->mx_count > STS_MX_MAX)
        return temp_fault(out, start, "too many mx patterns", evidence, capabilities);
    for (size_t i = 0; i < COUNT(variants); i++) {
        if (variants[i].attributes && !wants_attributes(evidence, capabilities))
            continue;
        roll_back(out, start);
        buf_adds(out, "secure");
        if (!write_match(out, evidence, variants[i].current_only))
            return temp_fault(out, start, "an mx pattern is no host name", evidence, capabilities);
        buf_adds(out, " servername=hostname");
        if (variants[i].attributes)
            write_attributes(out, evidence);
        now = policy_fault(out, start, variants[i].attributes, capabilities);
        if (now == NULL)
            return ANSWER_OK;
        /* that too few patterns are left is no news: the whole list did not fit */
        fault = variants[i].current_only ? fault : now;
    }
    return temp_fault(out, start, fault, evidence, capabilities);
}

static enum answer_status render_plain(struct buf *out, enum verdict_level level,
                                       const struct evidence *evidence,
                                       const struct render_capabilities *capabilities)
{
    size_t start = out->length;
    const char *fault;

    CHECK(level_texts[level] != NULL);
    buf_adds(out, level_texts[level]);
    fault = policy_fault(out, start, false, capabilities);
    return fault == NULL ? ANSWER_OK : temp_fault(out, start, fault, evidence, capabilities);
}

enum answer_status render_verdict(struct buf *out, const struct verdict *verdict,
                                  const struct evidence *evidence,
                                  const struct render_capabilities *capabilities)
{
    char reason[RENDER_REASON_MAX + 1];

    if (out->failed)
        return ANSWER_TEMP;
    switch (verdict->level) {
    case VERDICT_NO_OPINION:
        return ANSWER_NOTFOUND;
    case VERDICT_TEMP:
        return temp(out, out->length, render_reason(reason, verdict, evidence), capabilities);
    case VERDICT_SECURE:
        return render_secure(out, evidence, capabilities);
    default:
        return render_plain(out, verdict->level, evidence, capabilities);
    }
}
