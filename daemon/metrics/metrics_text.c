/*
 * metrics_text: see metrics_text.h. The table is the only list of families; docs/mxcryptd.8 has
 * them too, and tests/manual.sh compares. Fails as a struct buf does.
 */
#include "daemon/metrics/metrics_text.h"

#include <inttypes.h>
#include <string.h>

#include "policy/report/report.h"

enum kind { COUNTER, GAUGE, HISTOGRAM };

struct family {
    const char *name;
    enum kind kind;
    size_t offset, size; /* of the number, of the first of an array, or of the first histogram */
    unsigned count;      /* numbers with a label; 1 */
    const char *label;   /* NULL: none */
    const char *(*value)(unsigned index); /* of the label */
    unsigned decimals; /* of an integer: 3 for milliseconds to be told in seconds */
    const char *help;
};

/* ---- the values of labels ---- */

static const char *of_version(unsigned index)
{
    (void)index;
    return MXC_VERSION;
}

static const char *of_mode(unsigned index)
{
    return index == METRICS_MONITOR ? "monitor" : "enforce";
}

static const char *of_level(unsigned index)
{
    return verdict_level_name((enum verdict_level)index);
}

static const char *of_reason(unsigned index)
{
    return verdict_reason_code((enum verdict_reason)index);
}

static const char *of_final(unsigned index)
{
    return final_reason_code((enum final_reason)index);
}

static const char *of_answered(unsigned index)
{
    return index == METRICS_AT_ONCE ? "at-once" : "after-lookup";
}

static const char *of_closed(unsigned index)
{
    static const char *const names[] = {[METRICS_YIELDED] = "yielded",
                                        [METRICS_TIMED_OUT] = "timed-out",
                                        [METRICS_NOT_PROTOCOL] = "not-the-protocol"};

    return names[index];
}

static const char *of_hold_origin(unsigned index)
{
    return index == HOLD_FOUND ? "lookup" : "restored";
}

static const char *of_starttls(unsigned index)
{
    return report_starttls_name((enum starttls)index);
}

static const char *of_dns(unsigned index)
{
    return dns_failure_name((enum dns_failure)index);
}

static const char *of_fetch(unsigned index)
{
    return fetch_failure_name((enum fetch_failure)index);
}

static const char *of_smtp(unsigned index)
{
    return smtp_failure_name((enum smtp_failure)index);
}

/* ---- the families ---- */

#define MEMBER(member) ((struct metrics_numbers *)0)->member
#define ONE(member)                                                                                \
    offsetof(struct metrics_numbers, member), sizeof(MEMBER(member)), 1, NULL, NULL, 0
#define SHIFTED(member, decimals)                                                                  \
    offsetof(struct metrics_numbers, member), sizeof(MEMBER(member)), 1, NULL, NULL, decimals
#define EACH(member, label, value)                                                                 \
    offsetof(struct metrics_numbers, member), sizeof(MEMBER(member)[0]),                           \
        sizeof(MEMBER(member)) / sizeof(MEMBER(member)[0]), label, value, 0

