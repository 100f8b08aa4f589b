/* dns_wire: DNS messages to octets and back; the only file that knows ldns. */
#pragma once

#include "base/arena.h"
#include "probe/dns/dns.h"

enum dns_wire_result {
    DNS_WIRE_OK,        /* *out is filled, DNS_FAILED for an error rcode included */
    DNS_WIRE_NOT_OURS,  /* wrong id, question, no answer at all: wait for the right one */
    DNS_WIRE_TRUNCATED, /* TC: ask again over TCP */
    DNS_WIRE_MEMORY
};

enum dns_wire_written {
    DNS_WIRE_WRITTEN,
    /* no such name can exist (RFC 1035 §2.3.4, docs/conformance.md C-10) */
    DNS_WIRE_IMPOSSIBLE = -1,
    DNS_WIRE_NO_MEMORY = -2 /* says nothing about the name */
};

/* Writes a query (RD, AD, EDNS 1232 with DO, class IN) to `out` and its length to *length; one that
 * does not fit is DNS_WIRE_IMPOSSIBLE. */
enum dns_wire_written dns_wire_query(uint8_t *out, size_t size, size_t *length, uint16_t id,
                                     const char *name, uint16_t type);

/*
 * Reads a reply to (id, name, type). Only records on the CNAME chain from `name` and of `type` and
 * class IN are taken, DNAME-synthesised CNAMEs among them. Anything malformed that carries our id
 * and question gives DNS_FAILED "malformed answer". Memory of *out is the arena's.
 */
enum dns_wire_result dns_wire_answer(struct dns_answer *out, struct arena *arena,
                                     const uint8_t *data, size_t length, uint16_t id,
                                     const char *name, uint16_t type);
