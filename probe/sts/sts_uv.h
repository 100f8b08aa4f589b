/*
 * sts_uv: looks up MTA-STS of a domain: the TXT record, the addresses of the policy host, the
 * policy; and caches the results (RFC 8461 §3, §5.1; docs/verdicts.md §4). One sequence per lookup.
 *
 * A DNS or fetch failure never ends a cached policy before its max_age; mode none ends it at once.
 * sts_cache decides when a policy is fetched again.
 */
#pragma once

#include "base/arena.h"
#include "base/net/peers.h"
#include "policy/evidence.h"
#include "probe/dns/dns_uv.h"
#include "probe/https/https_uv.h"
#include "probe/sts/sts_cache.h"

struct sts_stats {
    uint64_t fetches, fetch_failures; /* failures that the domain has caused */
    uint64_t by_failure[FETCH_FAILURE_COUNT];
    size_t entries;
};

struct sts;
struct sts_lookup;

/* `dns` and `https` are borrowed. 0 or UV_ENOMEM. */
int sts_new(struct sts **out, uv_loop_t *loop, struct dns *dns, struct https *https,
            const struct sts_cache_options *options);
/* Cancels every lookup and forgets everything; frees sts at once. */
void sts_close(struct sts *sts);
/* Who else fetches policies; borrowed until it is NULL again. */
void sts_set_peers(struct sts *sts, struct peers *peers);
void sts_get_stats(const struct sts *sts, struct sts_stats *out);
/* What is known per policy domain. */
struct sts_cache *sts_cache_of(const struct sts *sts);

typedef void (*sts_done)(void *context);
/*
 * Fills *out (strings and policy in `arena`), then calls `done` exactly once, later; sts_cancel
 * prevents that. *out is touched only at the end. The lookup frees itself after `done`. 0 or
 * UV_ENOMEM. `query_budget` as in host_uv.h.
 */
int sts_start(struct sts_lookup **out, struct sts *sts, struct arena *arena, const char *domain,
              unsigned *query_budget, struct sts_evidence *evidence, sts_done done, void *context);
void sts_cancel(struct sts_lookup *lookup);
