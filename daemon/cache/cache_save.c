/*
 * cache_save: a whole lookup has ended: what changed is logged and becomes history, a hold begins,
 * goes on or ends, the entry goes into cache and store. See cache.h.
 */
#include <string.h>

#include "base/clock.h"
#include "base/log/log.h"
#include "daemon/cache/cache_internal.h"
#include "policy/report/report.h"

/* Holds that end in one turn of the loop, each with a line in the log. */
#define ENDS_SHARE 200

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

/* A policy with patterns that match= cannot carry: its owner's mistake, most often. Logged once, and
 * again when it has become another. */
static void log_left_out(const struct cache_entry *before, const struct cache_entry *entry)
{
    unsigned count = entry->verdict.sts_unfit;

    if (count == 0 || (before != NULL && before->verdict.sts_unfit == count))
        return;
    log_event(LOG_LEVEL_WARNING, "sts-mx-left-out", "domain", entry->key, "patterns",
              LOG_NUM(count), "why",
              "no host names of two labels or more, so not for match=", NULL);
}

static void log_distrusted_host(const struct cache_entry *entry, const struct mx_host *host,
                                const struct mx_address *address)
{
    char text[IP_TEXT_MAX];

    log_event(LOG_LEVEL_WARNING, "trust-anchor-gone", "domain", entry->key, "was",
              verdict_level_name(VERDICT_VERIFY), "now", verdict_level_name(entry->verdict.level),
              "host", host->name, "address", ip_text(&address->ip, text), "why",
              address->starttls.detail, NULL);
}

/* Why `verify` sank at once: the first host whose issuer is not trusted here any more. */
static void log_distrusted(const struct cache_entry *entry)
{
    struct arena *arena;
    const struct evidence *evidence;

    if (!entry->verdict.distrusted)
        return;
    arena = arena_new(CACHE_ENTRY_EVIDENCE_MAX);
    evidence = arena == NULL ? NULL : cache_entry_evidence(entry, arena);
    for (size_t i = 0; evidence != NULL && i < evidence->host_count; i++) {
        const struct mx_host *host = &evidence->hosts[i];

        for (size_t j = 0; j < host->address_count; j++) {
            if (!host->addresses[j].starttls.distrusted)
                continue;
            log_distrusted_host(entry, host, &host->addresses[j]);
            arena_free(arena);
            return;
        }
    }
    arena_free(arena);
}

/* The first TEMP of a name that nothing is known about says nothing about the name. */
static bool is_history(const struct cache_entry *before, const struct cache_entry *entry)
{
    if (level_of(before) == entry->verdict.level)
        return false;
    return before != NULL || entry->verdict.level != VERDICT_TEMP;
}

static void note_history(struct cache *cache, const struct cache_entry *before,
                         const struct cache_entry *entry)
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

    if (cache->store == NULL || !is_history(before, entry))
        return;
    record_to_wall(&record, cache_moment());
    store_put(cache->store, &record);
}

/* ---- holds ---- */

static void log_hold(const struct hold *hold, enum log_level level, const char *event)
{
    int64_t now = clock_monotonic_ms();

    log_event(level, event, "domain", hold->key, "kept", verdict_level_name(hold->level), "sees",
              verdict_level_name(hold->sees), "reason", verdict_reason_code(hold->reason),
              "since_s", LOG_NUM((now - hold->downgrade.since) / 1000), "until_s",
              LOG_NUM((hold->downgrade.until - now) / 1000), NULL);
}

/* `verdict` ended it; NULL: no lookup did. */
static void end_hold(struct cache *cache, struct hold *hold, const struct verdict *verdict,
                     const char *why)
{
    cache->stats.holds_ended++;
    log_event(strcmp(why, "expired") == 0 ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, "hold-ends",
              "domain", hold->key, "kept", verdict_level_name(hold->level), "now",
              verdict == NULL ? NULL : verdict_level_name(verdict->level), "reason",
              verdict == NULL ? NULL : verdict_reason_code(verdict->reason), "why", why, NULL);
    holds_remove(cache->holds, hold);
}

void cache_forget_hold(struct cache *cache, const char *key)
{
    struct hold *hold = holds_find(cache->holds, key);

    if (hold != NULL)
        end_hold(cache, hold, NULL, "forgotten");
}

static void on_hold_over(uv_timer_t *timer);

/* A hold whose time is over ends by the clock: its domain may be out of the cache, or switched off
 * by a rule, and not be looked up ever again. */
static void plan_hold_end(struct cache *cache)
{
    const struct hold *first = holds_first_to_end(cache->holds);
    int64_t now = clock_monotonic_ms();

    if (first != NULL)
        uv_timer_start(&cache->hold_over, on_hold_over,
                       first->downgrade.until > now ? (uint64_t)(first->downgrade.until - now) : 1,
                       0);
}

static void on_hold_over(uv_timer_t *timer)
{
    struct cache *cache = timer->data;
    int64_t now = clock_monotonic_ms();

    for (int share = ENDS_SHARE; share > 0; share--) {
        struct hold *hold = holds_first_to_end(cache->holds);

        if (hold == NULL || hold->downgrade.until > now)
            break;
        end_hold(cache, hold, NULL, "expired");
    }
    plan_hold_end(cache);
}

