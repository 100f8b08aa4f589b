/*
 * commands: the table of control commands; see command.h.
 *
 * A request is {"command": NAME, "key": KEY, ...}. The answer is an object; {"error": TEXT} is a
 * refusal. A command that walks the cache (walk.h) answers with several objects; all but the last
 * have "more": true.
 */
#include "daemon/control/command.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/escape.h"
#include "base/log/log.h"
#include "daemon/control/control.h"
#include "daemon/control/walk.h"
#include "daemon/lookup/dialect.h"
#include "daemon/metrics/metrics_table.h"
#include "policy/report/report.h"

#define STEPS_MAX 10000 /* of one page: empty ones cost little */
#define PAGE_MS   5     /* then it is full enough: some entries are large */

/* ---- answers ---- */

void command_finish(struct command *command, json_t *answer)
{
    json_decref(command->request);
    command->request = NULL;
    command->answered(command, answer, true);
}

void command_refuse(struct command *command, const char *why)
{
    json_t *text = json_string(why);
    char escaped[CONFIG_ERROR_MAX];

    /* a path or a key of the configuration that is not UTF-8 */
    if (text == NULL)
        text = json_string(escape_bytes(escaped, sizeof escaped, why, strlen(why)));
    command_finish(command, json_pack("{s:o}", "error", text));
}

const char *command_text(const struct command *command, const char *name)
{
    return json_string_value(json_object_get(command->request, name));
}

const struct key *command_key(struct command *command)
{
    const char *text = command_text(command, "key");

    key_parse(&command->key, text, strlen(text), command->means.engine->tools.smtp_port);
    return &command->key;
}

/* The dialect that a query asks for; NULL: there is none of that name. */
static const struct dialect *dialect_asked(const struct command *command)
{
    const char *name = command_text(command, "as");

    return name == NULL ? &dialect_postfix : dialect_of_name(name);
}

static json_t *answer_json(const struct command *command, const struct reply *reply)
{
    const struct final_answer *final = &reply->final;
    struct answer answer;
    struct buf room;
    json_t *json;

    buf_init(&room, DIALECT_TEXT_MAX);
    answer = dialect_answer(dialect_asked(command), reply, &room);
    json = json_pack("{s:s, s:s, s:s#, s:s, s:s}", "key", command_text(command, "key"), "status",
                     answer_status_name(answer.status), "text", answer.text, (int)answer.length,
                     "level", final_level_name(final), "reason",
                     report_reason_code(final, reply->entry->verdict.reason));
    buf_fini(&room);
    return json;
}

static json_t *explain_json(struct command *command, const struct cache_entry *entry)
{
    struct arena *arena = arena_new(CACHE_ENTRY_EVIDENCE_MAX);
    const struct verdict verdict = cache_entry_verdict(entry);
    struct final_answer final;
    struct override override;
    const struct ruleset *ruleset = command->means.engine->ruleset;
    struct report_facts facts = {command_key(command), &verdict, &override, &final, NULL,
                                 clock_monotonic_ms()};
    struct evidence *evidence = NULL;
    json_t *report = NULL;

    ruleset_find(ruleset, &command->key, &override);
    override_apply(&final, &override, &verdict);
    if (arena != NULL)
        evidence = cache_entry_evidence(entry, arena);
    if (evidence != NULL)
        ruleset_list(&evidence->list, ruleset, &command->key);
    facts.evidence = evidence;
    if (arena != NULL)
        report = report_explain(&facts);
    arena_free(arena);
    if (report != NULL && entry->evidence_length > 0)
        json_object_set_new(report, "age_s", json_integer((facts.now - entry->made_at) / 1000));
    return report;
}

static void on_deliver(struct waiter *waiter, const struct reply *reply)
{
    struct command *command = LIST_ELEMENT(waiter, struct command, waiter);

    command_finish(command, waiter->wants == WANTS_WHOLE ? explain_json(command, reply->entry)
                                                         : answer_json(command, reply));
}

/* ---- what is asked ---- */

