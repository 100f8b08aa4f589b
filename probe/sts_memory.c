/*
 * sts_memory: a map with two lists through it, each in order of use; see sts_memory.h.
 *
 * An entry is strong while its policy is to be enforced, weak otherwise; the weak ones go first,
 * then the strong ones that take more room than an honest policy does.
 * Running out of memory forgets: an enforced policy that cannot be stored is lost when it is
 * needed next, which the caller sees as a domain without a remembered policy.
 */
#include "probe/sts_memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/map.h"
#include "probe/sts_policy.h"

/* A policy of STS_BODY_MAX octets in lines of four, with a pointer each; see sts_policy_copy. */
#define POLICY_OCTETS_MAX (8u * STS_BODY_MAX)
/* A policy of some fifty mx lines fits. */
#define LARGE_OCTETS 8192

/* In the order in which they go. */
enum rank { RANK_WEAK, RANK_LARGE, RANK_STRONG, RANK_COUNT };

struct entry {
    UT_hash_handle hh;
    struct list link; /* in one of the ranks */

    struct arena *arena; /* owned; holds policy */
    const struct sts_policy *policy;
    char id[STS_ID_MAX + 1]; /* of policy */
    int64_t fetched_at, valid_until;

    char last_id[STS_ID_MAX + 1]; /* of the last attempt, good or bad */
    unsigned failures;            /* in a row with last_id */
    enum sts_state failure;
    int64_t retry_at;
    char why[STS_MEMORY_WHY_MAX];

    unsigned changes; /* of the id since */
    int64_t changes_from;

    char domain[];
};

struct sts_memory {
    struct sts_memory_options options;
    struct entry *map;
    struct list ranks[RANK_COUNT]; /* least recently used first */
    size_t octets;
};

struct sts_memory *sts_memory_new(const struct sts_memory_options *options)
{
    struct sts_memory *memory = calloc(1, sizeof *memory);

    if (memory == NULL)
        return NULL;
    memory->options = *options;
    for (size_t i = 0; i < RANK_COUNT; i++)
        list_init(&memory->ranks[i]);
    return memory;
}

static size_t entry_octets(const struct entry *entry)
{
    return sizeof *entry + strlen(entry->domain) + 1 +
           (entry->arena == NULL ? 0 : arena_octets(entry->arena));
}

/* Most recently used goes last. */
static void rank_append(struct sts_memory *memory, struct entry *entry, enum rank rank)
{
    list_append(&memory->ranks[rank], &entry->link);
}

static void policy_drop(struct sts_memory *memory, struct entry *entry)
{
    memory->octets -= entry_octets(entry);
    arena_free(entry->arena);
    entry->arena = NULL;
    entry->policy = NULL;
    memory->octets += entry_octets(entry);
}

static void entry_remove(struct sts_memory *memory, struct entry *entry)
{
    memory->octets -= entry_octets(entry);
    list_remove(&entry->link);
    HASH_DEL(memory->map, entry);
    arena_free(entry->arena);
    free(entry);
}

void sts_memory_free(struct sts_memory *memory)
{
    if (memory == NULL)
        return;
    while (memory->map != NULL)
        entry_remove(memory, memory->map);
    free(memory);
}

size_t sts_memory_entries(const struct sts_memory *memory)
{
    return HASH_COUNT(memory->map);
}

size_t sts_memory_octets(const struct sts_memory *memory)
{
    return memory->octets;
}

static struct entry *find(const struct sts_memory *memory, const char *domain)
{
    struct entry *entry;

    HASH_FIND_STR(memory->map, domain, entry);
    return entry;
}

static bool policy_valid(const struct entry *entry, int64_t now)
{
    return entry->policy != NULL && now < entry->valid_until;
}

static bool is_strong(const struct entry *entry, int64_t now)
{
    return policy_valid(entry, now) && entry->policy->mode == STS_MODE_ENFORCE;
}

