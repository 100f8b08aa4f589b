/*
 * sts_cache: a map with a list for each rank through it, in order of use; see sts_cache.h.
 *
 * An entry is strong while its policy is to be enforced, weak otherwise; the weak ones go first,
 * then the strong ones that take more room than an honest policy does.
 *
 * What is loaded may have been changed by others: every field is checked as if it came from the
 * network, and a refusal costs nothing but the entry.
 *
 * Running out of memory forgets: an enforced policy that cannot be stored is lost when it is
 * needed next, which the caller sees as a domain without a remembered policy.
 */
#include "probe/sts/sts_cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "base/buf.h"
#include "base/list.h"
#include "base/net/hostname.h"
#include "probe/sts/sts_parse.h"

/* A policy of some hundred mx lines fits. */
#define LARGE_OCTETS   4096
#define OCTETS_DEFAULT (64u << 20)
/* To parse a policy of STS_BODY_MAX octets: a pointer for each of its lines, its mx twice. */
#define PARSE_OCTETS_MAX (1u << 20)

/* In the order in which they go. */
enum sts_rank { STS_RANK_WEAK, STS_RANK_LARGE, STS_RANK_STRONG, STS_RANK_COUNT };

struct sts_entry {
    struct hashmap_link by_domain;
    struct list link; /* in one of the ranks */

    char *policy;      /* owned: its id and its lines, a pair; NULL without one */
    char *attempt;     /* owned: the id of the last attempt and why it failed, a pair; NULL: that
                      attempt fetched `policy`, or there was no memory */
    uint16_t failures; /* in a row with that id */
    uint16_t changes;  /* of the id since changes_from */
    uint8_t mode;      /* of the policy: enum sts_mode */
    uint8_t failure;   /* enum sts_state */

    int64_t fetched_at; /* last time, whatever came; 0: never */
    int64_t valid_until, retry_at, changes_from;

    char domain[];
};

struct sts_cache {
    struct sts_cache_options options;
    struct hashmap map;
    sts_cache_take changed; /* NULL: not watched */
    void *context;
    struct list ranks[STS_RANK_COUNT]; /* least recently used first */
    size_t octets;
};

struct sts_cache *sts_cache_new(const struct sts_cache_options *options)
{
    struct sts_cache *cache = calloc(1, sizeof *cache);

    if (cache == NULL)
        return NULL;
    cache->options = *options;
    if (options->octets_max == 0)
        cache->options.octets_max = OCTETS_DEFAULT;
    hashmap_init(&cache->map,
                 offsetof(struct sts_entry, domain) - offsetof(struct sts_entry, by_domain));
    for (size_t i = 0; i < STS_RANK_COUNT; i++)
        list_init(&cache->ranks[i]);
    return cache;
}

/* ---- entries ---- */

/* A pair is two strings, one behind the other in one piece of memory. */
static const char *second_of(const char *pair)
{
    return pair == NULL ? NULL : pair + strlen(pair) + 1;
}

static size_t pair_octets(const char *pair)
{
    return pair == NULL ? 0 : strlen(pair) + strlen(second_of(pair)) + 2;
}

static size_t entry_octets(const struct sts_entry *entry)
{
    return sizeof *entry + strlen(entry->domain) + 1 + pair_octets(entry->policy) +
           pair_octets(entry->attempt);
}

/* Puts a copy of `first` (NULL: none) and of at most `most` octets of `second` in the place of a
 * pair of an entry; false without memory: then there is no pair. */
static bool set_pair(struct sts_cache *cache, char **at, const char *first, const char *second,
                     size_t most)
{
    size_t size = first == NULL ? 0 : strlen(first) + 1;
    size_t length = first == NULL ? 0 : strnlen(second, most);
    char *pair = first == NULL ? NULL : malloc(size + length + 1);

    if (pair != NULL) {
        memcpy(pair, first, size);
        memcpy(pair + size, second, length);
        pair[size + length] = '\0';
    }
    cache->octets += pair_octets(pair);
    cache->octets -= pair_octets(*at);
    free(*at);
    *at = pair;
    return pair != NULL || first == NULL;
}