/* A waiter without a share never has to ask later. */
static void do_ask(struct command *command)
{
    bool explain = strcmp(command_text(command, "command"), "explain") == 0;
    const struct dialect *dialect = dialect_asked(command);
    const char *key = command_text(command, "key");
    struct reply reply;

    if (dialect == NULL) {
        command_refuse(command, "as: postfix, tlsrpt, exim, sts or sendmail");
        return;
    }
    command->waiter.wants = explain                                  ? WANTS_WHOLE
                            : dialect_wants(dialect) != WANTS_ANSWER ? WANTS_WITHOUT_DANE
                                                                     : WANTS_FOUND;
    if (engine_ask(command->means.engine, (struct span){key, strlen(key)}, clock_monotonic_ms(),
                   &command->waiter, &reply) == ASKED_ANSWERED)
        on_deliver(&command->waiter, &reply);
}

/* ---- what is cached ---- */

/* A lapsed entry is kept for what it proved; as an answer it is not there any more. */
static bool is_current(const struct cache_entry *entry, int64_t now)
{
    return entry != NULL && entry->verdict.valid_until > now;
}

static void do_cache_show(struct command *command)
{
    const struct cache_entry *entry =
        cache_peek(command->means.engine->cache, command_key(command));

    if (is_current(entry, clock_monotonic_ms()))
        command_finish(command, explain_json(command, entry));
    else
        command_refuse(command, "not in the cache");
}

static void do_cache_forget(struct command *command)
{
    bool forgotten = engine_forget(command->means.engine, command_key(command));

    command_finish(command, json_pack("{s:b}", "forgotten", (int)forgotten));
}

static void do_cache_flush(struct command *command)
{
    size_t count = engine_flush(command->means.engine, clock_monotonic_ms());

    command_finish(command, json_pack("{s:I}", "flushed", (json_int_t)count));
}

struct cache_page {
    json_t *entries;
    int64_t now;
};

static void take_entry(void *context, struct cache_entry *entry)
{
    struct cache_page *page = context;

    if (is_current(entry, page->now))
        json_array_append_new(
            page->entries,
            json_pack("{s:s, s:s, s:s, s:I}", "key", entry->key, "level",
                      verdict_level_name(entry->verdict.level), "reason",
                      verdict_reason_code(entry->verdict.reason), "valid_for_s",
                      (json_int_t)((entry->verdict.valid_until - page->now) / 1000)));
}

/* Lists some entries, from "after" of the request on. "next": where the next page begins. */
static void do_cache_list(struct command *command)
{
    json_int_t after = json_integer_value(json_object_get(command->request, "after"));
    struct map_walk walk = {after > 0 && after < (json_int_t)MAP_HASHES ? (uint64_t)after : 0};
    struct cache_page page = {json_array(), clock_monotonic_ms()};
    bool all_met = false;

    for (int steps = STEPS_MAX; steps > 0 && json_array_size(page.entries) < CONTROL_PAGE;
         steps--) {
        all_met = cache_map_some(command->means.engine->cache->map, &walk, take_entry, &page);
        if (all_met ||
            (json_array_size(page.entries) > 0 && clock_monotonic_ms() >= page.now + PAGE_MS))
            break;
    }
    all_met = all_met || walk.at >= MAP_HASHES;
    command_finish(command, json_pack("{s:o, s:o?}", "entries", page.entries, "next",
                                      all_met ? NULL : json_integer((json_int_t)walk.at)));
}

/* ---- what changes what is in force ---- */

static void on_reloaded(struct reload_waiter *waiter, const struct reload_result *result)
{
    struct command *command = LIST_ELEMENT(waiter, struct command, reload);
    json_t *fixed;

    if (result->error != NULL) {
        command_refuse(command, result->error);
        return;
    }
    fixed = json_array();
    for (size_t i = 0; i < result->fixed_count; i++)
        json_array_append_new(fixed, json_string(result->fixed[i]));
    command_finish(command, json_pack("{s:b, s:I, s:o}", "reloaded", 1, "rules",
                                      (json_int_t)result->rules, "needs_restart", fixed));
}

