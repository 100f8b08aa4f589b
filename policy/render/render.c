/*
 * render: writes policies; see render.h and docs/postfix.md.
 *
 * Nothing that a domain owner wrote reaches the text unless it is a host name, or, inside braces,
 * printable ASCII without braces. Even so postfix_syntax.c checks the whole.
 */
#include "policy/render/render.h"

#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "policy/render/postfix_syntax.h"
#include "policy/render/render_reason.h"
#include "policy/sts_match.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
/* Slots for the names of match=: a power of two, well above STS_MX_MAX + EVIDENCE_MX_MAX. */
#define NAME_SLOTS 2048

static const char *const level_texts[] = {
    [VERDICT_NO_OPINION] = NULL, [VERDICT_ENCRYPT] = "encrypt",
    [VERDICT_DANE] = "dane",     [VERDICT_VERIFY] = "verify servername=hostname",
    [VERDICT_SECURE] = NULL,     [VERDICT_DANE_ONLY] = "dane-only",
    [VERDICT_TEMP] = NULL,
};

/* The value of match= when no pattern can be given: no certificate has this name, and mail waits. */
#define NO_MX "no-mx-matches-the-mta-sts-policy.invalid"

/* One way to write a `secure`; the next is tried when it is too long. */
struct variant {
    bool attributes;   /* those of Postfix 3.10 */
    bool current_only; /* leave out patterns that match no current MX host */
};

/* What match= is written from. */
struct match {
    const struct evidence *evidence;
    bool current_only;
    bool hosts; /* a wildcard is written as the MX hosts that it covers */
    const char *before;
    const char *slots[NAME_SLOTS]; /* the names written: open addressing */
};

/* Writes a name unless it was written before. */
static void match_add(struct buf *out, struct match *match, const char *name)
{
    size_t slot = hash_bytes(name, strlen(name)) % NAME_SLOTS;

    while (match->slots[slot] != NULL) {
        if (strcmp(match->slots[slot], name) == 0)
            return;
        slot = (slot + 1) % NAME_SLOTS;
    }
    match->slots[slot] = name;
    buf_adds(out, match->before);
    buf_adds(out, name);
    match->before = ":";
}

static bool matches_current_mx(const char *pattern, const struct evidence *evidence)
{
    for (size_t i = 0; i < evidence->host_count; i++)
        if (sts_match_pattern(pattern, evidence->hosts[i].name))
            return true;
    return false;
}

/*
 * In match=, "*.d" is a literal, and ".d" is for hosts at any depth below d, where RFC 8461 §4.1
 * means one label. So the MX hosts one label below d are written in its place. If match= cannot
 * carry the name of such a host, because of an underscore, ".d" is written.
 */
static void match_add_covered(struct buf *out, struct match *match, const char *pattern)
{
    for (size_t i = 0; i < match->evidence->host_count; i++) {
        const char *host = match->evidence->hosts[i].name;

        if (!sts_match_pattern(pattern, host))
            continue;
        if (sts_match_fits_postfix(host))
            match_add(out, match, host);
        else if (sts_match_fits_postfix(pattern))
            match_add(out, match, pattern + 1);
    }
}

/* False when no pattern could be written. */
static bool write_match(struct buf *out, struct match *match)
{
    const struct sts_policy *policy = match->evidence->sts.policy;

    match->before = " match=";
    for (size_t i = 0; i < policy->mx_count; i++) {
        const char *pattern = policy->mx[i];
        bool wildcard = sts_match_is_wildcard(pattern);

        if (wildcard && match->hosts)
            match_add_covered(out, match, pattern);
        else if (sts_match_fits_postfix(pattern) &&
                 (!match->current_only || matches_current_mx(pattern, match->evidence)))
            match_add(out, match, wildcard ? pattern + 1 : pattern);
    }
    if (match->before[0] == ':')
        return true;
    match_add(out, match, NO_MX);
    return false;
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
    bool given = false;

    buf_adds(out, " policy_type=sts policy_domain=");
    buf_adds(out, evidence->domain);
    for (size_t i = 0; i < policy->mx_count; i++) {
        if (!sts_match_fits_postfix(policy->mx[i]))
            continue;
        buf_adds(out, " mx_host_pattern=");
        buf_adds(out, policy->mx[i]);
        given = true;
    }
    if (!given)
        buf_adds(out, " mx_host_pattern=" NO_MX);
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

/* True when the MX hosts that wildcards cover are known, and may be written in their place. */
static bool names_hosts(const struct verdict *verdict, const struct evidence *evidence,
                        const struct variant *variant)
{
    /* mx_host_pattern= is exact, and an MX set that was not looked at, or in part, names too few */
    return verdict->wildcard_hosts && !variant->attributes && evidence->host_count > 0 &&
           !evidence->mx_truncated;
}

static bool write_secure(struct buf *out, const struct verdict *verdict,
                         const struct evidence *evidence, const struct variant *variant)
{
    bool any;
    struct match match = {
        .evidence = evidence,
        .current_only = variant->current_only,
        .hosts = names_hosts(verdict, evidence, variant),
    };

    buf_adds(out, "secure");
    any = write_match(out, &match);
    buf_adds(out, " servername=hostname");
    if (variant->attributes)
        write_attributes(out, evidence);
    return any;
}

static enum answer_status render_secure(struct buf *out, const struct verdict *verdict,
                                        const struct evidence *evidence,
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
        /* when nothing is left, the fault is still that the whole list did not fit */
        if (!write_secure(out, verdict, evidence, &variants[i]) && variants[i].current_only)
            break;
        now = policy_fault(out, start, variants[i].attributes, capabilities);
        if (now == NULL)
            return ANSWER_OK;
        fault = now;
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
        return render_secure(out, verdict, evidence, capabilities);
    default:
        return render_plain(out, verdict->level, evidence, capabilities);
    }
}
