/* domain_list: see domain_list.h. A file may be anybody's: what is told of it is escaped. */
#include "cli/check/domain_list.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "base/file.h"
#include "policy/key.h"

#define FILE_MAX  (1 << 20) /* octets: a thousand of the longest names, and comments */
#define SHOWN_MAX 100       /* octets of a text that is told */
#define BLANKS    " \t\r\v\f"

bool domain_list_init(struct domain_list *list, uint16_t port)
{
    *list = (struct domain_list){.port = port};
    list->names = calloc(DOMAIN_LIST_MAX, sizeof *list->names);
    return list->names != NULL;
}

void domain_list_fini(struct domain_list *list)
{
    free(list->names);
}

static void complain(const char *place, const char *text, size_t length)
{
    char shown[SHOWN_MAX];

    fprintf(stderr, "mxcrypt: %snot a domain: %s\n", place,
            escape_bytes(shown, sizeof shown, text, length));
}

static bool is_in(const struct domain_list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->names[i], name) == 0)
            return true;
    return false;
}

/* `place` comes before what is told: "", or "FILE:7: ". */
static bool add(struct domain_list *list, const char *place, const char *text, size_t length)
{
    struct key key;

    key_parse(&key, text, length, list->port);
    if (key.kind != KEY_DOMAIN || key.port != list->port) {
        complain(place, text, length);
        return false;
    }
    if (is_in(list, key.name))
        return true;
    if (list->count == DOMAIN_LIST_MAX) {
        fprintf(stderr, "mxcrypt: %smore than %d domains\n", place, DOMAIN_LIST_MAX);
        return false;
    }
    memcpy(list->names[list->count++], key.name, strlen(key.name) + 1);
    return true;
}

bool domain_list_add(struct domain_list *list, const char *text)
{
    return add(list, "", text, strlen(text));
}

/* ---- files ---- */

static bool read_input(struct buf *out)
{
    char room[4096];
    size_t length;

    while (!out->failed && (length = fread(room, 1, sizeof room, stdin)) > 0)
        buf_add(out, room, length);
    if (out->failed)
        errno = EFBIG;
    return !out->failed && !ferror(stdin);
}

/* The text of a line without blanks and comment; a NUL is no blank. */
static const char *trim(const char *line, size_t *length)
{
    const char *comment = memchr(line, '#', *length);

    if (comment != NULL)
        *length = (size_t)(comment - line);
    while (*length > 0 && line[0] != '\0' && strchr(BLANKS, line[0]) != NULL) {
        line++;
        --*length;
    }
    while (*length > 0 && line[*length - 1] != '\0' && strchr(BLANKS, line[*length - 1]) != NULL)
        --*length;
    return line;
}

static void take_lines(struct domain_list *list, const char *path, const struct buf *text)
{
    const char *at = buf_text(text), *end = at + text->length;
    char place[SHOWN_MAX + 20];

    for (unsigned number = 1; at < end; number++) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at)), *line;
        size_t length = (size_t)((line_end == NULL ? end : line_end) - at);

        line = trim(at, &length);
        snprintf(place, sizeof place, "%.*s:%u: ", SHOWN_MAX, path, number);
        if (length > 0 && !add(list, place, line, length))
            list->bad++;
        at = line_end == NULL ? end : line_end + 1;
    }
}

bool domain_list_read(struct domain_list *list, const char *path)
{
    size_t before = list->count;
    struct buf text;
    bool ok;

    buf_init(&text, FILE_MAX);
    ok = strcmp(path, "-") == 0 ? read_input(&text) : file_read(&text, path) == 0;
    if (ok)
        take_lines(list, path, &text);
    else
        fprintf(stderr, "mxcrypt: %s: %s\n", path,
                errno == EINVAL ? "it is no plain file" : strerror(errno));
    if (ok && list->count == before) {
        fprintf(stderr, "mxcrypt: %s: it names no domain\n", path);
        ok = false;
    }
    buf_fini(&text);
    return ok;
}
