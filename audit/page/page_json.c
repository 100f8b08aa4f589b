/*
 * page_json: the contract for scripts; see page.h and mxcrypt(1), AUDIT. docs/audit.schema.json is
 * its schema.
 *
 * Written member by member, and the long arrays element by element: memory does not grow with the
 * number of domains, but for their order. Without memory, or with a file that takes no more, the
 * rest is left out and the result is false.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "audit/page/page_facts.h"

struct json_page {
    FILE *out;
    const struct page *page;
    bool more;   /* a member was written */
    bool inside; /* of a row, too */
    bool failed;
};

/* ---- writing ---- */

static void write_value(struct json_page *json, const json_t *value)
{
    if (value == NULL || json_dumpf(value, json->out, JSON_COMPACT | JSON_ENCODE_ANY) != 0)
        json->failed = true;
}

static void begin_member(struct json_page *json, const char *name)
{
    fprintf(json->out, "%s\"%s\":", json->more ? ",\n" : "{", name);
    json->more = true;
}

/* `value`: a reference taken; NULL: no memory. */
static void member(struct json_page *json, const char *name, json_t *value)
{
    begin_member(json, name);
    write_value(json, value);
    json_decref(value);
}

static void member_number(struct json_page *json, const char *name, uint64_t number)
{
    member(json, name, json_integer((json_int_t)number));
}

/* An array, an element in each line. */
typedef json_t *json_element(const struct page *page, size_t index);
static void member_array(struct json_page *json, const char *name, size_t count, json_element *make)
{
    begin_member(json, name);
    fputc('[', json->out);
    for (size_t i = 0; i < count && !json->failed; i++) {
        json_t *element = make(json->page, i);

        fputs(i > 0 ? ",\n" : "\n", json->out);
        write_value(json, element);
        json_decref(element);
    }
    fputs(count > 0 ? "\n]" : "]", json->out);
}

/* ---- values ---- */

/* JSON holds nothing but UTF-8; what is not printable ASCII is escaped. NULL: null. */
static json_t *text_json(const char *text)
{
    char room[PAGE_TEXT_MAX];

    if (text == NULL)
        return json_null();
    return json_string(page_is_plain(text) ? text : page_printable(room, text));
}

static json_t *time_json(int64_t at)
{
    char room[PAGE_FIGURE_MAX];

    return at == 0 ? json_null() : json_string(page_utc(room, at));
}

static json_t *domain_json(const struct page *page, uint32_t index)
{
    return index == TALLY_OTHERS ? json_null() : text_json(page->tally->domains[index].name);
}

static json_t *host_json(const struct page *page, uint32_t index)
{
    return index == TALLY_OTHERS ? json_null() : text_json(page->tally->hosts[index].name);
}

static const char *cause_name(int cause)
{
    return tally_cause_name((enum tally_cause)cause);
}

static const char *status_name(int status)
{
    return tally_status_name((enum tally_status)status);
}

static const char *level_name(int level)
{
    return tally_level_name((enum tally_level)level);
}

static const char *protocol_name(int protocol)
{
    return tally_protocol_name((enum tally_protocol)protocol);
}

static const char *verdict_name(int level)
{
    return verdict_level_name((enum verdict_level)level);
}

static json_t *counts32_json(const uint32_t *counts, int count, const char *(*name)(int))
{
    json_t *object = json_object();

    for (int i = 0; i < count; i++)
        json_object_set_new(object, name(i), json_integer(counts[i]));
    return object;
}

/* As many as there are, and those that have none of them. */
static json_t *counts64_json(const uint64_t *counts, int count, const char *(*name)(int),
                             const char *rest, uint64_t others)
{
    json_t *object = json_object();

    for (int i = 0; i < count; i++)
        json_object_set_new(object, name(i), json_integer((json_int_t)counts[i]));
    json_object_set_new(object, rest, json_integer((json_int_t)others));
    return object;
}

/* ---- rows ---- */

/* A million of them must not take longer than reading the log: numbers are written here, strings by
 * jansson. */
static void row_member(struct json_page *json, const char *name)
{
    if (json->inside)
        putc_unlocked(',', json->out);
    putc_unlocked('"', json->out);
    fwrite_unlocked(name, 1, strlen(name), json->out);
    fwrite_unlocked("\":", 1, 2, json->out);
    json->inside = true;
}

