/*
 * engine: see engine.h. For a cached key engine_ask costs the key's normalisation and one map
 * lookup, and allocates nothing: what the rules make of an entry is kept in it, and they are asked
 * again only when they have changed. Any other key is parsed once and asks the rules once: the job
 * keeps both until the reply.
 */
#include "daemon/lookup/engine.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "daemon/cache/preload.h"

struct engine {
    const struct config *config;
    struct domain_tools tools;
    const struct ruleset *ruleset;
    struct cache *cache;
    struct cache_map *map; /* the cache's */
    struct jobs *jobs;
    struct refresh *refresh;
    struct preload *preload;
    struct cache_entry *unlisted;  /* the key is never looked up */
    struct cache_entry *pending;   /* nobody waits for the lookup: the rules withhold its result */
    struct cache_entry *no_memory; /* for the key, or for an entry */
    struct cache_entry *overload;  /* there is no room for one more job */
    struct engine_stats stats;
};

static int make_parts(struct engine *engine, uv_loop_t *loop)
{
    const struct config *config = engine->config;
    struct jobs_means means = {.config = config,
                               .tools = &engine->tools,
                               .ruleset = engine->ruleset,
                               .stats = &engine->stats,
                               .no_memory = engine->no_memory};
    int error = cache_new(&engine->cache, loop, config, &engine->tools, engine->ruleset);

    if (error != 0)
        return error;
    engine->map = cache_get_map(engine->cache);
    means.cache = engine->cache;
    engine->jobs = jobs_new(loop, &means);
    if (engine->jobs != NULL)
        engine->refresh = refresh_new(loop, config, engine->cache, engine->jobs);
    if (engine->refresh != NULL)
        engine->preload = preload_new(loop, config, engine->cache);
    return engine->preload == NULL ? UV_ENOMEM : 0;
}

int engine_new(struct engine **out, uv_loop_t *loop, const struct config *config,
               const struct domain_tools *tools, const struct ruleset *ruleset)
{
    struct engine *engine = calloc(1, sizeof *engine);
    int error;

    if (engine == NULL)
        return UV_ENOMEM;
    engine->config = config;
    engine->tools = *tools;
    engine->ruleset = ruleset;
    engine->unlisted = cache_entry_standing(REASON_KEY);
    engine->pending = cache_entry_standing(REASON_PENDING);
    engine->no_memory = cache_entry_standing(REASON_MEMORY);
    engine->overload = cache_entry_standing(REASON_OVERLOAD);
    error = make_parts(engine, loop);
    *out = engine;
    if (engine->unlisted == NULL || engine->pending == NULL || engine->no_memory == NULL ||
        engine->overload == NULL)
        error = UV_ENOMEM;
    return error;
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
    cache_entry_free(engine->unlisted);
    cache_entry_free(engine->pending);
    cache_entry_free(engine->no_memory);
    cache_entry_free(engine->overload);
    free(engine);
}

/* ---- asking ---- */

static bool cached(struct engine *engine, const struct key *key, struct reply *out)
{
    unsigned generation = ruleset_generation(engine->ruleset);
    struct cache_entry *entry =
        cache_map_use(engine->map, key->text, key->text_length, clock_monotonic_ms());

    if (entry == NULL)
        return false;
    if (entry->generation != generation) {
        struct override override;

        ruleset_find(engine->ruleset, key, &override);
        reply_keep(entry, &override, generation);
    }
    engine->stats.cache_hits++;
    *out = (struct reply){entry, entry->final};
    return true;
}

/* What answers the key without a lookup of its own, or NULL. */
static const struct cache_entry *at_once(struct engine *engine, const struct key *key,
                                         const struct override *override)
{
    if (key->no_memory)
        return engine->no_memory;
    if (override_wants_lookup(override) && (key->kind == KEY_DOMAIN || key->kind == KEY_HOST))
        return jobs_provisional(engine->jobs, key);
    engine->stats.not_looked_up++;
    return engine->unlisted;
}

/* False when the evidence can still grow and the waiter wants all of it. */
static bool suffices(const struct waiter *waiter, const struct cache_entry *entry)
{
    return waiter == NULL || waiter->wants != WANTS_WHOLE || entry->evidence_length == 0 ||
           entry->complete;
}

static bool takes_share(const struct waiter *waiter)
{
    if (waiter == NULL || (waiter->share != NULL && *waiter->share == 0))
        return false;
    if (waiter->share != NULL)
        --*waiter->share;
    return true;
}

