/*
 * refresh: see refresh.h. The cache knows which entry is due next, and a timer waits for it. If
 * more are due than the rate allows, the timer fires every STEP_MS and starts a share each time.
 *
 * An entry counts as recently used if it was asked for since its last lookup, or within
 * refresh-idle, but no longer ago than eight of its lifetimes or a quarter of an hour, whichever is
 * longer: so a domain with a TTL of a minute that gets one mail a day is not looked up a thousand
 * times for it. An entry without opinion, or one that lives for less than half of ttl-min (a TTL of
 * 0, the end of a max_age), is refreshed only if it was asked for again. A TEMP is never refreshed.
 * So one request from outside cannot cause endless lookups.
 */
#include "daemon/lookup/refresh.h"

#include <stdlib.h>

#include "base/clock.h"
#include "daemon/lookup/engine.h"

#define STEP_MS       100
#define IN_FLIGHT_MAX 200
#define LIVES         8
#define IDLE_MIN_MS   (INT64_C(900) * 1000)
/* After the job's deadline, when the lookup gave nothing to keep. */
#define AGAIN_MS (INT64_C(60) * 1000)
/* Entries looked at in one turn, most of which lapse. */
#define TURN_SHARE 200

struct refresh {
    struct engine *engine;
    uv_timer_t timer;
    int64_t planned_at; /* when the timer fires; INT64_MAX: it does not */
    int64_t credit_at;  /* when `credit` was counted */
    int64_t credit;     /* thousandths of a lookup */
    struct refresh_stats stats;
};

static void on_timer(uv_timer_t *timer);

static void plan(struct refresh *refresh, int64_t at, int64_t now)
{
    refresh->planned_at = at;
    uv_timer_start(&refresh->timer, on_timer, at > now ? (uint64_t)(at - now) : 1, 0);
}

static void on_due(void *context, int64_t at, int64_t now)
{
    struct refresh *refresh = context;

    if (at < refresh->planned_at)
        plan(refresh, at, now);
}

/* ---- which ---- */

static bool is_wanted(const struct config *config, const struct cache_entry *entry, int64_t now)
{
    int64_t life = entry->verdict.valid_until - entry->made_at, idle = life * LIVES;

    if (entry->unwanted)
        return false;
    if (entry->verdict.reason == REASON_HELD)
        return true;
    if (config->refresh_idle_ms == 0 || entry->evidence_length == 0 ||
        entry->verdict.level == VERDICT_TEMP)
        return false;
    if (entry->used_at > entry->made_at)
        return true;
    if (life < config->verdict.ttl_min_ms / 2 || cache_entry_is_negative(entry))
        return false;
    if (idle < IDLE_MIN_MS)
        idle = IDLE_MIN_MS;
    return now - entry->used_at <=
           (idle < config->refresh_idle_ms ? idle : config->refresh_idle_ms);
}

/* ---- when ---- */

static void renew(struct refresh *refresh, struct cache_entry *entry, int64_t now)
{
    struct key key;

    refresh->credit -= 1000;
    refresh->stats.lag_ms = now - entry->due.at;
    key_parse(&key, entry->key, entry->key_length, refresh->engine->config->prober.smtp_port);
    /* due again in case the lookup gives nothing to keep */
    cache_map_schedule(refresh->engine->cache->map, entry,
                       now + refresh->engine->config->job_deadline_ms + AGAIN_MS);
    if (jobs_refresh(refresh->engine->jobs, &key, now) == 0)
        refresh->stats.started++;
}

static void on_timer(uv_timer_t *timer)
{
    struct refresh *refresh = timer->data;
    struct cache_map *map = refresh->engine->cache->map;
    int64_t now = clock_monotonic_ms();
    int64_t rate = refresh->engine->config->refresh_rate, most = STEP_MS * rate + 1000;
    struct cache_entry *entry = NULL;
    struct jobs_stats jobs;

    refresh->credit += (now - refresh->credit_at) * rate;
    if (refresh->credit > most)
        refresh->credit = most;
    refresh->credit_at = now;
    for (int share = TURN_SHARE; share > 0; share--) {
        entry = cache_map_due(map);
        if (entry == NULL || entry->due.at > now)
            break;
        if (!is_wanted(refresh->engine->config, entry, now)) {
            /* stays in the cache, in case somebody asks, but is not due any more */
            refresh->stats.lapsed++;
            cache_map_schedule(map, entry, INT64_MAX);
            continue;
        }
        jobs_get_stats(refresh->engine->jobs, &jobs);
        if (refresh->credit < 1000 || jobs.refreshing >= IN_FLIGHT_MAX)
            break;
        renew(refresh, entry, now);
    }
    entry = cache_map_due(map);
    refresh->planned_at = INT64_MAX;
    if (entry != NULL && entry->due.at != INT64_MAX)
        plan(refresh, entry->due.at > now ? entry->due.at : now + STEP_MS, now);
}

/* ---- life ---- */

struct refresh *refresh_new(uv_loop_t *loop, struct engine *engine)
{
    struct refresh *refresh = calloc(1, sizeof *refresh);

    if (refresh == NULL)
        return NULL;
    refresh->engine = engine;
    refresh->planned_at = INT64_MAX;
    refresh->credit_at = clock_monotonic_ms();
    uv_timer_init(loop, &refresh->timer);
    refresh->timer.data = refresh;
    engine->cache->due = on_due;
    engine->cache->due_context = refresh;
    return refresh;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void refresh_close(struct refresh *refresh)
{
    refresh->engine->cache->due = NULL;
    uv_close((uv_handle_t *)&refresh->timer, on_closed);
}

void refresh_get_stats(const struct refresh *refresh, struct refresh_stats *out)
{
    const struct cache_entry *due = cache_map_due(refresh->engine->cache->map);
    int64_t now = clock_monotonic_ms();

    *out = refresh->stats;
    out->overdue_ms = due != NULL && due->due.at < now ? now - due->due.at : 0;
}