static void row_begin(struct json_page *json)
{
    putc_unlocked('{', json->out);
    json->inside = false;
}

static void row_end(struct json_page *json)
{
    putc_unlocked('}', json->out);
    json->inside = true;
}

static void row_number(struct json_page *json, const char *name, uint64_t number)
{
    char digits[24], *at = digits + sizeof digits;

    do {
        *--at = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    row_member(json, name);
    fwrite_unlocked(at, 1, (size_t)(digits + sizeof digits - at), json->out);
}

/* `value`: a reference taken; NULL: no memory. */
static void row_value(struct json_page *json, const char *name, json_t *value)
{
    row_member(json, name);
    write_value(json, value);
    json_decref(value);
}

static void row_statuses(struct json_page *json, const uint32_t statuses[TALLY_STATUS_COUNT])
{
    row_member(json, "statuses");
    row_begin(json);
    for (int i = 0; i < TALLY_STATUS_COUNT; i++)
        row_number(json, tally_status_name((enum tally_status)i), statuses[i]);
    row_end(json);
}

static void row_levels(struct json_page *json, const uint32_t levels[TALLY_LEVEL_COUNT])
{
    row_member(json, "by_tls");
    row_begin(json);
    for (int i = 0; i < TALLY_LEVEL_COUNT; i++)
        row_number(json, tally_level_name((enum tally_level)i), levels[i]);
    row_end(json);
}

static void row_protocols(struct json_page *json, const uint32_t protocols[TALLY_PROTOCOL_COUNT])
{
    row_member(json, "by_protocol");
    row_begin(json);
    for (int i = 0; i < TALLY_PROTOCOL_COUNT; i++)
        row_number(json, tally_protocol_name((enum tally_protocol)i), protocols[i]);
    row_end(json);
}

static void row_verdict(struct json_page *json, const struct judged_domain *domain)
{
    const bool known = domain->known;

    row_value(json, "verdict", text_json(known ? verdict_level_name(domain->found) : NULL));
    row_value(json, "reason", text_json(known ? domain->reason : NULL));
    row_value(json, "why", text_json(known ? domain->why : NULL));
    row_value(json, "answer", text_json(known ? domain->answer : NULL));
    row_value(json, "withheld", known ? json_boolean(domain->withheld) : json_null());
}

static void domain_row(struct json_page *json, uint32_t index)
{
    const struct tally_domain *domain = &json->page->tally->domains[index];
    const struct judged *judged = json->page->judged;

    row_value(json, "name", domain_json(json->page, index));
    row_number(json, "messages", domain->messages);
    row_number(json, "recipients", domain->recipients);
    row_number(json, "octets", domain->octets);
    row_statuses(json, domain->statuses);
    row_levels(json, domain->levels);
    row_protocols(json, domain->protocols);
    row_number(json, "deferred_by_tls", domain->tls_deferred);
    row_number(json, "bounced_by_tls", domain->tls_bounced);
    row_value(json, "sent_first", time_json(domain->sent_first));
    row_value(json, "sent_last", time_json(domain->sent_last));
    if (judged != NULL && judged->asked && index != TALLY_OTHERS)
        row_verdict(json, &judged->domains[index]);
}

static void host_row(struct json_page *json, uint32_t index)
{
    const struct tally_host *host = &json->page->tally->hosts[index];

    row_value(json, "name", host_json(json->page, index));
    row_statuses(json, host->statuses);
    row_levels(json, host->levels);
    row_number(json, "deferred_by_tls", host->tls_deferred);
    row_number(json, "bounced_by_tls", host->tls_bounced);
}

static void day_row(struct json_page *json, uint32_t index)
{
    const struct tally_day *day = &json->page->tally->days[index];
    char room[PAGE_FIGURE_MAX];

    row_value(json, "day", json_string(page_local(room, "%Y-%m-%d", day->at)));
    row_statuses(json, day->statuses);
    row_levels(json, day->levels);
    row_number(json, "deferred_by_tls", day->tls_deferred);
    row_number(json, "bounced_by_tls", day->tls_bounced);
}

/* An array of `count` rows: those that `order` names, or without it all of them. */
typedef void json_row(struct json_page *json, uint32_t index);
static void member_rows(struct json_page *json, const char *name, json_row *row,
                        const uint32_t *order, size_t count)
{
    begin_member(json, name);
    fputc('[', json->out);
    for (size_t i = 0; i < count && !json->failed; i++) {
        fputs(i > 0 ? ",\n" : "\n", json->out);
        row_begin(json);
        row(json, order == NULL ? (uint32_t)i : order[i]);
        row_end(json);
    }
    fputs(count > 0 ? "\n]" : "]", json->out);
}

/* For tally_top: all with anything counted; what has no name comes last. */
static uint64_t domain_weight(const struct tally *tally, uint32_t index)
{
    const struct tally_domain *domain = &tally->domains[index];

    if (domain->messages == 0 && page_deliveries(domain->statuses) == 0)
        return 0;
    return index == TALLY_OTHERS ? 1 : (uint64_t)domain->messages + 2;
}

static uint64_t host_weight(const struct tally *tally, uint32_t index)
{
    const struct tally_host *host = &tally->hosts[index];

    if (page_deliveries(host->statuses) == 0)
        return 0;
    return index == TALLY_OTHERS ? 1 : (uint64_t)host->statuses[TALLY_SENT] + 2;
}

static void member_ranked(struct json_page *json, const char *name, json_row *row,
                          tally_value *weight, uint32_t of)
{
    uint32_t *order = malloc((of + 1) * sizeof *order);

    if (order == NULL) {
        json->failed = true;
        return;
    }
    member_rows(json, name, row, order, tally_top(json->page->tally, order, of, of, weight));
    free(order);
}

/* ---- elements ---- */

/* Without a domain and cause: those that found no room. */
static json_t *trouble_json(const struct page *page, size_t index)
{
    const struct tally_trouble *trouble = &page->tally->troubles[index];
    const bool others = index == TALLY_OTHERS;

    return json_pack(
        "{s:o, s:o, s:s?, s:s?, s:o, s:I, s:I, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
        "domain", domain_json(page, trouble->domain), "host", host_json(page, trouble->host),
        "cause", others ? NULL : tally_cause_name(trouble->cause), "sentence",
        others ? NULL : tally_cause_text(trouble->cause), "text", text_json(trouble->text),
        "deferred", (json_int_t)trouble->deferred, "bounced", (json_int_t)trouble->bounced, "first",
        time_json(trouble->first_at), "last", time_json(trouble->last_at), "recipients",
        (json_int_t)trouble->recipients, "sent", (json_int_t)trouble->sent, "gave_up",
        (json_int_t)trouble->gave_up, "deleted", (json_int_t)trouble->deleted, "waiting",
        (json_int_t)page_still_waiting(trouble), "waited_s", (json_int_t)trouble->waited_s,
        "longest_s", (json_int_t)trouble->longest_s);
}

static json_t *change_json(const struct page *page, const struct judged_change *change)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:b, s:I}", "domain",
                     domain_json(page, change->domain), "now", text_json(change->now), "then",
                     text_json(change->then), "why", text_json(change->why), "forecast",
                     text_json(change->forecast), "stops", (int)change->stops, "messages",
                     (json_int_t)change->messages);
}

