/*
 * sts_cache: a map with two lists through it, each in order of use; see sts_cache.h.
 *
 * An entry is strong while its policy is to be enforced, weak otherwise; the weak ones go first,
 * then the strong ones that take more room than an honest policy does.
 * Running out of memory forgets: an enforced policy that cannot be stored is lost when it is
 * needed next, which the caller sees as a domain without a remembered policy.
 */
#include "probe/sts/sts_cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "probe/sts/sts_cache_internal.h"
#include "probe/sts/sts_policy.h"

/* A policy of some hundred mx lines fits. */
#define LARGE_OCTETS    4096
#define ENTRIES_DEFAULT 10000
#define OCTETS_DEFAULT  (64u << 20)
/* Stored for a last_id that is the id; it is no id. */
#define SAME_ID "="

struct sts_cache *sts_cache_new(const struct sts_cache_options *options)
{
    struct sts_cache *cache = calloc(1, sizeof *cache);

    if (cache == NULL)
        return NULL;
    cache->options = *options;
    if (options->entries_max == 0)
        cache->options.entries_max = ENTRIES_DEFAULT;
    if (options->octets_max == 0)
        cache->options.octets_max = OCTETS_DEFAULT;
    hashmap_init(&cache->map,
                 offsetof(struct sts_entry, domain) - offsetof(struct sts_entry, by_domain));
    for (size_t i = 0; i < STS_RANK_COUNT; i++)
        list_init(&cache->ranks[i]);
    return cache;
}

static size_t entry_octets(const struct sts_entry *entry)
{
    return sizeof *entry + strlen(entry->domain) + 1 + entry->text_octets;
}

/* Most recently used goes last. */
static void rank_append(struct sts_cache *cache, struct sts_entry *entry, enum sts_rank rank)
{
    list_append(&cache->ranks[rank], &entry->link);
}

/* ---- the strings of an entry ---- */

static const char *behind(const char *text)
{
    return text + strlen(text) + 1;
}

struct sts_texts sts_entry_texts(const struct sts_entry *entry)
{
    struct sts_texts texts = {"", "", "", ""};

    if (entry->text == NULL)
        return texts;
    texts.id = entry->text;
    texts.last_id = behind(texts.id);
    texts.why = behind(texts.last_id);
    if (strcmp(texts.last_id, SAME_ID) == 0)
        texts.last_id = texts.id;
    texts.body = behind(texts.why);
    return texts;
}

static void texts_clear(struct sts_cache *cache, struct sts_entry *entry)
{
    cache->octets -= entry->text_octets;
    free(entry->text);
    entry->text = NULL;
    entry->text_octets = 0;
}

/* Copies `texts`, some of which may be the entry's own; false without memory, and nothing happens.
 */
static bool texts_set(struct sts_cache *cache, struct sts_entry *entry,
                      const struct sts_texts *texts)
{
    bool same = texts->id[0] != '\0' && strcmp(texts->id, texts->last_id) == 0;
    const char *all[] = {texts->id, same ? SAME_ID : texts->last_id, texts->why, texts->body};
    size_t octets = 0;
    char *text, *next;

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        octets += strlen(all[i]) + 1;
    next = text = malloc(octets);
    if (text == NULL)
        return false;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        next = (char *)memcpy(next, all[i], strlen(all[i]) + 1) + strlen(all[i]) + 1;
    texts_clear(cache, entry);
    entry->text = text;
    entry->text_octets = (uint32_t)octets;
    cache->octets += octets;
    return true;
}

/* ---- entries ---- */

void sts_entry_remove(struct sts_cache *cache, struct sts_entry *entry)
{
    cache->octets -= entry_octets(entry);
    list_remove(&entry->link);
    hashmap_remove(&cache->map, &entry->by_domain);
    free(entry->text);
    free(entry);
}

void sts_cache_free(struct sts_cache *cache)
{
    if (cache == NULL)
        return;
    for (size_t i = 0; i < STS_RANK_COUNT; i++)
        while (!list_empty(&cache->ranks[i]))
            sts_entry_remove(cache, LIST_ELEMENT(cache->ranks[i].next, struct sts_entry, link));
    hashmap_fini(&cache->map);
    free(cache);
}

size_t sts_cache_entries(const struct sts_cache *cache)
{
    return cache->map.count;
}