/* The id of the policy; "" without one. */
static const char *id_of(const struct sts_entry *entry)
{
    return entry->policy == NULL ? "" : entry->policy;
}

/* The id of the last attempt, good or bad. */
static const char *last_id_of(const struct sts_entry *entry)
{
    return entry->attempt == NULL ? id_of(entry) : entry->attempt;
}

static bool set_attempt(struct sts_cache *cache, struct sts_entry *entry, const char *id,
                        const char *why)
{
    bool is_policy = entry->policy != NULL && why == NULL && strcmp(id, entry->policy) == 0;

    return set_pair(cache, &entry->attempt, is_policy ? NULL : id, why == NULL ? "" : why,
                    STS_CACHE_WHY_MAX);
}

static void entry_remove(struct sts_cache *cache, struct sts_entry *entry)
{
    cache->octets -= entry_octets(entry);
    list_remove(&entry->link);
    hashmap_remove(&cache->map, &entry->by_domain);
    free(entry->policy);
    free(entry->attempt);
    free(entry);
}

void sts_cache_free(struct sts_cache *cache)
{
    if (cache == NULL)
        return;
    for (size_t i = 0; i < STS_RANK_COUNT; i++)
        while (!list_empty(&cache->ranks[i]))
            entry_remove(cache, LIST_ELEMENT(cache->ranks[i].next, struct sts_entry, link));
    hashmap_fini(&cache->map);
    free(cache);
}

size_t sts_cache_entries(const struct sts_cache *cache)
{
    return cache->map.count;
}

size_t sts_cache_octets(const struct sts_cache *cache)
{
    return cache->octets;
}

static struct sts_entry *entry_find(const struct sts_cache *cache, const char *domain)
{
    struct hashmap_link *link = hashmap_find(&cache->map, domain, strlen(domain));

    return link == NULL ? NULL : HASHMAP_ELEMENT(link, struct sts_entry, by_domain);
}

static bool policy_valid(const struct sts_entry *entry, int64_t now)
{
    return now < entry->valid_until && entry->policy != NULL;
}

static bool is_strong(const struct sts_entry *entry, int64_t now)
{
    return policy_valid(entry, now) && entry->mode == STS_MODE_ENFORCE;
}

/* Used now: goes behind the others of its rank. */
static void touch(struct sts_cache *cache, struct sts_entry *entry, int64_t now)
{
    enum sts_rank rank = STS_RANK_WEAK;

    if (is_strong(entry, now))
        rank = entry_octets(entry) > LARGE_OCTETS ? STS_RANK_LARGE : STS_RANK_STRONG;
    list_remove(&entry->link);
    list_append(&cache->ranks[rank], &entry->link);
}

/* Which entry goes next: one that has expired since it was used last, else the first in rank. */
static struct sts_entry *expendable(const struct sts_cache *cache, int64_t now)
{
    struct sts_entry *found = NULL;

    for (size_t i = STS_RANK_COUNT; i-- > 0;) {
        struct sts_entry *oldest;

        if (list_empty(&cache->ranks[i]))
            continue;
        oldest = LIST_ELEMENT(cache->ranks[i].next, struct sts_entry, link);
        if (i != STS_RANK_WEAK && !is_strong(oldest, now))
            return oldest;
        found = oldest;
    }
    return found;
}

/* Used now: puts it where it belongs, then makes room; the entry itself may go. */
static void settle(struct sts_cache *cache, struct sts_entry *entry, int64_t now)
{
    touch(cache, entry, now);
    while (cache->map.count > cache->options.entries_max ||
           cache->octets > cache->options.octets_max)
        entry_remove(cache, expendable(cache, now));
}

/* A new entry is empty, and of the lowest rank; NULL without memory. */
static struct sts_entry *entry_find_or_add(struct sts_cache *cache, const char *domain)
{
    struct sts_entry *entry = entry_find(cache, domain);
    size_t size = strlen(domain) + 1;

