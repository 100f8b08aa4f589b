/* rollover_text: see rollover_text.h. What servers and certificates say is escaped. */
#include "check/rollover/rollover_text.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/escape.h"
#include "base/page/page_figures.h"

static const char *const live_words[] = {[ROLLOVER_LIVE_NEXT] = "next",
                                         [ROLLOVER_LIVE_UNKNOWN] = "unknown",
                                         [ROLLOVER_LIVE_OLD] = "current",
                                         [ROLLOVER_LIVE_OTHER] = "other"};

enum rollover_need rollover_page_need(const struct rollover_page *page)
{
    if (page->advice != NULL)
        return page->advice->need;
    return page->rollover == NULL || page->rollover->state == ROLLOVER_CLEANED ? ROLLOVER_DONE
                                                                               : ROLLOVER_WAITS;
}

/* "3 1 1 00ff..."; NULL without memory. To be freed. */
static char *record_text(const struct tlsa *record)
{
    size_t size = 2 * (size_t)record->length + 20;
    char *text = malloc(size);
    int used;

    if (text == NULL)
        return NULL;
    used =
        snprintf(text, size, "%u %u %u ", record->usage, record->selector, record->matching_type);
    escape_hex(text + used, record->data, record->length);
    return text;
}

/* ---- for people ---- */

static void add_records(struct buf *out, const char *verb, const struct rollover_sight *sight,
                        const struct tlsa *records, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *text = record_text(&records[i]);

        out->failed |= text == NULL;
        buf_addf(out, "%s: %s. IN TLSA %s\n", verb, sight->owner, text == NULL ? "" : text);
        free(text);
    }
}

static void add_sight(struct buf *out, const struct rollover_page *page,
                      const struct rollover_sight *sight)
{
    add_records(out, "publish", sight, sight->missing, sight->missing_count);
    if (page->advice->remove)
        add_records(out, "remove", sight, sight->old, sight->old_count);
    for (size_t i = 0; i < sight->passed_count; i++)
        buf_addf(out, "passed over: %s: %s\n", sight->host, sight->passed[i]);
}

void rollover_text(struct buf *out, const struct rollover_page *page)
{
    static const char *const words[] = {[ROLLOVER_DONE] = "done",
                                        [ROLLOVER_WAITS] = "waits",
                                        [ROLLOVER_ACT] = "act",
                                        [ROLLOVER_BROKEN] = "BROKEN"};
    const struct rollover_advice *advice = page->advice;
    const struct rollover *rollover = page->rollover;

    if (rollover == NULL) {
        buf_adds(out, "state: none\n");
        return;
    }
    buf_addf(out, "state: %s\nnext: %s\n", rollover_state_name(rollover->state),
             rollover->next.sha256);
    for (size_t i = 0; page->sights != NULL && i < rollover->host_count; i++)
        for (const struct rollover_sight *sight = &page->sights[i]; sight != NULL;
             sight = sight->also)
            add_sight(out, page, sight);
    if (advice != NULL && advice->why != NULL)
        buf_addf(out, "%s: %s%s%s%s%s\n", words[advice->need],
                 advice->host == NULL ? "" : advice->host, advice->host == NULL ? "" : ": ",
                 advice->why, advice->ends == NULL ? "" : "; ",
                 advice->ends == NULL ? "" : advice->ends);
    if (advice != NULL && advice->again_at != 0)
        buf_addf(out, "again_in_s: %" PRId64 "\n", advice->again_at - page->now);
}

/* ---- for programs ---- */

static json_t *json_or_null(const char *text)
{
    return text == NULL ? json_null() : json_string(text);
}

static json_t *json_of_time(int64_t at)
{
    char room[PAGE_FIGURE_MAX];

    return at == 0 ? json_null() : json_string(page_utc(room, at));
}

static json_t *json_of_chain(const struct rollover_chain *chain)
{
    if (chain->shown.count == 0)
        return json_null();
    return json_pack("{s:s, s:o, s:o}", "sha256", chain->sha256, "not_before",
                     json_of_time(chain->not_before), "not_after", json_of_time(chain->not_after));
}

static json_t *json_of_records(const struct tlsa *records, size_t count)
{
    json_t *array = json_array();

    for (size_t i = 0; i < count; i++) {
        char *text = record_text(&records[i]);

        json_array_append_new(array, json_or_null(text));
        free(text);
    }
    return array;
}