static void what_if_row(struct json_page *json, uint32_t index)
{
    const struct judged_what_if *what_if = &json->page->judged->what_ifs[index];

    row_value(json, "setting", text_json(what_if->setting));
    row_number(json, "messages_changed", what_if->messages_changed);
    row_number(json, "messages_stopped", what_if->messages_stopped);
    row_member(json, "changes");
    fputc('[', json->out);
    for (size_t i = 0; i < what_if->count && !json->failed; i++) {
        json_t *change = change_json(json->page, &what_if->changes[i]);

        fputs(i > 0 ? ",\n" : "\n", json->out);
        write_value(json, change);
        json_decref(change);
    }
    fputc(']', json->out);
}

static json_t *waiting_json(const struct page *page, size_t index)
{
    const struct judged_waiting *waiting = &page->judged->waiting[index];

    return json_pack(
        "{s:o, s:o, s:I, s:o, s:o, s:o, s:o}", "queue_id", text_json(waiting->queue_id), "domain",
        text_json(waiting->domain), "recipients", (json_int_t)waiting->recipients, "since",
        time_json(waiting->since), "cause",
        waiting->cause == TALLY_NO_CAUSE ? json_null()
                                         : json_string(tally_cause_name(waiting->cause)),
        "text", text_json(waiting->reason), "why", text_json(waiting->why));
}

