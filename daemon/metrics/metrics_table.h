/*
 * metrics_table: everything mxcryptd counts, read at one moment from the modules that count, and the
 * table of its names. Prometheus (metrics_text_write) and `mxcrypt stats` (control/commands.c)
 * are two ways to print it.
 *
 * A row is a number, or an array of numbers with a label that distinguishes them. Its names are
 * interfaces and never change. For Prometheus they begin with "mxcryptd_"; units are seconds and
 * bytes. Labels take a few fixed values, never a name from outside. Every series is there from the
 * start, also while it is 0.
 */
#pragma once

#include "base/buf.h"
#include "daemon/lists/lists_status.h"
#include "daemon/lookup/engine.h"
#include "daemon/serve/server.h"

enum metrics_mode { METRICS_ENFORCE, METRICS_MONITOR, METRICS_MODES };
enum metrics_answered { METRICS_AT_ONCE, METRICS_AFTER_LOOKUP, METRICS_ANSWERED };

struct metrics_numbers {
    unsigned build[1]; /* 1 */
    bool mode[METRICS_MODES];
    unsigned rollout; /* percent */
    size_t rules;
    struct lists_stats lists;
    struct engine_stats engine;
    uint64_t cache_misses;
    struct histogram answers[METRICS_ANSWERED];
    struct cache_map_stats map;
    struct jobs_stats jobs;
    struct server_stats server;
    struct dns_stats dns;
    struct sts_stats sts;            /* all 0 with mta-sts = no */
    struct probe_cache_stats probes; /* all 0 with probe = no */
    struct cache_stats cache;
    uint64_t holds_begun;     /* whatever began them */
    struct store_stats store; /* all 0 without one */
    bool has_store;
    struct share_stats share; /* all 0 without one */
    bool has_share;
    struct refresh_stats refresh;
    uint64_t log_lost; /* lines */
};

void metrics_gather(struct metrics_numbers *out, struct engine *engine,
                    const struct server *server);

enum metrics_kind { METRICS_COUNTER, METRICS_GAUGE, METRICS_HISTOGRAM };

struct metrics_family {
    const char *name; /* for Prometheus, without the prefix; NULL: not there */
    enum metrics_kind kind;
    size_t offset, size; /* of the first number, or histogram, in struct metrics_numbers */
    unsigned count;      /* of the array; 1 without a label */
    const char *label;   /* NULL: none */
    const char *(*value)(unsigned index); /* of the label */
    unsigned decimals;                    /* Prometheus divides by ten to the power of this */
    const char *stats; /* for `mxcrypt stats`, before "_" and the label's value; NULL: not there */
    const char *help;
};

/* The row at `index`; NULL after the last. */
const struct metrics_family *metrics_family_at(size_t index);
/* The number at `index` of a family that is not a histogram. */
uint64_t metrics_number(const struct metrics_family *family, const struct metrics_numbers *numbers,
                        unsigned index);

#define METRICS_TEXT_TYPE "text/plain; version=0.0.4; charset=utf-8"
#define METRICS_TEXT_MAX  65536

/* Prometheus' exposition format 0.0.4. Fails as a struct buf does. */
void metrics_text_write(struct buf *out, const struct metrics_numbers *numbers);
