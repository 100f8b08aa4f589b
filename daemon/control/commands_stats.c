/* commands_stats: see commands.h. Names are for people; Prometheus has others. */
#include <stdio.h>

#include "daemon/control/commands.h"
#include "daemon/metrics/metrics_gather.h"
#include "policy/report/report.h"

static void set(json_t *out, const char *name, uint64_t value)
{
    json_object_set_new(out, name, json_integer((json_int_t)value));
}

static void set_kind(json_t *out, const char *prefix, const char *kind, uint64_t value)
{
    char name[64];

    snprintf(name, sizeof name, "%s_%s", prefix, kind);
    set(out, name, value);
}

static void engine_part(json_t *out, const struct metrics_numbers *numbers)
{
    const struct engine_stats *engine = &numbers->engine;
    const struct cache_map_stats *map = &numbers->map;
    const struct jobs_stats *jobs = &numbers->jobs;

    set(out, "lookups", engine->lookups);
    set(out, "cache_hits", engine->cache_hits);
    set(out, "lookups_waited", engine->waits);
    set(out, "lookups_not_asked", engine->not_looked_up);
    for (int level = 0; level <= VERDICT_TEMP; level++)
        set_kind(out, "answers", verdict_level_name((enum verdict_level)level),
                 engine->by_level[level]);
    for (int level = 0; level <= VERDICT_TEMP; level++)
        set_kind(out, "withheld", verdict_level_name((enum verdict_level)level),
                 engine->withheld_by_level[level]);
    set(out, "cache_entries", map->entries);
    set(out, "cache_entries_negative", map->negative_entries);
    set(out, "cache_octets", map->octets);
    set(out, "cache_evictions", map->evictions);
    set(out, "jobs_started", jobs->started);
    set(out, "jobs_running", jobs->running);
    set(out, "jobs_waiting", jobs->waiting);
    set(out, "jobs_early", jobs->provisional);
    set(out, "jobs_remembered", jobs->remembered);
    set(out, "jobs_answer_deadlines", jobs->answer_deadlines);
    set(out, "jobs_deadlines", jobs->deadlines);
    set(out, "jobs_overloads", jobs->overloads);
}

static void server_part(json_t *out, const struct server_stats *server)
{
    set(out, "connections", server->connections);
    set(out, "connections_accepted", server->accepted);
    set(out, "connections_not_accepted", server->not_accepted);
    set(out, "connections_yielded", server->yielded);
    set(out, "connections_timed_out", server->timed_out);
    set(out, "connections_not_the_protocol", server->refused_protocol);
}

static void dns_part(json_t *out, const struct dns_stats *dns)
{
    set(out, "dns_queries", dns->queries);
    set(out, "dns_retransmissions", dns->retransmissions);
    set(out, "dns_tcp", dns->tcp);
    set(out, "dns_timeouts", dns->timeouts);
    set(out, "dns_failures", dns->failures);
    for (int kind = 0; kind < DNS_FAILURE_COUNT; kind++)
        set_kind(out, "dns_failures", dns_failure_name((enum dns_failure)kind),
                 dns->by_failure[kind]);
    set(out, "dns_mismatches", dns->mismatches);
    set(out, "dns_in_flight", dns->in_flight);
    set(out, "dns_queued", dns->queued);
}

static void probe_part(json_t *out, const struct sts_stats *sts,
                       const struct probe_cache_stats *probes)
{
    set(out, "sts_fetches", sts->fetches);
    set(out, "sts_fetch_failures", sts->fetch_failures);
    for (int kind = 0; kind < FETCH_FAILURE_COUNT; kind++)
        set_kind(out, "sts_fetch_failures", fetch_failure_name((enum fetch_failure)kind),
                 sts->by_failure[kind]);
    set(out, "sts_policies", sts->entries);
    set(out, "probes", probes->probes);
    for (int state = 0; state <= STARTTLS_VERIFIED; state++)
        set_kind(out, "probes", report_starttls_name((enum starttls)state),
                 probes->by_state[state]);
    for (int kind = 0; kind < SMTP_FAILURE_COUNT; kind++)
        set_kind(out, "probe_failures", smtp_failure_name((enum smtp_failure)kind),
                 probes->by_failure[kind]);
    set(out, "probes_in_flight", probes->in_flight);
    set(out, "probes_queued", probes->queued);
    set(out, "probe_results", probes->entries);
}

static void store_part(json_t *out, const struct store_stats *store)
{
    set(out, "store_degraded", store->degraded);
    set(out, "store_pending", store->pending);
    set(out, "store_written", store->written);
    set(out, "store_write_failures", store->write_failures);
    set(out, "store_dropped", store->dropped);
    set(out, "store_finds", store->finds);
    set(out, "store_finds_late", store->finds_late);
    set(out, "store_rejected", store->rejected);
}

static void cache_part(json_t *out, const struct metrics_numbers *numbers)
{
    const struct cache_stats *cache = &numbers->cache;
    const struct refresh_stats *refresh = &numbers->refresh;

    store_part(out, &numbers->store);
    set(out, "restored", cache->restored);
    set(out, "held", cache->held);
    set(out, "holds_begun", cache->holds_begun[HOLD_FOUND] + cache->holds_begun[HOLD_LOADED]);
    set(out, "holds_restored", cache->holds_begun[HOLD_LOADED]);
    set(out, "holds_ended", cache->holds_ended);
    set(out, "refreshes", refresh->started);
    set(out, "refreshes_running", numbers->jobs.refreshing);
    set(out, "refreshes_lapsed", refresh->lapsed);
    set(out, "refresh_lag_ms", (uint64_t)refresh->lag_ms);
    set(out, "refresh_overdue_ms", (uint64_t)refresh->overdue_ms);
}

void command_stats(struct command *command)
{
    json_t *out = json_object();
    struct metrics_numbers numbers;

    metrics_gather(&numbers, command->engine, command->server);
    if (out != NULL) {
        engine_part(out, &numbers);
        server_part(out, &numbers.server);
        set(out, "log_lines_lost", numbers.log_lost);
        dns_part(out, &numbers.dns);
        probe_part(out, &numbers.sts, &numbers.probes);
        cache_part(out, &numbers);
    }
    command_finish(command, out);
}
