/*
 * sts_uv: MTA-STS of a domain: the TXT record, the addresses of the policy host, the fetch; and the
 * memory of policies until their max_age (RFC 8461 §3, §5.1; VERDICTS.md §4). A sequence per
 * lookup.
 *
 * Memory, per policy domain and bounded: the last good policy with its id and fetch time, and
 * failures with their back-off. A DNS or fetch failure never ends a remembered policy before its
 * max_age; mode none ends it at once. The same id is fetched again once `refresh_ms` old; a new id
 * at once, but not more often than the back-off allows after repeated changes (CONFORMANCE
 * hostile 18).
 */
#pragma once

#include "base/arena.h"
#include "policy/evidence.h"
#include "probe/dns/dns_uv.h"
#include "probe/https/https_uv.h"
#include "probe/sts/sts_cache.h"

struct sts_stats {
    uint64_t fetches, fetch_failures; /* failures that are the domain's own doing */
    uint64_t by_failure[FETCH_FAILURE_COUNT];
    size_t entries;
};

struct sts;
struct sts_lookup;

/* `dns` and `https` are borrowed. 0 or UV_ENOMEM. */
int sts_new(struct sts **out, uv_loop_t *loop, struct dns *dns, struct https *https,
            const struct sts_cache_options *options);
/* Cancels every lookup and forgets everything; sts is gone at once. */
void sts_close(struct sts *sts);
void sts_get_stats(const struct sts *sts, struct sts_stats *out);
/* Drops what is remembered of a domain. */
void sts_forget(struct sts *sts, const char *domain);

typedef void (*sts_changed)(void *context, const char *domain);
/* From now on `changed` is told when what is remembered of a domain has changed. */
void sts_watch(struct sts *sts, sts_changed changed, void *context);
/* Tells it of some domains, as sts_cache_some; true when that were the last. */
bool sts_tell_some(const struct sts *sts, struct map_walk *walk);
/* True when something is remembered of a domain. */
bool sts_knows(const struct sts *sts, const char *domain);

typedef void (*sts_done)(void *context);
/*
 * Fills *out (strings and policy in `arena`), then calls `done` exactly once, later; sts_cancel
 * prevents that. *out is touched only at the end. The lookup frees itself after `done`. 0 or
 * UV_ENOMEM. `query_budget` as in host_uv.h.
 */
int sts_start(struct sts_lookup **out, struct sts *sts, struct arena *arena, const char *domain,
              unsigned *query_budget, struct sts_evidence *evidence, sts_done done, void *context);
void sts_cancel(struct sts_lookup *lookup);

/* What is remembered and within its max_age now, for an answer that cannot wait: copies into
 * `arena`; false when there is nothing (or no memory). */
bool sts_remembered(const struct sts *sts, struct arena *arena, const char *domain,
                    struct sts_evidence *evidence);

/* As sts_cache_save and sts_cache_restore. */
bool sts_save(const struct sts *sts, struct arena *arena, const char *domain,
              struct sts_saved *out);
enum loaded sts_load(struct sts *sts, const struct sts_saved *saved);
