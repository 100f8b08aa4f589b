/*
 * cache_share: the cache as one relay of a farm: opens the share, fills it with what is known here
 * when it was emptied or away, and takes in what other relays tell. See cache.h and
 * daemon/share/share_uv.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log/log.h"
#include "daemon/cache/cache.h"

/* Entries put in one turn, the pause until the next, and the puts under way with which it waits. */
#define FILL_SHARE   50
#define FILL_MS      5
#define FILL_PENDING 200
/* News under way: more are looked up when they are asked for. */
#define NEWS_MAX   1000
#define CONNECT_MS 2000
#define STALL_MS   3000
/* Commands without a reply. */
#define PENDING_MAX 20000

/* An answer that another relay has changed, being read. */
struct news {
    struct list link;
    struct cache *cache;
    struct cache_loading *loading;
};

struct cache_farm {
    struct share_options options;
    struct share_key key;
    char name[SHARE_RELAY_MAX + 1];
    uv_timer_t fill;
    bool filling;
    int64_t since; /* monotonic ms: what was learnt since then is put */
    struct map_walk entries, policies, probes;
    bool entries_done;
    struct list news;
    size_t news_count;
};

bool cache_shares(const struct cache *cache)
{
    return cache->share != NULL && share_is_ready(cache->share);
}

/* ---- filling it ---- */

static void put_if_new(void *context, struct cache_entry *entry)
{
    struct cache *cache = context;

    if (entry->made_at >= cache->farm->since && entry->state != ENTRY_STORE_PENDING)
        cache_share_entry(cache, entry);
}

static bool fill_some(struct cache *cache)
{
    struct cache_farm *farm = cache->farm;
    bool policies = cache->tools.sts == NULL, probes = cache->tools.probes == NULL;

    if (!farm->entries_done) {
        farm->entries_done = cache_map_some(cache->map, &farm->entries, put_if_new, cache);
        return false;
    }
    policies = policies || sts_cache_walk(sts_cache_of(cache->tools.sts), &farm->policies);
    probes = probes || probe_cache_walk(cache->tools.probes, &farm->probes);
    return policies && probes;
}

static void on_fill(uv_timer_t *timer)
{
    struct cache *cache = timer->data;
    struct share_stats stats;

    share_get_stats(cache->share, &stats);
    for (int share = FILL_SHARE; share > 0 && cache->farm->filling; share--) {
        if (!stats.ready)
            return; /* it is begun again */
        if (stats.pending > FILL_PENDING)
            break;
        cache->farm->filling = !fill_some(cache);
        share_get_stats(cache->share, &stats);
    }
    if (cache->farm->filling)
        uv_timer_start(timer, on_fill, FILL_MS, 0);
}

static void on_begun(void *context, int64_t since)
{
    struct cache *cache = context;
    struct cache_farm *farm = cache->farm;

    if (since == 0) /* what was learnt before the machine started has a negative time */
        since = INT64_MIN;
    farm->since = farm->filling && farm->since < since ? farm->since : since;
    farm->filling = true;
    farm->entries_done = false;
    farm->entries = farm->policies = farm->probes = (struct map_walk){0};
    uv_timer_start(&farm->fill, on_fill, FILL_MS, 0);
}

/* ---- what others tell ---- */

static void on_news_loaded(void *context, bool sure)
{
    struct news *news = context;

    (void)sure;
    list_remove(&news->link);
    news->cache->farm->news_count--;
    free(news);
}

/* Without an entry of the key in memory the share is asked when the key is. */
static void take_answer(struct cache *cache, const char *name)
{
    struct cache_farm *farm = cache->farm;
    struct news *news;
    struct key key;

    key_parse(&key, name, strlen(name), cache->config->prober.smtp_port);
    if (cache_peek(cache, &key) == NULL || farm->news_count >= NEWS_MAX)
        return;
    news = calloc(1, sizeof *news);
    if (news == NULL)
        return;
    news->cache = cache;
    list_init(&news->link);
    if (cache_load(&news->loading, cache, &key, CACHE_ASKS_SHARE, on_news_loaded, news) != 0) {
        free(news);
        return;
    }
    list_append(&farm->news, &news->link);
    farm->news_count++;
}

static void on_news(void *context, const struct share_news *news)
{
    struct cache *cache = context;

    if (news->kind == SHARE_NEWS_ANSWER)
        take_answer(cache, news->name);
    else if (cache->told != NULL)
        cache->told(cache->told_context, news);
}

static void on_answer(void *context, const struct record *record)
{
    struct record own = *record; /* loading changes it */

    cache_load_record(context, &own, cache_moment(0), CACHE_FROM_SHARE);
}

static void on_describe(void *context, struct share_relay *out)
{
    const struct cache *cache = context;
    const struct ruleset *ruleset = cache->ruleset;
    const struct override_options *options =
        ruleset == NULL ? &cache->config->override : &ruleset->options;

    snprintf(out->version, sizeof out->version, "%s", MXC_VERSION);
    out->rules = ruleset == NULL || ruleset->rules == NULL ? 0 : rules_hash(ruleset->rules);
    out->monitor = options->monitor;
    out->rollout = options->rollout;
}

/* ---- life ---- */

/* What the configuration says; its strings live as long as it does. */
static void take_config(struct cache *cache)
{
    const struct config *config = cache->config;
    struct cache_farm *farm = cache->farm;

    farm->key.length = config->share_key_length;
    if (config->share_key != NULL)
        memcpy(farm->key.octets, config->share_key, config->share_key_length);
    snprintf(farm->name, sizeof farm->name, "mxcryptd-%.50s", config->share_name);
    farm->options = (struct share_options){
        .prefix = config->share_prefix,
        .relay = config->share_name,
        .settings = cache->settings,
        .key = &farm->key,
        .deadline_ms = config->share_deadline_ms,
        .server = {.url = config->share,
                   .password = config->share_password,
                   .tls = config->share_tls,
                   .name = farm->name,
                   .connect_ms = CONNECT_MS,
                   .stall_ms = STALL_MS,
                   .pending_max = PENDING_MAX},
    };
}

int cache_open_share(struct cache *cache)
{
    static const struct share_events events = {on_begun, on_news, on_answer, on_describe};
    struct cache_farm *farm;

    if (cache->config->share == NULL)
        return 0;
    farm = cache->farm = calloc(1, sizeof *farm);
    if (farm == NULL)
        return UV_ENOMEM;
    list_init(&farm->news);
    uv_timer_init(cache->loop, &farm->fill);
    farm->fill.data = cache;
    cache->settings = config_lookup_hash(cache->config);
    take_config(cache);
    return share_new(&cache->share, cache->loop, &farm->options, &events, cache);
}

void cache_follow_share(struct cache *cache)
{
    if (cache->share != NULL)
        share_follow(cache->share);
}

void cache_close_share(struct cache *cache)
{
    struct cache_farm *farm = cache->farm;

    if (farm == NULL)
        return;
    while (!list_empty(&farm->news)) {
        struct news *news = LIST_ELEMENT(farm->news.next, struct news, link);

        cache_load_cancel(news->loading);
        on_news_loaded(news, false);
    }
    if (cache->share != NULL)
        store_close(share_store(cache->share));
    cache->share = NULL;
    uv_close((uv_handle_t *)&farm->fill, NULL);
}

void cache_free_share(struct cache *cache)
{
    free(cache->farm);
}
