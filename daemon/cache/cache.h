/*
 * cache: everything the daemon has learnt: the map of entries, the holds, and the store behind
 * them. A finished lookup is saved here, and a new one starts from what is here. `now` is monotonic
 * ms.
 *
 * Glossary
 *   save     record a complete lookup: log changes, update holds and history, cache, store
 *   load     take in a record from the store or from an export
 *   preload  load everything from the store at the start
 *   share    what the relays of a farm have in common (daemon/share): what is saved goes there too,
 *            and what another relay learnt is joined with what is known here, so that no answer is
 *            weaker for it
 *   mark     flag an entry to be noted in the store: it was used, or is not saved yet
 *   hold     a next-hop shows less than it proved (docs/verdicts.md §4): listed for people and for
 *            the log. The list is bounded; the `remembered` of each entry decides, not the list
 *
 * DIAGNOSTICS
 *   verdict             info when a verdict changed, else debug
 *   hold-begins, held, hold-ends
 *                       a domain shows less than it proved; what it proved counts for a while
 *   trust-anchor-gone   a verdict became weaker: the issuer of a certificate is no longer trusted
 *   sts-mx-left-out     a policy has patterns that match= cannot carry
 *
 * BUGS
 *   cache_lapse walks all entries in one turn of the loop.
 */
#pragma once

#include <uv.h>

#include "base/list.h"
#include "base/loaded.h"
#include "base/net/peers.h"
#include "daemon/cache/cache_map.h"
#include "daemon/config/config.h"
#include "daemon/loop/shares.h"
#include "daemon/rules/ruleset.h"
#include "daemon/share/share_uv.h"
#include "daemon/store/store.h"
#include "probe/domain_uv.h"

#define CACHE_HOLDS_MAX 20000 /* more are held, but not listed */

struct cache_loading;

struct hold {
    UT_hash_handle hh; /* hh.next: the hold that was listed next */
    enum verdict_level level;
    struct downgrade downgrade; /* monotonic ms */
    struct heap_link end;       /* in the order of downgrade.until */
    enum verdict_level sees;
    enum verdict_reason reason; /* of what is seen */
    int64_t seen_at;            /* monotonic ms of the last lookup */
    int64_t reminded_at;        /* monotonic ms of the last log line */
    char key[];
};

/* A hold is begun by a lookup that shows less, or loaded from the store or an export. */
enum hold_origin { HOLD_FOUND, HOLD_LOADED, HOLD_ORIGINS };

struct cache_stats {
    /* always: the sum of holds_begun, less holds_ended, is `held` */
    uint64_t holds_begun[HOLD_ORIGINS], holds_ended;
    uint64_t restored;
    size_t held;
    bool noting; /* something is on its way to the store, but not pending there yet */
};

/* A walk through all entries in shares. */
struct cache_sweep {
    struct share_task task;
    struct map_walk walk;
    struct cache *cache;
    cache_map_take take;
};

struct cache {
    /* for everybody to read */
    struct cache_map *map; /* owned */
    struct hold *holds;    /* map by key, the oldest first; owned */
    struct store *store;   /* owned; NULL: nothing survives a restart */
    struct share *share;   /* owned; NULL: nothing is shared with other relays */
    /* for the files of cache.h */
    uv_loop_t *loop;
    const struct config *config;
    struct domain_tools tools;
    const struct ruleset *ruleset;
    struct heap hold_ends;
    uv_timer_t hold_over;         /* when the next hold's time is over */
    uv_timer_t notes;             /* uses on their way to the store */
    struct shares *shares;        /* owned */
    struct cache_sweep unsaved;   /* the store was begun anew: it gets all entries again */
    struct cache_sweep judging;   /* the trust anchors changed... */
    int64_t judged_at;            /* ...then, monotonic ms */
    struct cache_loading *asking; /* of an entry that is `store_pending`; NULL: none */
    /* what the prober knows, on its way to a store that was begun anew */
    bool refilling;
    struct map_walk policies, probes;
    struct cache_stats stats;
    /* cache_share.c */
    struct cache_farm *farm; /* owned; NULL as `share` */
    uint32_t settings;       /* config_lookup_hash */
    /* cache_peers.c */
    struct peers peers;
    struct list peer_turns; /* lookups that other relays may spare, or wait for */
    /* Called with what other relays say of a key, or of the rules; NULL: nobody wants it. */
    void (*told)(void *context, const struct share_news *news);
    void *told_context;
    /* refresh.h's; NULL: none. Called when an entry is put, with the time at which it falls due. */
    void (*due)(void *context, int64_t at, int64_t now);
    void *due_context;
};

