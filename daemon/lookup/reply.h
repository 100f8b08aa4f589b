/*
 * reply: what a question is answered: the entry of a lookup, and what the operator's rules make of
 * its verdict.
 */
#pragma once

#include "daemon/cache/cache_entry.h"

/* Both parts are borrowed until the loop runs again. */
struct reply {
    const struct cache_entry *entry;
    struct final_answer final;
};

struct engine_stats {
    uint64_t lookups, cache_hits, not_looked_up, waits, detached;
    /* replies: as found, by reason; by what the rules made of them; by level */
    uint64_t by_reason[REASON_COUNT];
    uint64_t by_final_reason[FINAL_REASON_COUNT];
    uint64_t by_level[VERDICT_TEMP + 1];
    uint64_t withheld_by_level[VERDICT_TEMP + 1]; /* of what was found */
};

/* The reply in a form; its text is the entry's or the final answer's. */
struct answer reply_answer(const struct reply *reply, enum answer_form form);
/* Counts a reply that is given to somebody. */
void reply_count(struct engine_stats *stats, const struct reply *reply);
/* Keeps in an entry what the rules of `generation` make of it. */
void reply_keep(struct cache_entry *entry, const struct override *override, unsigned generation);