static json_t *json_of_old(const struct rollover_page *page, const struct rollover_sight *sight)
{
    return json_of_records(sight->old, page->advice->remove ? sight->old_count : 0);
}

static json_t *json_of_passed(const struct rollover_sight *sight)
{
    json_t *array = json_array();

    for (size_t i = 0; i < sight->passed_count; i++)
        json_array_append_new(array, json_string(sight->passed[i]));
    return array;
}

/* The records at the name of a host that is an alias. */
static json_t *json_of_also(const struct rollover_page *page, const struct rollover_sight *also)
{
    if (also == NULL)
        return json_null();
    return json_pack("{s:o, s:o, s:o, s:o}", "owner", json_or_null(also->owner), "publish",
                     json_of_records(also->missing, also->missing_count), "remove",
                     json_of_old(page, also), "passed_over", json_of_passed(also));
}

static json_t *json_of_host(const struct rollover_page *page, size_t index)
{
    const char *name = page->rollover->hosts[index];
    const struct rollover_sight *sight;

    if (page->sights == NULL)
        return json_pack("{s:s}", "host", name);
    sight = &page->sights[index];
    return json_pack(
        "{s:s, s:o, s:b, s:b, s:b, s:s, s:o, s:o, s:o, s:o, s:o}", "host", name, "owner",
        json_or_null(sight->owner), "known", (int)sight->known, "published", (int)sight->everywhere,
        "broken", (int)(sight->broken != NULL), "shows", live_words[sight->live], "publish",
        json_of_records(sight->missing, sight->missing_count), "remove", json_of_old(page, sight),
        "passed_over", json_of_passed(sight), "also", json_of_also(page, sight->also), "why",
        json_or_null(sight->broken != NULL ? sight->broken : sight->why));
}

static json_t *json_of_hosts(const struct rollover_page *page)
{
    json_t *array = json_array();

    for (size_t i = 0; i < page->rollover->host_count; i++)
        json_array_append_new(array, json_of_host(page, i));
    return array;
}

static json_t *json_of_without(const struct rollover *rollover)
{
    json_t *array = json_array();

    for (size_t i = 0; i < rollover->without_count; i++)
        json_array_append_new(array, json_string(rollover->without[i]));
    return array;
}

static json_t *json_of_unseen(const struct rollover *rollover)
{
    json_t *array = json_array();

    for (size_t i = 0; i < rollover->unseen_count; i++)
        json_array_append_new(array, json_string(rollover->unseen[i]));
    return array;
}

static json_t *json_of_rollover(const struct rollover_page *page)
{
    const struct rollover *rollover = page->rollover;

    return json_pack("{s:o, s:o, s:i, s:o, s:o, s:o, s:i, s:b, s:b, s:o, s:o, s:o}", "next",
                     json_of_chain(&rollover->next), "current", json_of_chain(&rollover->current),
                     "port", (int)rollover->port, "since", json_of_time(rollover->since),
                     "published_at", json_of_time(rollover->published_at), "stepped_at",
                     json_of_time(rollover->stepped_at), "ttl", (int)rollover->ttl, "released",
                     (int)rollover->released, "installed", (int)rollover->installed, "without",
                     json_of_without(rollover), "without_addresses", json_of_unseen(rollover),
                     "hosts", json_of_hosts(page));
}

static json_t *json_of_why(const struct rollover_advice *advice)
{
    if (advice == NULL || advice->why == NULL)
        return json_null();
    return advice->ends == NULL ? json_string(advice->why)
                                : json_sprintf("%s; %s", advice->why, advice->ends);
}

json_t *rollover_json(const struct rollover_page *page)
{
    const struct rollover_advice *advice = page->advice;
    bool timed = advice != NULL && advice->again_at != 0;
    const char *state =
        page->rollover == NULL ? "none" : rollover_state_name(page->rollover->state);

    return json_pack("{s:s, s:o, s:s, s:s, s:i, s:b, s:o, s:o, s:o, s:o}", "version", MXC_VERSION,
                     "checked", json_of_time(page->now), "state", state, "need",
                     rollover_need_name(rollover_page_need(page)), "exit", page->exit, "install",
                     (int)(advice != NULL && advice->install), "why", json_of_why(advice), "host",
                     json_or_null(advice == NULL ? NULL : advice->host), "again_in_s",
                     timed ? json_integer(advice->again_at - page->now) : json_null(), "rollover",
                     page->rollover == NULL ? json_null() : json_of_rollover(page));
}
