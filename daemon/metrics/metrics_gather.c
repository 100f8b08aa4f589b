/* metrics_gather: see metrics_gather.h. Cannot fail, and changes nothing. */
#include "daemon/metrics/metrics_gather.h"

#include <string.h>

#include "base/clock.h"
#include "base/log/log.h"

static void gather_server(struct metrics_numbers *out, const struct server *server)
{
    server_get_stats(server, &out->server);
    out->started_at_s = out->server.started_at_s;
    out->answers[METRICS_AT_ONCE] = out->server.at_once;
    out->answers[METRICS_AFTER_LOOKUP] = out->server.after_lookup;
    out->closed[METRICS_YIELDED] = out->server.yielded;
    out->closed[METRICS_TIMED_OUT] = out->server.timed_out;
    out->closed[METRICS_NOT_PROTOCOL] = out->server.refused_protocol;
}

static void gather_tools(struct metrics_numbers *out, const struct domain_tools *tools)
{
    dns_get_stats(tools->dns, &out->dns);
    if (tools->sts != NULL)
        sts_get_stats(tools->sts, &out->sts);
    if (tools->probes != NULL)
        probe_cache_get_stats(tools->probes, &out->probes);
}

static void gather_memory(struct metrics_numbers *out, struct engine *engine)
{
    struct cache *cache = engine->cache;
    const struct store *store = cache->store;

    cache_get_stats(cache, &out->cache);
    for (int origin = 0; origin < HOLD_ORIGINS; origin++)
        out->holds_begun += out->cache.holds_begun[origin];
    out->has_store = store != NULL;
    if (store != NULL)
        store_get_stats(store, &out->store);
    out->store.pending += out->cache.noting;
}

static void gather_ruleset(struct metrics_numbers *out, const struct ruleset *ruleset)
{
    out->mode[ruleset->options.monitor ? METRICS_MONITOR : METRICS_ENFORCE] = true;
    out->rollout = ruleset->options.rollout;
    out->rules = ruleset->rules != NULL ? rules_count(ruleset->rules) : 0;
}

void metrics_gather(struct metrics_numbers *out, struct engine *engine, const struct server *server)
{
    memset(out, 0, sizeof *out);
    out->build[0] = 1;
    out->log_lost = log_lines_lost();
    out->engine = engine->stats;
    out->cache_misses = out->engine.lookups - out->engine.cache_hits - out->engine.not_looked_up;
    cache_map_get_stats(engine->cache->map, &out->map);
    jobs_get_stats(engine->jobs, &out->jobs);
    refresh_get_stats(engine->refresh, &out->refresh);
    gather_ruleset(out, engine->ruleset);
    gather_server(out, server);
    gather_tools(out, &engine->tools);
    gather_memory(out, engine);
}
