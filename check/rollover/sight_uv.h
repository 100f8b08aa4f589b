/*
 * sight_uv: sees what servers say and addresses show of the hosts of a rollover: asks the configured
 * resolver and every authoritative server for the TLSA records, and makes one handshake with each
 * address, offering one kind of key where the present and the next certificate have the same kind:
 * a certificate of another kind beside it is no concern of this rollover.
 *
 * Where the records are is asked first (aliases of the host and of the records are followed; of a host
 * that is an alias both names count, RFC 7672 §2.2.2); then servers are asked and handshakes made at
 * the same time.
 *
 * BUGS: of a chain of aliases only the first name and the last are asked for at their servers. A
 * server that says no more than another alias counts as one that did not answer.
 */
#pragma once

#include "base/arena.h"
#include "check/rollover/rollover.h"
#include "probe/options.h"

#define SIGHT_WHY_MAX 256

/* Sees all hosts at once and waits: for the lookups, then no longer than the slowest deadline. `out`
 * has room for each host; all is the arena's. False with why: no memory, no trust anchors.
 * `dns_port`: of name servers; 0: 53. */
bool sight_now(struct rollover_seen *out, struct arena *arena, const struct rollover *rollover,
               const struct prober_options *options, uint16_t dns_port, char why[SIGHT_WHY_MAX]);
