/*
 * memory: everything the daemon has found out: the cache of findings, the holds, and the store
 * behind them. What comes out of a lookup is kept here, what a lookup begins with is asked here.
 *
 * Glossary
 *   keep     a whole lookup has ended: log what changed, note holds and history, cache, store
 *   recall   what the store knows of a key that is not in the cache
 *   warm     read from the store at start, before anybody asks
 *   restore  take in one record, of the store's or of an export
 */
#pragma once

#include <uv.h>

#include "daemon/cache/cache.h"
#include "daemon/config/config.h"
#include "daemon/cache/holds.h"
#include "daemon/rules/orders.h"
#include "daemon/store/record_time.h"
#include "daemon/store/store.h"
#include "probe/domain_uv.h"

struct memory;
struct recall;

/* A hold begins when a lookup shows less, or is taken over from the store or an export. */
enum hold_origin { HOLD_FOUND, HOLD_RESTORED, HOLD_ORIGINS };

struct memory_stats {
    /* all that begun, less those ended, are held: at every moment */
    uint64_t holds_begun[HOLD_ORIGINS], holds_ended;
    uint64_t restored;
    size_t held;
    bool noting; /* something is on its way to the store, but not pending there yet */
};

/* 0 or a libuv error. Everything is borrowed; `orders` for the log; from here on policies and probe
 * results of `tools` are kept too. */
int memory_new(struct memory **out, uv_loop_t *loop, const struct config *config,
               const struct domain_tools *tools, const struct orders *orders);
/* Writes what is pending and closes the handles; memory_free once the loop is empty. */
void memory_close(struct memory *memory);
void memory_free(struct memory *memory);

struct cache *memory_cache(struct memory *memory);
const struct holds *memory_holds(const struct memory *memory);
/* NULL when nothing survives a restart. */
struct store *memory_store(struct memory *memory);
void memory_get_stats(const struct memory *memory, struct memory_stats *out);
/* Who is told, when `due` is not NULL, that a finding is due at that moment (monotonic ms). */
void memory_set_due(struct memory *memory, void (*due)(void *context, int64_t at), void *context);

/* What is cached of a key, valid or lapsed, or NULL. Borrowed until the loop runs again. */
const struct finding *memory_peek(const struct memory *memory, const struct key *key);

/*
 * Takes the finding of a whole lookup. It may be gone afterwards (no memory, no room).
 * `by_refresh`: nobody asked. `released`: the operator ended a hold. `unasked`: the lookup began
 * without what the store knows: nothing is written over that before the store could be asked.
 */
struct keeping {
    bool by_refresh, released, unasked;
};
void memory_keep(struct memory *memory, struct finding *take, struct keeping keeping);

/* `sure`: the store was asked, and what it knows is there. */
typedef void (*memory_recalled)(void *context, bool sure);
/*
 * Brings what the store knows of a key, and the policy of its domain, into cache and policy cache;
 * then calls `done` exactly once, later, unless recall_cancel. UV_ENOENT when there is no store,
 * UV_ENOMEM: nothing comes.
 */
int memory_recall(struct recall **out, struct memory *memory, const struct key *key,
                  memory_recalled done, void *context);
void recall_cancel(struct recall *recall);

/* Forgets a key, in the store too; true when it was cached. Policies and probe results are their
 * owners'. */
bool memory_forget(struct memory *memory, const struct key *key);
/* Takes a key out of the cache, and leaves the store as it is. */
void memory_drop(struct memory *memory, const struct key *key);
/* Every finding ends now; what was proven by probing stays. Gives their number. */
size_t memory_lapse(struct memory *memory);
/* Ends the findings that rest on certificates judged before the trust anchors changed. */
void memory_judge_again(struct memory *memory);
/* The operator ends a hold: the finding as its evidence alone gives it. False when the key is not
 * held, or is not in the cache. */
bool memory_release(struct memory *memory, const struct key *key);

enum restored { RESTORED, RESTORED_KNOWN, RESTORED_REFUSED };
/* Takes in a record with wall clock times, read at `moment`; it is changed. `keep`: write it to the
 * store too. */
enum restored memory_restore(struct memory *memory, struct record *record,
                             struct record_moment moment, bool keep);
