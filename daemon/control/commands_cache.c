/*
 * commands_cache: see command.h. In answers a time is in seconds since 1970; the daemon's own
 * monotonic times are converted here.
 */
#include <string.h>

#include "base/clock.h"
#include "daemon/control/command.h"
#include "daemon/control/control.h"
#include "daemon/store/record_json.h"

#define EXPORT_PAGE 50 /* records of one answer: some are large */

/* ---- holds ---- */

static json_int_t wall_s(int64_t monotonic_ms, struct record_moment now)
{
    return (json_int_t)((monotonic_ms - now.monotonic_ms + now.wall_ms) / 1000);
}

static json_t *hold_json(const struct hold *hold, struct record_moment now)
{
    return json_pack("{s:s, s:s, s:I, s:I, s:s, s:s, s:I}", "key", hold->key, "level",
                     verdict_level_name(hold->level), "since", wall_s(hold->downgrade.since, now),
                     "until", wall_s(hold->downgrade.until, now), "sees",
                     verdict_level_name(hold->sees), "reason", verdict_reason_code(hold->reason),
                     "seen_at", wall_s(hold->seen_at, now));
}

void command_held(struct command *command)
{
    const struct cache *cache = command->means.engine->cache;
    const char *after = command_text(command, "after"), *last = NULL;
    const struct hold *hold = after == NULL ? cache->holds : cache_find_hold(cache, after);
    struct record_moment now = cache_moment(0);
    json_t *list;

    if (after != NULL && hold == NULL) {
        command_refuse(command, "the holds changed while they were listed: list them again");
        return;
    }
    if (after != NULL)
        hold = hold->hh.next;
    list = json_array();
    for (; hold != NULL && json_array_size(list) < CONTROL_PAGE; hold = hold->hh.next) {
        json_array_append_new(list, hold_json(hold, now));
        last = hold->key;
    }
    command_finish(command,
                   json_pack("{s:o, s:s?}", "held", list, "next", hold == NULL ? NULL : last));
}

static void answer_release(struct command *command, bool released)
{
    command_finish(command, json_pack("{s:b}", "released", (int)released));
}

static void on_loaded(void *context, bool sure)
{
    struct command *command = context;

    (void)sure;
    command->loading = NULL;
    answer_release(
        command, engine_release(command->means.engine, command_key(command), clock_monotonic_ms()));
}

void command_release(struct command *command)
{
    struct engine *engine = command->means.engine;
    const struct key *key = command_key(command);

    if (engine_release(engine, key, clock_monotonic_ms()))
        answer_release(command, true);
    else if (cache_peek(engine->cache, key) != NULL ||
             cache_load(&command->loading, engine->cache, key, CACHE_ASKS_ALL, on_loaded,
                        command) != 0)
        answer_release(command, false);
}

/* ---- what the store knows ---- */

static void on_page(void *context, const struct store_page *page)
{
    struct command *command = context;
    json_t *list;

    command->read = NULL;
    if (page->error != NULL) {
        command_refuse(command, page->error);
        return;
    }
    list = json_array();
    for (size_t i = 0; i < page->count; i++)
        json_array_append_new(list, record_to_json(&page->records[i]));
    command_finish(command, json_pack("{s:o, s:s?}", "records", list, "next", page->next));
}

#define NOTHING_STORED "nothing is stored: the configuration says store ="

void command_export(struct command *command)
{
    struct store_selection selection = {.cursor = command_text(command, "after"),
                                        .limit = EXPORT_PAGE};
    struct store *store = command->means.engine->cache->store;
    unsigned kind;

    if (!record_word_number(RECORD_TYPE, command_text(command, "kind"), &kind)) {
        command_refuse(command, "no such kind of record");
        return;
    }
    selection.kind = (enum record_kind)kind;
    if (store == NULL)
        command_refuse(command, NOTHING_STORED);
    else if (store_list(&command->read, store, &selection, on_page, command) != 0)
        command_refuse(command, "no memory");
}

/* ---- history ---- */

/* Milliseconds apart that an event may seem at another relay, which took it over. */
#define SAME_EVENT_MS 1000

/* In milliseconds, until all are in order. */
static json_t *event_json(const struct event_record *event)
{
    return json_pack("{s:I, s:s?, s:s, s:s}", "at", (json_int_t)event->at, "was",
                     event->first ? NULL : verdict_level_name(event->was), "now",
                     verdict_level_name(event->now), "reason", verdict_reason_code(event->reason));
}

static struct store_selection events_of(struct command *command)
{
    return (struct store_selection){
        .kind = RECORD_EVENT, .key = command_key(command)->text, .limit = STORE_EVENTS};
}

