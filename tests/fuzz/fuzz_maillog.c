/*
 * fuzz_maillog: any octets as a mail log, through stamps, lines and attribution into a tally with
 * small limits. Whatever a log says, the figures agree with each other, memory keeps its bounds,
 * and every name and text is printable.
 */
#include <stdlib.h>
#include <string.h>

#include "audit/line.h"
#include "audit/stamp.h"
#include "audit/tally.h"
#include "audit/tlsrpt/tlsrpt_report.h"
#include "audit/track.h"
#include "base/check.h"

#define NEWEST INT64_C(1795824000) /* 2026-11-28 */

static const struct tally_limits limits = {6, 5, 4};

static uint64_t sum(const uint32_t *values, size_t count)
{
    uint64_t all = 0;

    for (size_t i = 0; i < count; i++)
        all += values[i];
    return all;
}

static void check_printable(const char *text, size_t longest)
{
    CHECK(text == NULL || strlen(text) <= longest);
    for (; text != NULL && *text != '\0'; text++)
        CHECK(*text >= ' ' && *text <= '~');
}

/* Each delivery that was sent has one level, and one protocol at most. */
static void check_figures(const uint32_t statuses[], const uint32_t levels[],
                          const uint32_t tls_failed[2])
{
    CHECK(sum(levels, TALLY_LEVEL_COUNT) == statuses[TALLY_SENT]);
    CHECK(tls_failed[0] <= statuses[TALLY_DEFERRED]);
    CHECK(tls_failed[1] <= statuses[TALLY_BOUNCED]);
}

static void check_domain(const struct tally_domain *domain)
{
    check_figures(domain->statuses, domain->levels,
                  (const uint32_t[]){domain->tls_deferred, domain->tls_bounced});
    CHECK(sum(domain->protocols, TALLY_PROTOCOL_COUNT) <= domain->statuses[TALLY_SENT]);
    check_printable(domain->name, TALLY_NAME_MAX);
}

/* Each message has a recipient: by domain, where a next-hop is known by its recipients alone. */
static void check_messages(const struct tally *tally)
{
    for (uint32_t i = 0; i < tally->domain_count; i++)
        CHECK(tally->domains[i].messages <= tally->domains[i].recipients);
    CHECK(tally->total.messages <= tally->total.recipients);
}

static void check_troubles(const struct tally *tally)
{
    for (uint32_t i = 0; i < tally->trouble_count; i++) {
        const struct tally_trouble *trouble = &tally->troubles[i];

        CHECK(trouble->domain < tally->domain_count && trouble->host < tally->host_count);
        CHECK(trouble->cause < TALLY_CAUSE_COUNT);
        CHECK(trouble->first_at <= trouble->last_at);
        CHECK((uint64_t)trouble->sent + trouble->gave_up + trouble->deleted <= trouble->recipients);
        CHECK(trouble->recipients <= (uint64_t)trouble->deferred + trouble->bounced);
        check_printable(trouble->text, SIZE_MAX);
    }
}

/* The same deliveries by domain, by host and by day are those in all. */
static void check_sums(const struct tally *tally)
{
    uint64_t domains[TALLY_STATUS_COUNT] = {0}, hosts[TALLY_STATUS_COUNT] = {0};
    uint64_t days[TALLY_STATUS_COUNT] = {0}, octets = 0;

    for (int status = 0; status < TALLY_STATUS_COUNT; status++) {
        for (uint32_t i = 0; i < tally->domain_count; i++)
            domains[status] += tally->domains[i].statuses[status];
        for (uint32_t i = 0; i < tally->host_count; i++)
            hosts[status] += tally->hosts[i].statuses[status];
        for (uint32_t i = 0; i < tally->day_count; i++)
            days[status] += tally->days[i].statuses[status];
        CHECK(domains[status] == tally->total.statuses[status]);
        CHECK(hosts[status] <= tally->total.statuses[status]);
        CHECK(days[status] <= tally->total.statuses[status]);
    }
    for (uint32_t i = 0; i < tally->domain_count; i++)
        octets += tally->domains[i].octets;
    CHECK(octets == tally->total.octets);
    CHECK(sum(tally->causes, TALLY_CAUSE_COUNT) == tally->total.tls_deferred);
    CHECK(sum(tally->causes_bounced, TALLY_CAUSE_COUNT) == tally->total.tls_bounced);
}

static void check_tally(const struct tally *tally)
{
    CHECK(tally->domain_count <= limits.domains + 1 && tally->host_count <= limits.hosts + 1 &&
          tally->trouble_count <= limits.troubles + 1);
    for (uint32_t i = 0; i < tally->domain_count; i++)
        check_domain(&tally->domains[i]);
    for (uint32_t i = 0; i < tally->host_count; i++) {
        const struct tally_host *host = &tally->hosts[i];

        check_figures(host->statuses, host->levels,
                      (const uint32_t[]){host->tls_deferred, host->tls_bounced});
        check_printable(host->name, TALLY_NAME_MAX);
    }
    for (uint32_t i = 0; i < tally->day_count; i++) {
        const struct tally_day *day = &tally->days[i];

        check_figures(day->statuses, day->levels,
                      (const uint32_t[]){day->tls_deferred, day->tls_bounced});
        CHECK(i == 0 || tally->days[i - 1].at < day->at);
    }
    check_domain(&tally->total);
    check_troubles(tally);
    check_sums(tally);
    CHECK(tally->from <= tally->to);
}

/* Every part of a line lies within it. */
static void check_span(struct span part, const char *text, size_t length)
{
    CHECK(part.length == 0 || (part.text >= text && part.text + part.length <= text + length));
}