    if (entry != NULL)
        return entry;
    entry = calloc(1, sizeof *entry + size);
    if (entry == NULL)
        return NULL;
    memcpy(entry->domain, domain, size);
    if (!hashmap_add(&cache->map, &entry->by_domain, size - 1)) {
        free(entry);
        return NULL;
    }
    list_append(&cache->ranks[STS_RANK_WEAK], &entry->link);
    cache->octets += entry_octets(entry);
    return entry;
}

static bool too_many_changes(const struct sts_cache *cache, const struct sts_entry *entry,
                             int64_t now)
{
    return entry->changes >= STS_CACHE_CHANGES_MAX &&
           now < entry->changes_from + cache->options.retry_ms;
}

/* When the same id is fetched again: a little before the policy is `refresh_ms` old or ends. */
static bool refresh_due(const struct sts_cache *cache, const struct sts_entry *entry, int64_t now)
{
    int64_t period = entry->valid_until - entry->fetched_at;

    if (period > cache->options.refresh_ms)
        period = cache->options.refresh_ms;
    return now >= entry->fetched_at + period - period / 8;
}

bool sts_cache_fetch_due(struct sts_cache *cache, const char *domain, const char *id, int64_t now)
{
    struct sts_entry *entry = entry_find(cache, domain);
    bool valid;

    if (entry == NULL)
        return id != NULL;
    touch(cache, entry, now);
    valid = policy_valid(entry, now);
    if (id == NULL && !valid)
        return false;
    if (id == NULL)
        id = id_of(entry);
    if (valid && strcmp(id, id_of(entry)) == 0 && !refresh_due(cache, entry, now))
        return false;
    if (strcmp(id, last_id_of(entry)) == 0)
        return entry->failures == 0 || now >= entry->retry_at;
    return !too_many_changes(cache, entry, now);
}

bool sts_cache_get(const struct sts_cache *cache, const char *domain, struct sts_saved *out)
{
    const struct sts_entry *entry = entry_find(cache, domain);

    if (entry == NULL)
        return false;
    *out = (struct sts_saved){
        .domain = entry->domain,
        .id = id_of(entry),
        .mode = (enum sts_mode)entry->mode,
        .body = second_of(entry->policy),
        .fetched_at = entry->fetched_at,
        .valid_until = entry->valid_until,
        .last_id = last_id_of(entry),
    };
    if (entry->failures > 0) {
        out->failures = entry->failures;
        out->failure = (enum sts_state)entry->failure;
        out->retry_at = entry->retry_at;
        out->why = entry->attempt == NULL ? "" : second_of(entry->attempt);
    }
    return true;
}

int64_t sts_cache_retry_at(const struct sts_cache *cache, const char *domain, int64_t now)
{
    const struct sts_entry *entry = entry_find(cache, domain);
    int64_t at = entry != NULL && entry->failures > 0 ? entry->retry_at : 0;

    if (entry != NULL && too_many_changes(cache, entry, now) &&
        at < entry->changes_from + cache->options.retry_ms)
        at = entry->changes_from + cache->options.retry_ms;
    return at > now ? at : 0;
}

bool sts_cache_policy(const struct sts_cache *cache, struct arena *arena, const char *domain,
                      int64_t now, struct sts_evidence *out)
{
    const struct sts_entry *entry = entry_find(cache, domain);
    const struct sts_policy *policy;
    const char *body, *why;

    if (entry == NULL || !policy_valid(entry, now))
        return false;
    body = second_of(entry->policy);
    policy = sts_parse_policy(arena, body, strlen(body), &why);
    why = entry->failures > 0 ? arena_strdup(arena, second_of(entry->attempt)) : NULL;
    if (policy == NULL || arena_failed(arena))
        return false;
    out->state = STS_POLICY;
    out->policy = policy;
    out->why = why;
    out->fetched_at = entry->fetched_at;
    out->valid_until = entry->valid_until;
    out->refresh_at = entry->fetched_at + cache->options.refresh_ms;
    out->retry_at = sts_cache_retry_at(cache, domain, now);
    snprintf(out->id, sizeof out->id, "%s", id_of(entry));
    return true;
}

