/*
 * engine: a key in, a reply out. The policy listeners and the control socket ask it in the same
 * way. It owns the cache, the lookups under way, and what renews and preloads the cache.
 */
#pragma once

#include "daemon/cache/cache.h"
#include "daemon/lookup/jobs.h"
#include "daemon/lookup/refresh.h"
#include "daemon/lookup/reply.h"
#include "daemon/rules/ruleset.h"

struct engine;

/* 0 or a libuv error. Everything is borrowed. */
int engine_new(struct engine **out, uv_loop_t *loop, const struct config *config,
               const struct domain_tools *tools, const struct ruleset *ruleset);
void engine_close(struct engine *engine);
void engine_free(struct engine *engine);

enum asked {
    ASKED_ANSWERED, /* *out is the reply */
    ASKED_WAITING,  /* the waiter is delivered exactly once, later, unless jobs_leave comes first */
    ASKED_LATER     /* nothing is done: a lookup is needed, and there is no waiter, or its share is
                       used up */
};
/*
 * Asks for a key as Postfix or the operator spells it. It is answered by the rules, from the cache,
 * by the lookup under way, or by a lookup. `waiter` says what is wanted, and may be NULL when only
 * a reply at once is of use. When no lookup can begin the reply is a TEMP.
 */
enum asked engine_ask(struct engine *engine, const char *text, size_t length, struct waiter *waiter,
                      struct reply *out);

/* Forgets a key, its domain's policy and the probe results of its hosts, in the store too; true
 * when it was cached. */
bool engine_forget(struct engine *engine, const char *key, size_t length);
/* The operator ends a hold; false when the key is not held, or is not in the cache. */
bool engine_release(struct engine *engine, const struct key *key);
/* Ends every entry; policies, probe results and what was proven stay. Returns their number. */
size_t engine_flush(struct engine *engine);
/* The trust anchors changed: ends the entries that rest on certificates judged before, and does not
 * keep the results of lookups that have begun; what was proven stays. */
void engine_judge_again(struct engine *engine);

const struct ruleset *engine_ruleset(const struct engine *engine);
struct cache_map *engine_cache_map(struct engine *engine);
struct cache *engine_cache(struct engine *engine);
const struct refresh *engine_refresh(const struct engine *engine);
struct jobs *engine_jobs(struct engine *engine);
const struct domain_tools *engine_tools(const struct engine *engine);
const struct engine_stats *engine_get_stats(const struct engine *engine);
