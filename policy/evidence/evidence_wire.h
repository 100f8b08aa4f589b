/*
 * evidence_wire: the parts of a packed evidence, each described once for both directions, as in XDR:
 * a function writes the value it is given, or reads one; it returns the value either way. Nobody but
 * evidence_pack.c needs it.
 *
 * The octets, in their order:
 *   version, then the evidence, its hosts, and last what MTA-STS said
 *   number   seven bits an octet, the lowest first, the highest bit set on all but the last octet
 *   signed   a number: 0, -1, 1, -2 … as 0, 1, 2, 3 …
 *   TTL      a number: 0 for none, else one more
 *   time     a number: 0 for 0, else one more than the difference, signed, to the time before it
 *   string   a number: 0 for NULL; odd: twice its place among the strings seen, plus one; else
 *            twice its length, plus two, and its octets
 *   flags    one octet: a small enum in the lowest bits, claims in the bits above it
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
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

/* What a string is; the reader takes no other. */
enum wire_kind {
    WIRE_NAME,    /* a host name in lower case, underscores too */
    WIRE_TEXT,    /* printable ASCII for people */
    WIRE_ID,      /* of an MTA-STS record; may be empty */
    WIRE_PATTERN, /* of a policy: a host name of two labels or more, maybe after "*." */
    WIRE_LINE     /* of a policy, fit for policy_string */
};

bool wire_string_ok(enum wire_kind kind, const char *text);

/*
 * Failure is sticky: after the first thing that is wrong everything reads as nothing, and the end
 * looks once. No count is believed before it is within its limit and within the octets that are
 * left.
 */
struct wire {
    struct buf *out;         /* writes; NULL: reads */
    struct arena *arena;     /* of what is read */
    const uint8_t *at, *end; /* what is read */
    int64_t shift_ms;        /* added to the times that are read */
    int64_t last_time;
    bool failed;
    /* The strings seen last, after some that are seen everywhere. Borrowed. */
    const char *strings[WIRE_STRINGS_MAX];
    size_t next_string; /* place that the next one takes */
};

void wire_init(struct wire *wire);
/* True while `ok` and nothing has failed before. */
bool wire_demand(struct wire *wire, bool ok);

/* A number of at most `most`, else a failure and 0. */
uint64_t wire_bounded(struct wire *wire, uint64_t value, uint64_t most);
int64_t wire_signed(struct wire *wire, int64_t value);
uint32_t wire_ttl(struct wire *wire, uint32_t ttl);
/* A time as it was written, and one that is shifted. */
int64_t wire_plain_time(struct wire *wire, int64_t at);
int64_t wire_time(struct wire *wire, int64_t at);
int64_t wire_shifted(const struct wire *wire, int64_t at);
/* Borrowed from what is read; NULL after a failure. */
const void *wire_octets(struct wire *wire, const void *octets, size_t length);
unsigned wire_octet(struct wire *wire, unsigned value);
/* An octet: in the lowest `bits` a number of at most `most`, above it claims, a bit each in their
 * order; NULL ends them. */
unsigned wire_flags(struct wire *wire, unsigned value, unsigned bits, unsigned most,
                    bool *const *claims);

/* A string that must be there; one that cannot be fails. */
const char *wire_string(struct wire *wire, const char *text, enum wire_kind kind);
/* NULL for none. A name that cannot be is left out, a text is cut and made printable. */
const char *wire_optional(struct wire *wire, const char *text, enum wire_kind kind);

/*
 * `*count` things of `size`, at most `most`, each by `one`; they are in the arena when they are
 * read. `one` gets a copy of what is written.
 */
void *wire_list(struct wire *wire, const void *items, size_t *count, size_t size, size_t most,
                void (*one)(struct wire *wire, void *item));
/* Memory for `count` things that are read; NULL for none, and after a failure. */
void *wire_array(struct wire *wire, size_t count, size_t size);

/* The part of a policy's line that is the pattern of an mx, NULL when it is none; not folded. */
const char *wire_line_pattern(const char *line);