static const char *why_ended(const struct hold *hold, const struct verdict *verdict, int64_t now)
{
    if (hold->downgrade.until <= now)
        return "expired";
    if (verdict->remembered.observed >= hold->level && verdict->reason != REASON_HELD)
        return verdict->shown_reason == REASON_TLS || verdict->shown_reason == REASON_VERIFIED
                   ? "recovered"
                   : "superseded";
    return verdict->reason == REASON_HELD ? "recovered" : "superseded";
}

/* True when a lookup says nothing about the mail hosts, so that a hold goes on unseen. */
static bool says_nothing(const struct verdict *verdict)
{
    return verdict->level == VERDICT_TEMP || verdict->reason == REASON_STARTTLS_REMEMBERED;
}

static void fill_hold(struct cache *cache, struct hold *hold, const struct cache_entry *entry)
{
    const struct verdict whole = cache_entry_verdict(entry), *verdict = &whole;

    hold->level = report_held_level(verdict);
    holds_set_downgrade(cache->holds, hold, verdict->held);
    plan_hold_end(cache);
    hold->sees = verdict->shown_level;
    hold->reason = verdict->shown_reason;
    hold->seen_at = entry->made_at;
}

/* NULL without memory or room. */
static struct hold *list_hold(struct cache *cache, const struct cache_entry *entry,
                              enum hold_origin origin, int64_t reminded_at)
{
    struct hold *hold = holds_add(cache->holds, entry->key);

    if (hold == NULL)
        return NULL;
    cache->stats.holds_begun[origin]++;
    fill_hold(cache, hold, entry);
    hold->reminded_at = reminded_at;
    return hold;
}

void cache_list_hold(struct cache *cache, const struct cache_entry *entry, int64_t reminded_at)
{
    if (entry->verdict.reason == REASON_HELD && holds_find(cache->holds, entry->key) == NULL)
        list_hold(cache, entry, HOLD_LOADED, reminded_at);
}

static void begin_hold(struct cache *cache, const struct cache_entry *entry)
{
    struct hold *hold = list_hold(cache, entry, HOLD_FOUND, entry->made_at);

    if (hold != NULL)
        log_hold(hold, LOG_LEVEL_WARNING, "hold-begins");
}

static void go_on(struct cache *cache, struct hold *hold, const struct cache_entry *entry)
{
    fill_hold(cache, hold, entry);
    if (entry->made_at < hold->reminded_at + cache->config->hold_reminder_ms)
        return;
    hold->reminded_at = entry->made_at;
    log_hold(hold, LOG_LEVEL_WARNING, "held");
}

void cache_note_hold(struct cache *cache, const struct cache_entry *entry, bool released)
{
    const struct verdict whole = cache_entry_verdict(entry), *verdict = &whole;
    struct hold *hold = holds_find(cache->holds, entry->key);
    bool held = verdict->reason == REASON_HELD;

    if (hold != NULL && held && hold->level == report_held_level(verdict)) {
        go_on(cache, hold, entry);
        return;
    }
    if (hold != NULL &&
        (released || held || !says_nothing(verdict) || hold->downgrade.until <= entry->made_at))
        end_hold(cache, hold, verdict,
                 released ? "released" : why_ended(hold, verdict, entry->made_at));
    if (held)
        begin_hold(cache, entry);
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
    int64_t valid_until = entry->verdict.valid_until, life = valid_until - entry->due.at;
    uint64_t seed[2] = {hash_bytes(entry->key, entry->key_length), (uint64_t)entry->made_at};

    if (entry->verdict.reason == REASON_HELD) {
        int64_t held_until = cache_entry_verdict(entry).held.until;

        if (entry->verdict.level == VERDICT_TEMP)
            return held_temp_due_at(cache, entry, held_until);
        if (valid_until >= held_until)
            return valid_until;
    }
    if (life < 0)
        return valid_until;
    /* what was learnt together is not renewed together */
    return entry->due.at - (int64_t)(hash_bytes(seed, sizeof seed) % (uint64_t)(life + 1));
}

struct cache_entry *cache_put(struct cache *cache, struct cache_entry *take, bool wanted)
{
    int64_t at = due_at(cache, take);
    char key[KEY_TEXT_MAX + 1];
    size_t length = take->key_length;
    struct cache_entry *saved;

    memcpy(key, take->key, length);
    if (!cache_map_put(cache->map, take, wanted))
        return NULL;
    saved = cache_map_get(cache->map, key, length); /* there may have been no room */
    if (saved != NULL && cache_map_schedule(cache->map, saved, at) && cache->due != NULL)
        cache->due(cache->due_context, at);
    return saved;
}

void cache_save(struct cache *cache, struct cache_entry *take, struct cache_saving cache_saving)
{
    const struct cache_entry *before = cache_map_get(cache->map, take->key, take->key_length);
    struct cache_entry *saved;

    if (cache_saving.by_refresh && before != NULL)
        take->used_at = before->used_at;
    log_verdict(cache, before, take, cache_saving.override);
    log_left_out(before, take);
    log_distrusted(take);
    note_history(cache, before, take);
    cache_note_hold(cache, take, cache_saving.released);
    if (cache_saving.store_pending)
        cache_entry_set_state(take, ENTRY_STORE_PENDING);
    else /* before the cache takes it: it may have no room */
        cache_store_entry(cache, take);
    saved = cache_put(cache, take, true);
    if (saved != NULL && cache_saving.store_pending)
        cache_map_mark(cache->map, saved);
}
