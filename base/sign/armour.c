/* armour: see armour.h. */
#include "base/sign/armour.h"

#include <stdio.h>
#include <string.h>

#include "base/escape.h"
#include "base/sign/base64.h"

#define BEGIN    "-----BEGIN PGP "
#define END      "-----END PGP "
#define DASHES   "-----"
#define KIND_MAX 40

/* What is left of a text. */
struct rest {
    const char *at;
    size_t length;
};

/* A line, without its end and blanks before it. */
struct line {
    const char *at;
    size_t length;
};

static bool next_line(struct line *line, struct rest *rest)
{
    const char *end;

    if (rest->length == 0)
        return false;
    end = memchr(rest->at, '\n', rest->length);
    line->at = rest->at;
    line->length = end == NULL ? rest->length : (size_t)(end - rest->at);
    rest->at += line->length + (end != NULL);
    rest->length -= line->length + (end != NULL);
    while (line->length > 0 && strchr(" \t\r", line->at[line->length - 1]) != NULL &&
           line->at[line->length - 1] != '\0')
        line->length--;
    return true;
}

static bool begins(const struct line *line, const char *with)
{
    size_t length = strlen(with);

    return line->length >= length && memcmp(line->at, with, length) == 0;
}

/* "-----BEGIN PGP KIND-----" */
static bool is_mark(const struct line *line, const char *word, const char *kind)
{
    size_t before = strlen(word), between = strlen(kind), after = strlen(DASHES);

    return begins(line, word) && line->length == before + between + after &&
           memcmp(line->at + before, kind, between) == 0 &&
           memcmp(line->at + before + between, DASHES, after) == 0;
}

bool armour_is(const char *text, size_t length)
{
    struct rest rest = {text, length};
    struct line line;

    while (next_line(&line, &rest))
        if (begins(&line, BEGIN))
            return true;
    return false;
}

/* The lines up to the empty one that ends the headers. */
static bool skip_headers(struct rest *rest)
{
    struct line line;

    while (next_line(&line, rest)) {
        if (line.length == 0)
            return true;
        if (memchr(line.at, ':', line.length) == NULL)
            return false;
    }
    return false;
}

/* What stands between BEGIN and END. */
static const char *read_block(struct buf *out, struct rest *rest, const char *kind)
{
    const char *why = "its armour has no end";
    struct line line;
    struct buf text;

    if (!skip_headers(rest))
        return "its armour has no empty line behind the headers";
    buf_init(&text, rest->length);
    while (next_line(&line, rest)) {
        if (begins(&line, DASHES)) {
            if (is_mark(&line, END, kind) && text.length > 0)
                why = base64_decode(out, text.data, text.length)
                          ? NULL
                          : "what its armour has is no base64, or too much";
            break;
        }
        if (line.length > 0 && line.at[0] != '=') /* the checksum */
            buf_add(&text, line.at, line.length);
    }
    buf_fini(&text);
    return why;
}

/* Says which kind a block is of that should be another. */
static const char *other_kind(const struct line *line, const char *kind, char why[ARMOUR_WHY_MAX])
{
    char shown[KIND_MAX];

    escape_bytes(shown, sizeof shown, line->at + strlen(DASHES), line->length - strlen(DASHES));
    snprintf(why, ARMOUR_WHY_MAX, "it has '%s' where BEGIN PGP %s must be", shown, kind);
    return why;
}

const char *armour_read(struct buf *out, const char *text, size_t length, const char *kind,
                        char why[ARMOUR_WHY_MAX])
{
    const char *wrong = "it has no armour";
    struct rest rest = {text, length};
    struct line line;

    while (next_line(&line, &rest)) {
        if (!begins(&line, BEGIN))
            continue;
        wrong = is_mark(&line, BEGIN, kind) ? read_block(out, &rest, kind)
                                            : other_kind(&line, kind, why);
        if (wrong != NULL)
            break;
    }
    if (wrong != NULL && wrong != why)
        snprintf(why, ARMOUR_WHY_MAX, "%s", wrong);
    return wrong == NULL ? NULL : why;
}