static void check_delivery(const struct line *line, const char *text, size_t length)
{
    char name[TALLY_NAME_MAX + 1];
    size_t named = line_nexthop(name, line->domain);

    check_span(line->relay, text, length);
    check_span(line->relay_host, text, length);
    check_span(line->recipient, text, length);
    check_span(line->domain, text, length);
    check_span(line->tls, text, length);
    check_span(line->setup, text, length);
    check_span(line->reason, text, length);
    CHECK(named <= TALLY_NAME_MAX && (named == 0 || strlen(name) == named));
    CHECK(line->status < TALLY_STATUS_COUNT);
    CHECK(cause_of(line->reason) <= TALLY_NO_CAUSE);
}

/* What a kind of line has. */
static void check_line(const struct line *line, const char *text, size_t length)
{
    if (line->kind == LINE_UNREAD)
        return;
    check_span(line->host, text, length);
    check_span(line->program, text, length);
    if (line->kind == LINE_OTHER)
        return;
    check_span(line->instance, text, length);
    if (line->kind == LINE_DELIVERY)
        check_delivery(line, text, length);
    if (line->kind == LINE_SESSION) {
        check_span(line->relay, text, length);
        check_span(line->relay_host, text, length);
    } else if (line->kind == LINE_WHY) {
        check_span(line->reason, text, length);
    } else if (line->kind == LINE_SKIPPED) {
        check_span(line->reason, text, length);
        check_span(line->queue_id, text, length);
        CHECK(line->cause < TALLY_NO_CAUSE);
    } else if (line->kind != LINE_SUPPRESSED) {
        check_span(line->queue_id, text, length);
    }
    if (line->kind == LINE_REQUEUED)
        check_span(line->former_id, text, length);
    if (line->kind == LINE_RETURNED)
        check_span(line->recipient, text, length);
}

/* One line in memory of its own size, so that reading beyond it is seen. What is not set for a line
 * of its kind is garbage. */
static void one_line(struct track *track, struct stamp_reader *stamps, struct line_heads *heads,
                     const uint8_t *data, size_t length)
{
    char *text = malloc(length == 0 ? 1 : length);
    struct line line;
    int64_t at;
    size_t stamp;

    CHECK(text != NULL);
    memcpy(text, data, length);
    memset(&line, 0xa5, sizeof line);
    stamp = stamp_read(stamps, text, length, &at);
    CHECK(stamp <= length);
    line_read(heads, &line, text + stamp, length - stamp);
    check_line(&line, text + stamp, length - stamp);
    if (stamp > 0)
        track_line(track, &line, at);
    free(text);
}

/* ---- reports ---- */

/* The report of each domain can be made, and each of its policies has as many details as failures. */
static void check_reports(const struct sessions *sessions)
{
    static const struct tlsrpt_day day = {"Example",      "a@s.example", "s.example", "1",
                                          NEWEST - 86400, NEWEST,        NEWEST};
    size_t count, i, j;
    const struct session_domain *domains = sessions_domains(sessions, &count);
    const json_t *policy, *detail;

    for (size_t domain = 0; domain < count; domain++) {
        json_t *report = tlsrpt_report(&day, &domains[domain], NULL);

        json_array_foreach(json_object_get(report, "policies"), i, policy)
        {
            const json_t *summary = json_object_get(policy, "summary");
            json_int_t failures =
                json_integer_value(json_object_get(summary, "total-failure-session-count"));

            json_array_foreach(json_object_get(policy, "failure-details"), j, detail)
            {
                failures -= json_integer_value(json_object_get(detail, "failed-session-count"));
                check_printable(json_string_value(json_object_get(detail, "failure-reason-code")),
                                SESSIONS_TEXT_MAX);
                check_printable(json_string_value(json_object_get(detail, "receiving-mx-hostname")),
                                HOSTNAME_MAX);
            }
            CHECK(failures == 0);
        }
        json_decref(report);
    }
}

static void on_connection(void *context, const struct track_connection *connection)
{
    CHECK(connection->level < TALLY_UNKNOWN && connection->cause <= TALLY_NO_CAUSE);
    sessions_take(context, connection);
}

/* The first octet chooses: whether TLS is logged, a relayhost, a period. */
static struct track_options options_of(uint8_t choice)
{
    struct track_options options = {.tls_logged = choice & 1};

    if (choice & 2)
        options.relayhosts[options.relayhost_count++] = "[relay.example]:587";
    if (choice & 4)
        options.relayhosts[options.relayhost_count++] = "relay.example";
    if (choice & 8)
        options.since = NEWEST - 86400;
    if (choice & 16)
        options.until = NEWEST - 3600;
    return options;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct stamp_reader stamps = {0};
    struct line_heads heads = {0};
    struct track_options options = options_of(size > 0 ? data[0] : 0);
    struct sessions *sessions = sessions_new(NULL);
    struct tally *tally = tally_new(&limits);
    struct track *track;
    const uint8_t *end = data + size;

    options.on_connection = on_connection;
    options.context = sessions;
    track = track_new(tally, &options);
    CHECK(tally != NULL && track != NULL && sessions != NULL);
    setenv("TZ", "Europe/Berlin", 1);
    stamp_file(&stamps, NEWEST, NEWEST);
    for (data += size > 0; data < end;) {
        const uint8_t *stop = memchr(data, '\n', (size_t)(end - data));
        size_t length = (size_t)((stop == NULL ? end : stop) - data);

        one_line(track, &stamps, &heads, data, length);
        data += length < (size_t)(end - data) ? length + 1 : length;
    }
    track_finish(track);
    check_tally(tally);
    if (options.relayhost_count == 0)
        check_messages(tally);
    check_reports(sessions);
    track_free(track);
    tally_free(tally);
    sessions_free(sessions);
    return 0;
}