/* ---- what happened ---- */

void sts_cache_watch(struct sts_cache *cache, sts_cache_take changed, void *context)
{
    cache->changed = changed;
    cache->context = context;
}

static void tell_changed(const struct sts_cache *cache, const char *domain)
{
    if (cache->changed != NULL)
        cache->changed(cache->context, domain);
}

/* Counts how often the id changed lately; `id` is tried now. */
static void note_attempt(const struct sts_cache *cache, struct sts_entry *entry, const char *id,
                         int64_t now)
{
    const char *last_id = last_id_of(entry);

    if (last_id[0] == '\0' || strcmp(id, last_id) == 0)
        return;
    entry->failures = 0;
    if (now >= entry->changes_from + cache->options.retry_ms)
        entry->changes = 0;
    if (entry->changes == 0)
        entry->changes_from = now;
    if (entry->changes < UINT16_MAX)
        entry->changes++;
}

/*
 * Makes `policy` (NULL: none) the entry's: its lines as text that parses to the same policy, without
 * the last LF when it has no room, as in a file of STS_BODY_MAX octets. False without memory: then
 * the entry has no policy any more.
 */
static bool set_policy(struct sts_cache *cache, struct sts_entry *entry, const char *id,
                       const struct sts_policy *policy)
{
    struct buf body;
    bool ok;

    buf_init(&body, STS_BODY_MAX);
    for (size_t i = 0; policy != NULL && i < policy->line_count; i++) {
        buf_adds(&body, policy->lines[i]);
        if (body.length < STS_BODY_MAX)
            buf_adds(&body, "\n");
    }
    ok = set_pair(cache, &entry->policy, body.length == 0 || body.failed ? NULL : id,
                  buf_text(&body), STS_BODY_MAX) &&
         !body.failed;
    buf_fini(&body);
    entry->mode = (uint8_t)(entry->policy == NULL ? STS_MODE_NONE : policy->mode);
    return ok;
}

void sts_cache_store(struct sts_cache *cache, const char *domain, const char *id,
                     const struct sts_policy *policy, int64_t now)
{
    struct sts_entry *entry = entry_find_or_add(cache, domain);

    if (entry != NULL) {
        note_attempt(cache, entry, id, now);
        set_policy(cache, entry, id, policy->max_age > 0 ? policy : NULL);
        set_attempt(cache, entry, id, NULL);
        entry->failures = 0;
        entry->fetched_at = now;
        entry->valid_until = now + (int64_t)policy->max_age * 1000;
        settle(cache, entry, now);
    }
    tell_changed(cache, domain);
}

static int64_t backoff_ms(const struct sts_cache *cache, unsigned failures)
{
    int64_t wait = cache->options.retry_ms;

    for (unsigned i = 1; i < failures && wait < STS_CACHE_BACKOFF_MAX; i++)
        wait *= 2;
    return wait < STS_CACHE_BACKOFF_MAX ? wait : STS_CACHE_BACKOFF_MAX;
}

void sts_cache_fail(struct sts_cache *cache, const char *domain, const char *id,
                    enum sts_state state, const char *why, int64_t now)
{
    struct sts_entry *entry = entry_find_or_add(cache, domain);

    if (entry != NULL) {
        note_attempt(cache, entry, id, now);
        if (entry->failures < UINT16_MAX)
            entry->failures++;
        entry->failure = (uint8_t)state;
        entry->retry_at = now + backoff_ms(cache, entry->failures);
        set_attempt(cache, entry, id, why);
        settle(cache, entry, now);
    }
    tell_changed(cache, domain);
}

void sts_cache_forget(struct sts_cache *cache, const char *domain)
{
    struct sts_entry *entry = entry_find(cache, domain);

    if (entry != NULL)
        entry_remove(cache, entry);
    tell_changed(cache, domain);
}

