/*
 * ip: addresses as data, prefixes, and the question whether the world may make us connect there.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Longest text of an address, with NUL. */
#define IP_TEXT_MAX 46

struct ip {
    uint8_t family;     /* 4 or 6; 0: none */
    uint8_t octets[16]; /* network order; the first 4 for IPv4 */
};

struct sockaddr;
struct sockaddr_storage;

struct ip_prefix {
    struct ip ip;
    uint8_t bits;
};

/* Parses a whole text as an IPv4 dotted quad or an IPv6 address (no zone, no brackets). */
bool ip_parse(struct ip *out, const char *text);
/* An address from the RDATA of an A (4 octets) or AAAA (16 octets) record; false otherwise. */
bool ip_from_octets(struct ip *out, const void *data, size_t length);
/* Writes the text of `ip` to `out` and returns it. */
const char *ip_text(const struct ip *ip, char out[IP_TEXT_MAX]);
bool ip_equal(const struct ip *a, const struct ip *b);
/* An address and a port as the system has them; returns the length of what it filled in. */
size_t ip_to_sockaddr(struct sockaddr_storage *out, const struct ip *ip, uint16_t port);
/* False for a family other than IPv4 and IPv6. */
bool ip_from_sockaddr(struct ip *out, const struct sockaddr *address);

/* Parses ADDRESS or ADDRESS/BITS; host bits beyond the prefix must be zero. */
bool ip_prefix_parse(struct ip_prefix *out, const char *text);
bool ip_prefix_contains(const struct ip_prefix *prefix, const struct ip *ip);
/* The network of an address that is likely to be one operator's: its /24, or its /48 in IPv6. */
struct ip_prefix ip_site(const struct ip *ip);

/* Writes "192.0.2.0/24" and returns it. */
#define IP_PREFIX_TEXT_MAX (IP_TEXT_MAX + 4)
const char *ip_prefix_text(const struct ip_prefix *prefix, char out[IP_PREFIX_TEXT_MAX]);

/*
 * True for global unicast: not in the special-purpose registries of RFC 6890 (loopback, private,
 * link-local, shared, documentation, benchmarking, multicast, reserved) nor in a range that embeds
 * an IPv4 address (mapped, compatible, NAT64, 6to4, Teredo).
 */
bool ip_is_global(const struct ip *ip);
bool ip_is_loopback(const struct ip *ip);
