/* dns_name: see dns_name.h. RFC 1035 §3.1 and §4.1.4. */
#include "probe/dns/dns_name.h"

#include <string.h>

#include "base/ascii.h"
#include "base/hash.h"

#define LABEL_MAX 63
#define POINTER   0xc0 /* in place of a length: the upper two bits */

static uint8_t fold(uint8_t octet)
{
    return ascii_is_upper((char)octet) ? (uint8_t)(octet + ('a' - 'A')) : octet;
}

/* ---- text ---- */

/* Takes one octet off the text; false for half an escape, or one above 255. */
static bool take_octet(const char **text, uint8_t *out)
{
    bool escaped = **text == '\\';
    unsigned value = 0;

    *text += escaped;
    if (escaped && ascii_is_digit(**text)) {
        for (unsigned i = 0; i < 3; i++) {
            if (!ascii_is_digit(**text))
                return false;
            value = value * 10 + (unsigned)(*(*text)++ - '0');
        }
        *out = (uint8_t)value;
        return value <= UINT8_MAX;
    }
    *out = (uint8_t) * *text;
    return *(*text)++ != '\0';
}

bool dns_name_from_text(struct dns_name *out, const char *text)
{
    size_t used = 0;

    if (strcmp(text, ".") == 0)
        text++;
    else if (*text == '\0')
        return false;
    while (*text != '\0') {
        size_t label = used++;

        while (*text != '\0' && *text != '.') {
            uint8_t octet;

            /* the root takes the last octet */
            if (used - label > LABEL_MAX || used >= DNS_NAME_OCTETS_MAX - 1 ||
                !take_octet(&text, &octet))
                return false;
            out->octets[used++] = fold(octet);
        }
        if (used - label == 1)
            return false;
        out->octets[label] = (uint8_t)(used - label - 1);
        text += *text == '.';
    }
    out->octets[used++] = 0;
    out->length = used;
    out->hash = hash_bytes(out->octets, out->length);
    return true;
}

/* Writes one octet of a label as it is or as \DDD; returns how much that took. */
static size_t put_octet(char *out, uint8_t octet)
{
    if (ascii_is_alnum((char)octet) || octet == '-' || octet == '_') {
        out[0] = (char)octet;
        return 1;
    }
    out[0] = '\\';
    out[1] = (char)('0' + octet / 100);
    out[2] = (char)('0' + octet / 10 % 10);
    out[3] = (char)('0' + octet % 10);
    return 4;
}

const char *dns_name_text(struct arena *arena, const struct dns_name *name)
{
    char text[DNS_NAME_OCTETS_MAX * 4];
    size_t used = 0;

    for (const uint8_t *label = name->octets; *label != 0; label += *label + 1) {
        if (used > 0)
            text[used++] = '.';
        for (unsigned i = 1; i <= *label; i++)
            used += put_octet(text + used, label[i]);
    }
    return used == 0 ? arena_strdup(arena, ".") : arena_strndup(arena, text, used);
}

/* ---- comparison ---- */

bool dns_name_equal(const struct dns_name *a, const struct dns_name *b)
{
    return a->length == b->length && memcmp(a->octets, b->octets, a->length) == 0;
}

bool dns_name_within(const struct dns_name *name, const struct dns_name *zone)
{
    size_t at = 0;

    while (name->length - at > zone->length)
        at += (size_t)name->octets[at] + 1;
    return name->length - at == zone->length &&
           memcmp(name->octets + at, zone->octets, zone->length) == 0;
}

/* ---- in a message ---- */

/* A place in a name while it is being followed. */
struct cursor {
    size_t offset;
    size_t floor;  /* pointers must lead below this: where the octets read last began */
    size_t end;    /* behind the name where it stands; 0 until a pointer was met */
    size_t octets; /* of the name so far, uncompressed */
    unsigned pointers;
};

static bool follow_pointer(struct dns_span message, struct cursor *cursor)
{
    const uint8_t *pointer = message.data + cursor->offset;
    size_t target;

    if (message.length - cursor->offset < 2 || ++cursor->pointers > DNS_POINTERS_MAX)
        return false;
    target = (size_t)(pointer[0] & ~POINTER) << 8 | pointer[1];
    if (target < DNS_HEADER_OCTETS || target >= cursor->floor)
        return false;
    if (cursor->end == 0)
        cursor->end = cursor->offset + 2;
    cursor->offset = cursor->floor = target;
    return true;
}

/* Steps to the next label and points *label at its length octet; false when there is none. */
static bool next_label(struct dns_span message, struct cursor *cursor, const uint8_t **label)
{
    while (cursor->offset < message.length) {
        uint8_t length = message.data[cursor->offset];

        if (length >= POINTER) {
            if (!follow_pointer(message, cursor))
                return false;
            continue;
        }
        if (length > LABEL_MAX || message.length - cursor->offset <= length)
            return false;
        *label = message.data + cursor->offset;
        cursor->offset += (size_t)length + 1;
        cursor->octets += (size_t)length + 1;
        return cursor->octets <= DNS_NAME_OCTETS_MAX;
    }
    return false;
}

bool dns_name_read(struct dns_name *out, struct dns_span message, size_t *offset)
{
    struct cursor cursor = {.offset = *offset, .floor = *offset};
    const uint8_t *label;

    out->length = 0;
    do {
        if (!next_label(message, &cursor, &label))
            return false;
        out->octets[out->length++] = *label;
        for (unsigned i = 1; i <= *label; i++)
            out->octets[out->length++] = fold(label[i]);
    } while (*label != 0);
    *offset = cursor.end != 0 ? cursor.end : cursor.offset;
    out->hash = hash_bytes(out->octets, out->length);
    return true;
}
