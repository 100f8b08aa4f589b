/*
 * metrics_gather: every number the daemon keeps about itself, read at one moment from the modules
 * that count. metrics_table names them.
 */
#pragma once

#include "daemon/lookup/engine.h"
#include "daemon/serve/server.h"

enum metrics_mode { METRICS_ENFORCE, METRICS_MONITOR, METRICS_MODES };
enum metrics_answered { METRICS_AT_ONCE, METRICS_AFTER_LOOKUP, METRICS_ANSWERED };
enum metrics_closed { METRICS_YIELDED, METRICS_TIMED_OUT, METRICS_NOT_PROTOCOL, METRICS_CLOSED };

struct metrics_numbers {
    unsigned build[1];    /* 1 */
    int64_t started_at_s; /* since 1970 */
    bool mode[METRICS_MODES];
    unsigned rollout; /* percent */
    size_t rules;
    struct engine_stats engine;
    uint64_t cache_misses;
    struct histogram answers[METRICS_ANSWERED];
    struct cache_map_stats map;
    struct jobs_stats jobs;
    struct server_stats server;
    uint64_t closed[METRICS_CLOSED];
    struct dns_stats dns;
    struct sts_stats sts;            /* all 0 with mta-sts = no */
    struct probe_cache_stats probes; /* all 0 with probe = no */
    struct cache_stats cache;
    uint64_t holds_begun;     /* whatever began them */
    struct store_stats store; /* all 0 without one */
    bool has_store;
    struct refresh_stats refresh;
    uint64_t log_lost; /* lines */
};

void metrics_gather(struct metrics_numbers *out, struct engine *engine,
                    const struct server *server);
