/*
 * sts_policy: lines of "name: value", by the grammar of RFC 8461 §3.2:
 *
 *   line   = name ":" *WSP value *WSP
 *   name   = (ALPHA / DIGIT) *31(ALPHA / DIGIT / "_" / "-" / ".")
 *   mx     = ["*."] Domain                 (RFC 5321 §4.1.2)
 *   value  = UTF-8 without control characters, neither beginning nor ending with a blank
 *
 * ended by LF or CRLF. The keys that mean something are a table; any other key is an extension,
 * whose value alone may hold more than ASCII. A max_age beyond the RFC's greatest counts as that. A
 * key seen before (mx excepted) is skipped, whatever its value. A strict reader is the point: what
 * passes here ends up in a reply to Postfix.
 *
 * The file is copied once; `lines` and `mx` point into that copy, so that a file of 16,000 tiny
 * lines costs pointers and nothing more.
 */
#include "probe/sts/sts_policy.h"

#include <string.h>

#include "base/net/hostname.h"
#include "base/escape.h"
#include "probe/sts/sts_grammar.h"

#define MAX_AGE_DIGITS 10
#define NO_MEMORY      "no memory"

struct text {
    char *data;
    size_t length;
};

struct parse {
    struct sts_policy *policy; /* the arena's, as all below */
    const char **mx;           /* room for STS_MX_MAX, or for every line when those are fewer */
    const char **lines;        /* room for every line */
    bool version_seen, mode_seen, max_age_seen;
};

static bool is_control(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7f;
}

static bool text_is(const struct text *text, const char *word)
{
    return text->length == strlen(word) && memcmp(text->data, word, text->length) == 0;
}

static bool all_printable_ascii(const struct text *text)
{
    for (size_t i = 0; i < text->length; i++)
        if (is_control(text->data[i]) || (unsigned char)text->data[i] >= 0x80)
            return false;
    return true;
}

/* ---- values ---- */

static const char *set_version(struct parse *parse, const struct text *value)
{
    (void)parse;
    return text_is(value, "STSv1") ? NULL : "the version is not STSv1";
}

static const char *set_mode(struct parse *parse, const struct text *value)
{
    static const char *const names[] = {
        [STS_MODE_NONE] = "none", [STS_MODE_TESTING] = "testing", [STS_MODE_ENFORCE] = "enforce"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (text_is(value, names[i])) {
            parse->policy->mode = (enum sts_mode)i;
            return NULL;
        }
    return "the mode is none of enforce, testing and none";
}

static const char *set_max_age(struct parse *parse, const struct text *value)
{
    uint64_t seconds = 0;

    if (value->length == 0 || value->length > MAX_AGE_DIGITS)
        return "max_age is not a number of 1 to 10 digits";
    for (size_t i = 0; i < value->length; i++) {
        if (!ascii_is_digit(value->data[i]))
            return "max_age is not a number of 1 to 10 digits";
        seconds = seconds * 10 + (uint64_t)(value->data[i] - '0');
    }
    parse->policy->max_age = seconds < STS_MAX_AGE_MAX ? (uint32_t)seconds : STS_MAX_AGE_MAX;
    return NULL;
}

/* The grammar of the RFC and no more: an address or a single label passes, and is left out where an
 * answer for Postfix is written (policy/render/render.c). */
static const char *add_mx(struct parse *parse, const struct text *value)
{
    struct text name = *value;
    struct sts_policy *policy = parse->policy;

    if (name.length > 2 && memcmp(name.data, "*.", 2) == 0) {
        name.data += 2;
        name.length -= 2;
    }
    if (!hostname_is_domain(name.data, name.length))
        return "an mx is not a domain name, nor one behind \"*.\"";
    if (policy->mx_count == STS_MX_MAX)
        return "more than 1000 mx";
    parse->mx[policy->mx_count++] = value->data;
    return NULL;
}

/* ---- lines ---- */

struct policy_key {
    const char *name;
    size_t seen; /* offset of the flag in struct parse; 0: the key may repeat */
    const char *(*take)(struct parse *parse, const struct text *value);
};

static const struct policy_key keys[] = {
    {"version", offsetof(struct parse, version_seen), set_version},
    {"mode", offsetof(struct parse, mode_seen), set_mode},
    {"max_age", offsetof(struct parse, max_age_seen), set_max_age},
    {"mx", 0, add_mx},
};

/* True when the key was there before; remembers it. */
static bool seen_before(struct parse *parse, const struct policy_key *key)
{
    bool *flag = (bool *)((char *)parse + key->seen);
    bool before;

    if (key->seen == 0)
        return false;
    before = *flag;
    *flag = true;
    return before;
}

static const char *take_extension(const struct text *value)
{
    if (value->length == 0)
        return "a key without a value";
    return utf8_valid(value->data, value->length) ? NULL : "an extension that is not UTF-8";
}

static const char *take_value(struct parse *parse, const struct text *name,
                              const struct text *value)
{
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (!text_is(name, keys[i].name))
            continue;
        if (!all_printable_ascii(value))
            return "a value that is not ASCII";
        return seen_before(parse, &keys[i]) ? NULL : keys[i].take(parse, value);
    }
    return take_extension(value);
}