/* 0 or a libuv error. Everything is borrowed; `ruleset` is used for logging only. From now on the
 * policies and probe results of `tools` are saved too. */
int cache_new(struct cache **out, uv_loop_t *loop, const struct config *config,
              const struct domain_tools *tools, const struct ruleset *ruleset);
/* Writes what is pending and closes the handles; cache_free once the loop is empty. */
void cache_close(struct cache *cache);
void cache_free(struct cache *cache);
void cache_get_stats(const struct cache *cache, struct cache_stats *out);

/* The cached entry of a key, valid or expired, or NULL. Borrowed until the loop runs again. */
const struct cache_entry *cache_peek(const struct cache *cache, const struct key *key);
/* The listed hold of a key, or NULL. */
struct hold *cache_find_hold(const struct cache *cache, const char *key);

/*
 * Takes the entry of a complete lookup, which may be freed on return (no memory, no room).
 * `by_refresh`: nobody asked. `released`: the operator ended a hold. `store_pending`: the store
 * could not be read when the lookup began; its record must not be overwritten until it is.
 */
struct cache_saving {
    int64_t now;
    bool by_refresh, released, store_pending;
    bool from_share;                 /* another relay found it out, or was told so */
    const struct override *override; /* what the rules say of the key; NULL: not consulted */
};
void cache_save(struct cache *cache, struct cache_entry *take, struct cache_saving how);

/* `sure`: the store was read if it was to be, and what it knows of the key is in the cache. */
typedef void (*cache_loaded)(void *context, bool sure);
enum cache_asks {
    CACHE_ASKS_ALL,  /* the store, and then the share */
    CACHE_ASKS_SHARE /* the share alone: what the store knows is in the cache */
};
/*
 * Loads what the store and the share know of a key, and its domain's policy, into the cache and the
 * policy cache, then calls `done` exactly once, later, unless cache_load_cancel comes first.
 * UV_ENOENT if there is nobody to be asked, or UV_ENOMEM: `done` is then not called.
 */
int cache_load(struct cache_loading **out, struct cache *cache, const struct key *key,
               enum cache_asks asks, cache_loaded done, void *context);
void cache_load_cancel(struct cache_loading *loading);

/* Forgets a key, also in the store; true if it was cached. Policies and probe results stay: their
 * owners forget them. */
bool cache_forget(struct cache *cache, const struct key *key);
/* Expires every entry now and returns their number; what was proven by probing stays. */
size_t cache_lapse(struct cache *cache, int64_t now);
/* Expires the entries that rest on certificates judged before the trust anchors changed. */
void cache_judge_again(struct cache *cache, int64_t now);
/* Ends a hold for the operator: the entry becomes what its evidence alone gives. False if the key
 * is not held, or is not in the cache. */
bool cache_release(struct cache *cache, const struct key *key, int64_t now);

/* The same for the operator of another relay, who ended it at `at` (monotonic ms): what was proven
 * until then is forgotten, held or not. False when nothing was. */
bool cache_release_told(struct cache *cache, const struct key *key, int64_t at, int64_t now);

/* The time on both clocks, for records; `last_written` as in record_moment_of, 0: unknown. */
struct record_moment cache_moment(int64_t last_written);
enum cache_source {
    CACHE_FROM_STORE, /* at the start */
    CACHE_FOR_ASKER,  /* from the store: somebody asks for it */
    CACHE_FROM_SHARE, /* from another relay: joined with what is known here; to the store too */
    CACHE_FROM_EXPORT /* goes to the store too */
};
/* Loads a record with wall clock times, read at `moment`; the record is modified. */
enum loaded cache_load_record(struct cache *cache, struct record *record,
                              struct record_moment moment, enum cache_source source);

