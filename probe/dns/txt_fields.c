/* txt_fields: see txt_fields.h. */
#include "probe/dns/txt_fields.h"

#include <string.h>

#include "base/ascii.h"

#define NAME_MAX_OCTETS 32

void txt_skip_blanks(struct txt_cursor *cursor)
{
    while (cursor->at < cursor->end && ascii_is_blank(*cursor->at))
        cursor->at++;
}

bool txt_take_delim(struct txt_cursor *cursor)
{
    struct txt_cursor ahead = *cursor;

    txt_skip_blanks(&ahead);
    if (ahead.at == ahead.end || *ahead.at != ';')
        return false;
    ahead.at++;
    txt_skip_blanks(&ahead);
    *cursor = ahead;
    return true;
}

bool txt_take_version(struct txt_cursor *cursor, const char *version)
{
    size_t length = strlen(version);

    if ((size_t)(cursor->end - cursor->at) < length || memcmp(cursor->at, version, length) != 0)
        return false;
    cursor->at += length;
    return txt_take_delim(cursor);
}

const char *txt_skip_value(struct txt_cursor *cursor)
{
    const char *value = cursor->at;

    while (cursor->at < cursor->end && *cursor->at != ';' && *cursor->at > ' ' &&
           *cursor->at < 0x7f && *cursor->at != '=')
        cursor->at++;
    return cursor->at > value ? NULL : "a field without a value";
}

size_t txt_name_length(const char *text, size_t length)
{
    size_t used = 0;

    while (used < length &&
           (ascii_is_alnum(text[used]) || (used > 0 && memchr("_-.", text[used], 3) != NULL)))
        used++;
    return used <= NAME_MAX_OCTETS ? used : 0;
}
