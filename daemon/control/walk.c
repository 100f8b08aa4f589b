/*
 * walk: see walk.h. On the wire a part is an object with `lines` and `more`; the last one has the
 * totals instead of `more`. A refusal can end a walk at any time.
 */
#include "daemon/control/walk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "policy/report/report.h"

void walks_init(struct walks *walks, uv_loop_t *loop)
{
    *walks = (struct walks){.loop = loop, .shares = shares_new(loop)};
}

void walks_close(struct walks *walks)
{
    shares_close(walks->shares);
}

/* ---- the end of a walk ---- */

static void walk_free(struct walk *walk)
{
    shares_remove(&walk->task);
    if (walk->kind->fini != NULL)
        walk->kind->fini(walk);
    json_decref(walk->lines);
    arena_free(walk->arena);
    walk->command->means.walks->count--;
    walk->command->walk = NULL;
    free(walk);
}

void walk_cancel(struct command *command)
{
    if (command->walk != NULL)
        walk_free(command->walk);
}

void walk_refuse(struct walk *walk, const char *why)
{
    struct command *command = walk->command;
    char text[RULES_ERROR_MAX]; /* `why` may be the walk's */

    snprintf(text, sizeof text, "%s", why);
    walk_free(walk);
    command_refuse(command, text);
}

static void finish_walk(struct walk *walk)
{
    struct command *command = walk->command;
    json_t *answer = walk->kind->totals == NULL ? json_object() : walk->kind->totals(walk);

    if (json_object_set(answer, "lines", walk->lines) != 0) {
        json_decref(answer);
        answer = NULL;
    }
    walk_free(walk);
    command_finish(command, answer);
}

/* ---- its shares ---- */

static void send_part(struct walk *walk)
{
    json_t *part = json_pack("{s:o, s:b}", "lines", walk->lines, "more", 1);

    walk->lines = json_array();
    walk->octets = 0;
    walk->sending = true;
    if (part == NULL)
        walk_refuse(walk, "no memory");
    else
        walk->command->answered(walk->command, part, false);
}

static void meet(void *context, struct cache_entry *entry)
{
    struct walk *walk = context;
    const struct engine *engine = walk->engine;
    struct walk_view view = {.entry = entry};
    struct cache_entry *decided = NULL;

    if (entry->evidence_length == 0 || entry->verdict.valid_until <= clock_monotonic_ms())
        return;
    key_parse(&view.key, entry->key, entry->key_length, engine->tools.smtp_port);
    if (entry->generation != walk->generation)
        decided = cache_decide_listed(engine->cache, entry, &view.key);
    if (decided != NULL)
        view.entry = decided;
    view.reply.entry = view.entry;
    ruleset_find(engine->ruleset, &view.key, &view.override);
    cache_entry_apply(&view.reply.final, &view.override, view.entry);
    walk->kind->take(walk, &view);
    cache_entry_free(decided);
}

static enum walk_state visit_some(struct walk *walk)
{
    if (walk->all_met)
        return walk->kind->list != NULL && walk->kind->list(walk) ? WALK_MORE : WALK_DONE;
    walk->all_met = cache_map_some(walk->engine->cache->map, &walk->place, meet, walk);
    return WALK_MORE;
}

static bool walk_step(struct share_task *task)
{
    struct walk *walk = LIST_ELEMENT(task, struct walk, task);
    enum walk_state state = WALK_DONE;

    if (walk->kind->take != NULL && ruleset_generation(walk->engine->ruleset) != walk->generation) {
        walk_refuse(walk, "the rules changed meanwhile: ask again");
        return false;
    }
    if (!walk->failed)
        state = walk->kind->advance != NULL ? walk->kind->advance(walk) : visit_some(walk);
    if (walk->failed)
        walk_refuse(walk, "no memory");
    else if (state == WALK_DONE)
        finish_walk(walk);
    else if (walk->octets >= (state == WALK_WAIT ? 1 : WALK_PART_OCTETS))
        send_part(walk); /* walk_go_on goes on */
    else
        return state == WALK_MORE;
    return false;
}

/* ---- its beginning ---- */

struct walk *walk_new(struct command *command, const struct walk_kind *kind)
{
    struct walks *walks = command->means.walks;
    struct walk *walk;

    walk_cancel(command);
    if (walks->count >= WALKS_MAX) {
        command_refuse(command, "too many reports and checks are under way: ask again");
        return NULL;
    }
    walk = calloc(1, kind->size);
    if (walk == NULL) {
        command_refuse(command, "no memory");
        return NULL;
    }
    walk->kind = kind;
    walk->command = command;
    walk->engine = command->means.engine;
    walk->lines = json_array();
    walk->arena = arena_new(CACHE_ENTRY_EVIDENCE_MAX);
    walk->failed = walk->lines == NULL || walk->arena == NULL;
    share_task_init(&walk->task, walk_step);
    walks->count++;
    command->walk = walk;
    return walk;
}

void walk_start(struct walk *walk)
{
    walk->generation = ruleset_generation(walk->engine->ruleset);
    walk_go_on(walk);
}

void walk_go_on(struct walk *walk)
{
    walk->sending = false;
    walk_wake(walk);
}

void walk_wake(struct walk *walk)
{
    if (!walk->sending)
        shares_add(walk->command->means.walks->shares, &walk->task);
}

/* ---- what is listed ---- */

void walk_say(struct walk *walk, json_t *take_line)
{
    walk->octets += json_dumpb(take_line, NULL, 0, JSON_COMPACT);
    walk->failed |= json_array_append_new(walk->lines, take_line) != 0;
}

const struct evidence *walk_evidence(struct walk *walk, const struct cache_entry *entry)
{
    struct evidence *evidence;
    struct key key;

    arena_reset(walk->arena);
    evidence = cache_entry_evidence(entry, walk->arena);
    if (evidence == NULL)
        return NULL;
    key_parse(&key, entry->key, entry->key_length, walk->engine->tools.smtp_port);
    ruleset_list(&evidence->list, walk->engine->ruleset, &key);
    return evidence;
}

json_t *walk_answer(const struct reply *reply)
{
    struct answer answer = reply_answer(reply, FORM_PLAIN);
    const char *status = answer_status_name(answer.status);

    if (strlen(status) + 1 + answer.length > REPORT_SHOWN_MAX)
        return json_string(REPORT_UNSHOWN);
    return json_sprintf("%s%s%.*s", status, answer.length > 0 ? " " : "", (int)answer.length,
                        answer.text);
}

bool walk_same_answer(const struct reply *one, const struct reply *other)
{
    struct answer a = reply_answer(one, FORM_PLAIN), b = reply_answer(other, FORM_PLAIN);

    return a.status == b.status && a.length == b.length && memcmp(a.text, b.text, a.length) == 0;
}