static void do_reload(struct command *command)
{
    if (command->means.reloader == NULL)
        command_refuse(command, "there is nothing to reload");
    else
        reload_start(command->means.reloader, &command->reload, on_reloaded);
}

static void do_log_level(struct command *command)
{
    const char *wanted = command_text(command, "level");
    enum log_level level = log_level();

    if (wanted != NULL && !log_level_parse(&level, wanted)) {
        command_refuse(command, "must be error, warning, info or debug");
        return;
    }
    if (wanted != NULL) {
        log_event(LOG_LEVEL_INFO, "log-level", "was", log_level_name(log_level()), "now",
                  log_level_name(level), NULL);
        log_set_level(level);
    }
    command_finish(command, json_pack("{s:s}", "level", log_level_name(level)));
}

/* ---- what is known of the daemon ---- */

json_t *stats_json(const struct metrics_numbers *numbers)
{
    json_t *out = json_object();
    const struct metrics_family *family;
    char name[64];

    for (size_t i = 0; out != NULL && (family = metrics_family_at(i)) != NULL; i++)
        for (unsigned j = 0; family->stats != NULL && j < family->count; j++) {
            snprintf(name, sizeof name, family->label != NULL ? "%s_%s" : "%s", family->stats,
                     family->label != NULL ? family->value(j) : "");
            json_object_set_new(out, name,
                                json_integer((json_int_t)metrics_number(family, numbers, j)));
        }
    return out;
}

static void do_stats(struct command *command)
{
    struct metrics_numbers numbers;

    metrics_gather(&numbers, command->means.engine, command->means.server);
    command_finish(command, stats_json(&numbers));
}

/* For `mxcrypt doctor`: the running daemon may be older than the installed one. */
static void do_version(struct command *command)
{
    command_finish(command, json_pack("{s:s}", "version", MXC_VERSION));
}

static const struct row {
    const char *name;
    void (*run)(struct command *command);
    bool needs_key;
} rows[] = {
    {"query", do_ask, true},
    {"explain", do_ask, true},
    {"cache-list", do_cache_list, false},
    {"cache-show", do_cache_show, true},
    {"cache-forget", do_cache_forget, true},
    {"cache-flush", do_cache_flush, false},
    {"stats", do_stats, false},
    {"version", do_version, false},
    {"held", command_held, false},
    {"release", command_release, true},
    {"history", command_history, true},
    {"export", command_export, false},
    {"import", command_import, false},
    {"reload", do_reload, false},
    {"share", command_share, false},
    {"farm", command_farm, false},
    {"farm-reload", command_farm_reload, false},
    {"lists", command_lists, false},
    {"log-level", do_log_level, false},
    {"rules", command_rules, false},
    {"rules-check", command_rules_check, false},
    {"report", command_report, false},
    {"verdicts", command_verdicts, false},
};

/* ---- one command ---- */

void command_init(struct command *command, const struct command_means *means,
                  command_answered answered)
{
    *command = (struct command){.means = *means, .answered = answered};
    waiter_init(&command->waiter, on_deliver);
    reload_waiter_init(&command->reload);
}

void command_begin(struct command *command, const char *line, size_t length)
{
    const struct row *row = NULL;
    const char *name;

    command->request = json_loadb(line, length, JSON_REJECT_DUPLICATES, NULL);
    name = command_text(command, "command");
    for (size_t i = 0; name != NULL && i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(rows[i].name, name) == 0)
            row = &rows[i];
    if (row == NULL)
        command_refuse(command, "unknown command");
    else if (row->needs_key && command_text(command, "key") == NULL)
        command_refuse(command, "this command needs a key");
    else
        row->run(command);
}

void command_go_on(struct command *command)
{
    walk_go_on(command->walk);
}

void command_cancel(struct command *command)
{
    walk_cancel(command);
    jobs_leave(&command->waiter);
    command_cache_cancel(command);
    command_farm_cancel(command);
    reload_leave(&command->reload);
    json_decref(command->request);
    command->request = NULL;
}
