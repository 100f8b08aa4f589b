/*
 * postfix_syntax: a parser of Postfix's TLS policies that is stricter than Postfix; see
 * postfix_syntax.h, docs/postfix.md and, in Postfix, src/smtp/smtp_tls_policy.c.
 *
 * It refuses what Postfix would defer mail for, or would read in another sense than ours. Attributes
 * that we never send (policy_ttl, policy_failure) are unknown here. Two tables hold the rules: the
 * levels, and the attributes with their places.
 */
#include "policy/render/postfix_syntax.h"

#include <stdint.h>
#include <string.h>

#include "base/ascii.h"
#include "base/net/hostname.h"
#include "policy/span.h"

#define COUNT(array)     (sizeof(array) / sizeof(array)[0])
#define BLANKS           " \t"
#define SEPARATORS       " ,\t"
#define MATCH_LABELS_MIN 2

#define LEVELS_BY_NAME (POSTFIX_VERIFY | POSTFIX_SECURE)
#define LEVELS_TLS     (0xff & ~POSTFIX_NONE)

static const struct {
    const char *name;
    enum postfix_level level;
} levels[] = {
    {"none", POSTFIX_NONE},       {"may", POSTFIX_MAY},
    {"encrypt", POSTFIX_ENCRYPT}, {"fingerprint", POSTFIX_FINGERPRINT},
    {"dane", POSTFIX_DANE},       {"dane-only", POSTFIX_DANE_ONLY},
    {"verify", POSTFIX_VERIFY},   {"secure", POSTFIX_SECURE},
};

/* Takes from *list what stands before `separator`; false once nothing is left. */
static bool next_item(struct span *list, char separator, struct span *item)
{
    const char *stop;

    if (list->text == NULL)
        return false;
    *item = *list;
    stop = memchr(list->text, separator, list->length);
    if (stop == NULL) {
        list->text = NULL;
        return true;
    }
    item->length = (size_t)(stop - list->text);
    span_skip(list, item->length + 1);
    return true;
}

/* ---- values ---- */

/* A DNS name of two labels or more: so no keyword and, by its last label, no address. */
static bool is_host_pattern(struct span name)
{
    return hostname_valid(name.text, name.length, HOSTNAME_LDH) &&
           hostname_labels(name.text, name.length) >= MATCH_LABELS_MIN;
}

static bool is_fingerprint(struct span print)
{
    struct span byte;
    size_t bytes = 0;

    while (next_item(&print, ':', &byte)) {
        if (byte.length != 2)
            return false;
        for (size_t i = 0; i < 2; i++)
            if (!span_set_has("0123456789abcdefABCDEF", byte.text[i]))
                return false;
        bytes++;
    }
    return bytes >= 16; /* an MD5, the shortest digest Postfix knows */
}

static bool match_ok(struct span value, enum postfix_level level)
{
    struct span item;

    while (next_item(&value, level == POSTFIX_FINGERPRINT ? '|' : ':', &item)) {
        if (level == POSTFIX_FINGERPRINT) {
            if (!is_fingerprint(item))
                return false;
            continue;
        }
        if (span_starts(item, "."))
            span_skip(&item, 1);
        if (!is_host_pattern(item))
            return false;
    }
    return true;
}

static bool servername_ok(struct span value)
{
    return span_is(value, "hostname") || is_host_pattern(value);
}

/* protocols=, ciphers=, exclude=: words that Postfix takes apart itself. */
static bool words_ok(struct span value)
{
    for (size_t i = 0; i < value.length; i++)
        if (!ascii_is_alnum(value.text[i]) && !span_set_has("!<>=:.+-_@", value.text[i]))
            return false;
    return true;
}

static bool path_ok(struct span value)
{
    return value.text[0] == '/';
}

static bool yes_no_ok(struct span value)
{
    return span_is(value, "yes") || span_is(value, "no");
}

