/*
 * entry: what the daemon knows of one key: verdict, the evidence behind it, and the answers ready
 * to send. One piece of memory; nothing but the cache's part changes once it is made.
 */
#pragma once

#include "base/arena.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "policy/key.h"
#include "policy/render/render.h"
#include "policy/rules/override.h"
#include "policy/decide/verdict.h"

/* The forms an answer comes in: what main.cf can read, and how much. */
enum answer_form { FORM_PLAIN, FORM_TLSRPT, FORM_TCP_TABLE, FORM_COUNT };

/* Arena for an evidence taken out of an entry or of a record. */
#define CACHE_ENTRY_EVIDENCE_MAX (16 * 1024 * 1024)

struct cache_entry {
    /* the cache's */
    UT_hash_handle hh;
    struct list recent;
    struct list used;     /* in the cache's list of what was used lately */
    struct heap_link due; /* when to think of renewing it */
    int64_t used_at;      /* monotonic ms of the last question */
    int64_t use_noted_at; /* of the last one that went to the store */
    bool negative, unsaved;
    bool store_pending; /* the store could not be asked what it knows of the key */
    /* what the rules of `generation` make of the verdict; the engine's */
    struct final_answer final;
    unsigned generation; /* 0: not asked yet */
    bool unwanted;       /* they want no lookup of the key: it is not renewed */

    bool complete; /* of a whole lookup: no evidence is missing */
    uint8_t statuses[FORM_COUNT];
    uint32_t size; /* of all of it */
    uint32_t key_length;
    uint32_t evidence_at, evidence_length; /* 0: the key was never looked up */
    struct {
        uint32_t at, length;
    } texts[FORM_COUNT];
    const char *key;
    int64_t made_at; /* monotonic ms */
    struct verdict verdict;
    char octets[]; /* key, texts, evidence of evidence_pack.h */
};

/* What was found out as an answer, in a form; its text is the entry's. */
static inline struct answer cache_entry_answer(const struct cache_entry *entry,
                                               enum answer_form form)
{
    return (struct answer){(enum answer_status)entry->statuses[form],
                           entry->octets + entry->texts[form].at, entry->texts[form].length};
}

/* Keeps a copy of `evidence` (may be NULL) and renders all forms; NULL without memory. */
struct cache_entry *cache_entry_new(const struct key *key, const struct verdict *verdict,
                                    const struct evidence *evidence, int64_t now);
/* One that no lookup stands behind, and no key. */
struct cache_entry *cache_entry_standing(enum verdict_reason reason);
/* A copy that is in no cache; NULL without memory. */
struct cache_entry *cache_entry_copy(const struct cache_entry *entry);
void cache_entry_free(struct cache_entry *entry);
/* Its evidence in `arena`; NULL when there is none, or no memory. */
struct evidence *cache_entry_evidence(const struct cache_entry *entry, struct arena *arena);
