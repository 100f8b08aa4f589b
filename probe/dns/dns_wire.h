/* dns_wire: DNS messages to octets and back. */
#pragma once

#include "base/arena.h"
#include "probe/dns/dns.h"

#define DNS_QUERY_OCTETS_MAX 282 /* header, the longest name, type and class, OPT */

enum dns_wire_result {
    DNS_WIRE_OK,        /* *out is filled, DNS_FAILED for an error rcode included */
    DNS_WIRE_NOT_OURS,  /* wrong id, question, no answer at all: wait for the right one */
    DNS_WIRE_TRUNCATED, /* TC: ask again over TCP */
    DNS_WIRE_MEMORY
};

/* Writes a query (RD, AD, EDNS 1232 with DO, class IN); returns its length, or 0 for a name that
 * cannot exist (RFC 1035 §2.3.4, docs/conformance.md C-10). */
size_t dns_wire_query(uint8_t out[DNS_QUERY_OCTETS_MAX], uint16_t id, const char *name,
                      uint16_t type);

/*
 * Reads a reply to (id, name, type). Only records on the CNAME chain from `name` and of `type` and
 * class IN are taken, DNAME-synthesised CNAMEs among them. Anything malformed that carries our id
 * and question gives DNS_FAILED "malformed answer". Memory of *out is the arena's.
 */
enum dns_wire_result dns_wire_answer(struct dns_answer *out, struct arena *arena,
                                     const uint8_t *data, size_t length, uint16_t id,
                                     const char *name, uint16_t type);