static bool policy_type_ok(struct span value)
{
    return span_is(value, "sts") || span_is(value, "no-policy-found");
}

static bool policy_domain_ok(struct span value)
{
    return hostname_valid(value.text, value.length, HOSTNAME_UNDERSCORE);
}

static bool mx_host_pattern_ok(struct span value)
{
    if (span_starts(value, "*."))
        span_skip(&value, 2);
    return is_host_pattern(value);
}

/* ---- attributes ---- */

enum {
    ATTRIBUTE_ONCE = 1 << 0,
    ATTRIBUTE_AFTER_TYPE = 1 << 1, /* only behind policy_type= */
    ATTRIBUTE_3_10 = 1 << 2
};

enum attribute_index { MATCH, POLICY_TYPE };

static const struct attribute {
    const char *name;
    unsigned levels;
    unsigned flags;
    bool (*value_ok)(struct span value); /* NULL: any; match= goes by the level */
    const char *fault;
} attributes[] = {
    [MATCH] = {"match", LEVELS_BY_NAME | POSTFIX_FINGERPRINT, 0, NULL,
               "match= with something that is no plain host name or domain"},
    [POLICY_TYPE] = {"policy_type", LEVELS_BY_NAME, ATTRIBUTE_ONCE | ATTRIBUTE_3_10, policy_type_ok,
                     "policy_type= is neither sts nor no-policy-found"},
    {"servername", LEVELS_TLS, ATTRIBUTE_ONCE, servername_ok,
     "servername= is neither hostname nor a host name"},
    {"protocols", LEVELS_TLS, ATTRIBUTE_ONCE, words_ok, "protocols= with strange characters"},
    {"ciphers", LEVELS_TLS, ATTRIBUTE_ONCE, words_ok, "ciphers= with strange characters"},
    {"exclude", LEVELS_TLS, ATTRIBUTE_ONCE, words_ok, "exclude= with strange characters"},
    {"tafile", LEVELS_BY_NAME, 0, path_ok, "tafile= is no absolute path"},
    {"connection_reuse", LEVELS_TLS, ATTRIBUTE_ONCE, yes_no_ok,
     "connection_reuse= is neither yes nor no"},
    {"enable_rpk", LEVELS_TLS, ATTRIBUTE_ONCE | ATTRIBUTE_3_10, yes_no_ok,
     "enable_rpk= is neither yes nor no"},
    {"policy_domain", LEVELS_BY_NAME, ATTRIBUTE_ONCE | ATTRIBUTE_AFTER_TYPE | ATTRIBUTE_3_10,
     policy_domain_ok, "policy_domain= is no domain name"},
    {"mx_host_pattern", LEVELS_BY_NAME, ATTRIBUTE_AFTER_TYPE | ATTRIBUTE_3_10, mx_host_pattern_ok,
     "mx_host_pattern= is no pattern of MTA-STS"},
    {"policy_string", LEVELS_BY_NAME, ATTRIBUTE_AFTER_TYPE | ATTRIBUTE_3_10, NULL, NULL},
};

struct policy {
    struct span rest;
    enum postfix_version version;
    enum postfix_level level;
    unsigned seen; /* bit per entry of attributes[] */
    postfix_taker *take;
    void *context;
};

/* NULL when the attribute may stand here, with this value. */
static const char *attribute_fault(struct policy *policy, struct span name, struct span value)
{
    const struct attribute *attribute = attributes;
    unsigned bit = 1;

    while (attribute < attributes + COUNT(attributes) && !span_is(name, attribute->name)) {
        attribute++;
        bit <<= 1;
    }
    if (attribute == attributes + COUNT(attributes))
        return "unknown attribute";
    if (policy->version < POSTFIX_3_10 && attribute->flags & ATTRIBUTE_3_10)
        return "an attribute newer than the declared Postfix";
    if (!(attribute->levels & policy->level))
        return "an attribute that does not go with this level";
    if (attribute->flags & ATTRIBUTE_ONCE && policy->seen & bit)
        return "an attribute twice that may stand once";
    if (attribute->flags & ATTRIBUTE_AFTER_TYPE && !(policy->seen & 1U << POLICY_TYPE))
        return "an attribute of MTA-STS without policy_type= before it";
    if (value.length == 0)
        return "an attribute without a value";
    if (bit == 1U << MATCH ? !match_ok(value, policy->level)
                           : attribute->value_ok != NULL && !attribute->value_ok(value))
        return attribute->fault;
    policy->seen |= bit;
    if (policy->take != NULL)
        policy->take(policy->context, attribute->name, value);
    return NULL;
}

