/*
 * engine: see engine.h. engine_known is the hot path: for a cached key it costs the key's
 * normalisation and one map lookup, and allocates nothing.
 */
#include "daemon/engine.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "daemon/warmup.h"

struct engine {
    const struct config *config;
    struct domain_tools tools;
    struct memory *memory;
    struct cache *cache; /* the memory's */
    struct jobs *jobs;
    struct refresh *refresh;
    struct warmup *warmup;
    struct finding *unlisted;  /* for keys that only rules could answer */
    struct finding *no_memory; /* when even the key could not be read */
    struct finding *overload;  /* when there is no room for one more job */
    struct engine_stats stats;
};

static int make_parts(struct engine *engine, uv_loop_t *loop)
{
    const struct config *config = engine->config;
    int error = memory_new(&engine->memory, loop, config, &engine->tools);

    if (error != 0)
        return error;
    engine->cache = memory_cache(engine->memory);
    engine->jobs = jobs_new(loop, config, &engine->tools, engine->memory);
    if (engine->jobs != NULL)
        engine->refresh = refresh_new(loop, config, engine->memory, engine->jobs);
    if (engine->refresh != NULL)
        engine->warmup = warmup_new(loop, config, engine->memory);
    return engine->warmup == NULL ? UV_ENOMEM : 0;
}

int engine_new(struct engine **out, uv_loop_t *loop, const struct config *config,
               const struct domain_tools *tools)
{
    struct engine *engine = calloc(1, sizeof *engine);
    int error;

    if (engine == NULL)
        return UV_ENOMEM;
    engine->config = config;
    engine->tools = *tools;
    engine->unlisted = finding_standing(VERDICT_NO_OPINION, REASON_KEY);
    engine->no_memory = finding_standing(VERDICT_TEMP, REASON_MEMORY);
    engine->overload = finding_standing(VERDICT_TEMP, REASON_OVERLOAD);
    error = make_parts(engine, loop);
    *out = engine;
    if (engine->unlisted == NULL || engine->no_memory == NULL || engine->overload == NULL)
        error = UV_ENOMEM;
    return error;
}

void engine_close(struct engine *engine)
{
    if (engine->warmup != NULL)
        warmup_close(engine->warmup);
    if (engine->refresh != NULL)
        refresh_close(engine->refresh);
    if (engine->jobs != NULL)
        jobs_close(engine->jobs);
    if (engine->memory != NULL)
        memory_close(engine->memory);
}

void engine_free(struct engine *engine)
{
    if (engine->jobs != NULL)
        jobs_free(engine->jobs);
    if (engine->memory != NULL)
        memory_free(engine->memory);
    finding_free(engine->unlisted);
    finding_free(engine->no_memory);
    finding_free(engine->overload);
    free(engine);
}

void engine_count(struct engine *engine, const struct finding *finding)
{
    engine->stats.by_level[finding->verdict.level]++;
}

static const struct finding *known(struct engine *engine, const struct key *key)
{
    const struct finding *finding;

    if (key->no_memory)
        return engine->no_memory;
    if (key->kind == KEY_PARENT || key->kind == KEY_OTHER) {
        engine->stats.not_looked_up++;
        return engine->unlisted;
    }
    finding = cache_use(engine->cache, key->text, key->text_length, clock_monotonic_ms());
    if (finding != NULL) {
        engine->stats.cache_hits++;
        return finding;
    }
    return jobs_early(engine->jobs, key);
}

const struct finding *engine_known(struct engine *engine, const char *text, size_t length)
{
    const struct finding *finding;
    struct key key;

    engine->stats.lookups++;
    key_parse(&key, text, length, engine->tools.smtp_port);
    finding = known(engine, &key);
    if (finding != NULL)
        engine_count(engine, finding);
    return finding;
}

const struct finding *engine_wait(struct engine *engine, const char *text, size_t length,
                                  struct waiter *waiter)
{
    struct key key;

    key_parse(&key, text, length, engine->tools.smtp_port);
    if (key.no_memory) {
        engine_count(engine, engine->no_memory);
        return engine->no_memory;
    }
    if (jobs_join(engine->jobs, &key, waiter, clock_monotonic_ms()) != 0) {
        engine_count(engine, engine->overload);
        return engine->overload;
    }
    engine->stats.waits++;
    return NULL;
}

static void forget_addresses(struct engine *engine, const struct ip *ips, size_t count)
{
    struct store *store = memory_store(engine->memory);

    if (count > 0)
        book_forget(engine->tools.book, ips, count);
    for (size_t i = 0; store != NULL && i < count; i++)
        store_remove_address(store, &ips[i]);
}

static void forget_hosts(struct engine *engine, const struct finding *finding)
{
    struct arena *arena = arena_new(FINDING_EVIDENCE_MAX);
    const struct evidence *evidence = arena == NULL ? NULL : finding_evidence(finding, arena);
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
    const struct finding *finding;
    struct key key;

    key_parse(&key, text, length, engine->tools.smtp_port);
    finding = memory_peek(engine->memory, &key);
    if (finding != NULL && engine->tools.book != NULL)
        forget_hosts(engine, finding);
    if (engine->tools.sts != NULL && key.kind == KEY_DOMAIN && key.port == engine->tools.smtp_port)
        sts_forget(engine->tools.sts, key.name);
    jobs_forget(engine->jobs, &key);
    return memory_forget(engine->memory, &key);
}

bool engine_release(struct engine *engine, const struct key *key)
{
    bool released = memory_release(engine->memory, key);

    if (released)
        jobs_release(engine->jobs, key);
    return released;
}

size_t engine_flush(struct engine *engine)
{
    jobs_forget(engine->jobs, NULL);
    return memory_lapse(engine->memory);
}

struct memory *engine_memory(struct engine *engine)
{
    return engine->memory;
}

const struct refresh *engine_refresh(const struct engine *engine)
{
    return engine->refresh;
}

struct cache *engine_cache(struct engine *engine)
{
    return engine->cache;
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
