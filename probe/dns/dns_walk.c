/* dns_walk: see dns_walk.h. RFC 1035 §4.1; reads octets and allocates nothing. */
#include "probe/dns/dns_walk.h"

#define RR_FIXED_OCTETS 10 /* type, class, TTL, RDLENGTH */

/* A place in a name while it is being followed. */
struct cursor {
    size_t offset;
    size_t floor;  /* pointers must lead below this: where the octets read last began */
    size_t end;    /* behind the name where it stands; 0 until a pointer was met */
    size_t octets; /* of the name so far, uncompressed */
    unsigned pointers;
};

uint16_t dns_walk_u16(struct dns_span message, size_t offset)
{
    return (uint16_t)(message.data[offset] << 8 | message.data[offset + 1]);
}

uint32_t dns_walk_u32(struct dns_span message, size_t offset)
{
    return (uint32_t)dns_walk_u16(message, offset) << 16 | dns_walk_u16(message, offset + 2);
}

static bool follow_pointer(struct dns_span message, struct cursor *cursor)
{
    size_t target;

    if (message.length - cursor->offset < 2 || ++cursor->pointers > DNS_POINTERS_MAX)
        return false;
    target = dns_walk_u16(message, cursor->offset) & 0x3fff;
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

        if (length >= 0xc0) {
            if (!follow_pointer(message, cursor))
                return false;
            continue;
        }
        if (length > 63 || message.length - cursor->offset <= length)
            return false;
        *label = message.data + cursor->offset;
        cursor->offset += (size_t)length + 1;
        cursor->octets += (size_t)length + 1;
        return cursor->octets <= DNS_NAME_OCTETS_MAX;
    }
    return false;
}

bool dns_walk_name(struct dns_span message, size_t *offset)
{
    struct cursor cursor = {.offset = *offset, .floor = *offset};
    const uint8_t *label;

    do {
        if (!next_label(message, &cursor, &label))
            return false;
    } while (*label != 0);
    *offset = cursor.end != 0 ? cursor.end : cursor.offset;
    return true;
}

bool dns_walk_rr(struct dns_span message, size_t *offset, struct dns_walk_rr *out)
{
    size_t at = *offset;

    out->owner = at;
    if (!dns_walk_name(message, &at) || message.length - at < RR_FIXED_OCTETS)
        return false;
    out->type = dns_walk_u16(message, at);
    out->class = dns_walk_u16(message, at + 2);
    out->ttl = dns_walk_u32(message, at + 4);
    out->length = dns_walk_u16(message, at + 8);
    out->rdata = at + RR_FIXED_OCTETS;
    if (message.length - out->rdata < out->length)
        return false;
    *offset = out->rdata + out->length;
    return true;
}

static uint8_t fold(uint8_t octet)
{
    return octet >= 'A' && octet <= 'Z' ? (uint8_t)(octet + ('a' - 'A')) : octet;
}

bool dns_walk_equal(struct dns_span message, size_t offset, const uint8_t *name)
{
    struct cursor cursor = {.offset = offset, .floor = offset};
    const uint8_t *label;

    while (next_label(message, &cursor, &label)) {
        for (unsigned i = 0; i <= *label; i++)
            if (fold(label[i]) != name[i])
                return false;
        if (*label == 0)
            return true;
        name += *label + 1;
    }
    return false;
}
