/*
 * cache_holds: lists the next-hops that are held; logs when a hold begins, goes on and ends; and
 * ends holds whose time is over. See cache.h. Without memory or room a hold is neither listed nor
 * logged.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log/log.h"
#include "daemon/cache/cache.h"
#include "policy/report/report.h"

/* Holds that end in one turn of the loop, each with a line in the log. */
#define ENDS_SHARE 200

/* ---- the list ---- */

struct hold *cache_find_hold(const struct cache *cache, const char *key)
{
    struct hold *hold;

    HASH_FIND_STR(cache->holds, key, hold);
    return hold;
}

static void drop_hold(struct cache *cache, struct hold *hold)
{
    HASH_DEL(cache->holds, hold);
    heap_remove(&cache->hold_ends, &hold->end);
    free(hold);
}

void cache_free_holds(struct cache *cache)
{
    while (cache->holds != NULL)
        drop_hold(cache, cache->holds);
    heap_fini(&cache->hold_ends);
}

/* ---- the log ---- */

static void log_hold(const struct hold *hold, const char *event, int64_t now)
{
    log_event(LOG_LEVEL_WARNING, event, "domain", hold->key, "kept",
              verdict_level_name(hold->level), "sees", verdict_level_name(hold->sees), "reason",
              verdict_reason_code(hold->reason), "since_s",
              LOG_NUM((now - hold->downgrade.since) / 1000), "until_s",
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
    drop_hold(cache, hold);
}

static const char *why_ended(const struct hold *hold, const struct verdict *verdict, int64_t at)
{
    bool recovered = verdict->reason == REASON_HELD;

    if (hold->downgrade.until <= at)
        return "expired";
    if (verdict->remembered.observed >= hold->level && verdict->reason != REASON_HELD)
        recovered = verdict->shown_reason == REASON_TLS || verdict->shown_reason == REASON_VERIFIED;
    return recovered ? "recovered" : "superseded";
}

void cache_forget_hold(struct cache *cache, const char *key)
{
    struct hold *hold = cache_find_hold(cache, key);

    if (hold != NULL)
        end_hold(cache, hold, NULL, "forgotten");
}

/* ---- the clock ---- */

/* A hold whose time is over ends by the clock: its domain may be out of the cache, or switched off
 * by a rule, and not be looked up ever again. */
static void on_hold_over(uv_timer_t *timer)
{
    struct cache *cache = timer->data;
    int64_t now = clock_monotonic_ms();
    struct heap_link *first = heap_first(&cache->hold_ends);

    for (int share = ENDS_SHARE; share > 0 && first != NULL && first->at <= now; share--) {
        end_hold(cache, HEAP_ELEMENT(first, struct hold, end), NULL, "expired");
        first = heap_first(&cache->hold_ends);
    }
    if (first != NULL)
        uv_timer_start(timer, on_hold_over, first->at > now ? (uint64_t)(first->at - now) : 1, 0);
}

/* ---- what a lookup means for them ---- */

static void fill_hold(struct cache *cache, struct hold *hold, const struct cache_entry *entry,
                      int64_t now)
{
    const struct verdict verdict = cache_entry_verdict(entry);
    int64_t first;

    hold->level = report_held_level(&verdict);
    hold->downgrade = verdict.held;
    hold->sees = verdict.shown_level;
    hold->reason = verdict.shown_reason;
    hold->seen_at = entry->made_at;
    heap_put(&cache->hold_ends, &hold->end, verdict.held.until); /* moves it: needs no memory */
    first = heap_first(&cache->hold_ends)->at;
    uv_timer_start(&cache->hold_over, on_hold_over, first > now ? (uint64_t)(first - now) : 1, 0);
}

struct hold *cache_list_hold(struct cache *cache, const struct cache_entry *entry,
                             enum hold_origin origin, int64_t reminded_at, int64_t now)
{
    struct hold *hold = NULL;

    if (entry->verdict.reason == REASON_HELD && cache_find_hold(cache, entry->key) == NULL &&
        HASH_COUNT(cache->holds) < CACHE_HOLDS_MAX)
        hold = calloc(1, sizeof *hold + entry->key_length + 1);
    if (hold == NULL)
        return NULL;
    memcpy(hold->key, entry->key, entry->key_length);
    if (heap_put(&cache->hold_ends, &hold->end, 0))
        HASH_ADD_KEYPTR(hh, cache->holds, hold->key, entry->key_length, hold);
    if (!MAP_ADDED(hold)) {
        heap_remove(&cache->hold_ends, &hold->end);
        free(hold);
        return NULL;
    }
    cache->stats.holds_begun[origin]++;
    fill_hold(cache, hold, entry, now);
    hold->reminded_at = reminded_at;
    return hold;
}

void cache_note_hold(struct cache *cache, const struct cache_entry *entry, bool released,
                     int64_t now)
{
    const struct verdict verdict = cache_entry_verdict(entry);
    struct hold *hold = cache_find_hold(cache, entry->key);
    bool held = verdict.reason == REASON_HELD;
    /* about the mail hosts, so that a hold goes on unseen */
    bool says_nothing =
        verdict.level == VERDICT_TEMP || verdict.reason == REASON_STARTTLS_REMEMBERED;

    if (hold != NULL && held && hold->level == report_held_level(&verdict)) {
        fill_hold(cache, hold, entry, now);
        if (entry->made_at < hold->reminded_at + cache->config->hold_reminder_ms)
            return;
        hold->reminded_at = entry->made_at;
        log_hold(hold, "held", now);
        return;
    }
    if (hold != NULL &&
        (released || held || !says_nothing || hold->downgrade.until <= entry->made_at))
        end_hold(cache, hold, &verdict,
                 released ? "released" : why_ended(hold, &verdict, entry->made_at));
    hold = cache_list_hold(cache, entry, HOLD_FOUND, entry->made_at, now);
    if (hold != NULL)
        log_hold(hold, "hold-begins", now);
}
