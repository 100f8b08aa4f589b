/*
 * engine: see engine.h. engine_known is the hot path: for a cached key it costs the key's
 * normalisation and one map lookup, and allocates nothing.
 */
#include "daemon/engine.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

struct engine {
    const struct config *config;
    struct domain_tools tools;
    struct cache *cache;
    struct jobs *jobs;
    struct finding *unlisted;  /* for keys that only rules could answer */
    struct finding *no_memory; /* when even the key could not be read */
    struct finding *overload;  /* when there is no room for one more job */
    struct engine_stats stats;
};

/* A finding that needs no lookup, made at start. */
static struct finding *standing_finding(enum verdict_level level, enum verdict_reason reason)
{
    struct key key;
    struct verdict verdict;

    key_parse(&key, "", 0, 0);
    verdict_without_evidence(&verdict, level, reason, 0);
    return finding_new(&key, &verdict, NULL, 0);
}

int engine_new(struct engine **out, uv_loop_t *loop, const struct config *config,
               const struct domain_tools *tools)
{
    struct engine *engine = calloc(1, sizeof *engine);

    if (engine == NULL)
        return UV_ENOMEM;
    engine->config = config;
    engine->tools = *tools;
    engine->cache = cache_new(config->cache_entries, config->cache_octets);
    engine->unlisted = standing_finding(VERDICT_NO_OPINION, REASON_KEY);
    engine->no_memory = standing_finding(VERDICT_TEMP, REASON_MEMORY);
    engine->overload = standing_finding(VERDICT_TEMP, REASON_OVERLOAD);
    if (engine->cache != NULL)
        engine->jobs = jobs_new(loop, config, tools, engine->cache);
    if (engine->jobs == NULL || engine->unlisted == NULL || engine->no_memory == NULL ||
        engine->overload == NULL) {
        if (engine->jobs != NULL)
            engine_close(engine);
        engine_free(engine);
        return UV_ENOMEM;
    }
    *out = engine;
    return 0;
}

void engine_close(struct engine *engine)
{
    jobs_close(engine->jobs);
}

void engine_free(struct engine *engine)
{
    if (engine->jobs != NULL)
        jobs_free(engine->jobs);
    cache_free(engine->cache);
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

static void forget_hosts(struct engine *engine, const struct evidence *evidence)
{
    for (size_t i = 0; engine->tools.book != NULL && i < evidence->host_count; i++)
        for (size_t j = 0; j < evidence->hosts[i].address_count; j++)
            if (evidence->hosts[i].addresses[j].starttls.probed_at > 0)
                book_forget(engine->tools.book, &evidence->hosts[i].addresses[j].ip);
}

bool engine_forget(struct engine *engine, const char *text, size_t length)
{
    const struct finding *finding;
    struct key key;

    key_parse(&key, text, length, engine->tools.smtp_port);
    finding = cache_get(engine->cache, key.text, key.text_length);
    if (finding != NULL && finding->evidence != NULL)
        forget_hosts(engine, finding->evidence);
    if (engine->tools.sts != NULL && key.kind == KEY_DOMAIN && key.port == engine->tools.smtp_port)
        sts_forget(engine->tools.sts, key.name);
    jobs_forget(engine->jobs, &key);
    return cache_remove(engine->cache, key.text, key.text_length);
}

size_t engine_flush(struct engine *engine)
{
    struct cache_stats stats;

    cache_get_stats(engine->cache, &stats);
    jobs_forget(engine->jobs, NULL);
    cache_flush(engine->cache);
    return stats.entries;
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
