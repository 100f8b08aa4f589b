/*
 * engine: see engine.h. For a cached key engine_ask costs one map lookup and allocates nothing: the
 * key is parsed only if it is not spelt as in the cache, and the entry keeps the answer that the
 * rules gave for it until the rules change. Any other key is parsed once and checked against the
 * rules once: the job keeps both results until the reply.
 */
#include "daemon/lookup/engine.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

static void on_told(void *context, const struct share_news *news);

static int make_parts(struct engine *engine, uv_loop_t *loop)
{
    static const enum verdict_reason reasons[] = {
        [ENGINE_UNLISTED] = REASON_KEY,
        [ENGINE_PENDING] = REASON_PENDING,
        [ENGINE_NO_MEMORY] = REASON_MEMORY,
        [ENGINE_OVERLOAD] = REASON_OVERLOAD,
    };
    const struct config *config = engine->config;
    int error = cache_new(&engine->cache, loop, config, &engine->tools, engine->ruleset);

    if (error != 0)
        return error;
    engine->cache->told = on_told;
    engine->cache->told_context = engine;
    for (int i = 0; i < ENGINE_STANDING; i++) {
        engine->standing[i] = cache_entry_standing(reasons[i]);
        if (engine->standing[i] == NULL)
            return UV_ENOMEM;
    }
    engine->jobs = jobs_new(loop, engine);
    if (engine->jobs != NULL)
        engine->refresh = refresh_new(loop, engine);
    if (engine->refresh != NULL)
        engine->preload = preload_new(engine->cache);
    return engine->preload == NULL ? UV_ENOMEM : 0;
}

int engine_new(struct engine **out, uv_loop_t *loop, const struct config *config,
               const struct domain_tools *tools, const struct ruleset *ruleset)
{
    struct engine *engine = *out = calloc(1, sizeof *engine);

    if (engine == NULL)
        return UV_ENOMEM;
    engine->config = config;
    engine->tools = *tools;
    engine->ruleset = ruleset;
    return make_parts(engine, loop);
}

void engine_close(struct engine *engine)
{
    if (engine->preload != NULL)
        preload_close(engine->preload);
    if (engine->refresh != NULL)
        refresh_close(engine->refresh);
    if (engine->jobs != NULL)
        jobs_close(engine->jobs);
    if (engine->cache != NULL)
        cache_close(engine->cache);
}

void engine_free(struct engine *engine)
{
    if (engine->jobs != NULL)
        jobs_free(engine->jobs);
    if (engine->cache != NULL)
        cache_free(engine->cache);
    for (int i = 0; i < ENGINE_STANDING; i++)
        cache_entry_free(engine->standing[i]);
    free(engine);
}

/* ---- asking ---- */

static bool suffices(const struct waiter *waiter, const struct cache_entry *entry)
{
    return waiter == NULL || waiter_is_served(waiter, entry);
}

/* The entry under the rules and lists in force, which have changed since it was used last. NULL when
 * it is no answer any more, or the cache does not take it. */
static struct cache_entry *follow(struct engine *engine, struct cache_entry *entry, int64_t now)
{
    unsigned generation = ruleset_generation(engine->ruleset);
    struct cache_entry *decided;
    struct override override;
    struct key key;

    key_parse(&key, entry->key, entry->key_length, engine->tools.smtp_port);
    ruleset_find(engine->ruleset, &key, &override);
    decided = cache_decide_listed(engine->cache, entry, &key);
    if (decided != NULL) {
        bool pending = entry->state == ENTRY_STORE_PENDING;

        cache_save(
            engine->cache, decided,
            (struct cache_saving){
                .now = now, .by_refresh = true, .store_pending = pending, .override = &override});
        entry = cache_map_get(engine->cache->map, key.text, key.text_length);
    }
    if (entry == NULL || now >= entry->verdict.valid_until)
        return NULL;
    reply_keep(entry, &override, generation);
    return entry;
}

/* True when a key that is spelt as in the cache has an answer there. */
static bool cached(struct engine *engine, struct span text, int64_t now,
                   const struct waiter *waiter, struct reply *out)
{
    unsigned generation = ruleset_generation(engine->ruleset);
    struct cache_entry *entry = cache_map_use(engine->cache->map, text.text, text.length, now);

    if (entry == NULL || !suffices(waiter, entry))
        return false;
    if (entry->generation != generation && (entry = follow(engine, entry, now)) == NULL)
        return false;
    engine->stats.cache_hits++;
    *out = (struct reply){entry, entry->final};
    return true;
}

