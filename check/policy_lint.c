/*
 * policy_lint: see policy_lint.h; the grammar is in probe/sts/sts_parse.c (RFC 8461 §3.2). Severe is
 * what sts_parse refuses, and tests/fuzz/fuzz_policy_lint.c proves that the two agree. Mild is what
 * it takes and others may not, or what was hardly meant.
 *
 * A key that is written "Mode" or "max-age" is an extension to senders. It is told at its line, in
 * place of the key that is missing then.
 */
#include "check/policy_lint.h"

#include <string.h>
#include <strings.h>

#include "base/ascii.h"
#include "base/escape.h"
#include "base/net/hostname.h"
#include "policy/sts_match.h"
#include "probe/dns/txt_fields.h"

#define MAX_AGE_DIGITS 10
#define SHOWN_MAX      80 /* octets of a foreign text in a fault */

struct span {
    const char *data;
    size_t length;
};

static const struct span none;

enum lint_key { LINT_VERSION, LINT_MODE, LINT_MAX_AGE, LINT_MX, LINT_KEYS };

struct lint {
    struct policy_lint *out;
    struct arena *arena;
    unsigned line;
    bool any_key, blank_told, mode_is_none;
    unsigned seen[LINT_KEYS];     /* the first line with it; 0: none */
    unsigned misspelt[LINT_KEYS]; /* the first line with something like it; 0: none */
    size_t mx_count;
    struct span *mx; /* room for STS_MX_MAX */
};

/* ---- faults ---- */

/* The last mild fault goes where a severe one finds no place. */
static struct check_fault *place_for(struct policy_lint *out, bool severe)
{
    if (out->count < CHECK_FAULTS_MAX)
        return &out->faults[out->count++];
    out->dropped++;
    for (size_t i = out->count; severe && i-- > 0;)
        if (!out->faults[i].severe) {
            memmove(&out->faults[i], &out->faults[i + 1],
                    (out->count - i - 1) * sizeof out->faults[0]);
            return &out->faults[out->count - 1];
        }
    return NULL;
}

/* What is wrong, and with which text; without data: the words say it. A text is made only where the
 * fault finds a place: a file may have thousands. */
static void add(struct lint *lint, const struct check_fault *fault, struct span text)
{
    char room[SHOWN_MAX];
    struct check_fault *place = place_for(lint->out, fault->severe);

    lint->out->severe |= fault->severe;
    if (place == NULL)
        return;
    *place = *fault;
    if (text.data != NULL)
        place->text = arena_printf(lint->arena, "%s: \"%s\"", fault->text,
                                   escape_bytes(room, sizeof room, text.data, text.length));
    if (place->text == NULL)
        place->text = "";
}

static void severe(struct lint *lint, const char *what, struct span text)
{
    add(lint, &(struct check_fault){lint->line, true, what}, text);
}

static void mild(struct lint *lint, const char *what, struct span text)
{
    add(lint, &(struct check_fault){lint->line, false, what}, text);
}

/* ---- values ---- */

static struct span word_span(const char *word)
{
    return (struct span){word, strlen(word)};
}

static bool span_is(struct span span, const char *word)
{
    return span.length == strlen(word) && memcmp(span.data, word, span.length) == 0;
}

static void lint_version(struct lint *lint, struct span value)
{
    if (!span_is(value, "STSv1"))
        severe(lint, "the version is not STSv1", value);
}

static void lint_mode(struct lint *lint, struct span value)
{
    lint->mode_is_none = span_is(value, "none");
    if (!lint->mode_is_none && !span_is(value, "testing") && !span_is(value, "enforce"))
        severe(lint, "the mode is none of enforce, testing and none", value);
}

static void lint_max_age(struct lint *lint, struct span value)
{
    uint64_t seconds = 0;
    bool right = value.length > 0 && value.length <= MAX_AGE_DIGITS;

    for (size_t i = 0; right && i < value.length; i++) {
        right = ascii_is_digit(value.data[i]);
        seconds = seconds * 10 + (uint64_t)(value.data[i] - '0');
    }
    if (!right)
        severe(lint, "max_age is not a number of 1 to 10 digits", value);
    else if (seconds > STS_MAX_AGE_MAX)
        mild(lint, "max_age is more than a year, 31557600", value);
}

