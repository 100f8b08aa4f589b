/*
 * render: writes policies, and reasons to wait; see render.h and docs/postfix.md.
 *
 * Nothing that a domain owner wrote reaches a policy unless it is a host name, or, inside braces,
 * printable ASCII without braces. Even so postfix_syntax.c checks the whole.
 *
 * A reason says which lookup failed, of which name, and why. Names are cut at their end and causes at
 * their beginning: the domain owner chooses the names, a cause ends with what the resolver said, and
 * a log line without it is of no use. `mxcrypt explain` shows both in full.
 */
#include "policy/render/render.h"

#include <stdio.h>
#include <string.h>

#include "base/ascii.h"
#include "base/check.h"
#include "base/escape.h"
#include "base/hash.h"
#include "policy/render/postfix_syntax.h"
#include "policy/sts_match.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
/* Slots for the names of match=: a power of two, well above STS_MX_MAX + EVIDENCE_MX_MAX. */
#define NAME_SLOTS 2048
/* Octets of a name and of a cause in a reason, and those of a cause that are looked at. */
#define NAME_SHOWN 70
#define WHY_SHOWN  80
#define WHY_MAX    1000

static const char *const level_texts[] = {
    [VERDICT_NO_OPINION] = NULL, [VERDICT_ENCRYPT] = "encrypt",
    [VERDICT_DANE] = "dane",     [VERDICT_VERIFY] = "verify servername=hostname",
    [VERDICT_SECURE] = NULL,     [VERDICT_DANE_ONLY] = "dane-only",
    [VERDICT_TEMP] = NULL,
};

/* The value of match= when no pattern can be given: no certificate has this name, and mail waits. */
#define NO_MX      "no-mx-matches-the-mta-sts-policy.invalid"
#define NO_LIST_MX "no-mx-matches-the-policy-list.invalid"

const char *answer_status_name(enum answer_status status)
{
    static const char *const names[] = {
        [ANSWER_OK] = "OK", [ANSWER_NOTFOUND] = "NOTFOUND", [ANSWER_TEMP] = "TEMP"};

    return names[status];
}

/* ---- policies ---- */

/* One way to write a `secure`; the next is tried when it is too long. */
struct variant {
    bool attributes;   /* those of Postfix 3.10 */
    bool current_only; /* leave out patterns that match no current MX host */
};

/* The patterns of an MTA-STS policy or of a policy list. */
struct patterns {
    const char *const *mx;
    size_t count;
    const char *none; /* written where none of them can be */
    bool by_hosts; /* a wildcard is written as the MX hosts that it covers, where they are known */
};

