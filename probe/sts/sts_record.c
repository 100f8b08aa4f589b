/*
 * sts_record: the grammar of RFC 8461 §3.1, octet by octet, in the order it stands there:
 *
 *   record    = "v=STSv1" 1*(delim field) [delim]
 *   delim     = *WSP ";" *WSP
 *   field     = "id=" 1*32(ALPHA / DIGIT)
 *             / name "=" value
 *   name      = (ALPHA / DIGIT) *31(ALPHA / DIGIT / "_" / "-" / ".")
 *   value     = 1*(printable ASCII without "=", ";" and blank)
 *
 * Of fields with the same name the first counts: a later id is skipped, whatever it holds.
 */
#include "probe/sts/sts_record.h"

#include <string.h>

#include "probe/sts/sts_grammar.h"

#define VERSION "v=STSv1"

struct record_cursor {
    const char *at, *end;
};

static bool is_value(char c)
{
    return c > ' ' && c < 0x7f && c != '=' && c != ';';
}

static void skip_wsp(struct record_cursor *cursor)
{
    while (cursor->at < cursor->end && ascii_is_blank(*cursor->at))
        cursor->at++;
}

/* Takes a delimiter; false, at the same place, when there is none. */
static bool take_delim(struct record_cursor *cursor)
{
    struct record_cursor ahead = *cursor;

    skip_wsp(&ahead);
    if (ahead.at == ahead.end || *ahead.at != ';')
        return false;
    ahead.at++;
    skip_wsp(&ahead);
    *cursor = ahead;
    return true;
}

static bool take_version(struct record_cursor *cursor)
{
    size_t length = strlen(VERSION);

    if ((size_t)(cursor->end - cursor->at) < length || memcmp(cursor->at, VERSION, length) != 0)
        return false;
    cursor->at += length;
    return true;
}

bool sts_record_is_sts(const char *text, size_t length)
{
    struct record_cursor cursor = {text, text + length};

    return take_version(&cursor) && take_delim(&cursor);
}

/* Length of the field name at the cursor, 0 when there is none. */
static size_t field_name(const struct record_cursor *cursor)
{
    size_t left = (size_t)(cursor->end - cursor->at), length = sts_name_length(cursor->at, left);

    return length < left && cursor->at[length] == '=' ? length : 0;
}

static const char *take_id(char id[STS_ID_MAX + 1], struct record_cursor *cursor)
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

static const char *take_field_value(struct record_cursor *cursor)
{
    const char *start = cursor->at;

    while (cursor->at < cursor->end && is_value(*cursor->at))
        cursor->at++;
    return cursor->at == start ? "a field without a value" : NULL;
}

/* One field; what is wrong with it, or NULL. */
static const char *take_field(char id[STS_ID_MAX + 1], struct record_cursor *cursor)
{
    size_t length = field_name(cursor);
    bool is_id = length == 2 && memcmp(cursor->at, "id", 2) == 0;

    if (length == 0)
        return "a field that is not name=value";
    cursor->at += length + 1;
    if (!is_id)
        return take_field_value(cursor);
    if (id[0] == '\0')
        return take_id(id, cursor);
    while (cursor->at < cursor->end && *cursor->at != ';')
        cursor->at++;
    return NULL;
}

/* All fields after the version; what is wrong with them, or NULL. */
static const char *take_fields(char id[STS_ID_MAX + 1], struct record_cursor *cursor)
{
    while (cursor->at < cursor->end) {
        const char *why = take_field(id, cursor);

        if (why != NULL)
            return why;
        if (cursor->at < cursor->end && !take_delim(cursor))
            return "no semicolon after a field";
    }
    return id[0] == '\0' ? "it has no id" : NULL;
}

bool sts_record_parse(char id[STS_ID_MAX + 1], const char *text, size_t length, const char **why)
{
    struct record_cursor cursor = {text, text + length};

    id[0] = '\0';
    *why = "it does not begin with v=STSv1;";
    if (!take_version(&cursor) || !take_delim(&cursor))
        return false;
    *why = take_fields(id, &cursor);
    if (*why != NULL)
        id[0] = '\0';
    return *why == NULL;
}

enum sts_state sts_record_read(char id[STS_ID_MAX + 1], const struct dns_answer *answer,
                               struct arena *arena, const char *domain, const char **why)
{
    const struct dns_record *found = NULL;
    const char *wrong = NULL;
    size_t count = 0;

    for (size_t i = 0; answer->outcome == DNS_RECORDS && i < answer->count; i++) {
        const struct dns_record *record = &answer->records[i];

        if (record->length == 0 || !sts_record_is_sts((const char *)record->data, record->length))
            continue;
        found = record;
        count++;
    }
    *why = NULL;
    if (count > 1)
        *why = arena_printf(arena, "%zu records at _mta-sts.%s begin with v=STSv1;", count, domain);
    if (count != 1)
        return STS_NO_RECORD;
    if (sts_record_parse(id, (const char *)found->data, found->length, &wrong))
        return STS_UNKNOWN;
    *why = arena_printf(arena, "the record at _mta-sts.%s is wrong: %s", domain, wrong);
    return STS_BAD_RECORD;
}
