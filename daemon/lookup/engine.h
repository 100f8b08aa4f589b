/*
 * engine: a key in, a reply out. The policy listeners and the control socket ask it in the same
 * way. It owns the cache, the lookups under way, and what renews and preloads the cache. `now` is
 * monotonic ms, and the caller's to read: once for all that it asks in one turn of the loop.
 */
#pragma once

#include "daemon/cache/cache.h"
#include "daemon/lookup/jobs.h"
#include "daemon/lookup/refresh.h"
#include "daemon/rules/ruleset.h"

/* Entries that no lookup stands behind. */
enum engine_standing {
    ENGINE_UNLISTED,  /* the key is never looked up */
    ENGINE_PENDING,   /* nobody waits for the lookup: the rules withhold its result */
    ENGINE_NO_MEMORY, /* for the key, or for an entry */
    ENGINE_OVERLOAD,  /* there is no room for one more job */
    ENGINE_STANDING
};

/* For everybody to read; only engine.c changes it. */
struct engine {
    const struct config *config; /* borrowed, as what `tools` points to and `ruleset` are */
    struct domain_tools tools;
    const struct ruleset *ruleset; /* NULL: no rules */
    struct cache *cache;           /* owned, as all below */
    struct jobs *jobs;
    struct refresh *refresh;
    struct preload *preload;
    struct cache_entry *standing[ENGINE_STANDING];
    struct engine_stats stats;
};

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
enum asked engine_ask(struct engine *engine, struct span text, int64_t now, struct waiter *waiter,
                      struct reply *out);

/* Forgets a key, its domain's policy and the probe results of its hosts, in the store too; true
 * when it was cached. */
bool engine_forget(struct engine *engine, const struct key *key);
/* The operator ends a hold; false when the key is not held, or is not in the cache. */
bool engine_release(struct engine *engine, const struct key *key, int64_t now);
/* Ends every entry; policies, probe results and what was proven stay. Returns their number. */
size_t engine_flush(struct engine *engine, int64_t now);
/* The trust anchors changed: ends the entries that rest on certificates judged before, and does not
 * keep the results of lookups that have begun; what was proven stays. */
void engine_judge_again(struct engine *engine);
