/*
 * sts_memory_kept: the entries of sts_memory.h as data that survives the process, and back. What
 * comes back may have been through anybody's hands: every field is checked as if it came from the
 * network, and a refusal costs nothing but the entry.
 */
#include <stdio.h>
#include <string.h>

#include "base/net/hostname.h"
#include "probe/sts/sts_memory_internal.h"
#include "probe/sts/sts_policy.h"

/* To parse a policy of STS_BODY_MAX octets: a pointer for each of its lines, its mx twice. */
#define PARSE_OCTETS_MAX (1u << 20)

bool sts_memory_keep(const struct sts_memory *memory, struct arena *arena, const char *domain,
                     struct sts_kept *out)
{
    const struct sts_entry *entry = sts_entry_find(memory, domain);
    struct sts_texts texts;

    if (entry == NULL)
        return false;
    texts = sts_entry_texts(entry);
    *out = (struct sts_kept){
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
        if (!((id[i] >= '0' && id[i] <= '9') || (id[i] >= 'a' && id[i] <= 'z') ||
              (id[i] >= 'A' && id[i] <= 'Z')))
            return false;
    return length >= least && length <= STS_ID_MAX;
}

static bool words_ok(const char *words)
{
    for (; words != NULL && *words != '\0'; words++)
        if (*words < ' ' || *words > '~')
            return false;
    return true;
}

static bool domain_ok(const char *domain)
{
    if (domain == NULL || !hostname_valid(domain, strlen(domain), HOSTNAME_UNDERSCORE))
        return false;
    for (; *domain != '\0'; domain++)
        if (*domain >= 'A' && *domain <= 'Z')
            return false;
    return true;
}

static bool kept_ok(const struct sts_kept *kept)
{
    bool failed = kept->failures > 0;

    return domain_ok(kept->domain) && id_ok(kept->id, kept->body != NULL) &&
           id_ok(kept->last_id, failed) && words_ok(kept->why) &&
           (kept->body == NULL || kept->fetched_at != 0) &&
           (!failed || kept->failure == STS_FETCH_FAILED || kept->failure == STS_BAD_POLICY);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Puts the last attempt of `kept` in place; returns its strings. */
static struct sts_texts attempt_set(struct sts_entry *entry, const struct sts_kept *kept,
                                    char why[STS_MEMORY_WHY_MAX], int64_t now)
{
    const char *last_id = kept->last_id == NULL ? "" : kept->last_id;

    snprintf(why, STS_MEMORY_WHY_MAX, "%s", kept->why == NULL ? "" : kept->why);
    entry->failures = (uint16_t)(kept->failures < UINT16_MAX ? kept->failures : UINT16_MAX);
    entry->failure = (uint8_t)kept->failure;
    entry->retry_at = earlier(kept->retry_at, now + STS_MEMORY_BACKOFF_MAX);
    return (struct sts_texts){"", last_id, entry->failures > 0 ? why : "", ""};
}

/* `policy` is what counts of kept->body, or NULL. */
static enum kept restore(struct sts_memory *memory, const struct sts_kept *kept,
                         const struct sts_policy *policy, int64_t now)
{
    struct sts_entry *entry = sts_entry_find(memory, kept->domain);
    int64_t fetched_at = earlier(kept->fetched_at, now);
    char why[STS_MEMORY_WHY_MAX];
    struct sts_texts texts;
    bool ok;

    if (entry != NULL && (policy == NULL || (entry->fetched_at != 0 &&
                                             entry->fetched_at >= fetched_at - KEPT_SAME_MS)))
        return KEPT_KNOWN;
    if (policy == NULL && kept->failures == 0)
        return KEPT_KNOWN;
    if (entry == NULL)
        entry = sts_entry_find_or_add(memory, kept->domain);
    if (entry == NULL)
        return KEPT_REFUSED;
    if (entry->fetched_at == 0 && entry->failures > 0)
        texts =
            sts_entry_texts(entry); /* tried here, without success: later than what is restored */
    else
        texts = attempt_set(entry, kept, why, now);
    if (policy != NULL)
        texts.id = kept->id;
    ok = sts_entry_set_policy(memory, entry, texts, policy);
    entry->fetched_at = fetched_at;
    entry->valid_until = policy == NULL ? fetched_at : kept->valid_until;
    if (policy != NULL)
        entry->valid_until =
            earlier(kept->valid_until, fetched_at + (int64_t)policy->max_age * 1000);
    if (ok)
        sts_entry_settle(memory, entry, now);
    else
        sts_entry_remove(memory, entry);
    return ok ? KEPT_TAKEN : KEPT_REFUSED;
}

enum kept sts_memory_restore(struct sts_memory *memory, const struct sts_kept *kept, int64_t now)
{
    const struct sts_policy *policy = NULL;
    enum kept result = KEPT_REFUSED;
    struct arena *arena;
    const char *why;

    if (!kept_ok(kept))
        return KEPT_REFUSED;
    if (kept->body == NULL)
        return restore(memory, kept, NULL, now);
    arena = arena_new(PARSE_OCTETS_MAX);
    if (arena != NULL)
        policy = sts_policy_parse(arena, kept->body, strlen(kept->body), &why);
    if (policy != NULL) {
        int64_t end = earlier(kept->valid_until,
                              earlier(kept->fetched_at, now) + (int64_t)policy->max_age * 1000);

        result = restore(memory, kept, now >= end ? NULL : policy, now);
    }
    arena_free(arena);
    return result;
}

bool sts_memory_some(const struct sts_memory *memory, struct map_walk *walk,
                     void (*take)(void *context, const char *domain), void *context)
{
    const UT_hash_table *table = memory->map == NULL ? NULL : memory->map->hh.tbl;
    const UT_hash_handle *handle;

    if (map_walk_over(walk, table))
        return true;
    for (handle = map_walk_next(walk, table); handle != NULL; handle = handle->hh_next)
        take(context, ((const struct sts_entry *)ELMT_FROM_HH(table, handle))->domain);
    return false;
}

bool sts_memory_knows(const struct sts_memory *memory, const char *domain)
{
    return sts_entry_find(memory, domain) != NULL;
}