/* What answers the key without a lookup of its own, or NULL. */
static const struct cache_entry *at_once(struct engine *engine, const struct key *key,
                                         const struct override *override)
{
    if (key->no_memory)
        return engine->standing[ENGINE_NO_MEMORY];
    if (override_wants_lookup(override) && (key->kind == KEY_DOMAIN || key->kind == KEY_HOST))
        return jobs_provisional(engine->jobs, key);
    engine->stats.not_looked_up++;
    return engine->standing[ENGINE_UNLISTED];
}

/* Begins or joins the lookup. NULL: the waiter waits; else it gets this instead. */
static const struct cache_entry *look_up(struct engine *engine, const struct key *key,
                                         const struct override *override, int64_t now,
                                         struct waiter *waiter)
{
    int error;

    if (waiter->wants <= WANTS_WITHOUT_DANE && override->withheld != WITHHELD_NO) {
        engine->stats.detached += jobs_look_up(engine->jobs, key, override, now) == 0;
        return engine->standing[ENGINE_PENDING];
    }
    error = jobs_join(engine->jobs, key, override, waiter, now);
    engine->stats.waits += error == 0;
    return error == 0 ? NULL
                      : engine->standing[error == UV_ENOMEM ? ENGINE_NO_MEMORY : ENGINE_OVERLOAD];
}

static enum asked ask(struct engine *engine, const struct key *key, int64_t now,
                      struct waiter *waiter, struct reply *out)
{
    const struct cache_entry *entry;
    struct override override;

    if (cached(engine, (struct span){key->text, key->text_length}, now, waiter, out))
        return ASKED_ANSWERED;
    ruleset_find(engine->ruleset, key, &override);
    entry = at_once(engine, key, &override);
    if (entry == NULL || !suffices(waiter, entry)) {
        if (waiter == NULL || (waiter->share != NULL && *waiter->share == 0))
            return ASKED_LATER;
        if (waiter->share != NULL)
            --*waiter->share;
        entry = look_up(engine, key, &override, now, waiter);
    }
    if (entry == NULL)
        return ASKED_WAITING;
    out->entry = entry;
    cache_entry_apply(&out->final, &override, entry);
    /* the job knows at its end whether it withholds anything */
    if (entry == engine->standing[ENGINE_PENDING])
        out->final.withheld = false;
    return ASKED_ANSWERED;
}

enum asked engine_ask(struct engine *engine, struct span text, int64_t now, struct waiter *waiter,
                      struct reply *out)
{
    enum asked asked = ASKED_ANSWERED;
    struct key key;

    /* most keys come as the cache spells them */
    if (text.length > KEY_TEXT_MAX || !cached(engine, text, now, waiter, out)) {
        key_parse(&key, text.text, text.length, engine->tools.smtp_port);
        asked = ask(engine, &key, now, waiter, out);
    }
    engine->stats.lookups += asked != ASKED_LATER;
    if (asked == ASKED_ANSWERED)
        reply_count(&engine->stats, out);
    return asked;
}

/* ---- what is forgotten ---- */

/* The probe results of an address, here; `tell`: at the other relays of a farm too. */
static void forget_address(struct engine *engine, const struct ip *ip, bool tell)
{
    struct cache *cache = engine->cache;
    char address[IP_TEXT_MAX];

    if (cache->store != NULL)
        store_remove_address(cache->store, ip);
    if (tell && cache->share != NULL)
        share_tell(cache->share, SHARE_NEWS_FORGET, ip_text(ip, address));
}

/* The probe results of the hosts of an entry. */
static void forget_hosts(struct engine *engine, const struct cache_entry *entry, bool tell)
{
    struct arena *arena = arena_new(CACHE_ENTRY_EVIDENCE_MAX);
    const struct evidence *evidence = arena == NULL ? NULL : cache_entry_evidence(entry, arena);
    struct ip ips[DOMAIN_PROBES_MAX];
    size_t count = 0;

    for (size_t i = 0; evidence != NULL && i < evidence->host_count; i++)
        for (size_t j = 0; j < evidence->hosts[i].address_count; j++) {
            const struct mx_address *address = &evidence->hosts[i].addresses[j];

            if (address->starttls.probed_at == 0 || count == DOMAIN_PROBES_MAX)
                continue;
            forget_address(engine, &address->ip, tell);
            ips[count++] = address->ip;
        }
    arena_free(arena);
    if (count > 0)
        probe_cache_forget(engine->tools.probes, ips, count);
}