static enum rank rank_of(const struct entry *entry, int64_t now)
{
    if (!is_strong(entry, now))
        return RANK_WEAK;
    return entry_octets(entry) > LARGE_OCTETS ? RANK_LARGE : RANK_STRONG;
}

static void touch(struct sts_memory *memory, struct entry *entry, int64_t now)
{
    list_remove(&entry->link);
    rank_append(memory, entry, rank_of(entry, now));
}

static bool over_limits(const struct sts_memory *memory)
{
    return sts_memory_entries(memory) > memory->options.entries_max ||
           memory->octets > memory->options.octets_max;
}

/* Which entry goes next: one that has expired since it was used last, else the first in rank. */
static struct entry *expendable(const struct sts_memory *memory, int64_t now)
{
    struct entry *found = NULL;

    for (size_t i = RANK_COUNT; i-- > 0;) {
        struct entry *oldest;

        if (list_empty(&memory->ranks[i]))
            continue;
        oldest = LIST_ELEMENT(memory->ranks[i].next, struct entry, link);
        if (i != RANK_WEAK && !is_strong(oldest, now))
            return oldest;
        found = oldest;
    }
    return found;
}

/* Frees until the limits hold; the entry put last may be the one that goes. */
static void evict(struct sts_memory *memory, int64_t now)
{
    while (over_limits(memory))
        entry_remove(memory, expendable(memory, now));
}

static struct entry *find_or_add(struct sts_memory *memory, const char *domain)
{
    struct entry *entry = find(memory, domain);
    size_t size = strlen(domain) + 1;

    if (entry != NULL)
        return entry;
    entry = calloc(1, sizeof *entry + size);
    if (entry == NULL)
        return NULL;
    memcpy(entry->domain, domain, size);
    HASH_ADD_KEYPTR(hh, memory->map, entry->domain, size - 1, entry);
    if (!MAP_ADDED(entry)) {
        free(entry);
        return NULL;
    }
    rank_append(memory, entry, RANK_WEAK);
    memory->octets += entry_octets(entry);
    return entry;
}

static bool too_many_changes(const struct sts_memory *memory, const struct entry *entry,
                             int64_t now)
{
    return entry->changes >= STS_MEMORY_CHANGES_MAX &&
           now < entry->changes_from + memory->options.retry_ms;
}

bool sts_memory_fetch_due(struct sts_memory *memory, const char *domain, const char *id,
                          int64_t now)
{
    struct entry *entry = find(memory, domain);

    if (entry == NULL)
        return id != NULL;
    touch(memory, entry, now);
    if (id == NULL && !policy_valid(entry, now))
        return false;
    if (id == NULL)
        id = entry->id;
    if (policy_valid(entry, now) && strcmp(id, entry->id) == 0 &&
        now < entry->fetched_at + memory->options.refresh_ms)
        return false;
    if (strcmp(id, entry->last_id) == 0)
        return entry->failures == 0 || now >= entry->retry_at;
    return !too_many_changes(memory, entry, now);
}

const struct sts_policy *sts_memory_peek(const struct sts_memory *memory, const char *domain,
                                         int64_t now, const char **id)
{
    const struct entry *entry = find(memory, domain);

    if (entry == NULL || !policy_valid(entry, now))
        return NULL;
    if (id != NULL)
        *id = entry->id;
    return entry->policy;
}

/* When the next attempt may be, whatever the id; 0 when now. */
static int64_t next_attempt(const struct sts_memory *memory, const struct entry *entry, int64_t now)
{
    int64_t at = entry->failures > 0 ? entry->retry_at : 0;

    if (too_many_changes(memory, entry, now) && at < entry->changes_from + memory->options.retry_ms)
        at = entry->changes_from + memory->options.retry_ms;
    return at > now ? at : 0;
}

int64_t sts_memory_retry_at(const struct sts_memory *memory, const char *domain, int64_t now)
{
    const struct entry *entry = find(memory, domain);

    return entry == NULL ? 0 : next_attempt(memory, entry, now);
}

