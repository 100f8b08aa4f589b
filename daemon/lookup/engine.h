/*
 * engine: a key in, an answer out: by the operator's rules, from the cache, or by a lookup. What
 * listeners and the control socket share.
 */
#pragma once

#include "daemon/lookup/jobs.h"
#include "daemon/cache/cache.h"
#include "daemon/rules/ruleset.h"
#include "daemon/lookup/refresh.h"

struct engine_stats {
    uint64_t lookups, cache_hits, not_looked_up, waits, detached;
    /* answers given: as found, by reason; by what the rules made of them; by level */
    uint64_t by_reason[REASON_COUNT];
    uint64_t by_final_reason[FINAL_REASON_COUNT];
    uint64_t by_level[VERDICT_TEMP + 1];
    uint64_t withheld_by_level[VERDICT_TEMP + 1]; /* of what was found */
};

/* What a question gets. Both are borrowed until the loop runs again. */
struct reply {
    const struct cache_entry *entry;
    struct final_answer final;
};

struct engine;

/* 0 or a libuv error. Everything is borrowed. */
int engine_new(struct engine **out, uv_loop_t *loop, const struct config *config,
               const struct domain_tools *tools, const struct ruleset *ruleset);
void engine_close(struct engine *engine);
void engine_free(struct engine *engine);

/*
 * What a key as Postfix sent it is told, when it is known at once: by a rule, cached, early, or for
 * a key that is never looked up. False: use engine_wait.
 */
bool engine_known(struct engine *engine, const char *key, size_t length, struct reply *out);
/*
 * For who wants an answer and no evidence: where the rules withhold whatever is found, that is
 * known before it is found, and the lookup goes on detached. False: use engine_wait.
 */
bool engine_withheld(struct engine *engine, const char *key, size_t length, struct reply *out);
/*
 * Joins or starts the lookup of a key that is not known. False: `waiter` is delivered exactly once,
 * later, unless jobs_leave(waiter) comes first; engine_tell says what it is told. True: *out says
 * why not, a TEMP mostly.
 */
bool engine_wait(struct engine *engine, const char *key, size_t length, struct waiter *waiter,
                 struct reply *out);
/* What a waiter is told that was delivered `entry`. */
void engine_tell(struct engine *engine, const struct cache_entry *entry, struct reply *out);
/* The same without counting it as an answer. */
void engine_look(const struct engine *engine, const struct cache_entry *entry, struct reply *out);
/* The answer in a form; its text is the entry's or the final answer's. */
struct answer reply_answer(const struct reply *reply, enum answer_form form);
/* Forgets a key, its domain's policy and the probe results of its hosts, in the store too; true
 * when it was cached. */
bool engine_forget(struct engine *engine, const char *key, size_t length);
/* The operator ends a hold; false when the key is not held, or is not in the cache. */
bool engine_release(struct engine *engine, const struct key *key);
/* Every entry ends; policies, probe results and what was proven stay. Gives their number. */
size_t engine_flush(struct engine *engine);
/* The trust anchors changed: entries that rest on certificates judged before end, what was proven
 * stays. */
void engine_judge_again(struct engine *engine);

const struct ruleset *engine_ruleset(const struct engine *engine);
struct cache_map *engine_cache_map(struct engine *engine);
struct cache *engine_cache(struct engine *engine);
const struct refresh *engine_refresh(const struct engine *engine);
struct jobs *engine_jobs(struct engine *engine);
const struct domain_tools *engine_tools(const struct engine *engine);
const struct engine_stats *engine_get_stats(const struct engine *engine);
