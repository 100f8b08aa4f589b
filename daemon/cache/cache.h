/*
 * cache: everything the daemon has found out: the map of entries, the holds, and the store behind
 * them. A lookup that has ended is saved here, and one that begins starts from what is here.
 *
 * Glossary
 *   save     a whole lookup has ended: log what changed, note holds and history, cache, store
 *   load     take in a record, of the store or of an export
 *   preload  load everything from the store at the start
 *   mark     an entry is to be noted in the store: it was used, or is not saved yet
 *
 * DIAGNOSTICS
 *   verdict             info when a verdict changed, else debug
 *   hold-begins, held, hold-ends
 *                       a domain shows less than it proved; what it proved counts for a while
 *   trust-anchor-gone   a verdict sank because the issuer of a certificate is trusted no more
 *   sts-mx-left-out     a policy has patterns that match= cannot carry
 *
 * BUGS
 *   cache_lapse walks all entries in one turn of the loop.
 */
#pragma once

#include <uv.h>

#include "daemon/cache/cache_map.h"
#include "daemon/config/config.h"
#include "base/loaded.h"
#include "daemon/cache/holds.h"
#include "daemon/rules/ruleset.h"
#include "daemon/store/record_time.h"
#include "daemon/store/store.h"
#include "probe/domain_uv.h"

struct cache;
struct cache_loading;

/* A hold begins when a lookup shows less, or is taken over from the store or an export. */
enum hold_origin { HOLD_FOUND, HOLD_LOADED, HOLD_ORIGINS };

struct cache_stats {
    /* always: the sum of holds_begun, less holds_ended, is `held` */
    uint64_t holds_begun[HOLD_ORIGINS], holds_ended;
    uint64_t restored;
    size_t held;
    bool noting; /* something is on its way to the store, but not pending there yet */
};

/* 0 or a libuv error. Everything is borrowed; `ruleset` is used for logging only. From now on the
 * policies and probe results of `tools` are saved too. */
int cache_new(struct cache **out, uv_loop_t *loop, const struct config *config,
              const struct domain_tools *tools, const struct ruleset *ruleset);
/* Writes what is pending and closes the handles; cache_free once the loop is empty. */
void cache_close(struct cache *cache);
void cache_free(struct cache *cache);

struct cache_map *cache_get_map(struct cache *cache);
const struct holds *cache_holds(const struct cache *cache);
/* NULL when nothing survives a restart. */
struct store *cache_store(struct cache *cache);
void cache_get_stats(const struct cache *cache, struct cache_stats *out);
/* Whenever an entry is put, calls `due` (if not NULL) with the time at which it falls due:
 * monotonic ms. */
void cache_set_due(struct cache *cache, void (*due)(void *context, int64_t at), void *context);

/* What is cached of a key, valid or lapsed, or NULL. Borrowed until the loop runs again. */
const struct cache_entry *cache_peek(const struct cache *cache, const struct key *key);

/*
 * Takes the entry of a whole lookup, which may have been freed on return (no memory, no room).
 * `by_refresh`: nobody asked. `released`: the operator ended a hold. `store_pending`: the store
 * could not be asked when the lookup began; its record must not be overwritten until it has been.
 */
struct cache_saving {
    bool by_refresh, released, store_pending;
    const struct override *override; /* what the rules say of the key; NULL: they were not asked */
};
void cache_save(struct cache *cache, struct cache_entry *take, struct cache_saving cache_saving);

/* `sure`: the store was asked, and what it knows is there. */
typedef void (*cache_loaded)(void *context, bool sure);
/*
 * Brings what the store knows of a key, and the policy of its domain, into cache and policy cache;
 * then calls `done` exactly once, later, unless cache_load_cancel. UV_ENOENT when there is no
 * store, UV_ENOMEM: nothing comes.
 */
int cache_load(struct cache_loading **out, struct cache *cache, const struct key *key,
               cache_loaded done, void *context);
void cache_load_cancel(struct cache_loading *loading);

/* Forgets a key, in the store too; true when it was cached. Policies and probe results are their
 * owners'. */
bool cache_forget(struct cache *cache, const struct key *key);
/* Takes a key out of the cache, and leaves the store as it is. */
void cache_drop(struct cache *cache, const struct key *key);
/* Every entry ends now; what was proven by probing stays. Gives their number. */
size_t cache_lapse(struct cache *cache);
/* Ends the entries that rest on certificates judged before the trust anchors changed. */
void cache_judge_again(struct cache *cache);
/* The operator ends a hold: the entry becomes what its evidence alone gives. False when the key is
 * not held, or is not in the cache. */
bool cache_release(struct cache *cache, const struct key *key);

/* Takes in a record with wall clock times, read at `moment`; it is changed. `save`: write it to the
 * store too. */
enum loaded cache_load_record(struct cache *cache, struct record *record,
                              struct record_moment moment, bool save);
