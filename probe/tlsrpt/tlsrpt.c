/*
 * tlsrpt: see tlsrpt.h. The record in the order of RFC 8460 §3, on top of probe/dns/txt_fields.h:
 *
 *   field     = "rua=" uri *(*WSP "," *WSP uri)
 *   uri       = RFC 3986, with ",", ";" and "!" encoded
 *
 * Of fields with the same name the first counts.
 */
#include "probe/tlsrpt/tlsrpt.h"

#include <string.h>
#include <strings.h>

#include "base/ascii.h"
#include "base/buf.h"
#include "probe/dns/txt_fields.h"

#define VERSION "v=TLSRPTv1"

/* What is read of one record. */
struct tlsrpt_reading {
    struct buf rua;
    bool rua_seen;
    bool reachable; /* an address of a kind that reports are sent to */
};

static bool is_uri_octet(char c)
{
    return c != '\0' && (ascii_is_alnum(c) || strchr("-._~:/?#[]@$&'()*+=%", c) != NULL);
}

static bool is_reachable(const char *uri, size_t length)
{
    static const char *const kinds[] = {"mailto:", "https://"};

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (length > strlen(kinds[i]) && strncasecmp(uri, kinds[i], strlen(kinds[i])) == 0)
            return true;
    return false;
}

/* Takes one address; false when there is none. What finds no room is left out whole. */
static bool take_uri(struct tlsrpt_reading *reading, struct txt_cursor *cursor)
{
    const char *uri = cursor->at;
    size_t length, blank = reading->rua.length > 0;

    while (cursor->at < cursor->end && is_uri_octet(*cursor->at))
        cursor->at++;
    length = (size_t)(cursor->at - uri);
    reading->reachable |= is_reachable(uri, length);
    if (reading->rua.length + blank + length <= TLSRPT_RUA_MAX) {
        buf_add(&reading->rua, " ", blank);
        buf_add(&reading->rua, uri, length);
    }
    return length > 0;
}

/* Goes past a comma and the blanks around it; false, at the same place, when there is none. */
static bool take_comma(struct txt_cursor *cursor)
{
    struct txt_cursor ahead = *cursor;

    txt_skip_blanks(&ahead);
    if (ahead.at == ahead.end || *ahead.at != ',')
        return false;
    ahead.at++;
    txt_skip_blanks(&ahead);
    *cursor = ahead;
    return true;
}

static bool take_rua(struct tlsrpt_reading *reading, struct txt_cursor *cursor)
{
    reading->rua_seen = true;
    do {
        if (!take_uri(reading, cursor))
            return false;
    } while (take_comma(cursor));
    return true;
}

/* One field; false when it is against the grammar. */
static bool take_field(struct tlsrpt_reading *reading, struct txt_cursor *cursor)
{
    size_t left = (size_t)(cursor->end - cursor->at), length = txt_name_length(cursor->at, left);
    bool is_rua = length == 3 && memcmp(cursor->at, "rua", 3) == 0;

    if (length == 0 || length == left || cursor->at[length] != '=')
        return false;
    cursor->at += length + 1;
    if (!is_rua)
        return txt_skip_value(cursor) == NULL;
    if (!reading->rua_seen)
        return take_rua(reading, cursor);
    while (cursor->at < cursor->end && *cursor->at != ';')
        cursor->at++;
    return true;
}

static bool take_record(struct tlsrpt_reading *reading, const struct dns_record *record)
{
    const char *text = (const char *)record->data;
    struct txt_cursor cursor = {text, text + record->length};

    txt_take_version(&cursor, VERSION);
    while (cursor.at < cursor.end)
        if (!take_field(reading, &cursor) || (cursor.at < cursor.end && !txt_take_delim(&cursor)))
            return false;
    return reading->reachable;
}

/* The only record that counts; NULL when there is none. *count: how many there are. */
static const struct dns_record *find_record(const struct dns_answer *answer, size_t *count)
{
    const struct dns_record *found = NULL;

    *count = 0;
    for (size_t i = 0; answer->outcome == DNS_RECORDS && i < answer->count; i++) {
        const struct dns_record *record = &answer->records[i];
        const char *text = (const char *)record->data;

        if (record->length == 0 ||
            !txt_take_version(&(struct txt_cursor){text, text + record->length}, VERSION))
            continue;
        found = record;
        ++*count;
    }
    return found;
}

void tlsrpt_read(struct tlsrpt *out, struct arena *arena, const struct dns_answer *answer)
{
    struct tlsrpt_reading reading = {0};
    const struct dns_record *record;
    size_t count;

    *out = (struct tlsrpt){.state = TLSRPT_ERROR};
    if (answer->outcome == DNS_FAILED)
        return;
    record = find_record(answer, &count);
    out->state = count == 0 ? TLSRPT_NONE : TLSRPT_INVALID;
    if (count != 1)
        return;
    buf_init(&reading.rua, TLSRPT_RUA_MAX);
    if (take_record(&reading, record)) {
        out->state = TLSRPT_VALID;
        out->rua = arena_strdup(arena, buf_text(&reading.rua));
    }
    buf_fini(&reading.rua);
}

const char *tlsrpt_state_name(enum tlsrpt_state state)
{
#define X(constant, word) word,
    static const char *const names[] = {TLSRPT_STATES(X)};
#undef X

    return names[state];
}
