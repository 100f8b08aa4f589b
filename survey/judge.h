/*
 * judge: what an address showed, judged for every host that has it, without another connection; and
 * which names are to be tried there as SNI, because the certificate shown does not cover them.
 */
#pragma once

#include "probe/tls/tls.h"
#include "survey/results/results.h"

/* Other names that are tried at one address, at most. When one of them brings the same chain as the
 * first, or breaks the handshake as the first did, the server takes no notice of SNI, and no other
 * name is tried. */
#define JUDGE_NAMES_MAX 3

/*
 * After a result of an address was put, and before the next results_commit: asks for another
 * connection (results_retry) if one may show more, else writes all pairs of the address, each by the
 * handshake that judge.c describes. `context` has the trust anchors. `latest`: the
 * result that was put, whose chain need not be parsed again; NULL: none. False on failure of disk or
 * memory.
 */
bool judge_address(struct results *results, struct tls_context *context, int64_t address,
                   const struct unit_result *latest);