/* The policy domain of a key; NULL: none. */
static const char *policy_domain(const struct engine *engine, const struct key *key)
{
    return engine->tools.sts != NULL && (key->kind == KEY_DOMAIN || key->kind == KEY_HOST) &&
                   key->port == engine->tools.smtp_port
               ? key->name
               : NULL;
}

static bool forget_entry(struct engine *engine, const struct key *key, bool tell)
{
    const struct cache_entry *entry = cache_peek(engine->cache, key);

    if (entry != NULL && engine->tools.probes != NULL)
        forget_hosts(engine, entry, tell);
    return cache_forget(engine->cache, key);
}

bool engine_forget(struct engine *engine, const struct key *key)
{
    const char *domain = policy_domain(engine, key);
    struct cache *cache = engine->cache;
    bool forgotten;

    if (domain != NULL)
        sts_cache_forget(sts_cache_of(engine->tools.sts), domain);
    jobs_forget(engine->jobs, key, INT64_MAX, false);
    forgotten = forget_entry(engine, key, true);
    /* after what its hosts showed: who hears of it asks them again */
    if (cache->share != NULL && key->kind != KEY_OTHER)
        share_tell(cache->share, SHARE_NEWS_FORGET, key->text);
    return forgotten;
}

bool engine_release(struct engine *engine, const struct key *key, int64_t now)
{
    struct cache *cache = engine->cache;
    bool released = cache_release(cache, key, now);

    if (released)
        jobs_forget(engine->jobs, key, INT64_MAX, true);
    if (released && cache->share != NULL)
        share_tell(cache->share, SHARE_NEWS_RELEASE, key->text);
    return released;
}

/* What was learnt since it was forgotten elsewhere stays. */
static void forget_told(struct engine *engine, const struct key *key, const struct share_news *news)
{
    const struct cache_entry *entry = cache_peek(engine->cache, key);
    const char *domain = policy_domain(engine, key);
    struct sts_saved policy;

    if (domain != NULL && sts_cache_get(sts_cache_of(engine->tools.sts), domain, &policy) &&
        policy.fetched_at <= news->at)
        sts_cache_forget(sts_cache_of(engine->tools.sts), domain);
    jobs_forget(engine->jobs, key, news->at, false);
    if (entry != NULL && entry->made_at <= news->at)
        forget_entry(engine, key, false);
    else /* it was renewed before this relay heard of it, and may be held still */
        cache_release_told(engine->cache, key, news->at, clock_monotonic_ms());
}

static void release_told(struct engine *engine, const struct key *key,
                         const struct share_news *news)
{
    cache_release_told(engine->cache, key, news->at, clock_monotonic_ms());
    jobs_forget(engine->jobs, key, news->at, true);
}

/* What another relay says. */
static void on_told(void *context, const struct share_news *news)
{
    struct engine *engine = context;
    struct key key;
    struct ip ip;

    if (news->kind == SHARE_NEWS_FORGET && ip_parse(&ip, news->name)) {
        forget_address(engine, &ip, false);
        if (engine->tools.probes != NULL)
            probe_cache_forget(engine->tools.probes, &ip, 1);
        return;
    }
    if (news->kind == SHARE_NEWS_RELOAD) {
        if (engine->reload != NULL)
            engine->reload(engine->reload_context);
        return;
    }
    key_parse(&key, news->name, strlen(news->name), engine->tools.smtp_port);
    if (news->kind == SHARE_NEWS_FORGET)
        forget_told(engine, &key, news);
    else if (news->kind == SHARE_NEWS_RELEASE)
        release_told(engine, &key, news);
}

size_t engine_flush(struct engine *engine, int64_t now)
{
    jobs_forget_all(engine->jobs, false);
    return cache_lapse(engine->cache, now);
}

void engine_judge_again(struct engine *engine)
{
    jobs_forget_all(engine->jobs, true);
    cache_judge_again(engine->cache, clock_monotonic_ms());
}