static const struct family families[] = {
    {"build_info", GAUGE, EACH(build, "version", of_version), "Always 1; the version of mxcryptd."},
    {"start_time_seconds", GAUGE, ONE(started_at_s),
     "When mxcryptd started, in seconds since 1970."},
    {"mode", GAUGE, EACH(mode, "mode", of_mode), "1 for the mode in force."},
    {"rollout_ratio", GAUGE, SHIFTED(rollout, 2), "Share of next-hops that are enforced, 0 to 1."},
    {"rules", GAUGE, ONE(rules), "Rules in force."},
    {"log_lines_lost_total", COUNTER, ONE(log_lost),
     "Log lines lost because their reader was too slow."},

    {"lookups_total", COUNTER, ONE(engine.lookups), "Keys asked for, by Postfix and by mxcrypt."},
    {"lookups_waited_total", COUNTER, ONE(engine.waits), "Keys whose lookup somebody waited for."},
    {"lookups_not_needed_total", COUNTER, ONE(engine.not_looked_up),
     "Keys answered without cache and lookup: parents, paths, rules that say it all."},
    {"answers_total", COUNTER, EACH(engine.by_level, "level", of_level),
     "Answers given, by the level that Postfix was told."},
    {"answers_found_total", COUNTER, EACH(engine.by_reason, "reason", of_reason),
     "Of these, answers that are what was found out, by its reason."},
    {"answers_ruled_total", COUNTER, EACH(engine.by_final_reason, "outcome", of_final),
     "Answers given, by what rules, mode and rollout made of what was found out."},
    {"answers_withheld_total", COUNTER, EACH(engine.withheld_by_level, "level", of_level),
     "Answers held back by rules, mode or rollout, by the level found out."},
    {"answer_duration_seconds", HISTOGRAM, EACH(answers, "answered", of_answered),
     "From the arrival of a request to its reply being handed to the kernel."},

    {"cache_hits_total", COUNTER, ONE(engine.cache_hits), "Keys answered from the cache."},
    {"cache_misses_total", COUNTER, ONE(cache_misses),
     "Keys that were not, or no longer, in the cache."},
    {"cache_entries", GAUGE, ONE(map.entries), "Findings in the cache."},
    {"cache_negative_entries", GAUGE, ONE(map.negative_entries),
     "Of these, entries without an opinion, or TEMP."},
    {"cache_bytes", GAUGE, ONE(map.octets), "Memory of the entries in the cache."},
    {"cache_evictions_total", COUNTER, ONE(map.evictions),
     "Findings that had to go for want of room."},

    {"jobs_running", GAUGE, ONE(jobs.running), "Lookups under way."},
    {"jobs_waiting", GAUGE, ONE(jobs.waiting), "Lookups that wait for their turn."},
    {"jobs_started_total", COUNTER, ONE(jobs.started), "Lookups begun."},
    {"jobs_early_total", COUNTER, ONE(jobs.provisional),
     "Lookups whose answer was certain before they ended."},
    {"jobs_remembered_total", COUNTER, ONE(jobs.remembered),
     "Lookups answered from what was remembered, because they took long."},
    {"jobs_answer_deadlines_total", COUNTER, ONE(jobs.answer_deadlines),
     "Questions answered at answer-deadline, with what was known by then."},
    {"jobs_deadlines_total", COUNTER, ONE(jobs.deadlines), "Lookups cut off by job-deadline."},
    {"jobs_overloads_total", COUNTER, ONE(jobs.overloads),
     "Lookups refused because too many waited."},

    {"dns_queries_total", COUNTER, ONE(dns.queries), "DNS lookups."},
    {"dns_failures_total", COUNTER, EACH(dns.by_failure, "kind", of_dns),
     "DNS lookups that got no answer, by kind."},
    {"dns_timeouts_total", COUNTER, ONE(dns.timeouts),
     "Tries of DNS lookups that timed out; a later try may have helped."},
    {"dns_retransmissions_total", COUNTER, ONE(dns.retransmissions),
     "Tries of DNS lookups after the first."},
    {"dns_tcp_total", COUNTER, ONE(dns.tcp), "DNS lookups continued by TCP."},
    {"dns_mismatches_total", COUNTER, ONE(dns.mismatches),
     "Packets that did not belong to the question: late, or spoofed."},
    {"dns_in_flight", GAUGE, ONE(dns.in_flight), "DNS lookups under way."},
    {"dns_queued", GAUGE, ONE(dns.queued), "DNS lookups that wait for their turn."},

    {"policy_fetches_total", COUNTER, ONE(sts.fetches), "MTA-STS policies fetched, or tried to."},
    {"policy_fetch_failures_total", COUNTER, EACH(sts.by_failure, "kind", of_fetch),
     "Fetches that gave no policy, by kind."},
    {"policies", GAUGE, ONE(sts.entries), "MTA-STS policies and failures remembered."},

    {"probes_total", COUNTER, ONE(probes.probes), "Connections to mail hosts."},
    {"probe_results_total", COUNTER, EACH(probes.by_state, "result", of_starttls),
     "Probes of mail hosts, by what they saw."},
    {"probe_failures_total", COUNTER, EACH(probes.by_failure, "kind", of_smtp),
     "Probes of mail hosts that saw no STARTTLS through, by kind."},
    {"probes_in_flight", GAUGE, ONE(probes.in_flight), "Probes under way."},
    {"probes_queued", GAUGE, ONE(probes.queued), "Probes that wait for their turn."},
    {"probe_entries", GAUGE, ONE(probes.entries), "Results of probes remembered."},

    {"held_domains", GAUGE, ONE(cache.held),
     "Next-hops whose proven level is kept although they show less."},
    {"holds_begun_total", COUNTER, EACH(cache.holds_begun, "by", of_hold_origin),
     "Holds begun by a lookup, or restored from the store or an export."},
    {"holds_ended_total", COUNTER, ONE(cache.holds_ended), "Holds ended."},

    {"store_enabled", GAUGE, ONE(has_store), "1 when there is a store."},
    {"store_degraded", GAUGE, ONE(store.degraded),
     "1 when the store cannot be written, and memory is all there is."},
    {"store_pending", GAUGE, ONE(store.pending), "Records that wait to be written."},
    {"store_written_total", COUNTER, ONE(store.written), "Records written."},
    {"store_write_errors_total", COUNTER, ONE(store.write_failures),
     "Batches that could not be written."},
    {"store_dropped_total", COUNTER, ONE(store.dropped), "Records lost for want of room."},
    {"store_reads_total", COUNTER, ONE(store.finds), "Keys looked for in the store."},
    {"store_reads_late_total", COUNTER, ONE(store.finds_late), "Of these, not found in time."},
    {"store_rejected_total", COUNTER, ONE(store.rejected),
     "Records in the store that failed their checks."},
    {"store_restored_total", COUNTER, ONE(cache.restored),
     "Records taken in from the store or an import."},

    {"refreshes_total", COUNTER, ONE(refresh.started),
     "Findings looked up again before their end."},
    {"refreshes_running", GAUGE, ONE(jobs.refreshing), "Of these lookups, under way or waiting."},
    {"refreshes_lapsed_total", COUNTER, ONE(refresh.lapsed),
     "Findings let go, because nobody asks for them."},
    {"refresh_lag_seconds", GAUGE, SHIFTED(refresh.overdue_ms, 3),
     "How overdue the entry is that should be looked up next."},

    {"connections", GAUGE, ONE(server.connections), "Connections of Postfix."},
    {"connections_accepted_total", COUNTER, ONE(server.accepted), "Connections accepted."},
    {"connections_not_accepted_total", COUNTER, ONE(server.not_accepted),
     "Connections that were refused for lack of descriptors or memory."},
    {"connections_closed_total", COUNTER, EACH(closed, "why", of_closed),
     "Connections closed by this side: yielded is idle, for another."},
};

