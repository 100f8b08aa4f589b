/* mx: the MX answer read as a list of hosts (RFC 5321 §5.1, RFC 7505). */
#pragma once

#include "base/arena.h"
#include "policy/evidence.h"
#include "probe/dns/dns.h"

/*
 * Fills mx, mx_secure, mx_ttl, mx_why, mx_truncated, expanded, host_count and hosts (name and
 * preference, sorted by preference, then name; each name once) of *evidence, whose domain is set.
 */
void mx_read(struct evidence *evidence, struct arena *arena, const struct dns_answer *answer);
/* The next-hop as its own only host: an implicit MX or a [host]. */
void mx_self(struct evidence *evidence, struct arena *arena, enum mx_state state);
