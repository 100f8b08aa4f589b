/*
 * dns_name: domain names as text, in wire form, and where they stand in an untrusted message.
 *
 * In a message a name is followed only as far as RFC 1035 lets it go: labels of 63 octets, 255
 * octets in all, pointers strictly backwards and at most DNS_POINTERS_MAX of them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

#define DNS_HEADER_OCTETS   12
#define DNS_NAME_OCTETS_MAX 255 /* RFC 1035 §2.3.4, on the wire */
#define DNS_POINTERS_MAX    64  /* unbound allows 256; real messages stay below ten */

struct dns_span {
    const uint8_t *data;
    size_t length;
};

/* In wire form, uncompressed, lower case. */
struct dns_name {
    size_t length; /* octets, the root's included */
    uint64_t hash; /* keyed: different names share one by accident only */
    uint8_t octets[DNS_NAME_OCTETS_MAX];
};

/* From text with or without a trailing dot, \DDD and \X as in zone files (RFC 1035 §5.1). False for
 * a name that cannot exist. */
bool dns_name_from_text(struct dns_name *out, const char *text);
/* In the form that dns.h describes; in the arena, NULL on failure. */
const char *dns_name_text(struct arena *arena, const struct dns_name *name);
bool dns_name_equal(const struct dns_name *a, const struct dns_name *b);
/* True when `name` is `zone` or lies below it. */
bool dns_name_within(const struct dns_name *name, const struct dns_name *zone);

/* Decodes the name at *offset and moves behind it; false when it is no name. */
bool dns_name_read(struct dns_name *out, struct dns_span message, size_t *offset);
