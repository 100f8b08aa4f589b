/* hostname: see hostname.h. Never uses the locale. */
#include "base/net/hostname.h"

#include <string.h>
#include <strings.h>

#include "base/ascii.h"

static bool label_valid(const char *label, size_t length, enum hostname_kind kind)
{
    if (length == 0 || length > HOSTNAME_LABEL_MAX)
        return false;
    if (label[0] == '-' || label[length - 1] == '-')
        return false;
    for (size_t i = 0; i < length; i++)
        if (!ascii_is_alnum(label[i]) && label[i] != '-' &&
            (label[i] != '_' || kind != HOSTNAME_UNDERSCORE))
            return false;
    return true;
}

/* The last label of a name whose labels are all right; NULL when one is not. */
static const char *last_label(const char *text, size_t length, enum hostname_kind kind)
{
    size_t start = 0;

    if (length == 0 || length > HOSTNAME_MAX)
        return NULL;
    for (size_t i = 0; i < length; i++) {
        if (text[i] != '.')
            continue;
        if (!label_valid(text + start, i - start, kind))
            return NULL;
        start = i + 1;
    }
    return label_valid(text + start, length - start, kind) ? text + start : NULL;
}

bool hostname_valid(const char *text, size_t length, enum hostname_kind kind)
{
    const char *last = last_label(text, length, kind);

    while (last != NULL && last < text + length && ascii_is_digit(*last))
        last++;
    return last != NULL && last < text + length;
}

bool hostname_is_domain(const char *text, size_t length)
{
    return last_label(text, length, HOSTNAME_LDH) != NULL;
}

bool hostname_canonical(const char *text)
{
    if (text == NULL || !hostname_valid(text, strlen(text), HOSTNAME_UNDERSCORE))
        return false;
    while (*text != '\0' && !ascii_is_upper(*text))
        text++;
    return *text == '\0';
}

size_t hostname_labels(const char *text, size_t length)
{
    size_t labels = 1;

    for (size_t i = 0; i < length; i++)
        if (text[i] == '.')
            labels++;
    return labels;
}

void hostname_fold(char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (ascii_is_upper(text[i]))
            text[i] = (char)(text[i] - 'A' + 'a');
}

bool hostname_equal(const char *a, const char *b)
{
    return strcasecmp(a, b) == 0;
}

bool hostname_within(const char *name, const char *parent)
{
    size_t name_length = strlen(name), parent_length = strlen(parent);

    if (name_length < parent_length)
        return false;
    name += name_length - parent_length;
    return hostname_equal(name, parent) && (name_length == parent_length || name[-1] == '.');
}
