/*
 * cache_save: saves a complete lookup: logs what changed and adds it to the history; begins,
 * continues or ends a hold; puts the entry into cache and store. See cache.h.
 */
#include "base/log/log.h"
#include "daemon/cache/cache.h"

/* ---- what changed ---- */

static enum verdict_level level_of(const struct cache_entry *entry)
{
    /* a name without opinion is no news: random names must not fill log and history */
    return entry == NULL ? VERDICT_NO_OPINION : entry->verdict.level;
}

/* What was found out; and, where the operator's rules make something else of it, what. */
static void log_verdict(const struct cache *cache, const struct cache_entry *before,
                        const struct cache_entry *entry, const struct override *override)
{
    const struct verdict whole = cache_entry_verdict(entry), *verdict = &whole;
    struct final_answer final;
    struct override found;
    struct key key;
    bool ordered, changed;

    if (override == NULL) {
        key_parse(&key, entry->key, entry->key_length, cache->config->prober.smtp_port);
        ruleset_find(cache->ruleset, &key, &found);
        override = &found;
    }
    override_apply(&final, override, verdict);
    ordered = final.kind != FINAL_FOUND;
    changed =
        level_of(before) != verdict->level ||
        (before == NULL && ordered && override->rule != NULL && rule_is_named(override->rule));
    log_event(changed ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG, "verdict", "domain", entry->key, "was",
              before == NULL ? NULL : verdict_level_name(before->verdict.level), "now",
              verdict_level_name(verdict->level), "reason", verdict_reason_code(verdict->reason),
              "valid_s", LOG_NUM((verdict->valid_until - entry->made_at) / 1000), "answer",
              ordered ? final_level_name(&final) : NULL, "why",
              ordered ? final_reason_code(final.reason) : NULL, "rule",
              ordered && override->rule != NULL ? LOG_NUM(override->rule->line) : NULL, NULL);
}

/* A policy with patterns that match= cannot carry: its owner's mistake, most often. Logged once,
 * and again when it has become another. */
static void log_left_out(const struct cache_entry *before, const struct cache_entry *entry)
{
    unsigned count = entry->verdict.sts_unfit;

    if (count == 0 || (before != NULL && before->verdict.sts_unfit == count))
        return;
    log_event(LOG_LEVEL_WARNING, "sts-mx-left-out", "domain", entry->key, "patterns",
              LOG_NUM(count), "why",
              "no host names of two labels or more, so not for match=", NULL);
}

/* The first address whose issuer is not trusted here any more; NULL. */
static const struct mx_address *first_distrusted(const struct mx_host *host)
{
    for (size_t i = 0; i < host->address_count; i++)
        if (host->addresses[i].starttls.distrusted)
            return &host->addresses[i];
    return NULL;
}

/* Why `verify` sank at once. */
static void log_distrusted(const struct cache_entry *entry)
{
    struct arena *arena = arena_new(CACHE_ENTRY_EVIDENCE_MAX);
    const struct evidence *evidence = arena == NULL ? NULL : cache_entry_evidence(entry, arena);
    const struct mx_address *found = NULL;
    char text[IP_TEXT_MAX];

    for (size_t i = 0; evidence != NULL && found == NULL && i < evidence->host_count; i++) {
        found = first_distrusted(&evidence->hosts[i]);
        if (found != NULL)
            log_event(LOG_LEVEL_WARNING, "trust-anchor-gone", "domain", entry->key, "was",
                      verdict_level_name(VERDICT_VERIFY), "now",
                      verdict_level_name(entry->verdict.level), "host", evidence->hosts[i].name,
                      "address", ip_text(&found->ip, text), "why", found->starttls.detail, NULL);
    }
    arena_free(arena);
}

/* In a farm, the relay that found it out tells the others. */
static void note_history(struct cache *cache, const struct cache_entry *before,
                         const struct cache_entry *entry, bool from_share)
{
    struct record record = {
        .kind = RECORD_EVENT,
        .event =
            {
                .key = entry->key,
                .at = entry->made_at,
                .was = level_of(before),
                .now = entry->verdict.level,
                .reason = entry->verdict.reason,
                .first = before == NULL,
            },
    };

    /* the first TEMP of a name that nothing is known about says nothing about the name */
    if (record.event.was == record.event.now ||
        (before == NULL && record.event.now == VERDICT_TEMP))
        return;
    record_to_wall(&record, cache_moment(0));
    if (cache->store != NULL)
        store_put(cache->store, &record);
    if (cache->share != NULL && !from_share)
        store_put(share_store(cache->share), &record);
}

/* ---- the whole ---- */

/* A TEMP that is held lapses soon, but is renewed no more often than any other hold. */
static int64_t held_temp_due_at(const struct cache *cache, const struct cache_entry *entry,
                                int64_t held_until)
{
    int64_t at = entry->made_at + cache->config->verdict.hold_probe_min_ms;

    if (at < entry->verdict.valid_until)
        at = entry->verdict.valid_until;
    return at < held_until ? at : held_until;
}

/* Of an entry that is in no heap yet. Renewing what is held a little before its hold ends would
 * only renew the wait. */
static int64_t due_at(const struct cache *cache, const struct cache_entry *entry)
{
    int64_t at = entry->verdict.valid_until, life = at - entry->due.at;
    uint64_t seed[2] = {hash_bytes(entry->key, entry->key_length), (uint64_t)entry->made_at};

    if (entry->verdict.reason == REASON_HELD) {
        int64_t held_until = cache_entry_verdict(entry).held.until;

        if (entry->verdict.level == VERDICT_TEMP)
            return held_temp_due_at(cache, entry, held_until);
        if (at >= held_until)
            return at;
    }
    if (life < 0)
        return at;
    /* what was learnt together is not renewed together */
    return entry->due.at - (int64_t)(hash_bytes(seed, sizeof seed) % (uint64_t)(life + 1));
}

struct cache_entry *cache_put(struct cache *cache, struct cache_entry *take, bool wanted,
                              int64_t now)
{
    int64_t at = due_at(cache, take);
    struct cache_entry *saved = cache_map_put(cache->map, take, wanted);

    if (saved != NULL && cache_map_schedule(cache->map, saved, at) && cache->due != NULL)
        cache->due(cache->due_context, at, now);
    return saved;
}

void cache_save(struct cache *cache, struct cache_entry *take, struct cache_saving how)
{
    const struct cache_entry *before = cache_map_get(cache->map, take->key, take->key_length);
    struct cache_entry *saved;

    if (how.by_refresh && before != NULL)
        take->used_at = before->used_at;
    log_verdict(cache, before, take, how.override);
    log_left_out(before, take);
    if (take->verdict.distrusted)
        log_distrusted(take);
    note_history(cache, before, take, how.from_share);
    cache_note_hold(cache, take, how.released, how.now);
    if (how.store_pending)
        cache_entry_set_state(take, ENTRY_STORE_PENDING);
    else /* before the cache takes it: it may have no room */
        cache_store_entry(cache, take);
    saved = cache_put(cache, take, true, how.now);
    if (saved != NULL && how.store_pending)
        cache_map_mark(cache->map, saved, true);
}