/* Begins or joins the lookup. NULL: the waiter waits; else it gets this instead. */
static const struct cache_entry *look_up(struct engine *engine, const struct key *key,
                                         const struct override *override, struct waiter *waiter)
{
    int error;

    if (waiter->wants == WANTS_ANSWER && override->withheld != WITHHELD_NO) {
        engine->stats.detached += jobs_look_up(engine->jobs, key, override) == 0;
        return engine->pending;
    }
    error = jobs_join(engine->jobs, key, override, waiter);
    if (error != 0)
        return error == UV_ENOMEM ? engine->no_memory : engine->overload;
    engine->stats.waits++;
    return NULL;
}

static enum asked ask(struct engine *engine, const struct key *key, struct waiter *waiter,
                      struct reply *out)
{
    const struct cache_entry *entry;
    struct override override;

    if (!key->no_memory && cached(engine, key, out) && suffices(waiter, out->entry))
        return ASKED_ANSWERED;
    ruleset_find(engine->ruleset, key, &override);
    entry = at_once(engine, key, &override);
    if (entry == NULL || !suffices(waiter, entry)) {
        if (!takes_share(waiter))
            return ASKED_LATER;
        entry = look_up(engine, key, &override, waiter);
    }
    if (entry == NULL)
        return ASKED_WAITING;
    out->entry = entry;
    cache_entry_apply(&out->final, &override, entry);
    if (entry == engine->pending) /* the job knows at its end whether it withholds anything */
        out->final.withheld = false;
    return ASKED_ANSWERED;
}

enum asked engine_ask(struct engine *engine, const char *text, size_t length, struct waiter *waiter,
                      struct reply *out)
{
    struct key key;
    enum asked asked;

    key_parse(&key, text, length, engine->tools.smtp_port);
    asked = ask(engine, &key, waiter, out);
    engine->stats.lookups += asked != ASKED_LATER;
    if (asked == ASKED_ANSWERED)
        reply_count(&engine->stats, out);
    return asked;
}

/* ---- what is forgotten ---- */

static void forget_addresses(struct engine *engine, const struct ip *ips, size_t count)
{
    struct store *store = cache_store(engine->cache);

    if (count > 0)
        probe_cache_forget(engine->tools.probes, ips, count);
    for (size_t i = 0; store != NULL && i < count; i++)
        store_remove_address(store, &ips[i]);
}

static void forget_hosts(struct engine *engine, const struct cache_entry *entry)
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
            ips[count++] = address->ip;
        }
    forget_addresses(engine, ips, count);
    arena_free(arena);
}

bool engine_forget(struct engine *engine, const char *text, size_t length)
{
    const struct cache_entry *entry;
    struct key key;

    key_parse(&key, text, length, engine->tools.smtp_port);
    entry = cache_peek(engine->cache, &key);
    if (entry != NULL && engine->tools.probes != NULL)
        forget_hosts(engine, entry);
    if (engine->tools.sts != NULL && (key.kind == KEY_DOMAIN || key.kind == KEY_HOST) &&
        key.port == engine->tools.smtp_port)
        sts_cache_forget(sts_cache_of(engine->tools.sts), key.name);
    jobs_forget(engine->jobs, &key);
    return cache_forget(engine->cache, &key);
}

bool engine_release(struct engine *engine, const struct key *key)
{
    bool released = cache_release(engine->cache, key);

    if (released)
        jobs_release(engine->jobs, key);
    return released;
}

size_t engine_flush(struct engine *engine)
{
    jobs_forget_all(engine->jobs);
    return cache_lapse(engine->cache);
}

void engine_judge_again(struct engine *engine)
{
    jobs_judge_again(engine->jobs);
    cache_judge_again(engine->cache);
}

struct cache *engine_cache(struct engine *engine)
{
    return engine->cache;
}

const struct refresh *engine_refresh(const struct engine *engine)
{
    return engine->refresh;
}

const struct ruleset *engine_ruleset(const struct engine *engine)
{
    return engine->ruleset;
}

struct cache_map *engine_cache_map(struct engine *engine)
{
    return engine->map;
}

struct jobs *engine_jobs(struct engine *engine)
{
    return engine->jobs;
}

const struct domain_tools *engine_tools(const struct engine *engine)
{
    return &engine->tools;
}

const struct engine_stats *engine_get_stats(const struct engine *engine)
{
    return &engine->stats;
}
