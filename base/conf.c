/* conf: see conf.h. */
#include "base/conf.h"

#include <string.h>

#include "base/buf.h"

struct conf_reader {
    struct arena *arena;
    conf_setting setting;
    void *context;
    struct buf logical; /* the line so far with its continuations */
    unsigned started;   /* line number `logical` begins on */
    const char *why;
};

static int is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static char *trimmed(struct arena *arena, const char *text, size_t length)
{
    while (length > 0 && is_blank(text[0])) {
        text++;
        length--;
    }
    while (length > 0 && is_blank(text[length - 1]))
        length--;
    return arena_strndup(arena, text, length);
}

/* Hands on the logical line, when there is one. */
static int flush(struct conf_reader *reader)
{
    const char *text = buf_text(&reader->logical), *equals = strchr(text, '=');
    const char *key, *value;
    int result;

    if (reader->logical.failed) {
        reader->why = "a value longer than 65536 octets";
        return -1;
    }
    if (reader->logical.length == 0)
        return 0;
    if (equals == NULL) {
        reader->why = "no '=' in this line";
        return -1;
    }
    key = trimmed(reader->arena, text, (size_t)(equals - text));
    value = trimmed(reader->arena, equals + 1, strlen(equals + 1));
    if (arena_failed(reader->arena)) {
        reader->why = "no memory";
        return -1;
    }
    if (*key == '\0') {
        reader->why = "no key before '='";
        return -1;
    }
    result = reader->setting(reader->context, reader->started, key, value);
    buf_clear(&reader->logical);
    return result;
}

static int take_line(struct conf_reader *reader, const char *line, size_t length, unsigned number)
{
    size_t first = 0;
    int result;

    while (first < length && is_blank(line[first]))
        first++;
    if (first == length || line[first] == '#')
        return 0;
    if (memchr(line, '\0', length) != NULL) {
        reader->started = number;
        reader->why = "a NUL octet";
        return -1;
    }
    if (first > 0) {
        if (reader->logical.length == 0) {
            reader->started = number;
            reader->why = "a continuation line with nothing to continue";
            return -1;
        }
        buf_adds(&reader->logical, " ");
        buf_add(&reader->logical, line + first, length - first);
        return 0;
    }
    result = flush(reader);
    if (result != 0)
        return result;
    reader->started = number;
    buf_add(&reader->logical, line, length);
    return 0;
}

int conf_read(const char *text, size_t length, struct arena *arena, conf_setting setting,
              void *context, unsigned *line, const char **why)
{
    struct conf_reader reader = {.arena = arena, .setting = setting, .context = context};
    unsigned number = 0;
    int result = 0;

    buf_init(&reader.logical, CONF_VALUE_MAX);
    while (length > 0 && result == 0) {
        const char *end = memchr(text, '\n', length);
        size_t line_length = end == NULL ? length : (size_t)(end - text);
        size_t step = line_length + (end != NULL);

        result = take_line(&reader, text, line_length, ++number);
        text += step;
        length -= step;
    }
    if (result == 0)
        result = flush(&reader);
    buf_fini(&reader.logical);
    *line = reader.started;
    *why = reader.why;
    return result;
}