struct sts_entry *sts_entry_find(const struct sts_cache *cache, const char *domain)
{
    struct hashmap_link *link = hashmap_find(&cache->map, domain, strlen(domain));

    return link == NULL ? NULL : HASHMAP_ELEMENT(link, struct sts_entry, by_domain);
}

static bool policy_valid(const struct sts_entry *entry, int64_t now)
{
    return now < entry->valid_until && sts_entry_texts(entry).body[0] != '\0';
}

static bool is_strong(const struct sts_entry *entry, int64_t now)
{
    return policy_valid(entry, now) && entry->mode == STS_MODE_ENFORCE;
}

static enum sts_rank rank_of(const struct sts_entry *entry, int64_t now)
{
    if (!is_strong(entry, now))
        return STS_RANK_WEAK;
    return entry_octets(entry) > LARGE_OCTETS ? STS_RANK_LARGE : STS_RANK_STRONG;
}

static void touch(struct sts_cache *cache, struct sts_entry *entry, int64_t now)
{
    list_remove(&entry->link);
    rank_append(cache, entry, rank_of(entry, now));
}

static bool over_limits(const struct sts_cache *cache)
{
    return sts_cache_entries(cache) > cache->options.entries_max ||
           cache->octets > cache->options.octets_max;
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

/* Frees until the limits hold; the entry put last may be the one that goes. */
static void evict(struct sts_cache *cache, int64_t now)
{
    while (over_limits(cache))
        sts_entry_remove(cache, expendable(cache, now));
}

void sts_entry_settle(struct sts_cache *cache, struct sts_entry *entry, int64_t now)
{
    touch(cache, entry, now);
    evict(cache, now);
}

struct sts_entry *sts_entry_find_or_add(struct sts_cache *cache, const char *domain)
{
    struct sts_entry *entry = sts_entry_find(cache, domain);
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
    rank_append(cache, entry, STS_RANK_WEAK);
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
    struct sts_entry *entry = sts_entry_find(cache, domain);
    struct sts_texts texts;
    bool valid;

    if (entry == NULL)
        return id != NULL;
    touch(cache, entry, now);
    texts = sts_entry_texts(entry);
    valid = policy_valid(entry, now);
    if (id == NULL && !valid)
        return false;
    if (id == NULL)
        id = texts.id;
    if (valid && strcmp(id, texts.id) == 0 && !refresh_due(cache, entry, now))
        return false;
    if (strcmp(id, texts.last_id) == 0)
        return entry->failures == 0 || now >= entry->retry_at;
    return !too_many_changes(cache, entry, now);
}

bool sts_cache_peek(const struct sts_cache *cache, const char *domain, int64_t now,
                    struct sts_cached *out)
{
    const struct sts_entry *entry = sts_entry_find(cache, domain);

    if (entry == NULL || !policy_valid(entry, now))
        return false;
    out->id = sts_entry_texts(entry).id;
    out->mode = (enum sts_mode)entry->mode;
    out->valid_until = entry->valid_until;
    return true;
}

/* When the next attempt may be, whatever the id; 0 when now. */
static int64_t next_attempt(const struct sts_cache *cache, const struct sts_entry *entry,
                            int64_t now)
{
    int64_t at = entry->failures > 0 ? entry->retry_at : 0;

    if (too_many_changes(cache, entry, now) && at < entry->changes_from + cache->options.retry_ms)
        at = entry->changes_from + cache->options.retry_ms;
    return at > now ? at : 0;
}

int64_t sts_cache_retry_at(const struct sts_cache *cache, const char *domain, int64_t now)
{
    const struct sts_entry *entry = sts_entry_find(cache, domain);

    return entry == NULL ? 0 : next_attempt(cache, entry, now);
}

bool sts_cache_policy(const struct sts_cache *cache, struct arena *arena, const char *domain,
                      int64_t now, struct sts_evidence *out)
{
    const struct sts_entry *entry = sts_entry_find(cache, domain);
    const struct sts_policy *policy;
    struct sts_texts texts;
    const char *why;

    if (entry == NULL || !policy_valid(entry, now))
        return false;
    texts = sts_entry_texts(entry);
    policy = sts_policy_parse(arena, texts.body, strlen(texts.body), &why);
    why = entry->failures > 0 ? arena_strdup(arena, texts.why) : NULL;
    if (policy == NULL || arena_failed(arena))
        return false;
    out->state = STS_POLICY;
    out->policy = policy;
    out->why = why;
    out->fetched_at = entry->fetched_at;
    out->valid_until = entry->valid_until;
    out->refresh_at = entry->fetched_at + cache->options.refresh_ms;
    out->retry_at = next_attempt(cache, entry, now);
    snprintf(out->id, sizeof out->id, "%s", texts.id);
    return true;
}

bool sts_cache_failure(const struct sts_cache *cache, struct arena *arena, const char *domain,
                       int64_t now, struct sts_evidence *out)
{
    const struct sts_entry *entry = sts_entry_find(cache, domain);

    if (entry == NULL || entry->failures == 0)
        return false;
    out->state = (enum sts_state)entry->failure;
    out->why = arena_strdup(arena, sts_entry_texts(entry).why);
    out->retry_at = next_attempt(cache, entry, now);
    snprintf(out->id, sizeof out->id, "%s", sts_entry_texts(entry).last_id);
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
    const char *last_id = sts_entry_texts(entry).last_id;

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

/* The lines as text that parses to the same policy; without the last LF when it has no room, as in
 * a file of STS_BODY_MAX octets. */
static void write_body(struct buf *out, const struct sts_policy *policy)
{
    buf_init(out, STS_BODY_MAX);
    for (size_t i = 0; i < policy->line_count; i++) {
        buf_adds(out, policy->lines[i]);
        if (out->length < STS_BODY_MAX)
            buf_adds(out, "\n");
    }
}

/* Makes `policy` (NULL: none) the entry's. Without memory the entry has no policy any more. */
bool sts_entry_set_policy(struct sts_cache *cache, struct sts_entry *entry, struct sts_texts texts,
                          const struct sts_policy *policy)
{
    struct buf body;
    bool ok = true;

    texts.body = "";
    if (policy == NULL) {
        ok = texts_set(cache, entry, &texts);
    } else {
        write_body(&body, policy);
        texts.body = buf_text(&body);
        ok = !body.failed && texts_set(cache, entry, &texts);
        buf_fini(&body);
    }
    if (!ok)
        texts_clear(cache, entry);
    entry->mode = (uint8_t)(ok && policy != NULL ? policy->mode : STS_MODE_NONE);
    return ok;
}

void sts_cache_store(struct sts_cache *cache, const char *domain, const char *id,
                     const struct sts_policy *policy, int64_t now)
{
    struct sts_entry *entry = sts_entry_find_or_add(cache, domain);
    bool lasts = policy->max_age > 0;

    if (entry != NULL) {
        note_attempt(cache, entry, id, now);
        sts_entry_set_policy(cache, entry, (struct sts_texts){lasts ? id : "", id, "", ""},
                             lasts ? policy : NULL);
        entry->failures = 0;
        entry->fetched_at = now;
        entry->valid_until = now + (int64_t)policy->max_age * 1000;
        sts_entry_settle(cache, entry, now);
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

static void note_failure(struct sts_cache *cache, struct sts_entry *entry, const char *id,
                         enum sts_state state, const char *why, int64_t now)
{
    char cut[STS_CACHE_WHY_MAX];
    struct sts_texts texts;

    note_attempt(cache, entry, id, now);
    if (entry->failures < UINT16_MAX)
        entry->failures++;
    entry->failure = (uint8_t)state;
    entry->retry_at = now + backoff_ms(cache, entry->failures);
    snprintf(cut, sizeof cut, "%s", why);
    texts = sts_entry_texts(entry);
    texts.last_id = id;
    texts.why = cut;
    texts_set(cache, entry, &texts); /* without memory the reason before stays */
    sts_entry_settle(cache, entry, now);
}

void sts_cache_fail(struct sts_cache *cache, const char *domain, const char *id,
                    enum sts_state state, const char *why, int64_t now)
{
    struct sts_entry *entry = sts_entry_find_or_add(cache, domain);

    if (entry != NULL)
        note_failure(cache, entry, id, state, why, now);
    tell_changed(cache, domain);
}

void sts_cache_forget(struct sts_cache *cache, const char *domain)
{
    struct sts_entry *entry = sts_entry_find(cache, domain);

    if (entry != NULL)
        sts_entry_remove(cache, entry);
    tell_changed(cache, domain);
}
