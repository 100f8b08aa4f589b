/*
 * metrics_table: see metrics_table.h. A new metric is a row here, a member of struct
 * metrics_numbers and a paragraph in docs/mxcryptd.8; tests/manual.sh compares the two lists.
 * Gathering cannot fail, and changes nothing.
 */
#include "daemon/metrics/metrics_table.h"

#include <inttypes.h>
#include <string.h>

#include "base/log/log.h"
#include "policy/report/report.h"

/* ---- the values of labels ---- */

static const char *const mode_names[] = {
    [METRICS_ENFORCE] = "enforce", [METRICS_MONITOR] = "monitor"};
static const char *const answered_names[] = {
    [METRICS_AT_ONCE] = "at-once", [METRICS_AFTER_LOOKUP] = "after-lookup"};
static const char *const closed_names[] = {
    [SERVER_YIELDED] = "yielded",
    [SERVER_TIMED_OUT] = "timed-out",
    [SERVER_NOT_PROTOCOL] = "not-the-protocol",
};
static const char *const origin_names[] = {[HOLD_FOUND] = "lookup", [HOLD_LOADED] = "restored"};

#define VALUE_OF(function, text)                                                                   \
    static const char *function(unsigned index)                                                    \
    {                                                                                              \
        return text;                                                                               \
    }
VALUE_OF(of_version, index == 0 ? MXC_VERSION : NULL)
VALUE_OF(of_mode, mode_names[index])
VALUE_OF(of_answered, answered_names[index])
VALUE_OF(of_closed, closed_names[index])
VALUE_OF(of_origin, origin_names[index])
VALUE_OF(of_level, verdict_level_name((enum verdict_level)index))
VALUE_OF(of_reason, verdict_reason_code((enum verdict_reason)index))
VALUE_OF(of_final, final_reason_code((enum final_reason)index))
VALUE_OF(of_starttls, report_starttls_name((enum starttls)index))
VALUE_OF(of_dns, dns_failure_name((enum dns_failure)index))
VALUE_OF(of_fetch, fetch_failure_name((enum fetch_failure)index))
VALUE_OF(of_refusal, list_refusal_name((enum list_refusal)index))
VALUE_OF(of_smtp, smtp_failure_name((enum smtp_failure)index))

/* ---- the table ---- */

#define COUNTER        METRICS_COUNTER
#define GAUGE          METRICS_GAUGE
#define HISTOGRAM      METRICS_HISTOGRAM
#define MEMBER(member) ((struct metrics_numbers *)0)->member
#define SHIFTED(member, decimals)                                                                  \
    offsetof(struct metrics_numbers, member), sizeof(MEMBER(member)), 1, NULL, NULL, decimals
#define ONE(member) SHIFTED(member, 0)
#define EACH(member, label, value)                                                                 \
    offsetof(struct metrics_numbers, member), sizeof(MEMBER(member)[0]),                           \
        sizeof(MEMBER(member)) / sizeof(MEMBER(member)[0]), label, value, 0

