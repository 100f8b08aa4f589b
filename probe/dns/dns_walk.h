/*
 * dns_walk: a bounded walk over an untrusted DNS message, before anything decodes it.
 *
 * Names are followed only as far as RFC 1035 lets them go: labels of 63 octets, 255 octets in all,
 * pointers strictly backwards and at most DNS_POINTERS_MAX of them. ldns alone follows 65,535
 * pointers per name, which one message can make it do thousands of times.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DNS_HEADER_OCTETS   12
#define DNS_NAME_OCTETS_MAX 255 /* RFC 1035 §2.3.4, on the wire */
#define DNS_POINTERS_MAX    64  /* unbound allows 256; real messages stay below ten */

struct dns_span {
    const uint8_t *data;
    size_t length;
};

/* One resource record, by its place in the message. */
struct dns_walk_rr {
    size_t owner; /* offset of the owner name */
    uint16_t type;
    uint16_t class;
    uint32_t ttl;    /* as it stands there */
    size_t rdata;    /* offset */
    uint16_t length; /* of the RDATA */
};

/* Moves *offset behind the name there; false when it is no name. */
bool dns_walk_name(struct dns_span message, size_t *offset);
/* Reads the record at *offset and moves behind it; false when it does not fit the message. */
bool dns_walk_rr(struct dns_span message, size_t *offset, struct dns_walk_rr *out);
/* True when the name at `offset`, which has been walked, is `name` (uncompressed wire form, lower
 * case). */
bool dns_walk_equal(struct dns_span message, size_t offset, const uint8_t *name);
uint16_t dns_walk_u16(struct dns_span message, size_t offset);
uint32_t dns_walk_u32(struct dns_span message, size_t offset);
