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

static json_t *event_json(const struct event_record *event)
{
    return json_pack("{s:I, s:s?, s:s, s:s}", "at", (json_int_t)(event->at / 1000), "was",
                     event->first ? NULL : verdict_level_name(event->was), "now",
                     verdict_level_name(event->now), "reason", verdict_reason_code(event->reason));
}

static void on_page(void *context, const struct store_page *page)
{
    struct command *command = context;
    bool history = strcmp(command_text(command, "command"), "history") == 0;
    json_t *list;

    command->read = NULL;
    if (page->error != NULL) {
        command_refuse(command, page->error);
        return;
    }
    list = json_array();
    for (size_t i = 0; i < page->count; i++)
        json_array_append_new(list, history ? event_json(&page->records[i].event)
                                            : record_to_json(&page->records[i]));
    command_finish(command, json_pack("{s:o, s:s?}", history ? "history" : "records", list, "next",
                                      page->next));
}

static void list_records(struct command *command, const struct store_selection *selection)
{
    struct store *store = command->means.engine->cache->store;

    if (store == NULL)
        command_refuse(command, "nothing is stored: the configuration says store =");
    else if (store_list(&command->read, store, selection, on_page, command) != 0)
        command_refuse(command, "no memory");
}

void command_history(struct command *command)
{
    const struct store_selection selection = {
        .kind = RECORD_EVENT, .key = command_key(command)->text, .limit = STORE_EVENTS};

    list_records(command, &selection);
}

void command_export(struct command *command)
{
    struct store_selection selection = {.cursor = command_text(command, "after"),
                                        .limit = EXPORT_PAGE};
    unsigned kind;

    if (!record_word_number(RECORD_TYPE, command_text(command, "kind"), &kind)) {
        command_refuse(command, "no such kind of record");
        return;
    }
    selection.kind = (enum record_kind)kind;
    list_records(command, &selection);
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
}