static const struct metrics_family families[] = {
    {"build_info", GAUGE, EACH(build, "version", of_version), NULL,
     "Always 1; the version of mxcryptd."},
    {"start_time_seconds", GAUGE, ONE(server.started_at_s), NULL,
     "When mxcryptd started, in seconds since 1970."},
    {"mode", GAUGE, EACH(mode, "mode", of_mode), NULL, "1 for the mode in force."},
    {"rollout_ratio", GAUGE, SHIFTED(rollout, 2), NULL,
     "Share of next-hops that are enforced, 0 to 1."},
    {"rules", GAUGE, ONE(rules), NULL, "Rules in force."},
    {"log_lines_lost_total", COUNTER, ONE(log_lost), "log_lines_lost",
     "Log lines lost because their reader was too slow."},

    {"lists", GAUGE, ONE(lists.configured), "lists", "Policy lists configured."},
    {"lists_in_force", GAUGE, ONE(lists.in_force), "lists_in_force", "Of these, lists in force."},
    {"lists_expired", GAUGE, ONE(lists.expired), "lists_expired",
     "Policy lists that are not used because they have expired."},
    {"lists_stale", GAUGE, ONE(lists.stale), "lists_stale",
     "Policy lists whose source has not been good for policy-list-stale."},
    {"lists_not_kept", GAUGE, ONE(lists.not_kept), "lists_not_kept",
     "Policy lists that cannot be kept in the folder of the store."},
    {"lists_domains", GAUGE, ONE(lists.domains), "lists_domains",
     "Domains in the policy lists in force."},
    {"lists_first_expiry_seconds", GAUGE, ONE(lists.expires_s), "lists_first_expiry_s",
     "When the first of the policy lists in force expires, in seconds since 1970; 0: none is."},
    {"lists_fetches_total", COUNTER, ONE(lists.fetched), "lists_fetched",
     "Fetches of policy lists that found the list good, or still the same."},
    {"lists_fetch_failures_total", COUNTER, ONE(lists.fetch_failures), "lists_fetch_failures",
     "Fetches of policy lists that found none, or none that may be used."},
    {"lists_refused_total", COUNTER, EACH(lists.refused, "reason", of_refusal), "lists_refused",
     "Policy lists that were read or fetched and are not used, by reason."},

    {"lookups_total", COUNTER, ONE(engine.lookups), "lookups",
     "Keys asked for, by Postfix and by mxcrypt."},
    {"lookups_waited_total", COUNTER, ONE(engine.waits), "lookups_waited",
     "Keys whose lookup somebody waited for."},
    {"lookups_not_needed_total", COUNTER, ONE(engine.not_looked_up), "lookups_not_asked",
     "Keys answered without cache or lookup: parents, paths, rules that decide alone."},
    {"answers_total", COUNTER, EACH(engine.by_level, "level", of_level), "answers",
     "Answers given, by level."},
    {"answers_found_total", COUNTER, EACH(engine.by_reason, "reason", of_reason), NULL,
     "Of these, answers given as found, by their reason."},
    {"answers_ruled_total", COUNTER, EACH(engine.by_final_reason, "outcome", of_final), NULL,
     "Answers given, by what rules, mode and rollout made of the verdict."},
    {"answers_withheld_total", COUNTER, EACH(engine.withheld_by_level, "level", of_level),
     "withheld", "Answers held back by rules, mode or rollout, by the level found."},
    {"answers_list_testing_total", COUNTER, ONE(engine.list_testing), "list_testing",
     "Answers that a policy list in testing mode would have made secure."},
    {"answer_duration_seconds", HISTOGRAM, EACH(answers, "answered", of_answered), NULL,
     "From the arrival of a request to its reply being handed to the kernel."},

    {"cache_hits_total", COUNTER, ONE(engine.cache_hits), "cache_hits",
     "Keys answered from the cache."},
    {"cache_misses_total", COUNTER, ONE(cache_misses), NULL,
     "Keys that were not, or no longer, in the cache."},
    {"cache_entries", GAUGE, ONE(map.entries), "cache_entries", "Entries in the cache."},
    {"cache_negative_entries", GAUGE, ONE(map.negative_entries), "cache_entries_negative",
     "Of these, entries without an opinion, or TEMP."},
    {"cache_bytes", GAUGE, ONE(map.octets), "cache_octets", "Memory of the entries in the cache."},
    {"cache_evictions_total", COUNTER, ONE(map.evictions), "cache_evictions",
     "Entries evicted to make room."},

    {"jobs_running", GAUGE, ONE(jobs.running), "jobs_running", "Lookups under way."},
    {"jobs_waiting", GAUGE, ONE(jobs.waiting), "jobs_waiting", "Lookups waiting for their turn."},
    {"jobs_started_total", COUNTER, ONE(jobs.started), "jobs_started", "Lookups begun."},
    {"jobs_early_total", COUNTER, ONE(jobs.provisional), "jobs_early",
     "Lookups answered before they ended, because the answer was certain."},
    {"jobs_remembered_total", COUNTER, ONE(jobs.remembered), "jobs_remembered",
     "Lookups answered by a stale answer, because they took long."},
    {"jobs_answer_deadlines_total", COUNTER, ONE(jobs.answer_deadlines), "jobs_answer_deadlines",
     "Requests answered at answer-deadline, with what was known by then."},
    {"jobs_deadlines_total", COUNTER, ONE(jobs.deadlines), "jobs_deadlines",
     "Lookups cut off by job-deadline."},
    {"jobs_overloads_total", COUNTER, ONE(jobs.overloads), "jobs_overloads",
     "Lookups refused because too many waited."},

    {"dns_queries_total", COUNTER, ONE(dns.queries), "dns_queries", "DNS lookups."},
    {"dns_failures_total", COUNTER, EACH(dns.by_failure, "kind", of_dns), "dns_failures",
     "DNS lookups that got no answer, by kind."},
    {NULL, COUNTER, ONE(dns.failures), "dns_failures", NULL},
    {"dns_timeouts_total", COUNTER, ONE(dns.timeouts), "dns_timeouts",
     "Tries of DNS lookups that timed out; a later try may have helped."},
    {"dns_retransmissions_total", COUNTER, ONE(dns.retransmissions), "dns_retransmissions",
     "Tries of DNS lookups after the first."},
    {"dns_tcp_total", COUNTER, ONE(dns.tcp), "dns_tcp", "DNS lookups continued by TCP."},
    {"dns_mismatches_total", COUNTER, ONE(dns.mismatches), "dns_mismatches",
     "Packets that did not belong to the question: late, or spoofed."},
    {"dns_in_flight", GAUGE, ONE(dns.in_flight), "dns_in_flight", "DNS lookups under way."},
    {"dns_queued", GAUGE, ONE(dns.queued), "dns_queued", "DNS lookups waiting for their turn."},

    {"policy_fetches_total", COUNTER, ONE(sts.fetches), "sts_fetches", "MTA-STS policy fetches."},
    {"policy_fetch_failures_total", COUNTER, EACH(sts.by_failure, "kind", of_fetch),
     "sts_fetch_failures", "Fetches that gave no policy, by kind."},
    {NULL, COUNTER, ONE(sts.fetch_failures), "sts_fetch_failures", NULL},
    {"policies", GAUGE, ONE(sts.entries), "sts_policies", "MTA-STS policies and failures cached."},

    {"probes_total", COUNTER, ONE(probes.probes), "probes", "Connections to mail hosts."},
    {"probe_results_total", COUNTER, EACH(probes.by_state, "result", of_starttls), "probes",
     "Probes of mail hosts, by what they saw."},
    {"probe_failures_total", COUNTER, EACH(probes.by_failure, "kind", of_smtp), "probe_failures",
     "Probes of mail hosts that did not complete STARTTLS, by kind."},
    {"probes_in_flight", GAUGE, ONE(probes.in_flight), "probes_in_flight", "Probes under way."},
    {"probes_queued", GAUGE, ONE(probes.queued), "probes_queued", "Probes waiting for their turn."},
    {"probe_entries", GAUGE, ONE(probes.entries), "probe_results", "Probe results cached."},

    {"held_domains", GAUGE, ONE(cache.held), "held",
     "Next-hops held at their proven level although they show less now."},
    {"holds_begun_total", COUNTER, EACH(cache.holds_begun, "by", of_origin), NULL,
     "Holds begun by a lookup, or restored from the store or an export."},
    {NULL, COUNTER, ONE(holds_begun), "holds_begun", NULL},
    {NULL, COUNTER, ONE(cache.holds_begun[HOLD_LOADED]), "holds_restored", NULL},
    {"holds_ended_total", COUNTER, ONE(cache.holds_ended), "holds_ended", "Holds ended."},

    {"store_enabled", GAUGE, ONE(has_store), NULL, "1 when there is a store."},
    {"store_degraded", GAUGE, ONE(store.degraded), "store_degraded",
     "1 when the store cannot be written, and memory is all there is."},
    {"store_pending", GAUGE, ONE(store.pending), "store_pending", "Records waiting to be written."},
    {"store_written_total", COUNTER, ONE(store.written), "store_written", "Records written."},
    {"store_write_errors_total", COUNTER, ONE(store.write_failures), "store_write_failures",
     "Batches that could not be written."},
    {"store_dropped_total", COUNTER, ONE(store.dropped), "store_dropped",
     "Records dropped because the queue was full."},
    {"store_reads_total", COUNTER, ONE(store.finds), "store_finds",
     "Keys looked for in the store."},
    {"store_reads_late_total", COUNTER, ONE(store.finds_late), "store_finds_late",
     "Of these, not found in time."},
    {"store_rejected_total", COUNTER, ONE(store.rejected), "store_rejected",
     "Records in the store that failed their checks."},
    {"store_restored_total", COUNTER, ONE(cache.restored), "restored",
     "Records loaded from the store or an import."},
    {"share_enabled", GAUGE, ONE(has_share), NULL, "1 when there is a share."},
    {"share_ready", GAUGE, ONE(share.ready), "share_ready",
     "1 when the share can be used; else each relay goes on alone."},
    {"share_connected_seconds", GAUGE, SHIFTED(share.connected_ms, 3), "share_connected_ms",
     "Since when the share can be used; 0: it cannot."},
    {"share_news_ready", GAUGE, ONE(share.news_ready), "share_news_ready",
     "1 when the news of the other relays come."},
    {"share_news_behind_seconds", GAUGE, SHIFTED(share.behind_ms, 3), "share_news_behind_ms",
     "Age of the last news, while this relay has not taken them."},
    {"share_clock_skew_seconds", GAUGE, SHIFTED(share.skew_abs_ms, 3), "share_clock_skew_ms",
     "Between the clock of this host and that of the share's server."},
    {"share_relays", GAUGE, ONE(share.relays), "share_relays",
     "Relays heard of within a minute, this one included."},
    {"share_relays_differing", GAUGE, ONE(share.differing), "share_relays_differing",
     "Of these, relays that differ from this one in version, rules, settings, mode or rollout."},
    {"share_pending", GAUGE, ONE(share.pending), "share_pending",
     "Records on their way to the share."},
    {"share_reads_total", COUNTER, ONE(share.finds), "share_finds",
     "Keys and probe results looked for in the share."},
    {"share_hits_total", COUNTER, ONE(share.found), "share_found", "Of these, found there."},
    {"share_reads_late_total", COUNTER, ONE(share.finds_late), "share_finds_late",
     "Of these, not answered within share-deadline."},
    {"share_written_total", COUNTER, ONE(share.puts), "share_written", "Records put there."},
    {"share_conflicts_total", COUNTER, ONE(share.conflicts), "share_conflicts",
     "Records that another relay wrote at the same time; joined with it and tried again."},
    {"share_write_errors_total", COUNTER, ONE(share.failures), "share_write_failures",
     "Records that could not be put, and are put again later."},
    {"share_dropped_total", COUNTER, ONE(share.dropped), "share_dropped",
     "Records that found no room on their way, and are put again later."},
    {"share_rejected_total", COUNTER, ONE(share.refused), "share_rejected",
     "Values in the share that no relay of the farm has written."},
    {"share_waits_total", COUNTER, ONE(share.waits), "share_waits",
     "Lookups that waited for another relay's."},
    {"share_news_sent_total", COUNTER, ONE(share.news_sent), "share_news_sent",
     "News sent to the other relays."},
    {"share_news_taken_total", COUNTER, ONE(share.news_taken), "share_news_taken",
     "News of other relays."},
    {"share_emptied_total", COUNTER, ONE(share.emptied), "share_emptied",
     "Times that the share had lost what it had."},

    {"refreshes_total", COUNTER, ONE(refresh.started), "refreshes",
     "Entries looked up again before they expire."},
    {"refreshes_running", GAUGE, ONE(jobs.refreshing), "refreshes_running",
     "Of these lookups, under way or waiting."},
    {"refreshes_lapsed_total", COUNTER, ONE(refresh.lapsed), "refreshes_lapsed",
     "Entries left to expire, because nobody asks for them."},
    {"refresh_lag_seconds", GAUGE, SHIFTED(refresh.overdue_ms, 3), NULL,
     "How overdue the next refresh is."},
    {NULL, GAUGE, ONE(refresh.overdue_ms), "refresh_overdue_ms", NULL},
    {NULL, GAUGE, ONE(refresh.lag_ms), "refresh_lag_ms", NULL},

    {"connections", GAUGE, ONE(server.connections), "connections", "Connections of Postfix."},
    {"connections_accepted_total", COUNTER, ONE(server.accepted), "connections_accepted",
     "Connections accepted."},
    {"connections_not_accepted_total", COUNTER, ONE(server.not_accepted),
     "connections_not_accepted",
     "Connections that were refused for lack of descriptors or memory."},
    {"connections_closed_total", COUNTER, EACH(server.closed, "why", of_closed), NULL,
     "Connections closed by this side; yielded: an idle one made room for another."},
    {NULL, COUNTER, ONE(server.closed[SERVER_YIELDED]), "connections_yielded", NULL},
    {NULL, COUNTER, ONE(server.closed[SERVER_TIMED_OUT]), "connections_timed_out", NULL},
    {NULL, COUNTER, ONE(server.closed[SERVER_NOT_PROTOCOL]), "connections_not_the_protocol", NULL},
};

