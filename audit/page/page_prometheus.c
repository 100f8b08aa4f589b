/*
 * page_prometheus: a textfile for node_exporter; see page.h and mxcrypt(1), AUDIT.
 *
 * The figures are of a period, not of a process: they are gauges. No label holds a name from the
 * log: otherwise strangers could create any number of time series, by sending mail, and Prometheus
 * would keep them. The page and the JSON name domains.
 */
#include <inttypes.h>

#include "audit/page/page_facts.h"

#define PREFIX "mxcrypt_audit_"

static void family(FILE *out, const char *name, const char *help)
{
    fprintf(out, "# HELP " PREFIX "%s %s\n# TYPE " PREFIX "%s gauge\n", name, help, name);
}

static void one(FILE *out, const char *name, uint64_t value, const char *help)
{
    family(out, name, help);
    fprintf(out, PREFIX "%s %" PRIu64 "\n", name, value);
}

static void sample(FILE *out, const char *name, const char *label, const char *word, uint64_t value)
{
    fprintf(out, PREFIX "%s{%s=\"%s\"} %" PRIu64 "\n", name, label, word, value);
}

static void write_counts(FILE *out, const struct tally *tally)
{
    one(out, "messages", tally->total.messages, "Messages of the period.");
    one(out, "recipients", tally->total.recipients, "Recipients of the messages of the period.");
    one(out, "domains", page_domain_count(tally), "Next-hop domains of the period.");
    one(out, "sent_bytes", tally->total.octets, "Octets sent, once for each recipient.");
    family(out, "deliveries", "Delivery attempts of the period by status, one for each recipient.");
    for (int i = 0; i < TALLY_STATUS_COUNT; i++)
        sample(out, "deliveries", "status", tally_status_name((enum tally_status)i),
               tally->total.statuses[i]);
    family(out, "sent", "Deliveries with status sent, by level of TLS.");
    for (int i = 0; i < TALLY_LEVEL_COUNT; i++)
        sample(out, "sent", "level", tally_level_name((enum tally_level)i), tally->total.levels[i]);
    family(out, "sent_encrypted", "Deliveries with status sent, by version of TLS.");
    for (int i = 0; i < TALLY_PROTOCOL_COUNT; i++)
        sample(out, "sent_encrypted", "protocol", tally_protocol_name((enum tally_protocol)i),
               tally->total.protocols[i]);
}

static void write_failures(FILE *out, const struct tally *tally)
{
    struct page_waits waits;

    page_waits(&waits, tally);
    family(out, "tls_deferred", "Deliveries deferred because of TLS, by cause.");
    for (int i = 0; i < TALLY_CAUSE_COUNT; i++)
        sample(out, "tls_deferred", "cause", tally_cause_name((enum tally_cause)i),
               tally->causes[i]);
    family(out, "tls_bounced", "Deliveries bounced because of TLS, by cause.");
    for (int i = 0; i < TALLY_CAUSE_COUNT; i++)
        sample(out, "tls_bounced", "cause", tally_cause_name((enum tally_cause)i),
               tally->causes_bounced[i]);
    family(out, "tls_delayed_recipients",
           "Recipients for whom mail waited because of TLS, by what ended it.");
    sample(out, "tls_delayed_recipients", "end", "sent", waits.sent);
    sample(out, "tls_delayed_recipients", "end", "gave-up", waits.gave_up);
    sample(out, "tls_delayed_recipients", "end", "deleted", waits.deleted);
    sample(out, "tls_delayed_recipients", "end", "none", waits.waiting);
    one(out, "tls_delay_max_seconds", waits.longest_s,
        "Longest time that mail waited because of TLS, of what does not wait any more.");
}

static void write_verdicts(FILE *out, const struct judged *judged)
{
    family(out, "verdict_messages", "Messages of the period by the present verdict of the domain.");
    for (int i = 0; i <= VERDICT_TEMP; i++)
        sample(out, "verdict_messages", "verdict", verdict_level_name((enum verdict_level)i),
               judged->messages_by_level[i]);
    sample(out, "verdict_messages", "verdict", "unknown", judged->messages_unjudged);
    family(out, "verdict_domains", "Domains of the period by their present verdict.");
    for (int i = 0; i <= VERDICT_TEMP; i++)
        sample(out, "verdict_domains", "verdict", verdict_level_name((enum verdict_level)i),
               judged->domains_by_level[i]);
    sample(out, "verdict_domains", "verdict", "unknown", judged->domains_unjudged);
}

static void write_queue(FILE *out, const struct judged *judged)
{
    family(out, "queue_recipients", "Recipients that wait in the queue now, by cause.");
    for (int i = 0; i < TALLY_CAUSE_COUNT; i++)
        sample(out, "queue_recipients", "cause", tally_cause_name((enum tally_cause)i),
               judged->waiting_by_cause[i]);
    sample(out, "queue_recipients", "cause", "other", judged->waiting_by_cause[TALLY_NO_CAUSE]);
}

static void write_times(FILE *out, const struct page *page)
{
    const struct tally *tally = page->tally;

    one(out, "period_start_timestamp_seconds", (uint64_t)tally->from,
        "First log line of the period, 0 without one.");
    one(out, "period_end_timestamp_seconds", (uint64_t)tally->to,
        "Last log line of the period, 0 without one.");
    one(out, "written_timestamp_seconds", (uint64_t)page->now, "When this file was written.");
    one(out, "log_lines", tally->lines, "Lines read.");
    one(out, "log_lines_unread", tally->lines_unread, "Lines of no form that is known.");
    one(out, "log_lines_suppressed", tally->suppressed,
        "Lines that the log daemon dropped, as it says itself.");
}

bool page_prometheus(FILE *out, const struct page *page)
{
    write_counts(out, page->tally);
    write_failures(out, page->tally);
    if (page->judged != NULL && page->judged->asked)
        write_verdicts(out, page->judged);
    if (page->judged != NULL && page->judged->queue_read)
        write_queue(out, page->judged);
    write_times(out, page);
    return fflush(out) == 0 && !ferror(out);
}
