/*
 * probe_cache_uv: STARTTLS results per MX host address, shared by every domain behind it, and the
 * queue of probes that fill it: one connection at a time per address, a cap per prefix (IPv4 /24,
 * IPv6 /48) and one for all, fair between prefixes.
 *
 * A result belongs to (address, port, MX host name, SNI, TLSA set): the certificate depends on the
 * name sent, the TLSA match on the records. The cache is limited; the oldest results go first.
 */
#pragma once

#include "base/list.h"
#include "base/net/peers.h"
#include "probe/smtp/probe_table.h"
#include "probe/smtp/smtp_uv.h"

struct probe_cache_stats {
    uint64_t probes, by_state[STARTTLS_VERIFIED + 1];
    uint64_t by_failure[SMTP_FAILURE_COUNT];
    unsigned in_flight, queued;
    size_t entries;
};

struct probe_cache;

/* 0 or a libuv error. */
int probe_cache_new(struct probe_cache **out, const struct smtp_tools *tools,
                    const struct probe_cache_options *options);
/* Ends every probe without a callback; frees itself once its handles are closed. */
void probe_cache_close(struct probe_cache *probes);
void probe_cache_get_stats(const struct probe_cache *probes, struct probe_cache_stats *out);

/* The name for EHLO from now on, borrowed; NULL: this host has none. */
void probe_cache_set_helo_name(struct probe_cache *probes, const char *name);

typedef void (*probe_cache_done)(void *context, const struct starttls_result *result);

/* A waiter for a result: embedded in its owner, filled by probe_cache_ask. */
struct probe_cache_waiter {
    struct list link; /* in a job's waiters */
    probe_cache_done done;
    void *context;
};

/* A result that is valid now and was seen at `seen_after` (monotonic ms; 0: at any time) or later,
 * or NULL. Borrowed until the cache is used again. */
const struct starttls_result *
probe_cache_peek(struct probe_cache *probes, const struct smtp_target *target, int64_t seen_after);
/* Who else probes; borrowed until it is NULL again. */
void probe_cache_set_peers(struct probe_cache *probes, struct peers *peers);
/*
 * Waits for the probe under way or starts one; call it when probe_cache_peek gives NULL for the same
 * `seen_after`. Where there are peers, one of them may have the result, or be about to. Calls
 * `done` exactly once, later, with a borrowed result, unless an error is returned (UV_ENOMEM,
 * UV_ENOBUFS if the queue is full, UV_EINVAL if a name is too long) or probe_cache_cancel comes
 * first; the probe itself then goes on and fills the cache.
 */
int probe_cache_ask(struct probe_cache_waiter *waiter, struct probe_cache *probes,
                    const struct smtp_target *target, int64_t seen_after, probe_cache_done done,
                    void *context);
void probe_cache_cancel(struct probe_cache_waiter *waiter);
/* Forgets what is known about some addresses, for any port and name. It walks the whole cache: call
 * it once for many. */
void probe_cache_forget(struct probe_cache *probes, const struct ip *ips, size_t count);
/* The trust anchors changed at `before_ms` (monotonic): certificates judged before then
 * are judged again, even if their results are loaded only later. */
void probe_cache_judge_again(struct probe_cache *probes, int64_t before_ms);
int64_t probe_cache_judged_after(const struct probe_cache *probes);
/* As probe_table_load. */
enum loaded probe_cache_load(struct probe_cache *probes, const struct probe_saved *saved);
/* From now on `changed` gets every new result, borrowed. */
void probe_cache_watch(struct probe_cache *probes, probe_take changed, void *context);
/* Passes some of the results to the watcher, as probe_table_walk does; true when none are left. */
bool probe_cache_walk(const struct probe_cache *probes, struct map_walk *walk);