/* What policy_string can carry (docs/postfix.md): printable ASCII without braces. */
static bool fits_policy_string(const struct text *line)
{
    return all_printable_ascii(line) && memchr(line->data, '{', line->length) == NULL &&
           memchr(line->data, '}', line->length) == NULL;
}

/* One line without its end and trailing blanks; what is wrong with it, or NULL. */
static const char *take_line(struct parse *parse, const struct text *line)
{
    struct text name = {line->data, sts_name_length(line->data, line->length)}, value;
    const char *why;

    for (size_t i = 0; i < line->length; i++)
        if (is_control(line->data[i]) && line->data[i] != '\t')
            return "a control character";
    if (name.length == 0 || name.length == line->length || line->data[name.length] != ':')
        return "a line that is not \"key: value\"";
    value.data = line->data + name.length + 1;
    value.length = line->length - name.length - 1;
    while (value.length > 0 && ascii_is_blank(value.data[0])) {
        *value.data = ' '; /* a tab is right here, but policy_string could not carry it */
        value.data++;
        value.length--;
    }
    if (memchr(value.data, '\t', value.length) != NULL)
        return "a control character";
    why = take_value(parse, &name, &value);
    if (why == NULL && fits_policy_string(line))
        parse->lines[parse->policy->line_count++] = line->data;
    return why;
}

/* Takes all lines of `text`, putting a NUL after each one. */
static const char *take_lines(struct parse *parse, char *text, size_t length)
{
    char *end = text + length;

    for (char *at = text; at < end;) {
        char *newline = memchr(at, '\n', (size_t)(end - at));
        char *next = newline == NULL ? end : newline + 1;
        struct text line = {at, (size_t)((newline == NULL ? end : newline) - at)};
        const char *why = NULL;

        if (newline != NULL && line.length > 0 && at[line.length - 1] == '\r')
            line.length--;
        while (line.length > 0 && ascii_is_blank(at[line.length - 1]))
            line.length--;
        if (line.length > 0)
            why = take_line(parse, &line);
        if (why != NULL)
            return why;
        at[line.length] = '\0';
        at = next;
    }
    return NULL;
}

static const char *incomplete(const struct parse *parse)
{
    if (!parse->version_seen)
        return "no version";
    if (!parse->mode_seen)
        return "no mode";
    if (!parse->max_age_seen)
        return "no max_age";
    if (parse->policy->mx_count == 0 && parse->policy->mode != STS_MODE_NONE)
        return "no mx";
    return NULL;
}

/* The patterns as text of their own in lower case: `lines` has them as published. */
static bool fold_mx(struct parse *parse, struct arena *arena)
{
    for (size_t i = 0; i < parse->policy->mx_count; i++) {
        char *copy = arena_strdup(arena, parse->mx[i]);

        if (copy == NULL)
            return false;
        hostname_fold(copy, strlen(copy));
        parse->mx[i] = copy;
    }
    return true;
}

static size_t count_lines(const char *text, size_t length)
{
    size_t count = 1;

    for (size_t i = 0; i < length; i++)
        if (text[i] == '\n')
            count++;
    return count;
}

const struct sts_policy *sts_policy_parse(struct arena *arena, const char *text, size_t length,
                                          const char **why)
{
    struct parse parse = {0};
    size_t lines = count_lines(text, length);
    char *copy;

    *why = "more than 65536 octets";
    if (length > STS_BODY_MAX)
        return NULL;
    copy = arena_strndup(arena, text, length);
    parse.policy = arena_alloc(arena, sizeof *parse.policy);
    parse.lines = arena_array(arena, lines, sizeof *parse.lines);
    parse.mx = arena_array(arena, lines < STS_MX_MAX ? lines : STS_MX_MAX, sizeof *parse.mx);
    *why = NO_MEMORY;
    if (arena_failed(arena))
        return NULL;
    parse.policy->lines = parse.lines;
    parse.policy->mx = parse.mx;
    *why = take_lines(&parse, copy, length);
    if (*why == NULL)
        *why = incomplete(&parse);
    if (*why == NULL && !fold_mx(&parse, arena))
        *why = NO_MEMORY;
    return *why == NULL ? parse.policy : NULL;
}