static void note_mx(struct lint *lint, struct span value)
{
    for (size_t i = 0; i < lint->mx_count; i++)
        if (lint->mx[i].length == value.length &&
            strncasecmp(lint->mx[i].data, value.data, value.length) == 0) {
            mild(lint, "an mx for the second time", value);
            break;
        }
    lint->mx[lint->mx_count++] = value;
}

static void lint_mx(struct lint *lint, struct span value)
{
    struct span name = value;
    char text[HOSTNAME_MAX + 3];

    if (name.length > 2 && memcmp(name.data, "*.", 2) == 0) {
        name.data += 2;
        name.length -= 2;
    }
    if (!hostname_is_domain(name.data, name.length)) {
        severe(lint, "an mx is not a domain name, nor one behind \"*.\"", value);
        return;
    }
    if (lint->mx_count == STS_MX_MAX) {
        severe(lint, "more than 1000 mx", value);
        return;
    }
    memcpy(text, value.data, value.length);
    text[value.length] = '\0';
    if (!sts_match_fits_postfix(text))
        mild(lint, "an mx that is an address, or a name of one label", value);
    note_mx(lint, value);
}

static const struct {
    const char *name;
    bool repeats;
    void (*take)(struct lint *lint, struct span value);
} keys[LINT_KEYS] = {
    [LINT_VERSION] = {"version", false, lint_version},
    [LINT_MODE] = {"mode", false, lint_mode},
    [LINT_MAX_AGE] = {"max_age", false, lint_max_age},
    [LINT_MX] = {"mx", true, lint_mx},
};

/* ---- lines ---- */

static bool is_text(struct span value)
{
    for (size_t i = 0; i < value.length; i++)
        if (value.data[i] < ' ' || value.data[i] > '~')
            return false;
    return true;
}

static void lint_known(struct lint *lint, enum lint_key key, struct span value)
{
    bool before = lint->seen[key] != 0;

    if (!is_text(value)) {
        severe(lint, "a value that is not ASCII", value);
        return;
    }
    if (key == LINT_VERSION && lint->any_key && !before)
        mild(lint, "the version is not the first key", none);
    if (!before)
        lint->seen[key] = lint->line;
    if (before && !keys[key].repeats)
        mild(lint, "a key for the second time; the first counts", word_span(keys[key].name));
    else
        keys[key].take(lint, value);
}

/* Whether it was meant for that key: other case, or a hyphen. */
static bool resembles(struct span name, const char *key)
{
    if (name.length != strlen(key))
        return false;
    for (size_t i = 0; i < name.length; i++) {
        char c = ascii_is_upper(name.data[i]) ? (char)(name.data[i] - 'A' + 'a') : name.data[i];

        if ((c == '-' ? '_' : c) != key[i])
            return false;
    }
    return true;
}

static void lint_extension(struct lint *lint, struct span name, struct span value)
{
    for (enum lint_key key = LINT_VERSION; key < LINT_KEYS; key++)
        if (resembles(name, keys[key].name) && lint->misspelt[key] == 0)
            lint->misspelt[key] = lint->line;
    if (value.length == 0)
        severe(lint, "a key without a value", name);
    else if (!utf8_valid(value.data, value.length))
        severe(lint, "an extension that is not UTF-8", name);
}

static void lint_pair(struct lint *lint, struct span name, struct span value)
{
    enum lint_key key = LINT_VERSION;

    while (key < LINT_KEYS && !span_is(name, keys[key].name))
        key++;
    if (key < LINT_KEYS)
        lint_known(lint, key, value);
    else
        lint_extension(lint, name, value);
    lint->any_key = true;
}

static bool has_control(struct span span, bool tab_is_one)
{
    for (size_t i = 0; i < span.length; i++) {
        unsigned char c = (unsigned char)span.data[i];

        if ((c < 0x20 && (c != '\t' || tab_is_one)) || c == 0x7f)
            return true;
    }
    return false;
}

