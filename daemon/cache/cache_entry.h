/*
 * cache_entry: what the daemon knows of one key: the verdict, the evidence behind it, and the
 * answers ready to send. It is one small piece of memory, because there may be a million of them.
 *
 * The plain answer is usually a prefix of the one with TLSRPT attributes, and the tcp_table answer
 * the same as the plain one: the text is then stored once. The evidence is packed, because only
 * people look at it. Downgrades and refusals are rare, and stored only where there are any.
 *
 * After an entry is made, only the cache's own members, the rules' answer and the time at which it
 * expires change.
 */
#pragma once

#include "base/arena.h"
#include "base/map.h"
#include "base/heap.h"
#include "base/list.h"
#include "policy/decide/verdict.h"
#include "policy/key.h"
#include "policy/render/render.h"
#include "policy/rules/override.h"

/* The forms of an answer: which protocol and attributes the client can read, and whether it has
 * DANE. In the order in which an entry stores their texts. */
enum answer_form { FORM_TLSRPT, FORM_PLAIN, FORM_TCP_TABLE, FORM_SENDMAIL, FORM_COUNT };

/* Arena for evidence unpacked from an entry or a record. */
#define CACHE_ENTRY_EVIDENCE_MAX (16 * 1024 * 1024)

/* Whether the store has the entry; only cache_entry_set_state changes it. */
enum cache_entry_state {
    ENTRY_SAVED,        /* written, or not worth writing */
    ENTRY_UNSAVED,      /* to be written again: the store lost what it had */
    ENTRY_STORE_PENDING /* the store could not be read for the key */
};

/* A struct verdict without its rare fields; cache_entry_verdict gives the whole. */
struct cached_verdict {
    int64_t valid_until; /* monotonic ms */
    int64_t dane_only_until;
    enum verdict_level level : 4, shown_level : 4, observed : 4;
    enum dane_state dane : 4;
    enum starttls_state starttls : 4;
    enum verdict_level probed : 4;
    enum verdict_reason reason : 8, shown_reason : 8;
    bool dane_possible : 1, secure : 1, sts_enforced : 1, wildcard_hosts : 1;
    bool distrusted : 1, without_dane : 1, without_probe : 1;
    bool list_decides : 1;
    enum list_mode listed : 2;
    bool rare : 1;           /* the rare fields follow the evidence */
    unsigned sts_unfit : 11; /* STS_MX_MAX is less */
};

struct cache_entry {
    struct hashmap_link by_key;
    struct list recent;
    struct heap_link due; /* when to think of renewing it */
    int64_t used_at;      /* monotonic ms of the last question */
    int64_t made_at;      /* monotonic ms */
    struct cached_verdict verdict;

    /* what the rules of `generation` turn the verdict into; set by the engine */
    struct final_answer final;
    unsigned generation; /* 0: not asked yet */

    uint32_t size;                /* of all of it */
    uint32_t evidence_length;     /* 0: the key was never looked up */
    uint32_t lengths[FORM_COUNT]; /* of the answers */
    uint16_t key_length;
    uint8_t statuses[FORM_COUNT]; /* of the answers */
    enum cache_entry_state state : 2;
    bool unwanted : 1; /* the rules want no lookup of the key: it is not renewed */
    bool complete : 1; /* of a whole lookup: no evidence is missing */
    bool marked : 1;   /* to be noted in the store */
    /* that answer has a text of its own */
    bool plain_apart : 1, tcp_apart : 1, sendmail_apart : 1;
    unsigned char common;          /* not 0: all answers are this one of cache_entry_common */
    unsigned char sendmail_common; /* the same of FORM_SENDMAIL alone */
    char key[]; /* then the answers by form, the packed evidence, the rare fields */
};

/* Answers that very many entries share, numbered from 1. */
extern const char *const cache_entry_common[];

struct answer cache_entry_answer_sendmail(const struct cache_entry *entry);

/* The result of the lookup as an answer in one form. Its text belongs to the entry or is static,
 * and has no NUL at its end if it is a prefix of another. */
static inline struct answer cache_entry_answer(const struct cache_entry *entry,
                                               enum answer_form form)
{
    const char *text = entry->key + entry->key_length + 1;

    if (form == FORM_SENDMAIL)
        return cache_entry_answer_sendmail(entry);
    if (entry->common != 0)
        return (struct answer){ANSWER_OK, cache_entry_common[entry->common], entry->lengths[form],
                               false};
    if (form != FORM_TLSRPT && entry->plain_apart)
        text += entry->lengths[FORM_TLSRPT] + 1;
    if (form == FORM_TCP_TABLE && entry->tcp_apart)
        text += entry->lengths[entry->plain_apart ? FORM_PLAIN : FORM_TLSRPT] + 1;
    return (struct answer){(enum answer_status)entry->statuses[form], text, entry->lengths[form],
                           false};
}

/* True when it says "no opinion" or "try later". */
static inline bool cache_entry_is_negative(const struct cache_entry *entry)
{
    return entry->statuses[FORM_PLAIN] != ANSWER_OK;
}

/* Keeps a copy of `evidence` (may be NULL) and renders all forms; NULL without memory. Until it is
 * in a heap, due.at is the verdict's refresh_at. */
struct cache_entry *cache_entry_new(const struct key *key, const struct verdict *verdict,
                                    const struct evidence *evidence, int64_t now);
/* An entry for a reply without a lookup and without a key. */
struct cache_entry *cache_entry_standing(enum verdict_reason reason);
/* A copy that is in no cache; NULL without memory. */
struct cache_entry *cache_entry_copy(const struct cache_entry *entry);
void cache_entry_free(struct cache_entry *entry);

/* The whole verdict except refresh_at, which is no longer needed. */
struct verdict cache_entry_verdict(const struct cache_entry *entry);
struct remembered cache_entry_remembered(const struct cache_entry *entry);
/* Applies `override` to its verdict: override_apply. */
void cache_entry_apply(struct final_answer *out, const struct override *override,
                       const struct cache_entry *found);
/* Its evidence as packed; NULL when there is none. */
const void *cache_entry_packed(const struct cache_entry *entry);
/* Its evidence in `arena`; NULL when there is none, or no memory. */
struct evidence *cache_entry_evidence(const struct cache_entry *entry, struct arena *arena);

void cache_entry_set_state(struct cache_entry *entry, enum cache_entry_state state);
/* Expires it now; `forget` also drops what DANE and MTA-STS proved, but not what probing proved. */
void cache_entry_lapse(struct cache_entry *entry, int64_t now, bool forget);
/* The same, and what probing proved counts no more either, although the evidence shows it. */
void cache_entry_disprove(struct cache_entry *entry, int64_t now);