static json_t *remark_json(const struct page *page, size_t index)
{
    return text_json(page->remarks[index]);
}

/* ---- the whole ---- */

static void write_totals(struct json_page *json)
{
    const struct tally *tally = json->page->tally;

    member(json, "period",
           json_pack("{s:o, s:o}", "from", time_json(tally->from), "to", time_json(tally->to)));
    member(json, "source", text_json(json->page->source));
    member(json, "written", time_json(json->page->now));
    member(json, "version", json_string(MXC_VERSION));
    member_number(json, "messages", tally->total.messages);
    member_number(json, "recipients", tally->total.recipients);
    member_number(json, "deliveries", page_deliveries(tally->total.statuses));
    member_number(json, "octets", tally->total.octets);
    member(json, "statuses", counts32_json(tally->total.statuses, TALLY_STATUS_COUNT, status_name));
    member(json, "by_tls", counts32_json(tally->total.levels, TALLY_LEVEL_COUNT, level_name));
    member(json, "by_protocol",
           counts32_json(tally->total.protocols, TALLY_PROTOCOL_COUNT, protocol_name));
    member(json, "deferred_by_tls", counts32_json(tally->causes, TALLY_CAUSE_COUNT, cause_name));
    member(json, "bounced_by_tls",
           counts32_json(tally->causes_bounced, TALLY_CAUSE_COUNT, cause_name));
}

static void write_reading(struct json_page *json)
{
    const struct tally *tally = json->page->tally;
    size_t remarks = 0;

    while (json->page->remarks != NULL && json->page->remarks[remarks] != NULL)
        remarks++;
    member(json, "read",
           json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b}", "lines",
                     (json_int_t)tally->lines, "lines_unread", (json_int_t)tally->lines_unread,
                     "lines_suppressed", (json_int_t)tally->suppressed, "domains_folded",
                     (json_int_t)tally->domains_folded, "hosts_folded",
                     (json_int_t)tally->hosts_folded, "troubles_folded",
                     (json_int_t)tally->troubles_folded, "days_folded",
                     (json_int_t)tally->days_folded, "messages_forgotten",
                     (json_int_t)tally->messages_forgotten, "unlogged", (json_int_t)tally->unlogged,
                     "no_memory", (int)tally->no_memory));
    member_array(json, "remarks", remarks, remark_json);
}

static void write_judged(struct json_page *json)
{
    const struct judged *judged = json->page->judged;

    if (judged != NULL && judged->asked) {
        member(json, "verdicts",
               json_pack("{s:o, s:o, s:o}", "source", text_json(judged->source), "messages",
                         counts64_json(judged->messages_by_level, VERDICT_TEMP + 1, verdict_name,
                                       "unknown", judged->messages_unjudged),
                         "domains",
                         counts64_json(judged->domains_by_level, VERDICT_TEMP + 1, verdict_name,
                                       "unknown", judged->domains_unjudged)));
        member_rows(json, "what_if", what_if_row, NULL, judged->what_if_count);
    }
    if (judged != NULL && judged->queue_read) {
        member(json, "queue",
               json_pack("{s:I, s:o}", "recipients", (json_int_t)judged->waiting_total, "by_cause",
                         counts64_json(judged->waiting_by_cause, TALLY_CAUSE_COUNT, cause_name,
                                       "other", judged->waiting_by_cause[TALLY_NO_CAUSE])));
        member_array(json, "waiting", judged->waiting_count, waiting_json);
    }
}

bool page_json(FILE *out, const struct page *page)
{
    struct json_page json = {.out = out, .page = page};
    const struct tally *tally = page->tally;

    write_totals(&json);
    write_reading(&json);
    write_judged(&json);
    member_rows(&json, "days", day_row, NULL, tally->day_count);
    member_array(&json, "troubles", tally->trouble_count, trouble_json);
    member_ranked(&json, "hosts", host_row, host_weight, tally->host_count);
    member_ranked(&json, "domains", domain_row, domain_weight, tally->domain_count);
    fputs("}\n", out);
    return !json.failed && fflush(out) == 0 && !ferror(out);
}
