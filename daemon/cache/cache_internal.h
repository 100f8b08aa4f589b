/* cache_internal: what the files of cache.h share. */
#pragma once

#include "daemon/cache/cache.h"
#include "daemon/loop/shares.h"

/* A walk through all entries in shares. */
struct cache_sweep {
    struct share_task task;
    struct map_walk walk;
    struct cache *cache;
};

struct cache {
    uv_loop_t *loop;
    const struct config *config;
    struct domain_tools tools;
    const struct ruleset *ruleset;
    struct cache_map *map;
    struct holds *holds;
    struct store *store;          /* NULL: none */
    struct shares *shares;        /* owned */
    struct cache_sweep unsaved;   /* the store was begun anew: it gets all entries again */
    struct cache_sweep judging;   /* the trust anchors changed */
    uv_timer_t notes;             /* uses on their way to the store */
    uv_timer_t hold_over;         /* when the next hold's time is over */
    struct cache_loading *asking; /* of an entry that is `store_pending`; NULL: none */
    /* what the prober knows, on its way to a store that was begun anew */
    bool refilling;
    struct map_walk policies, probes;
    struct cache_stats stats;
    void (*due)(void *context, int64_t at);
    void *due_context;
};

/* Puts an entry into cache and order of refreshing; NULL when it did not stay. `wanted`: somebody
 * asks for it now. */
struct cache_entry *cache_put(struct cache *cache, struct cache_entry *take, bool wanted);
/* Writes an entry to the store, or takes it out when there is nothing worth keeping. */
void cache_store_entry(struct cache *cache, const struct cache_entry *entry);
void cache_store_policy(struct cache *cache, const char *domain);
void cache_store_probe(struct cache *cache, const struct probe_saved *saved);
/* Notes in holds and log what a new verdict means for the hold of its key. */
void cache_note_hold(struct cache *cache, const struct cache_entry *entry, bool released);
/* Lists a hold that was there before this process, without a word. */
void cache_list_hold(struct cache *cache, const struct cache_entry *entry, int64_t reminded_at);
/* What is forgotten is held no more; harmless for a key that is not. */
void cache_forget_hold(struct cache *cache, const char *key);
/* The moment of now, for records being written. */
struct record_moment cache_moment(void);
/* True for an entry that probes gave before the trust anchors changed. */
bool cache_is_judged_before(const struct cache *cache, const struct cache_entry *entry);
