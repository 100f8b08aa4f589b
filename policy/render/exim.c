/* exim: see exim.h. The words of each level stand in one table, which writes and checks them. */
#include "policy/render/exim.h"

#include <string.h>

#include "base/ascii.h"
#include "base/net/hostname.h"
#include "policy/render/postfix_syntax.h"
#include "policy/span.h"

#define COUNT(array)   (sizeof(array) / sizeof(array)[0])
#define REASON_CANNOT  "what a rule asks for, Exim cannot do"
#define REASON_INVALID "the answer cannot be sent to Exim"

static const struct {
    enum postfix_level level;
    const char *words;
    bool match; /* may follow */
} levels[] = {
    {POSTFIX_DANE_ONLY, "level=dane-only dane=require require_tls=yes verify=no", false},
    {POSTFIX_SECURE, "level=secure dane=no require_tls=yes verify=yes", true},
    {POSTFIX_VERIFY, "level=verify dane=no require_tls=yes verify=yes", true},
    {POSTFIX_ENCRYPT, "level=encrypt dane=no require_tls=yes verify=no", false},
    {POSTFIX_DANE, "level=dane dane=try require_tls=no verify=no", false},
    {POSTFIX_MAY, "level=may dane=no require_tls=no verify=no", false},
    {POSTFIX_NONE, "level=none dane=no require_tls=no verify=no", false},
};

/* ---- writing ---- */

struct line {
    struct buf *out;
    bool by_rule;
    bool matched;            /* match= was begun */
    bool cannot;             /* the policy asks for what Exim has not */
    struct span server_name; /* of servername=; length 0: none, or the host's own name */
};

static void add_lower(struct buf *out, struct span text)
{
    for (size_t i = 0; i < text.length; i++) {
        char c = text.text[i];

        if (ascii_is_upper(c))
            c = (char)(c - 'A' + 'a');
        buf_add(out, &c, 1);
    }
}

/* ".d" of a pattern of MTA-STS or of a policy list is for one label (RFC 8461 §4.1), which Postfix
 * cannot be told; that of a rule is for any depth, as in Postfix. */
static void add_match(struct line *line, struct span value)
{
    while (value.length > 0) {
        struct span item = span_until(value, ":");

        span_skip(&value, item.length < value.length ? item.length + 1 : item.length);
        buf_adds(line->out, line->matched ? ":" : " match=");
        line->matched = true;
        if (span_starts(item, ".") && !line->by_rule)
            buf_adds(line->out, "*");
        add_lower(line->out, item);
    }
}

static void take_attribute(void *context, const char *name, struct span value)
{
    struct line *line = context;

    if (strcmp(name, "match") == 0)
        add_match(line, value);
    else if (strcmp(name, "servername") == 0 && !span_is(value, "hostname"))
        line->server_name = value;
    else if (strcmp(name, "tafile") == 0)
        line->cannot = true;
}

/* The level that a policy begins with: NULL for one that Exim has not. */
static const char *words_of(struct span policy)
{
    struct span name = span_until(policy, " ,\t");

    for (size_t i = 0; i < COUNT(levels); i++) {
        struct span level =
            span_until((struct span){levels[i].words, strlen(levels[i].words)}, " ");

        span_skip(&level, strlen("level="));
        if (level.length == name.length && memcmp(level.text, name.text, name.length) == 0)
            return levels[i].words;
    }
    return NULL;
}

/* False for a policy that Exim cannot carry out. */
static bool write_policy(struct buf *out, const struct answer *answer)
{
    struct span policy = {answer->text, answer->length};
    struct line line = {.out = out, .by_rule = answer->by_rule};
    const char *words = words_of(policy);
    enum postfix_level level;

    if (words == NULL)
        return false;
    buf_adds(out, words);
    if (postfix_policy_read(&level, policy, POSTFIX_3_10, take_attribute, &line) != NULL)
        return false;
    if (line.server_name.length > 0) {
        buf_adds(out, " sni=");
        add_lower(out, line.server_name);
    }
    return !line.cannot;
}

