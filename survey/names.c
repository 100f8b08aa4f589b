/* names: see names.h. */
#include "survey/names.h"

#include <stdbool.h>
#include <string.h>

#include "base/ascii.h"
#include "policy/key.h"

/* The next field of a line: up to a blank, a tab or a comma. */
struct field {
    const char *at;
    size_t length;
};

static bool is_space(char c)
{
    return ascii_is_blank(c) || c == '\r';
}

static bool is_number(const struct field *field)
{
    for (size_t i = 0; i < field->length; i++)
        if (!ascii_is_digit(field->at[i]))
            return false;
    return field->length > 0;
}

/* A comment ends the line: at its beginning or behind a blank. */
static size_t without_comment(const char *line, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (line[i] == '#' && (i == 0 || is_space(line[i - 1])))
            return i;
    return length;
}

/* Splits into at most `max` fields, between which one comma or blanks stand; gives their number,
 * or max + 1 when there are more. */
static size_t split(struct field *out, size_t max, const char *line, size_t length)
{
    size_t count = 0, i = 0;

    while (i < length) {
        size_t from;

        while (i < length && is_space(line[i]))
            i++;
        from = i;
        while (i < length && !is_space(line[i]) && line[i] != ',')
            i++;
        if (i == from && i == length)
            break;
        if (count == max)
            return max + 1;
        out[count++] = (struct field){line + from, i - from};
        while (i < length && is_space(line[i]))
            i++;
        if (i < length && line[i] == ',')
            i++;
    }
    return count;
}

/* False when it is greater than NAMES_WEIGHT_MAX. */
static bool read_weight(int64_t *out, const struct field *field)
{
    *out = 0;
    for (size_t i = 0; i < field->length; i++) {
        *out = *out * 10 + (field->at[i] - '0');
        if (*out > NAMES_WEIGHT_MAX)
            return false;
    }
    return true;
}

static bool read_domain(char out[HOSTNAME_MAX + 1], const struct field *field)
{
    struct key key;

    key_parse(&key, field->at, field->length, 25);
    if (key.kind != KEY_DOMAIN || key.port != 25 || memchr(field->at, ':', field->length) != NULL)
        return false;
    memcpy(out, key.name, sizeof key.name);
    return true;
}

enum names_line names_read(struct name_line *out, const char *line, size_t length)
{
    struct field fields[2];
    size_t count;

    if (length > NAMES_LINE_MAX)
        return NAMES_BAD;
    if (length >= 3 && memcmp(line, "\xef\xbb\xbf", 3) == 0) {
        line += 3;
        length -= 3;
    }
    count = split(fields, 2, line, without_comment(line, length));
    if (count == 0)
        return NAMES_NOTHING;
    out->weight = 1;
    if (count == 1)
        return read_domain(out->name, &fields[0]) ? NAMES_DOMAIN : NAMES_BAD;
    if (count != 2)
        return NAMES_BAD;
    if (is_number(&fields[1]))
        return read_weight(&out->weight, &fields[1]) && read_domain(out->name, &fields[0])
                   ? NAMES_DOMAIN
                   : NAMES_BAD;
    return is_number(&fields[0]) && read_domain(out->name, &fields[1]) ? NAMES_DOMAIN : NAMES_BAD;
}