const struct metrics_family *metrics_family_at(size_t index)
{
    return index < sizeof families / sizeof families[0] ? &families[index] : NULL;
}

uint64_t metrics_number(const struct metrics_family *family, const struct metrics_numbers *numbers,
                        unsigned index)
{
    const char *from = (const char *)numbers + family->offset + index * family->size;
    uint64_t wide;
    uint32_t narrow;
    bool flag;

    if (family->size == sizeof wide)
        return memcpy(&wide, from, sizeof wide), wide;
    if (family->size == sizeof narrow)
        return memcpy(&narrow, from, sizeof narrow), narrow;
    return memcpy(&flag, from, sizeof flag), flag;
}

/* ---- the numbers ---- */

void metrics_gather(struct metrics_numbers *out, struct engine *engine, const struct server *server)
{
    const struct ruleset *ruleset = engine->ruleset;
    const struct domain_tools *tools = &engine->tools;
    struct cache *cache = engine->cache;
    const struct store *store = cache->store;

    memset(out, 0, sizeof *out);
    out->build[0] = 1;
    out->mode[ruleset->options.monitor ? METRICS_MONITOR : METRICS_ENFORCE] = true;
    out->rollout = ruleset->options.rollout;
    out->rules = ruleset->rules != NULL ? rules_count(ruleset->rules) : 0;
    lists_get_stats(ruleset->lists, &out->lists);
    out->log_lost = log_lines_lost();
    out->engine = engine->stats;
    out->cache_misses = out->engine.lookups - out->engine.cache_hits - out->engine.not_looked_up;
    cache_map_get_stats(cache->map, &out->map);
    jobs_get_stats(engine->jobs, &out->jobs);
    refresh_get_stats(engine->refresh, &out->refresh);
    server_get_stats(server, &out->server);
    out->answers[METRICS_AT_ONCE] = out->server.at_once;
    out->answers[METRICS_AFTER_LOOKUP] = out->server.after_lookup;
    dns_get_stats(tools->dns, &out->dns);
    if (tools->sts != NULL)
        sts_get_stats(tools->sts, &out->sts);
    if (tools->probes != NULL)
        probe_cache_get_stats(tools->probes, &out->probes);
    cache_get_stats(cache, &out->cache);
    for (int origin = 0; origin < HOLD_ORIGINS; origin++)
        out->holds_begun += out->cache.holds_begun[origin];
    out->has_store = store != NULL;
    if (store != NULL)
        store_get_stats(store, &out->store);
    out->store.pending += out->cache.noting;
    out->has_share = cache->share != NULL;
    if (cache->share != NULL)
        share_get_stats(cache->share, &out->share);
}

