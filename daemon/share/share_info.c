/* share_info: see share_info.h. Lines are "name:value", and "# Title" between them. */
#include "daemon/share/share_info.h"

#include <string.h>

#include "base/ascii.h"

/* A value; `text` is not terminated. */
struct value {
    const char *text;
    size_t length;
};

/* Letters, digits and what stands in versions. */
static bool read_word(char out[SHARE_WORD_MAX + 1], struct value value)
{
    if (value.length == 0 || value.length > SHARE_WORD_MAX)
        return false;
    for (size_t i = 0; i < value.length; i++)
        if (!ascii_is_alnum(value.text[i]) && memchr(".-_", value.text[i], 3) == NULL)
            return false;
    memcpy(out, value.text, value.length);
    out[value.length] = '\0';
    return true;
}

static bool read_number(uint64_t *out, struct value value)
{
    uint64_t number = 0;

    if (value.length == 0 || value.length > 18)
        return false;
    for (size_t i = 0; i < value.length; i++) {
        if (value.text[i] < '0' || value.text[i] > '9')
            return false;
        number = number * 10 + (uint64_t)(value.text[i] - '0');
    }
    *out = number;
    return true;
}

/* The value of a name; text NULL: there is none. */
static struct value find(const char *text, size_t length, const char *name)
{
    const char *end = text + length;
    size_t name_length = strlen(name);

    while (text < end) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        size_t line = (size_t)((stop == NULL ? end : stop) - text);

        if (line > name_length && memcmp(text, name, name_length) == 0 &&
            text[name_length] == ':') {
            struct value value = {text + name_length + 1, line - name_length - 1};

            if (value.length > 0 && value.text[value.length - 1] == '\r')
                value.length--;
            return value;
        }
        text += line + 1;
    }
    return (struct value){NULL, 0};
}

const char *share_info_read(struct share_info *out, const char *text, size_t length)
{
    uint64_t appends = 0;

    *out = (struct share_info){.valkey = false};
    if (length > SHARE_INFO_MAX)
        return "it is too long";
    out->valkey = read_word(out->version, find(text, length, "valkey_version"));
    if (!out->valkey && !read_word(out->version, find(text, length, "redis_version")))
        return "it says no version";
    if (!read_word(out->policy, find(text, length, "maxmemory_policy")) ||
        !read_number(&out->used_octets, find(text, length, "used_memory")) ||
        !read_number(&out->max_octets, find(text, length, "maxmemory")))
        return "it says nothing of its memory";
    (void)read_number(&out->evicted, find(text, length, "evicted_keys"));
    (void)read_number(&appends, find(text, length, "aof_enabled"));
    out->appends = appends == 1;
    return NULL;
}
