/*
 * engine: a key in, a finding out, from the cache or by a lookup. What listeners and the control
 * socket share.
 */
#pragma once

#include "daemon/jobs.h"
#include "daemon/memory.h"
#include "daemon/refresh.h"

struct engine_stats {
    uint64_t lookups, cache_hits, not_looked_up, waits;
    uint64_t by_level[VERDICT_TEMP + 1]; /* answers given by level */
};

struct engine;

/* 0 or a libuv error. `config` and `tools` are borrowed. */
int engine_new(struct engine **out, uv_loop_t *loop, const struct config *config,
               const struct domain_tools *tools);
void engine_close(struct engine *engine);
void engine_free(struct engine *engine);

/*
 * The finding for a key as Postfix sent it, when it is known at once: cached, early, or for a key
 * that is never looked up. Borrowed until the loop runs again; NULL: use engine_wait.
 */
const struct finding *engine_known(struct engine *engine, const char *key, size_t length);
/*
 * Joins or starts the lookup of a key that is not known. NULL: `waiter` is delivered exactly once,
 * later, unless jobs_leave(waiter) comes first. Else a finding that says why not: TEMP.
 */
const struct finding *engine_wait(struct engine *engine, const char *key, size_t length,
                                  struct waiter *waiter);
/* Counts an answer that a waiter got. */
void engine_count(struct engine *engine, const struct finding *finding);
/* Forgets a key, its domain's policy and the probe results of its hosts, in the store too; true
 * when it was cached. */
bool engine_forget(struct engine *engine, const char *key, size_t length);
/* The operator ends a hold; false when the key is not held, or is not in the cache. */
bool engine_release(struct engine *engine, const struct key *key);
/* Every finding ends; policies, probe results and what was proven stay. Gives their number. */
size_t engine_flush(struct engine *engine);

struct cache *engine_cache(struct engine *engine);
struct memory *engine_memory(struct engine *engine);
const struct refresh *engine_refresh(const struct engine *engine);
struct jobs *engine_jobs(struct engine *engine);
const struct domain_tools *engine_tools(const struct engine *engine);
const struct engine_stats *engine_get_stats(const struct engine *engine);