struct preload;
/*
 * preload.c: reads everything back from the store at the start, a page at a time, while the daemon
 * already answers: policies, probe results, then the answers, held ones first and recently used
 * ones next. Then reads the export that `import` names, a share of its lines at a time. NULL
 * without memory.
 */
struct preload *preload_new(struct cache *cache);
/* Ends it, whether it is done or not; frees itself when its handles are closed. */
void preload_close(struct preload *preload);

/* ---- for the files of cache.h ---- */

/* Puts an entry into the cache and schedules its refresh; NULL if it was not kept. `wanted`: a
 * client asks for it now. */
struct cache_entry *cache_put(struct cache *cache, struct cache_entry *take, bool wanted,
                              int64_t now);
/* Decides again, as of the time `at`, from an entry's evidence and what is remembered; gives a new
 * entry. NULL if it has no evidence, or without memory. */
struct cache_entry *cache_decide_again(const struct cache *cache, const struct cache_entry *known,
                                       const struct remembered *remembered, int64_t at);
/* Decides again, as of its own time, an entry whose key is or was on a policy list: the lists in
 * force may have changed since. A new entry; NULL if lists do not matter to it, or without memory. */
struct cache_entry *cache_decide_listed(const struct cache *cache, const struct cache_entry *known,
                                        const struct key *key);
/* Expires an entry that rests on probes made before the trust anchors changed. */
void cache_judge(const struct cache *cache, struct cache_entry *entry, int64_t now);
/* Writes an entry to the store, or removes it there if nothing in it is worth keeping; and into the
 * share, unless it came from there. */
void cache_store_entry(struct cache *cache, const struct cache_entry *entry);
/*
 * cache_sound.c: whether evidence says something about the world, and not only about the relay that
 * gathered it: every lookup of it has an answer, and where hosts are probed one has given one. A
 * relay whose resolver or whose port 25 fails must not talk the others into its own troubles.
 */
bool cache_is_sound(const struct cache *cache, const struct evidence *evidence);
/* Into the share alone. */
void cache_share_entry(struct cache *cache, const struct cache_entry *entry);

/* cache_share.c: opens the share that the configuration names, if any. 0 or a libuv error. */
int cache_open_share(struct cache *cache);
void cache_close_share(struct cache *cache);
/* What the store remembers is in the cache: news of the other relays are taken from now on, and those
 * that this one has missed. Harmless when it is called again. */
void cache_follow_share(struct cache *cache);
/* Once the loop is empty. */
void cache_free_share(struct cache *cache);
/* Whether another relay may be asked now. */
bool cache_shares(const struct cache *cache);
/* cache_peers.c: has probes and policy fetches ask the other relays. */
void cache_open_peers(struct cache *cache);
void cache_close_peers(struct cache *cache);
/* The other relays, for lookups of keys; NULL: nothing is shared. Who asks has asked cache_load. */
struct peers *cache_peers(struct cache *cache);
/* Called by sts_cache.h and probe_cache_uv.h with each new policy or result. */
void cache_store_policy(void *context, const char *domain);
void cache_store_probe(void *context, const struct probe_saved *saved);
/* Updates the hold of a key after a new verdict, and logs what changed. */
void cache_note_hold(struct cache *cache, const struct cache_entry *entry, bool released,
                     int64_t now);
/* Lists the hold of an entry without logging it. NULL if the entry is not held or already listed,
 * or without memory or room. */
struct hold *cache_list_hold(struct cache *cache, const struct cache_entry *entry,
                             enum hold_origin origin, int64_t reminded_at, int64_t now);
/* Drops the hold of a forgotten key; harmless if the key is not held. */
void cache_forget_hold(struct cache *cache, const char *key);
void cache_free_holds(struct cache *cache);