/* ---- tokens ---- */

/* Takes one token from the rest of the policy, without its braces. NULL, or what is wrong. */
static const char *next_token(struct policy *policy, struct span *token)
{
    struct span *rest = &policy->rest;
    bool braced;

    span_skip_set(rest, SEPARATORS);
    braced = span_starts(*rest, "{");
    if (braced)
        span_skip(rest, 1);
    *token = span_until(*rest, braced ? "{}" : SEPARATORS "{}");
    span_skip(rest, token->length);
    if (braced) {
        if (!span_starts(*rest, "}"))
            return "braces that do not close";
        *token = span_trim(*token, BLANKS);
        if (token->length == 0)
            return "empty braces";
        span_skip(rest, 1);
    }
    if (rest->length > 0 && !span_set_has(SEPARATORS, rest->text[0]))
        return "braces inside a word";
    return NULL;
}

static const char *octets_fault(struct span text, enum postfix_version version)
{
    for (size_t i = 0; i < text.length; i++) {
        char c = text.text[i];

        if ((c < ' ' && c != '\t') || c > '~')
            return "an octet that is not printable ASCII";
        if ((c == '{' || c == '}') && version < POSTFIX_3_10)
            return "braces, which the declared Postfix does not know";
    }
    return NULL;
}

static const char *read_level(struct policy *policy)
{
    struct span token;
    const char *fault;

    if (policy->rest.length == 0 || span_set_has(SEPARATORS "{", policy->rest.text[0]))
        return "no level at the beginning";
    fault = next_token(policy, &token);
    for (size_t i = 0; fault == NULL && i < COUNT(levels); i++)
        if (span_is(token, levels[i].name))
            policy->level = levels[i].level;
    if (fault == NULL && policy->level == 0)
        fault = "unknown level";
    return fault;
}

static const char *read_attribute(struct policy *policy)
{
    struct span name, token;
    const char *fault = next_token(policy, &token);

    if (fault != NULL)
        return fault;
    if (token.length == 0)
        return policy->rest.length == 0 ? NULL : "an empty attribute";
    name = span_until(token, "=");
    if (name.length == token.length)
        return "an attribute without a value";
    span_skip(&token, name.length + 1);
    return attribute_fault(policy, span_trim(name, BLANKS), span_trim(token, BLANKS));
}

const char *postfix_policy_read(enum postfix_level *level, struct span text,
                                enum postfix_version version, postfix_taker *take, void *context)
{
    struct policy policy = {.rest = text, .version = version, .take = take, .context = context};
    const char *why = octets_fault(policy.rest, version);

    if (why == NULL)
        why = read_level(&policy);
    *level = policy.level;
    while (why == NULL && policy.rest.length > 0)
        why = read_attribute(&policy);
    if (why == NULL && policy.level & (POSTFIX_SECURE | POSTFIX_FINGERPRINT) &&
        !(policy.seen & 1U << MATCH))
        why = "a level that needs match= without it";
    return why;
}

bool postfix_syntax_ok(const char *text, size_t length, enum postfix_version version,
                       const char **why)
{
    enum postfix_level level;

    *why = postfix_policy_read(&level, (struct span){text, length}, version, NULL, NULL);
    return *why == NULL;
}
