/* memory_internal: what the files of memory.h share. */
#pragma once

#include "daemon/cache/memory.h"

struct memory {
    uv_loop_t *loop;
    const struct config *config;
    struct domain_tools tools;
    const struct orders *orders;
    struct cache *cache;
    struct holds *holds;
    struct store *store;   /* NULL: none */
    uv_timer_t notes;      /* uses on their way to the store */
    uv_timer_t hold_over;  /* when the next hold's time is over */
    struct recall *asking; /* of a finding that is `unasked`; NULL: none */
    /* what the prober knows, on its way to a store that was begun anew */
    bool retelling;
    struct map_walk policies, probes;
    struct memory_stats stats;
    void (*due)(void *context, int64_t at);
    void *due_context;
};

/* Puts a finding into cache and order of refreshing; NULL when it did not stay. `wanted`: somebody
 * asks for it now. */
struct finding *memory_cache_put(struct memory *memory, struct finding *take, bool wanted);
/* Writes a finding to the store, or takes it out when there is nothing worth keeping. */
void memory_store_finding(struct memory *memory, const struct finding *finding);
void memory_store_policy(struct memory *memory, const char *domain);
void memory_store_probe(struct memory *memory, const struct probe_saved *saved);
/* Notes in holds and log what a new verdict means for the hold of its key. */
void memory_note_hold(struct memory *memory, const struct finding *finding, bool released);
/* Lists a hold that was there before this process, without a word. */
void memory_list_hold(struct memory *memory, const struct finding *finding, int64_t reminded_at);
/* What is forgotten is held no more; harmless for a key that is not. */
void memory_forget_hold(struct memory *memory, const char *key);
/* The moment of now, for records being written. */
struct record_moment memory_moment(void);
/* True for a finding that probes gave before the trust anchors changed. */
bool memory_is_judged_before(const struct memory *memory, const struct finding *finding);