/* ---- loaded ---- */

static bool id_ok(const char *id, size_t least)
{
    size_t length = id == NULL ? 0 : strlen(id);

    for (size_t i = 0; i < length; i++)
        if (!ascii_is_alnum(id[i]))
            return false;
    return length >= least && length <= STS_ID_MAX;
}

static bool saved_ok(const struct sts_saved *saved)
{
    bool failed = saved->failures > 0;

    return hostname_canonical(saved->domain) && id_ok(saved->id, saved->body != NULL) &&
           id_ok(saved->last_id, failed) && ascii_is_printable(saved->why) &&
           (saved->body == NULL || saved->fetched_at != 0) &&
           (!failed || saved->failure == STS_FETCH_FAILED || saved->failure == STS_BAD_POLICY);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* `saved` has its times bounded already; `policy` is what counts of its body, or NULL. */
static enum loaded load_entry(struct sts_cache *cache, const struct sts_saved *saved,
                              const struct sts_policy *policy, int64_t now)
{
    struct sts_entry *entry = entry_find(cache, saved->domain);
    bool later; /* what was tried here without success is later than what is loaded */

    if (entry != NULL &&
        (policy == NULL ||
         (entry->fetched_at != 0 && entry->fetched_at >= saved->fetched_at - LOADED_SAME_MS)))
        return LOADED_KNOWN;
    if (policy == NULL && saved->failures == 0)
        return LOADED_KNOWN;
    if (entry == NULL)
        entry = entry_find_or_add(cache, saved->domain);
    if (entry == NULL)
        return LOADED_REFUSED;
    later = entry->fetched_at == 0 && entry->failures > 0;
    if (!set_policy(cache, entry, saved->id, policy)) {
        entry_remove(cache, entry);
        return LOADED_REFUSED;
    }
    if (!later) {
        entry->failures = (uint16_t)(saved->failures < UINT16_MAX ? saved->failures : UINT16_MAX);
        entry->failure = (uint8_t)saved->failure;
        entry->retry_at = earlier(saved->retry_at, now + STS_CACHE_BACKOFF_MAX);
        set_attempt(cache, entry, saved->last_id == NULL ? "" : saved->last_id,
                    saved->failures > 0 ? saved->why : NULL);
    }
    entry->fetched_at = saved->fetched_at;
    entry->valid_until = policy == NULL ? saved->fetched_at : saved->valid_until;
    settle(cache, entry, now);
    return LOADED_NEW;
}

enum loaded sts_cache_load(struct sts_cache *cache, const struct sts_saved *saved, int64_t now)
{
    struct sts_saved clean = *saved;
    const struct sts_policy *policy = NULL;
    enum loaded loaded = LOADED_REFUSED;
    struct arena *arena;
    const char *why;

    if (!saved_ok(saved))
        return LOADED_REFUSED;
    clean.fetched_at = earlier(saved->fetched_at, now);
    if (saved->body == NULL)
        return load_entry(cache, &clean, NULL, now);
    arena = arena_new(PARSE_OCTETS_MAX);
    if (arena != NULL)
        policy = sts_parse_policy(arena, saved->body, strlen(saved->body), &why);
    if (policy != NULL) {
        clean.valid_until =
            earlier(saved->valid_until, clean.fetched_at + (int64_t)policy->max_age * 1000);
        loaded = load_entry(cache, &clean, now < clean.valid_until ? policy : NULL, now);
    }
    arena_free(arena);
    return loaded;
}

bool sts_cache_walk(const struct sts_cache *cache, struct map_walk *walk)
{
    struct hashmap_link *link;

    if (cache->changed == NULL || !hashmap_step(&cache->map, walk, &link))
        return true;
    for (; link != NULL; link = link->next)
        cache->changed(cache->context, HASHMAP_ELEMENT(link, struct sts_entry, by_domain)->domain);
    return false;
}

bool sts_cache_knows(const struct sts_cache *cache, const char *domain)
{
    return entry_find(cache, domain) != NULL;
}