static json_int_t event_at(const json_t *event)
{
    return json_integer_value(json_object_get(event, "at"));
}

static void finish_history(struct command *command, const char *missing)
{
    json_t *history = command->history, *event;
    size_t i;

    json_array_foreach(history, i, event)
    {
        json_object_set_new(event, "at", json_integer(event_at(event) / 1000));
    }
    command->history = NULL;
    command_finish(command, json_pack("{s:o, s:s?}", "history", history, "incomplete", missing));
}

/* This relay has taken over what the other found out: at the same time, but for their clocks. */
static bool is_same(const json_t *event, const json_t *other)
{
    json_int_t apart = event_at(event) - event_at(other);

    return apart >= -SAME_EVENT_MS && apart <= SAME_EVENT_MS &&
           json_equal(json_object_get(event, "now"), json_object_get(other, "now")) &&
           json_equal(json_object_get(event, "reason"), json_object_get(other, "reason"));
}

/* Takes an event of another relay into the list, which is in order of time. */
static void take_event(json_t *history, json_t *event)
{
    size_t place = 0, i;
    json_t *own;

    json_array_foreach(history, i, own)
    {
        if (is_same(own, event)) {
            json_decref(event);
            return;
        }
        if (event_at(own) <= event_at(event))
            place = i + 1;
    }
    json_array_insert_new(history, place, event);
}

static void on_shared_events(void *context, const struct store_page *page)
{
    struct command *command = context;

    command->read = NULL;
    for (size_t i = 0; i < page->count; i++)
        take_event(command->history, event_json(&page->records[i].event));
    finish_history(command, page->error);
}

/* Takes over what the store has. */
static void ask_share(struct command *command, json_t *history)
{
    struct share *share = command->means.engine->cache->share;
    const struct store_selection selection = events_of(command);

    command->history = history;
    if (share == NULL)
        finish_history(command, NULL);
    else if (store_list(&command->read, share_store(share), &selection, on_shared_events,
                        command) != 0)
        finish_history(command, "the share is away");
}

static void on_own_events(void *context, const struct store_page *page)
{
    struct command *command = context;

    json_t *history;

    command->read = NULL;
    if (page->error != NULL) {
        command_refuse(command, page->error);
        return;
    }
    history = json_array();
    for (size_t i = 0; i < page->count; i++)
        json_array_append_new(history, event_json(&page->records[i].event));
    ask_share(command, history);
}

void command_history(struct command *command)
{
    struct cache *cache = command->means.engine->cache;
    const struct store_selection selection = events_of(command);

    if (cache->store == NULL && cache->share == NULL)
        command_refuse(command, NOTHING_STORED);
    else if (cache->store == NULL)
        ask_share(command, json_array());
    else if (store_list(&command->read, cache->store, &selection, on_own_events, command) != 0)
        command_refuse(command, "no memory");
}

/* ---- import ---- */

/* Some lines of an export; with "end" the last of them, after which another may begin. */
void command_import(struct command *command)
{
    const json_t *lines = json_object_get(command->request, "lines");
    bool end = json_is_true(json_object_get(command->request, "end"));
    struct importer *importer = &command->importer;
    json_t *refusals, *answer;

    if (!json_is_array(lines)) {
        command_refuse(command, "lines are missing");
        return;
    }
    importer->cache = command->means.engine->cache;
    refusals = json_array();
    for (size_t i = 0; i < json_array_size(lines) && !importer->failed; i++) {
        const json_t *line = json_array_get(lines, i);
        const char *why =
            importer_line(importer, json_string_value(line), json_string_length(line));

        if (why != NULL)
            json_array_append_new(
                refusals, json_pack("{s:I, s:s}", "line", (json_int_t)importer->line, "why", why));
    }
    answer = json_pack("{s:I, s:I, s:I, s:o, s:b, s:s?}", "restored",
                       (json_int_t)importer->restored, "known", (json_int_t)importer->known,
                       "refused", (json_int_t)importer->refused, "refusals", refusals, "failed",
                       (int)importer->failed, "incomplete", end ? importer_end(importer) : NULL);
    if (end)
        *importer = (struct importer){0};
    command_finish(command, answer);
}

/* ---- the rest ---- */

void command_cache_cancel(struct command *command)
{
    if (command->read != NULL)
        store_read_cancel(command->read);
    if (command->loading != NULL)
        cache_load_cancel(command->loading);
    command->read = NULL;
    command->loading = NULL;
    json_decref(command->history);
    command->history = NULL;
}