bool sts_memory_policy(const struct sts_memory *memory, struct arena *arena, const char *domain,
                       int64_t now, struct sts_evidence *out)
{
    const struct entry *entry = find(memory, domain);
    const struct sts_policy *policy;
    const char *why;

    if (entry == NULL || !policy_valid(entry, now))
        return false;
    policy = sts_policy_copy(arena, entry->policy);
    why = entry->failures > 0 ? arena_strdup(arena, entry->why) : NULL;
    if (policy == NULL || arena_failed(arena))
        return false;
    out->state = STS_POLICY;
    out->policy = policy;
    out->why = why;
    out->fetched_at = entry->fetched_at;
    out->valid_until = entry->valid_until;
    out->retry_at = next_attempt(memory, entry, now);
    memcpy(out->id, entry->id, sizeof out->id);
    return true;
}

bool sts_memory_failure(const struct sts_memory *memory, struct arena *arena, const char *domain,
                        int64_t now, struct sts_evidence *out)
{
    const struct entry *entry = find(memory, domain);

    if (entry == NULL || entry->failures == 0)
        return false;
    out->state = entry->failure;
    out->why = arena_strdup(arena, entry->why);
    out->retry_at = next_attempt(memory, entry, now);
    memcpy(out->id, entry->last_id, sizeof out->id);
    return true;
}

static void id_copy(char out[STS_ID_MAX + 1], const char *id)
{
    snprintf(out, STS_ID_MAX + 1, "%s", id);
}

/* Remembers which id was tried, and how often it changed lately. */
static void note_attempt(const struct sts_memory *memory, struct entry *entry, const char *id,
                         int64_t now)
{
    bool changed = entry->last_id[0] != '\0' && strcmp(id, entry->last_id) != 0;

    id_copy(entry->last_id, id);
    if (!changed)
        return;
    entry->failures = 0;
    if (now >= entry->changes_from + memory->options.retry_ms)
        entry->changes = 0;
    if (entry->changes == 0)
        entry->changes_from = now;
    entry->changes++;
}

void sts_memory_store(struct sts_memory *memory, const char *domain, const char *id,
                      const struct sts_policy *policy, int64_t now)
{
    struct entry *entry = find_or_add(memory, domain);

    if (entry == NULL)
        return;
    policy_drop(memory, entry);
    note_attempt(memory, entry, id, now);
    entry->failures = 0;
    id_copy(entry->id, id);
    entry->fetched_at = now;
    entry->valid_until = now + (int64_t)policy->max_age * 1000;
    entry->arena = policy->max_age == 0 ? NULL : arena_new(POLICY_OCTETS_MAX);
    if (entry->arena != NULL) {
        entry->policy = sts_policy_copy(entry->arena, policy);
        memory->octets += arena_octets(entry->arena);
    }
    if (entry->policy == NULL)
        policy_drop(memory, entry);
    touch(memory, entry, now);
    evict(memory, now);
}

static int64_t backoff_ms(const struct sts_memory *memory, unsigned failures)
{
    int64_t wait = memory->options.retry_ms;

    for (unsigned i = 1; i < failures && wait < STS_MEMORY_BACKOFF_MAX; i++)
        wait *= 2;
    return wait < STS_MEMORY_BACKOFF_MAX ? wait : STS_MEMORY_BACKOFF_MAX;
}

void sts_memory_fail(struct sts_memory *memory, const char *domain, const char *id,
                     enum sts_state state, const char *why, int64_t now)
{
    struct entry *entry = find_or_add(memory, domain);

    if (entry == NULL)
        return;
    note_attempt(memory, entry, id, now);
    entry->failures++;
    entry->failure = state;
    entry->retry_at = now + backoff_ms(memory, entry->failures);
    snprintf(entry->why, sizeof entry->why, "%s", why);
    touch(memory, entry, now);
    evict(memory, now);
}

void sts_memory_forget(struct sts_memory *memory, const char *domain)
{
    struct entry *entry = find(memory, domain);

    if (entry != NULL)
        entry_remove(memory, entry);
}