/* ---- as text for Prometheus ---- */

static const char *const kinds[] = {
    [METRICS_COUNTER] = "counter", [METRICS_GAUGE] = "gauge", [METRICS_HISTOGRAM] = "histogram"};

static void write_value(struct buf *out, uint64_t value, unsigned decimals)
{
    uint64_t unit = 1;

    for (unsigned i = 0; i < decimals; i++)
        unit *= 10;
    buf_addf(out, " %" PRIu64, value / unit);
    if (decimals > 0)
        buf_addf(out, ".%0*" PRIu64, (int)decimals, value % unit);
    buf_adds(out, "\n");
}

static void write_number(struct buf *out, const struct metrics_family *family,
                         const struct metrics_numbers *numbers, unsigned index)
{
    buf_addf(out, "mxcryptd_%s", family->name);
    if (family->label != NULL)
        buf_addf(out, "{%s=\"%s\"}", family->label, family->value(index));
    write_value(out, metrics_number(family, numbers, index), family->decimals);
}

static void write_histogram(struct buf *out, const struct metrics_family *family,
                            const struct metrics_numbers *numbers, unsigned index)
{
    const char *label = family->label, *value = family->value(index);
    struct histogram histogram;
    uint64_t count = 0;

    memcpy(&histogram, (const char *)numbers + family->offset + index * family->size,
           sizeof histogram);
    for (unsigned bucket = 0; bucket <= HISTOGRAM_BOUNDS; bucket++) {
        count += histogram.buckets[bucket];
        buf_addf(out, "mxcryptd_%s_bucket{%s=\"%s\",le=\"%s\"} %" PRIu64 "\n", family->name, label,
                 value, histogram_bound(bucket), count);
    }
    buf_addf(out, "mxcryptd_%s_sum{%s=\"%s\"}", family->name, label, value);
    write_value(out, histogram.sum_ns, 9);
    buf_addf(out, "mxcryptd_%s_count{%s=\"%s\"} %" PRIu64 "\n", family->name, label, value, count);
}

void metrics_text_write(struct buf *out, const struct metrics_numbers *numbers)
{
    const struct metrics_family *family;

    for (size_t i = 0; (family = metrics_family_at(i)) != NULL; i++) {
        if (family->name == NULL)
            continue;
        buf_addf(out, "# HELP mxcryptd_%s %s\n# TYPE mxcryptd_%s %s\n", family->name, family->help,
                 family->name, kinds[family->kind]);
        for (unsigned j = 0; j < family->count; j++)
            (family->kind == METRICS_HISTOGRAM ? write_histogram : write_number)(out, family,
                                                                                 numbers, j);
    }
}
