/* tlsrpt: the TLSRPT record of a domain (RFC 8460 §3): where it wants reports. */
#pragma once

#include <stddef.h>

#include "base/arena.h"
#include "probe/dns/dns.h"

#define TLSRPT_RUA_MAX 1000 /* octets of `rua` that are kept */

/* X(constant, word) */
#define TLSRPT_STATES(X)                                                                           \
    X(TLSRPT_UNKNOWN, "unknown") /* not asked */                                                   \
    X(TLSRPT_NONE, "none")       /* no TXT record that begins with v=TLSRPTv1; */                  \
    X(TLSRPT_VALID, "valid")                                                                       \
    X(TLSRPT_INVALID, "invalid") /* a syntax error, no mailto: or https: address, or several */    \
    X(TLSRPT_ERROR, "error")     /* the lookup failed */
#define TLSRPT_CONSTANT(constant, word) constant,
enum tlsrpt_state { TLSRPT_STATES(TLSRPT_CONSTANT) };
#undef TLSRPT_CONSTANT

struct tlsrpt {
    enum tlsrpt_state state;
    const char *rua; /* the addresses as published, printable, joined by blanks; else NULL */
};

const char *tlsrpt_state_name(enum tlsrpt_state state);
/* Reads the answer for _smtp._tls.DOMAIN, TXT. `rua` is the arena's. */
void tlsrpt_read(struct tlsrpt *out, struct arena *arena, const struct dns_answer *answer);
