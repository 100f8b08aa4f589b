/*
 * engine: see engine.h. engine_known is the hot path: for a cached key it costs the key's
 * normalisation and one map lookup, and allocates nothing. What the rules make of an entry is
 * kept in it, and asked again only when the rules have changed.
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
    struct cache_map *map; /* the memory's */
    struct jobs *jobs;
    struct refresh *refresh;
    struct preload *preload;
    struct cache_entry *unlisted;  /* for keys that only rules could answer */
    struct cache_entry *pending;   /* where nobody waits for what is found */
    struct cache_entry *no_memory; /* when even the key could not be read */
    struct cache_entry *overload;  /* when there is no room for one more job */
    struct engine_stats stats;
};

/* What was withheld before anybody knew whether there was something to withhold. */
static void on_detached(void *context, const struct cache_entry *entry)
{
    struct engine *engine = context;
    struct reply reply;

    engine_look(engine, entry, &reply);
    if (reply.final.withheld)
        engine->stats.withheld_by_level[entry->verdict.level]++;
}

static int make_parts(struct engine *engine, uv_loop_t *loop)
{
    const struct config *config = engine->config;
    int error = cache_new(&engine->cache, loop, config, &engine->tools, engine->ruleset);

    if (error != 0)
        return error;
    engine->map = cache_get_map(engine->cache);
    engine->jobs = jobs_new(loop, config, &engine->tools, engine->cache);
    if (engine->jobs != NULL)
        jobs_set_detached(engine->jobs, on_detached, engine);
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
    engine->unlisted = cache_entry_standing(VERDICT_NO_OPINION, REASON_KEY);
    engine->pending = cache_entry_standing(VERDICT_TEMP, REASON_PENDING);
    engine->no_memory = cache_entry_standing(VERDICT_TEMP, REASON_MEMORY);
    engine->overload = cache_entry_standing(VERDICT_TEMP, REASON_OVERLOAD);
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

/* ---- what is told ---- */

struct answer reply_answer(const struct reply *reply, enum answer_form form)
{
    static const enum answer_status statuses[] = {
        [FINAL_POLICY] = ANSWER_OK,
        [FINAL_NOTFOUND] = ANSWER_NOTFOUND,
        [FINAL_TEMP] = ANSWER_TEMP,
    };
    const struct final_answer *final = &reply->final;

    if (final->kind == FINAL_FOUND)
        return cache_entry_answer(reply->entry, form);
    return (struct answer){statuses[final->kind], final->text == NULL ? "" : final->text,
                           final->length};
}

static void count(struct engine *engine, const struct reply *reply)
{
    const struct verdict *found = &reply->entry->verdict;

    engine->stats.by_level[reply->final.level]++;
    engine->stats.by_final_reason[reply->final.reason]++;
    if (reply->final.kind == FINAL_FOUND)
        engine->stats.by_reason[found->reason]++;
    if (reply->final.withheld)
        engine->stats.withheld_by_level[found->level]++;
}

/* An entry that is not of the cache, or of rules that are no more. */
static void decide(const struct engine *engine, const struct key *key,
                   const struct cache_entry *entry, struct reply *out)
{
    struct override override;

    out->entry = entry;
    ruleset_find(engine->ruleset, key, &override);
    override_apply(&out->final, &override, &entry->verdict);
}

void engine_look(const struct engine *engine, const struct cache_entry *entry, struct reply *out)
{
    struct key key;

    if (entry->generation == ruleset_generation(engine->ruleset)) {
        *out = (struct reply){entry, entry->final};
        return;
    }
    key_parse(&key, entry->key, entry->key_length, engine->tools.smtp_port);
    decide(engine, &key, entry, out);
}

void engine_tell(struct engine *engine, const struct cache_entry *entry, struct reply *out)
{
    engine_look(engine, entry, out);
    count(engine, out);
}

/* ---- what is known ---- */

/* The first question since the rules changed. */
static void bring_up_to_date(const struct engine *engine, const struct key *key,
                             struct cache_entry *entry)
{
    struct override override;

    ruleset_find(engine->ruleset, key, &override);
    override_apply(&entry->final, &override, &entry->verdict);
    entry->unwanted = !override_wants_lookup(&override);
    entry->generation = ruleset_generation(engine->ruleset);
}

static bool cached(struct engine *engine, const struct key *key, struct reply *out)
{
    struct cache_entry *entry =
        cache_map_use(engine->map, key->text, key->text_length, clock_monotonic_ms());

    if (entry == NULL)
        return false;
    if (entry->generation != ruleset_generation(engine->ruleset))
        bring_up_to_date(engine, key, entry);
    engine->stats.cache_hits++;
    *out = (struct reply){entry, entry->final};
    return true;
}

/* By a rule alone, or because nothing could be found out. */
static bool not_looked_up(struct engine *engine, const struct key *key, struct reply *out)
{
    struct override override;

    ruleset_find(engine->ruleset, key, &override);
    if (override_wants_lookup(&override) && (key->kind == KEY_DOMAIN || key->kind == KEY_HOST))
        return false;
    engine->stats.not_looked_up++;
    out->entry = engine->unlisted;
    override_apply(&out->final, &override, &out->entry->verdict);
    return true;
}

static bool provisional(struct engine *engine, const struct key *key, struct reply *out)
{
    const struct cache_entry *entry = jobs_provisional(engine->jobs, key);

    if (entry != NULL)
        decide(engine, key, entry, out);
    return entry != NULL;
}

static bool known(struct engine *engine, const struct key *key, struct reply *out)
{
    if (key->no_memory) {
        decide(engine, key, engine->no_memory, out);
        return true;
    }
    return cached(engine, key, out) || not_looked_up(engine, key, out) ||
           provisional(engine, key, out);
}

bool engine_known(struct engine *engine, const char *text, size_t length, struct reply *out)
{
    struct key key;

    engine->stats.lookups++;
    key_parse(&key, text, length, engine->tools.smtp_port);
    if (!known(engine, &key, out))
        return false;
    count(engine, out);
    return true;
}

bool engine_withheld(struct engine *engine, const char *text, size_t length, struct reply *out)
{
    struct override override;
    struct key key;

    key_parse(&key, text, length, engine->tools.smtp_port);
    ruleset_find(engine->ruleset, &key, &override);
    if (key.no_memory || override.withheld == WITHHELD_NO)
        return false;
    engine->stats.detached += jobs_look_up(engine->jobs, &key) == 0;
    out->entry = engine->pending;
    override_apply(&out->final, &override, &out->entry->verdict);
    out->final.withheld = false; /* on_detached knows whether there is something to withhold */
    count(engine, out);
    return true;
}

bool engine_wait(struct engine *engine, const char *text, size_t length, struct waiter *waiter,
                 struct reply *out)
{
    const struct cache_entry *why_not;
    struct key key;

    key_parse(&key, text, length, engine->tools.smtp_port);
    if (key.no_memory) {
        why_not = engine->no_memory;
    } else if (jobs_join(engine->jobs, &key, waiter, clock_monotonic_ms()) != 0) {
        why_not = engine->overload;
    } else {
        engine->stats.waits++;
        return false;
    }
    decide(engine, &key, why_not, out);
    count(engine, out);
    return true;
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
        sts_forget(engine->tools.sts, key.name);
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
    jobs_forget(engine->jobs, NULL);
    return cache_lapse(engine->cache);
}

void engine_judge_again(struct engine *engine)
{
    /* lookups under way may have taken results that are no more */
    jobs_forget(engine->jobs, NULL);
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