#define FAMILIES (sizeof families / sizeof families[0])

const char *metrics_text_family(size_t index)
{
    return index < FAMILIES ? families[index].name : NULL;
}

/* ---- writing ---- */

static uint64_t number(const void *from, size_t size)
{
    uint64_t wide;
    uint32_t narrow;
    bool flag;

    if (size == sizeof wide)
        return memcpy(&wide, from, sizeof wide), wide;
    if (size == sizeof narrow)
        return memcpy(&narrow, from, sizeof narrow), narrow;
    return memcpy(&flag, from, sizeof flag), flag;
}

static void write_head(struct buf *out, const struct family *family)
{
    static const char *const kinds[] = {
        [COUNTER] = "counter", [GAUGE] = "gauge", [HISTOGRAM] = "histogram"};

    buf_addf(out, "# HELP mxcryptd_%s %s\n# TYPE mxcryptd_%s %s\n", family->name, family->help,
             family->name, kinds[family->kind]);
}

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

static void write_sample(struct buf *out, const struct family *family, const char *base,
                         unsigned index)
{
    uint64_t value = number(base + family->offset + index * family->size, family->size);

    buf_addf(out, "mxcryptd_%s", family->name);
    if (family->label != NULL)
        buf_addf(out, "{%s=\"%s\"}", family->label, family->value(index));
    write_value(out, value, family->decimals);
}

static void write_histogram(struct buf *out, const struct family *family, const char *base,
                            unsigned index)
{
    const char *label = family->label, *value = family->value(index);
    struct histogram histogram;
    uint64_t count = 0;

    memcpy(&histogram, base + family->offset + index * family->size, sizeof histogram);
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
    const char *base = (const char *)numbers;

    for (size_t i = 0; i < FAMILIES; i++) {
        const struct family *family = &families[i];

        write_head(out, family);
        for (unsigned j = 0; j < family->count; j++)
            (family->kind == HISTOGRAM ? write_histogram : write_sample)(out, family, base, j);
    }
}
