/*
 * engine: takes a key and gives a reply, for the policy listeners and the control socket alike. It
 * owns the cache, the lookups under way, and the code that refreshes and preloads the cache. `now`
 * is monotonic ms; the caller reads the clock once for all its requests in one turn of the loop.
 */
#pragma once

#include "daemon/cache/cache.h"
#include "daemon/lookup/jobs.h"
#include "daemon/lookup/refresh.h"
#include "daemon/rules/ruleset.h"

/* Fixed entries that do not come from a lookup. */
enum engine_standing {
    ENGINE_UNLISTED,  /* the key is never looked up */
    ENGINE_PENDING,   /* nobody waits for the lookup: the rules withhold its result */
    ENGINE_NO_MEMORY, /* for the key, or for an entry */
    ENGINE_OVERLOAD,  /* too many jobs are waiting */
    ENGINE_STANDING
};

/* Anyone may read it; only engine.c changes it. */
struct engine {
    const struct config *config; /* borrowed, as what `tools` points to and `ruleset` are */
    struct domain_tools tools;
    const struct ruleset *ruleset; /* NULL: no rules */
    struct cache *cache;           /* owned, as all below */
    struct jobs *jobs;
    struct refresh *refresh;
    struct preload *preload;
    struct cache_entry *standing[ENGINE_STANDING];
    /* Another relay's operator has rules and configuration read again; NULL: nobody does. */
    void (*reload)(void *context);
    void *reload_context;
    struct engine_stats stats;
};

/* 0 or a libuv error. Everything is borrowed. */
int engine_new(struct engine **out, uv_loop_t *loop, const struct config *config,
               const struct domain_tools *tools, const struct ruleset *ruleset);
void engine_close(struct engine *engine);
void engine_free(struct engine *engine);

enum asked {
    ASKED_ANSWERED, /* *out is the reply */
    ASKED_WAITING,  /* the waiter gets one reply, later, unless jobs_leave comes first */
    ASKED_LATER     /* nothing was done: a lookup is needed, but there is no waiter, or its share
                       is used up */
};
/*
 * Asks for a key as Postfix or the operator spells it. The answer comes from the rules, the cache,
 * the lookup under way, or a new lookup. `waiter` says what is wanted; it may be NULL if only an
 * immediate reply is useful. If no lookup can be started, the reply is TEMP.
 */
enum asked engine_ask(struct engine *engine, struct span text, int64_t now, struct waiter *waiter,
                      struct reply *out);

/* Forgets a key, its domain's policy and the probe results of its hosts, also in the store and at the
 * other relays of a farm; true if the key was cached here. */
bool engine_forget(struct engine *engine, const struct key *key);
/* Ends a hold for the operator, at the other relays of a farm too; false if the key is not held here,
 * or is not in the cache. */
bool engine_release(struct engine *engine, const struct key *key, int64_t now);
/* Expires all entries and counts them. Policies, probe results and what was proven stay. */
size_t engine_flush(struct engine *engine, int64_t now);
/* The trust anchors changed: expires the entries that rest on certificates judged before, and does
 * not keep the results of lookups that have begun. What was proven stays. */
void engine_judge_again(struct engine *engine);