/* `line` has no end and no trailing blanks. */
static void lint_line(struct lint *lint, struct span line)
{
    struct span name = {line.data, txt_name_length(line.data, line.length)}, value;

    if (has_control(line, false)) {
        severe(lint, "a control character", line);
        return;
    }
    if (name.length == 0 || name.length == line.length || line.data[name.length] != ':') {
        severe(lint,
               line.length >= 3 && memcmp(line.data, "\xef\xbb\xbf", 3) == 0
                   ? "a byte order mark before the key"
                   : "a line that is not \"key: value\"",
               line);
        return;
    }
    value = (struct span){line.data + name.length + 1, line.length - name.length - 1};
    while (value.length > 0 && ascii_is_blank(value.data[0])) {
        value.data++;
        value.length--;
    }
    if (has_control(value, true))
        severe(lint, "a tab in a value", value);
    else
        lint_pair(lint, name, value);
}

static void lint_blank(struct lint *lint, bool more)
{
    if (more && !lint->blank_told)
        mild(lint, "an empty line", none);
    lint->blank_told |= more;
}

static void lint_lines(struct lint *lint, struct span text)
{
    const char *end = text.data + text.length;

    for (const char *at = text.data; at < end;) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *next = newline == NULL ? end : newline + 1;
        struct span line = {at, (size_t)((newline == NULL ? end : newline) - at)};

        lint->line++;
        if (newline != NULL && line.length > 0 && at[line.length - 1] == '\r')
            line.length--;
        while (line.length > 0 && ascii_is_blank(at[line.length - 1]))
            line.length--;
        if (line.length > 0)
            lint_line(lint, line);
        else
            lint_blank(lint, next < end);
        at = next;
    }
}

/* ---- the whole ---- */

static void lint_missing(struct lint *lint)
{
    for (enum lint_key key = LINT_VERSION; key < LINT_KEYS; key++) {
        bool needed = key == LINT_MX
                          ? lint->mx_count == 0 && !lint->mode_is_none && lint->seen[LINT_MX] == 0
                          : lint->seen[key] == 0;

        if (lint->misspelt[key] != 0)
            add(lint,
                &(struct check_fault){lint->misspelt[key], needed, "the key is to be written"},
                word_span(keys[key].name));
        else if (needed)
            add(lint, &(struct check_fault){0, true, "a key is missing"},
                word_span(keys[key].name));
    }
}

/* A page of a web server that says something else. */
static bool is_markup(struct span text)
{
    size_t i = 0;

    while (i < text.length &&
           (ascii_is_blank(text.data[i]) || text.data[i] == '\r' || text.data[i] == '\n'))
        i++;
    return i < text.length && text.data[i] == '<';
}

static void sort_by_line(struct policy_lint *out)
{
    for (size_t i = 1; i < out->count; i++) {
        struct check_fault fault = out->faults[i];
        size_t k = i;

        while (k > 0 && fault.line != 0 &&
               (out->faults[k - 1].line == 0 || out->faults[k - 1].line > fault.line)) {
            out->faults[k] = out->faults[k - 1];
            k--;
        }
        out->faults[k] = fault;
    }
}

bool policy_lint(struct policy_lint *out, struct arena *arena, const char *text, size_t length)
{
    struct lint lint = {.out = out, .arena = arena};
    struct span whole = {text, length};

    *out = (struct policy_lint){.count = 0};
    lint.mx = arena_array(arena, STS_MX_MAX, sizeof *lint.mx);
    if (arena_failed(arena))
        return false;
    if (length > STS_BODY_MAX)
        add(&lint, &(struct check_fault){0, true, "more than 65536 octets"}, none);
    else if (is_markup(whole))
        add(&lint, &(struct check_fault){1, true, "HTML or XML, and no policy"}, none);
    else {
        lint_lines(&lint, whole);
        lint_missing(&lint);
        sort_by_line(out);
    }
    return !arena_failed(arena);
}
