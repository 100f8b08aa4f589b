/*
 * sts_parse: see sts_parse.h. The record, octet by octet, in the order of RFC 8461 §3.1:
 *
 *   record    = "v=STSv1" 1*(delim field) [delim]
 *   field     = "id=" 1*32(ALPHA / DIGIT)
 *             / what probe/dns/txt_fields.h says
 *
 * Of fields with the same name the first counts: a later id is skipped, whatever it holds.
 *
 * The policy, lines of "name: value" by §3.2, ended by LF or CRLF:
 *
 *   line      = name ":" *WSP value *WSP
 *   mx        = ["*."] Domain              (RFC 5321 §4.1.2)
 *   value     = UTF-8 without control characters, neither beginning nor ending with a blank
 *
 * The keys that mean something are a table; any other key is an extension, whose value alone may
 * hold more than ASCII. A max_age beyond the RFC's greatest counts as that. A key seen before (mx
 * excepted) is skipped, whatever its value. A strict reader is the point: what passes here ends up
 * in a reply to Postfix. The file is copied once; `lines` and `mx` point into that copy, so that a
 * file of 16,000 tiny lines costs pointers and nothing more. A key is as the name of a field.
 */
#include "probe/sts/sts_parse.h"

#include <string.h>

#include "base/ascii.h"
#include "base/escape.h"
#include "base/net/hostname.h"
#include "probe/dns/txt_fields.h"

#define VERSION        "v=STSv1"
#define MAX_AGE_DIGITS 10
#define NO_MEMORY      "no memory"

/* ---- the record ---- */

bool sts_is_record(const char *text, size_t length)
{
    return txt_take_version(&(struct txt_cursor){text, text + length}, VERSION);
}

static const char *take_id(char id[STS_ID_MAX + 1], struct txt_cursor *cursor)
{
    size_t length = 0;

    while (cursor->at < cursor->end && ascii_is_alnum(*cursor->at)) {
        if (length == STS_ID_MAX)
            return "the id is longer than 32 characters";
        id[length++] = *cursor->at++;
    }
    id[length] = '\0';
    return length == 0 ? "the id is empty or not made of letters and digits" : NULL;
}

/* One field; what is wrong with it, or NULL. */
static const char *take_field(char id[STS_ID_MAX + 1], struct txt_cursor *cursor)
{
    size_t left = (size_t)(cursor->end - cursor->at), length = txt_name_length(cursor->at, left);
    bool is_id = length == 2 && memcmp(cursor->at, "id", 2) == 0;

    if (length == 0 || length == left || cursor->at[length] != '=')
        return "a field that is not name=value";
    cursor->at += length + 1;
    if (is_id && id[0] == '\0')
        return take_id(id, cursor);
    if (!is_id)
        return txt_skip_value(cursor);
    while (cursor->at < cursor->end && *cursor->at != ';')
        cursor->at++;
    return NULL;
}

/* All fields after the version; what is wrong with them, or NULL. */
static const char *take_fields(char id[STS_ID_MAX + 1], struct txt_cursor *cursor)
{
    while (cursor->at < cursor->end) {
        const char *why = take_field(id, cursor);

        if (why != NULL)
            return why;
        if (cursor->at < cursor->end && !txt_take_delim(cursor))
            return "no semicolon after a field";
    }
    return id[0] == '\0' ? "it has no id" : NULL;
}

const char *sts_parse_record(char id[STS_ID_MAX + 1], const char *text, size_t length)
{
    struct txt_cursor cursor = {text, text + length};
    const char *why = "it does not begin with v=STSv1;";

    id[0] = '\0';
    if (txt_take_version(&cursor, VERSION))
        why = take_fields(id, &cursor);
    if (why != NULL)
        id[0] = '\0';
    return why;
}

enum sts_state sts_parse_answer(char id[STS_ID_MAX + 1], const struct dns_answer *answer,
                                struct arena *arena, const char *domain, const char **why)
{
    const struct dns_record *found = NULL;
    size_t count = 0;

    *why = NULL;
    for (size_t i = 0; answer->outcome == DNS_RECORDS && i < answer->count; i++) {
        const struct dns_record *record = &answer->records[i];

        if (record->length > 0 && sts_is_record((const char *)record->data, record->length)) {
            found = record;
            count++;
        }
    }
    if (count > 1)
        *why = arena_printf(arena, "%zu records at _mta-sts.%s begin with v=STSv1;", count, domain);
    if (count != 1)
        return STS_NO_RECORD;
    *why = sts_parse_record(id, (const char *)found->data, found->length);
    if (*why == NULL)
        return STS_UNKNOWN;
    *why = arena_printf(arena, "the record at _mta-sts.%s is wrong: %s", domain, *why);
    return STS_BAD_RECORD;
}

/* ---- the policy: values ---- */

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
        if (text->data[i] < ' ' || text->data[i] > '~')
            return false;
    return true;
}

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

/* ---- the policy: lines ---- */

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

static const char *take_value(struct parse *parse, const struct text *name,
                              const struct text *value)
{
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        bool *seen = (bool *)((char *)parse + keys[i].seen), before = keys[i].seen != 0 && *seen;

        if (!text_is(name, keys[i].name))
            continue;
        if (!all_printable_ascii(value))
            return "a value that is not ASCII";
        if (keys[i].seen != 0)
            *seen = true;
        return before ? NULL : keys[i].take(parse, value);
    }
    if (value->length == 0)
        return "a key without a value";
    return utf8_valid(value->data, value->length) ? NULL : "an extension that is not UTF-8";
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
    struct text name = {line->data, txt_name_length(line->data, line->length)}, value;
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

const struct sts_policy *sts_parse_policy(struct arena *arena, const char *text, size_t length,
                                          const char **why)
{
    struct parse parse = {0};
    size_t lines = 1;
    char *copy;

    *why = "more than 65536 octets";
    if (length > STS_BODY_MAX)
        return NULL;
    for (size_t i = 0; i < length; i++)
        lines += text[i] == '\n';
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
