/*
 * refresh: looks up again, before it ends, what was asked for lately, so that nobody waits for it;
 * lets everything else lapse. Lookups per second are limited, so that neither a restart nor a
 * popular TTL becomes a storm. Held next-hops are always looked up again.
 */
#pragma once

#include <uv.h>

struct refresh_stats {
    uint64_t started, lapsed;
    int64_t lag_ms;     /* how late the last one was */
    int64_t overdue_ms; /* how late the next one is; 0 when it is not due yet */
};

struct engine;
struct refresh;

/* NULL without memory. The engine is borrowed: its cache and its jobs. */
struct refresh *refresh_new(uv_loop_t *loop, struct engine *engine);
/* Frees itself when its handle is closed. */
void refresh_close(struct refresh *refresh);
void refresh_get_stats(const struct refresh *refresh, struct refresh_stats *out);
