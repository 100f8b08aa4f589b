/* packet: see packet.h. A partial or open length (RFC 9580, 4.2.1.4) counts as none: only packets of
 * data have one. */
#include "base/sign/packet.h"

#include <stdint.h>

/* The header at the begin of what is left. */
struct header {
    int type;
    size_t octets; /* of the header */
    size_t body;
};

static size_t big_endian(const uint8_t *at, size_t octets)
{
    size_t value = 0;

    for (size_t i = 0; i < octets; i++)
        value = value << 8 | at[i];
    return value;
}

/* RFC 9580, 4.2.1 */
static bool read_length(struct header *header, const uint8_t *at, size_t length)
{
    uint8_t first = length < 2 ? 0 : at[1];

    if (length < 2)
        return false;
    header->octets = first < 192 ? 2 : first < 224 ? 3 : 6;
    if ((first >= 224 && first < 255) || length < header->octets)
        return false;
    if (first < 192)
        header->body = first;
    else if (first < 224)
        header->body = ((size_t)(first - 192) << 8) + at[2] + 192;
    else
        header->body = big_endian(at + 2, 4);
    return true;
}

/* RFC 9580, 4.2.2, as gpg writes them */
static bool read_legacy_length(struct header *header, const uint8_t *at, size_t length)
{
    size_t octets = (size_t)1 << (at[0] & 3);

    if ((at[0] & 3) == 3 || length < 1 + octets)
        return false;
    header->octets = 1 + octets;
    header->body = big_endian(at + 1, octets);
    return true;
}

/* False when it is no packet that ends within `length`. */
static bool read_header(struct header *header, const uint8_t *at, size_t length)
{
    bool read;

    if (length == 0 || (at[0] & 0x80) == 0)
        return false;
    header->type = (at[0] & 0x40) != 0 ? at[0] & 0x3f : at[0] >> 2 & 0xf;
    read = (at[0] & 0x40) != 0 ? read_length(header, at, length)
                               : read_legacy_length(header, at, length);
    return read && header->body <= length - header->octets;
}

int packet_first(const void *data, size_t length)
{
    struct header header;

    return read_header(&header, data, length) ? header.type : -1;
}

const char *packet_one_signature(const void *data, size_t length)
{
    const uint8_t *at = data;
    struct header header;
    size_t count = 0;

    while (length > 0) {
        if (!read_header(&header, at, length))
            return count == 0 ? "it is no OpenPGP signature" : "something follows the signature";
        if (header.type != PACKET_SIGNATURE)
            return "it has more than a signature: it must be a detached one (gpg --detach-sign)";
        count++;
        at += header.octets + header.body;
        length -= header.octets + header.body;
    }
    if (count > 1)
        return "it has several signatures, and must have one";
    return count == 1 ? NULL : "it is empty";
}