/* What match= is written from. */
struct match {
    const struct evidence *evidence;
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
static bool write_match(struct buf *out, const struct patterns *patterns,
                        const struct evidence *evidence, const struct variant *variant)
{
    /* mx_host_pattern= is exact, and an MX set that was not looked at, or in part, names too few */
    bool by_hosts = patterns->by_hosts && !variant->attributes && evidence->host_count > 0 &&
                    !evidence->mx_truncated;
    struct match match = {.evidence = evidence, .before = " match="};

    for (size_t i = 0; i < patterns->count; i++) {
        const char *pattern = patterns->mx[i];
        bool wildcard = sts_match_is_wildcard(pattern);

        if (wildcard && by_hosts)
            match_add_covered(out, &match, pattern);
        else if (sts_match_fits_postfix(pattern) &&
                 (!variant->current_only || matches_current_mx(pattern, evidence)))
            match_add(out, &match, wildcard ? pattern + 1 : pattern);
    }
    if (match.before[0] == ':')
        return true;
    match_add(out, &match, patterns->none);
    return false;
}

/* What Postfix 3.10 puts into TLSRPT reports, and from 3.10.5 enforces (RFC 8460, RFC 8461). */
static void write_attributes(struct buf *out, const struct evidence *evidence)
{
    const struct sts_policy *policy = evidence->sts.policy;
    bool given = false;

    buf_addf(out, " policy_type=sts policy_domain=%s", evidence->domain);
    for (size_t i = 0; i < policy->mx_count; i++) {
        if (!sts_match_fits_postfix(policy->mx[i]))
            continue;
        buf_addf(out, " mx_host_pattern=%s", policy->mx[i]);
        given = true;
    }
    if (!given)
        buf_adds(out, " mx_host_pattern=" NO_MX);
    for (size_t i = 0; i < policy->line_count; i++) {
        const char *line = policy->lines[i];

        if (ascii_is_printable(line) && line[strcspn(line, "{}")] == '\0' &&
            line[strspn(line, " ")] != '\0')
            buf_addf(out, " { policy_string = %s }", line);
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

/* NULL, or why it cannot be sent. `attributed`: the attributes of Postfix 3.10 may be written. */
static const char *write_patterns(struct buf *out, const struct patterns *patterns,
                                  const struct evidence *evidence, bool attributed,
                                  const struct render_capabilities *capabilities)
{
    static const struct variant variants[] = {{true, false}, {false, false}, {false, true}};
    const char *fault = NULL, *now;
    size_t start = out->length;

    for (size_t i = 0; i < COUNT(variants); i++) {
        bool attributes = variants[i].attributes, some;

        if (attributes && !(capabilities->tlsrpt && attributed))
            continue;
        buf_truncate(out, start);
        buf_adds(out, "secure");
        some = write_match(out, patterns, evidence, &variants[i]);
        buf_adds(out, " servername=hostname");
        /* when nothing is left, the fault is still that the whole list did not fit */
        if (!some && variants[i].current_only)
            break;
        if (attributes)
            write_attributes(out, evidence);
        now = policy_fault(out, start, attributes, capabilities);
        if (now == NULL)
            return NULL;
        fault = now;
    }
    return fault;
}

static const char *write_listed(struct buf *out, const struct evidence *evidence,
                                const struct render_capabilities *capabilities)
{
    const struct list_evidence *list = &evidence->list;
    const char *mx[STS_MX_MAX], *next = list->mx;
    /* ".d" of a list is for hosts one label below d, whatever sts-wildcards says */
    struct patterns patterns = {mx, list->mx_count, NO_LIST_MX, true};

    if (list->mx_count > STS_MX_MAX)
        return "too many host names";
    for (size_t i = 0; i < list->mx_count; i++, next += strlen(next) + 1)
        mx[i] = next;
    /* nothing to report: the domain itself asks for nothing */
    return write_patterns(out, &patterns, evidence, false, capabilities);
}

/* NULL, or why it cannot be sent. */
static const char *write_secure(struct buf *out, const struct verdict *verdict,
                                const struct evidence *evidence,
                                const struct render_capabilities *capabilities)
{
    const struct sts_policy *policy = evidence == NULL ? NULL : evidence->sts.policy;
    struct patterns patterns = {.none = NO_MX, .by_hosts = verdict->wildcard_hosts};

    if (verdict->reason == REASON_LIST && evidence != NULL)
        return write_listed(out, evidence, capabilities);
    if (policy == NULL || policy->mx_count > STS_MX_MAX)
        return policy == NULL ? "there is none" : "too many mx patterns";
    patterns.mx = policy->mx;
    patterns.count = policy->mx_count;
    /* a policy in testing mode is enforced by the operator, not by its domain: nothing to report */
    return write_patterns(out, &patterns, evidence, policy->mode == STS_MODE_ENFORCE, capabilities);
}

/* ---- reasons ---- */

/* Room for a name or a cause. */
struct shown {
    char text[WHY_SHOWN + 1];
};

static const char *show_name(struct shown *room, const char *name)
{
    return escape_bytes(room->text, NAME_SHOWN + 1, name, strlen(name));
}

static const char *show_why(struct shown *room, const char *why)
{
    char escaped[WHY_MAX];
    size_t length;

    if (why == NULL || *why == '\0')
        why = "no answer";
    escape_bytes(escaped, sizeof escaped, why, strlen(why));
    length = strlen(escaped);
    if (length <= WHY_SHOWN)
        memcpy(room->text, escaped, length + 1);
    else
        snprintf(room->text, sizeof room->text, "...%s", escaped + length - (WHY_SHOWN - 3));
    return room->text;
}

static const char *domain_of(struct shown *room, const struct evidence *evidence)
{
    bool known = evidence != NULL && evidence->domain != NULL;

    return show_name(room, known ? evidence->domain : "this destination");
}

/* The first host in one of two states. */
static const struct mx_host *host_in(const struct evidence *evidence, enum host_dane state,
                                     enum host_dane or_state)
{
    for (size_t i = 0; i < evidence->host_count; i++)
        if (evidence->hosts[i].dane == state || evidence->hosts[i].dane == or_state)
            return &evidence->hosts[i];
    return NULL;
}

/* A host's own cause already names the host. Mail waits for an MTA-STS policy, for a policy list, or
 * because TLS was observed before and `dane` may ask for less. */
static void write_dane_error(char *out, size_t size, const char *domain,
                             const struct verdict *verdict, const struct evidence *evidence)
{
    const struct mx_host *host = host_in(evidence, HOST_DANE_ERROR, HOST_DANE_UNKNOWN);
    char because[2 * NAME_SHOWN];
    struct shown name, why;

    if (host == NULL)
        host = host_in(evidence, HOST_DANE_LOST, HOST_DANE_LOST);
    snprintf(because, sizeof because,
             verdict->reason == REASON_DANE_ERROR_STS    ? "MTA-STS of %s is enforced"
             : verdict->reason == REASON_DANE_ERROR_LIST ? "%s is on a policy list"
             : verdict->probed == VERDICT_NO_OPINION     ? "%s may have DANE"
                                                         : "the hosts of %s did TLS before",
             domain);
    if (host != NULL && host->why != NULL)
        snprintf(out, size, "%s; %s, so mail waits", show_why(&why, host->why), because);
    else if (host != NULL)
        snprintf(out, size, "TLSA lookup for %s %s; %s, so mail waits",
                 show_name(&name, host->name),
                 host->dane == HOST_DANE_ERROR ? "failed" : "has not been answered", because);
}

static void write_pending(char *out, size_t size, const char *domain,
                          const struct evidence *evidence)
{
    const struct mx_host *host = host_in(evidence, HOST_DANE_UNKNOWN, HOST_DANE_UNKNOWN);
    struct shown name;

    if (host != NULL)
        snprintf(out, size, "DNS of mail host %s of %s has not answered yet; try again shortly",
                 show_name(&name, host->name), domain);
    else
        snprintf(out, size, "%s of %s has not been answered yet; try again shortly",
                 evidence->mx == MX_UNKNOWN ? "MX lookup" : "MTA-STS", domain);
}

static void write_reason(char out[RENDER_REASON_MAX + 1], const struct verdict *verdict,
                         const struct evidence *evidence)
{
    static const struct evidence nothing;
    const struct evidence *known = evidence != NULL ? evidence : &nothing;
    const size_t size = RENDER_REASON_MAX + 1;
    struct shown room, why;
    const char *domain = domain_of(&room, evidence);

    out[0] = '\0';
    switch (verdict->reason) {
    case REASON_MX_ERROR:
        snprintf(out, size, "MX lookup of %s failed: %s; mail waits for the DNS", domain,
                 show_why(&why, known->mx_why));
        break;
    case REASON_HELD: /* TLS is neither demanded, which would bounce mail, nor given up */
    case REASON_STARTTLS_REMEMBERED:
        snprintf(out, size,
                 "a mail host of %s refuses STARTTLS, which worked before, so mail waits; "
                 "mxcrypt held tells how long",
                 domain);
        break;
    case REASON_PENDING:
        write_pending(out, size, domain, known);
        break;
    case REASON_DANE_ERROR_STS:
    case REASON_DANE_ERROR_LIST:
    case REASON_DANE_ERROR:
        write_dane_error(out, size, domain, verdict, known);
        break;
    default:
        break;
    }
    if (out[0] == '\0')
        snprintf(out, size, "%s: %s; try again shortly", domain,
                 verdict_reason_text(verdict->reason));
}

/* Of a policy that cannot be sent. */
static void write_fault(char out[RENDER_REASON_MAX + 1], const struct verdict *verdict,
                        const struct evidence *evidence, const char *fault)
{
    struct shown domain, why;

    snprintf(out, RENDER_REASON_MAX + 1, "%s of %s cannot be sent to Postfix: %s",
             verdict->reason == REASON_LIST ? "policy list's entry" : "MTA-STS policy",
             domain_of(&domain, evidence), show_why(&why, fault));
}

/* ---- without DANE ---- */

/* What a list says is below what the domain itself says, in testing mode as well. */
static bool list_counts(const struct verdict *verdict, const struct evidence *evidence)
{
    if (verdict->listed != LIST_ENFORCE || evidence == NULL || evidence->list.mode != LIST_ENFORCE)
        return false;
    return evidence->sts.policy == NULL || evidence->sts.policy->mode != STS_MODE_TESTING;
}

/*
 * The strongest that an MTA without DANE can do for a destination of level dane or dane-only: what
 * MTA-STS, a policy list or the probes ask for beside it. Under dane-only every host has TLSA
 * records, which promise STARTTLS (RFC 7672 §2.2), so that is encrypt at least. Under dane an MTA
 * with DANE defers where a TLSA lookup failed.
 */
static void give_up_dane(struct verdict *verdict, const struct evidence *evidence)
{
    if (verdict->sts_enforced) {
        verdict->level = VERDICT_SECURE;
        verdict->reason = REASON_STS_ENFORCE;
    } else if (list_counts(verdict, evidence)) {
        verdict->level = VERDICT_SECURE;
        verdict->reason = REASON_LIST;
    } else if (verdict->level == VERDICT_DANE && verdict->dane == DANE_ERROR) {
        verdict->level = VERDICT_TEMP;
    } else if (verdict->level == VERDICT_DANE || verdict->probed > VERDICT_ENCRYPT) {
        verdict->level = verdict->probed;
    } else {
        verdict->level = VERDICT_ENCRYPT;
    }
}

static enum answer_status render(struct buf *out, const struct verdict *verdict,
                                 const struct evidence *evidence,
                                 const struct render_capabilities *capabilities)
{
    char reason[RENDER_REASON_MAX + 1];
    size_t start = out->length, length;
    const char *fault = NULL;

    if (out->failed)
        return ANSWER_TEMP;
    if (verdict->level == VERDICT_NO_OPINION)
        return ANSWER_NOTFOUND;
    if (verdict->level == VERDICT_SECURE) {
        fault = write_secure(out, verdict, evidence, capabilities);
    } else if (verdict->level != VERDICT_TEMP) {
        CHECK(level_texts[verdict->level] != NULL);
        buf_adds(out, level_texts[verdict->level]);
        fault = policy_fault(out, start, false, capabilities);
    }
    if (verdict->level != VERDICT_TEMP && fault == NULL)
        return ANSWER_OK;
    if (fault != NULL)
        write_fault(reason, verdict, evidence, fault);
    else
        write_reason(reason, verdict, evidence);
    length = strlen(reason);
    while (wire_length(reason, length, capabilities->encoded) > capabilities->text_max)
        length--;
    buf_truncate(out, start);
    buf_add(out, reason, length);
    return ANSWER_TEMP;
}

enum answer_status render_verdict(struct buf *out, const struct verdict *verdict,
                                  const struct evidence *evidence,
                                  const struct render_capabilities *capabilities)
{
    struct verdict other = *verdict;

    if (capabilities->without_dane &&
        (verdict->level == VERDICT_DANE || verdict->level == VERDICT_DANE_ONLY))
        give_up_dane(&other, evidence);
    return render(out, &other, evidence, capabilities);
}
