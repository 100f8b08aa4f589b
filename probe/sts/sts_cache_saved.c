/*
 * sts_cache_saved: the entries of sts_cache.h as data that survives the process, and back. What is
 * loaded may have been changed by others: every field is checked as if it came from the network,
 * and a refusal costs nothing but the entry.
 */
#include <stdio.h>
#include <string.h>

#include "base/ascii.h"
#include "base/net/hostname.h"
#include "probe/sts/sts_cache_internal.h"
#include "probe/sts/sts_policy.h"

/* To parse a policy of STS_BODY_MAX octets: a pointer for each of its lines, its mx twice. */
#define PARSE_OCTETS_MAX (1u << 20)

bool sts_cache_save(const struct sts_cache *cache, struct arena *arena, const char *domain,
                    struct sts_saved *out)
{
    const struct sts_entry *entry = sts_entry_find(cache, domain);
    struct sts_texts texts;

    if (entry == NULL)
        return false;
    texts = sts_entry_texts(entry);
    *out = (struct sts_saved){
        .domain = arena_strdup(arena, entry->domain),
        .id = arena_strdup(arena, texts.id),
        .mode = (enum sts_mode)entry->mode,
        .body = texts.body[0] == '\0' ? NULL : arena_strdup(arena, texts.body),
        .fetched_at = entry->fetched_at,
        .valid_until = entry->valid_until,
        .last_id = arena_strdup(arena, texts.last_id),
        .failures = entry->failures,
        .failure = entry->failures > 0 ? (enum sts_state)entry->failure : STS_UNKNOWN,
        .retry_at = entry->failures > 0 ? entry->retry_at : 0,
        .why = entry->failures > 0 ? arena_strdup(arena, texts.why) : NULL,
    };
    return !arena_failed(arena);
}

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

/* Puts the last attempt of `saved` in place; returns its strings. */
static struct sts_texts attempt_set(struct sts_entry *entry, const struct sts_saved *saved,
                                    char why[STS_CACHE_WHY_MAX], int64_t now)
{
    const char *last_id = saved->last_id == NULL ? "" : saved->last_id;

    snprintf(why, STS_CACHE_WHY_MAX, "%s", saved->why == NULL ? "" : saved->why);
    entry->failures = (uint16_t)(saved->failures < UINT16_MAX ? saved->failures : UINT16_MAX);
    entry->failure = (uint8_t)saved->failure;
    entry->retry_at = earlier(saved->retry_at, now + STS_CACHE_BACKOFF_MAX);
    return (struct sts_texts){"", last_id, entry->failures > 0 ? why : "", ""};
}

/* `policy` is what counts of saved->body, or NULL. */
static enum loaded load_entry(struct sts_cache *cache, const struct sts_saved *saved,
                              const struct sts_policy *policy, int64_t now)
{
    struct sts_entry *entry = sts_entry_find(cache, saved->domain);
    int64_t fetched_at = earlier(saved->fetched_at, now);
    char why[STS_CACHE_WHY_MAX];
    struct sts_texts texts;
    bool ok;

    if (entry != NULL && (policy == NULL || (entry->fetched_at != 0 &&
                                             entry->fetched_at >= fetched_at - LOADED_SAME_MS)))
        return LOADED_KNOWN;
    if (policy == NULL && saved->failures == 0)
        return LOADED_KNOWN;
    if (entry == NULL)
        entry = sts_entry_find_or_add(cache, saved->domain);
    if (entry == NULL)
        return LOADED_REFUSED;
    if (entry->fetched_at == 0 && entry->failures > 0)
        texts = sts_entry_texts(entry); /* tried here, without success: later than what is loaded */
    else
        texts = attempt_set(entry, saved, why, now);
    if (policy != NULL)
        texts.id = saved->id;
    ok = sts_entry_set_policy(cache, entry, texts, policy);
    entry->fetched_at = fetched_at;
    entry->valid_until = policy == NULL ? fetched_at : saved->valid_until;
    if (policy != NULL)
        entry->valid_until =
            earlier(saved->valid_until, fetched_at + (int64_t)policy->max_age * 1000);
    if (ok)
        sts_entry_settle(cache, entry, now);
    else
        sts_entry_remove(cache, entry);
    return ok ? LOADED_NEW : LOADED_REFUSED;
}

enum loaded sts_cache_load(struct sts_cache *cache, const struct sts_saved *saved, int64_t now)
{
    const struct sts_policy *policy = NULL;
    enum loaded result = LOADED_REFUSED;
    struct arena *arena;
    const char *why;

    if (!saved_ok(saved))
        return LOADED_REFUSED;
    if (saved->body == NULL)
        return load_entry(cache, saved, NULL, now);
    arena = arena_new(PARSE_OCTETS_MAX);
    if (arena != NULL)
        policy = sts_policy_parse(arena, saved->body, strlen(saved->body), &why);
    if (policy != NULL) {
        int64_t end = earlier(saved->valid_until,
                              earlier(saved->fetched_at, now) + (int64_t)policy->max_age * 1000);

        result = load_entry(cache, saved, now >= end ? NULL : policy, now);
    }
    arena_free(arena);
    return result;
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
    return sts_entry_find(cache, domain) != NULL;
}