static bool is_reason_octet(char c)
{
    return c >= ' ' && c <= '~' && !span_set_has("\"\\${}", c);
}

static void write_temp(struct buf *out, const char *reason, size_t length)
{
    buf_adds(out, "level=temp reason=\"");
    for (size_t i = 0; i < length && i < RENDER_REASON_MAX; i++)
        buf_add(out, is_reason_octet(reason[i]) ? &reason[i] : "'", 1);
    buf_adds(out, "\"");
}

static void write_line(struct buf *out, const struct answer *answer)
{
    size_t start = out->length;

    if (answer->status == ANSWER_NOTFOUND) {
        buf_adds(out, "level=notfound");
    } else if (answer->status == ANSWER_TEMP) {
        write_temp(out, answer->text, answer->length);
    } else if (!write_policy(out, answer)) {
        buf_truncate(out, start);
        write_temp(out, REASON_CANNOT, strlen(REASON_CANNOT));
    }
}

void exim_write(struct buf *out, const struct answer *answer)
{
    size_t start = out->length;
    const char *why;

    write_line(out, answer);
    if (!out->failed && exim_syntax_ok(buf_text(out) + start, out->length - start, &why))
        return;
    buf_truncate(out, start);
    write_temp(out, REASON_INVALID, strlen(REASON_INVALID));
}

/* ---- checking ---- */

static bool is_host_name(struct span name)
{
    for (size_t i = 0; i < name.length; i++)
        if (ascii_is_upper(name.text[i]))
            return false;
    return hostname_valid(name.text, name.length, HOSTNAME_UNDERSCORE) &&
           hostname_labels(name.text, name.length) >= 2;
}

static bool match_ok(struct span list)
{
    bool more = list.length > 0;

    while (more) {
        struct span item = span_until(list, ":");

        more = item.length < list.length;
        span_skip(&list, item.length + more);
        if (span_starts(item, "*."))
            span_skip(&item, 2);
        else if (span_starts(item, "."))
            span_skip(&item, 1);
        if (!is_host_name(item))
            return false;
        if (!more)
            return true;
    }
    return false;
}

static bool reason_ok(struct span text)
{
    if (text.length < 2 || text.length > RENDER_REASON_MAX + 2 || text.text[0] != '"' ||
        text.text[text.length - 1] != '"')
        return false;
    for (size_t i = 1; i + 1 < text.length; i++)
        if (!is_reason_octet(text.text[i]))
            return false;
    return true;
}

/* Takes ` name=value` from the front; false when something else stands there. */
static bool take_word(struct span *rest, const char *start, struct span *value)
{
    if (!span_starts(*rest, start))
        return false;
    span_skip(rest, strlen(start));
    *value = span_until(*rest, " ");
    span_skip(rest, value->length);
    return true;
}

static const char *policy_fault(struct span line)
{
    struct span value = {NULL, 0};

    for (size_t i = 0; i < COUNT(levels); i++) {
        struct span rest = line;

        if (!span_starts(rest, levels[i].words))
            continue;
        span_skip(&rest, strlen(levels[i].words));
        if (rest.length > 0 && rest.text[0] != ' ')
            continue;
        if (take_word(&rest, " match=", &value) && !(levels[i].match && match_ok(value)))
            return "match= at a wrong level, or with something that is no host name";
        else if (levels[i].level == POSTFIX_SECURE && value.length == 0)
            return "secure without match=";
        if (take_word(&rest, " sni=", &value) && !is_host_name(value))
            return "sni= is no host name";
        return rest.length == 0 ? NULL : "a word that is not known";
    }
    return "no level that is known";
}

bool exim_syntax_ok(const char *line, size_t length, const char **why)
{
    struct span rest = {line, length};

    if (length > EXIM_LINE_MAX)
        *why = "too long";
    else if (span_is(rest, "level=notfound"))
        *why = NULL;
    else if (span_starts(rest, "level=temp reason="))
        *why = reason_ok((struct span){line + 18, length - 18}) ? NULL : "no quoted reason";
    else
        *why = policy_fault(rest);
    return *why == NULL;
}
