/*
 * evidence_wire: what evidence_pack.c writes and evidence_unpack.c reads; nobody else needs it.
 *
 * The octets, in their order:
 *   version, then the evidence, its hosts, and last what MTA-STS said
 *   number   seven bits an octet, the lowest first, the highest bit set on all but the last octet
 *   signed   a number: 0, -1, 1, -2 … as 0, 1, 2, 3 …
 *   TTL      a number: 0 for none, else one more
 *   time     a number: 0 for 0, else one more than the difference, signed, to the time before it
 *   string   a number: 0 for NULL; odd: twice its place among the strings seen, plus one; else
 *            twice its length, plus two, and its octets
 *   flags    one octet each, with the smaller enums in it
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/evidence.h"

/* Octets of a text in words; longer ones are cut. */
#define WIRE_TEXT_MAX 2000
/* Times are within so much of 0, that none of their differences overflows. */
#define WIRE_TIME_MAX (INT64_C(1) << 60)
/* "a:b" and its end: no line of a policy is shorter. */
#define WIRE_LINES_MAX (STS_BODY_MAX / 4)
#define WIRE_CODE_MAX  999
/* Strings that can be referred to in one octet. */
#define WIRE_STRINGS_MAX 64

/* Flags of the evidence, above enum mx_state. */
enum {
    WIRE_MX_SECURE = 1 << 3,
    WIRE_MX_TRUNCATED = 1 << 4,
    WIRE_COMPLETE = 1 << 5,
    WIRE_OTHER_PORT = 1 << 6 /* than smtp's: it follows */
};
/* Of a host, above enum host_dane. */
enum {
    WIRE_ADDRESS_SECURE = 1 << 3,
    WIRE_ADDRESSES_KNOWN = 1 << 4,
    WIRE_TLSA_SHORT = 1 << 5,
    WIRE_TLSA_TRUNCATED = 1 << 6
};
/* Of an address, above enum starttls. */
enum { WIRE_IPV6 = 1 << 4, WIRE_SECURE = 1 << 5, WIRE_CHAIN_OK = 1 << 6, WIRE_NAME_OK = 1 << 7 };
/* Of a result, above enum tlsa_match. */
enum { WIRE_EXPIRED = 1 << 2, WIRE_REQUIRETLS = 1 << 3, WIRE_DISTRUSTED = 1 << 4 };
/* Of a policy, above enum sts_mode: its patterns are those of its lines, and do not follow. */
enum { WIRE_MX_IN_LINES = 1 << 2 };
#define WIRE_MX_MASK       7
#define WIRE_DANE_MASK     7
#define WIRE_STARTTLS_MASK 15
#define WIRE_MATCH_MASK    3
#define WIRE_MODE_MASK     3

/* What a string is; the reader takes no other. */
enum wire_kind {
    WIRE_NAME,    /* a host name in lower case, underscores too */
    WIRE_TEXT,    /* printable ASCII for people */
    WIRE_ID,      /* of an MTA-STS record; may be empty */
    WIRE_PATTERN, /* of a policy: a host name of two labels or more, maybe after "*." */
    WIRE_LINE     /* of a policy, fit for policy_string */
};

bool wire_string_ok(enum wire_kind kind, const char *text, size_t length);
/* True for an octet that every terminal, log and reply takes as it is. */
bool wire_printable(char c);

/* The strings seen last, after some that are seen everywhere. Borrowed. */
struct wire_strings {
    const char *slots[WIRE_STRINGS_MAX];
    size_t next; /* slot that the next one takes */
};

void wire_strings_init(struct wire_strings *strings);
/* NULL takes a slot that nothing finds. */
void wire_strings_add(struct wire_strings *strings, const char *text);
/* Its slot, or WIRE_STRINGS_MAX. */
size_t wire_strings_find(const struct wire_strings *strings, const char *text);

/* The part of a policy's line that is the pattern of an mx, NULL when it is none; not folded. */
const char *wire_line_pattern(const char *line);
