/*
 * commands_check: `rules-check`: what other rules than those in force would do; see command.h. The
 * text of the rules comes in parts, and is parsed on another thread.
 */
#include <stdlib.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/clock.h"
#include "daemon/control/walk.h"
#include "policy/rules/forecast.h"

/* The rules to be checked. They outlive a walk that ends while the thread parses them. */
struct candidate {
    struct check_walk *check; /* NULL: nobody waits for them any more */
    struct buf text;
    uint16_t default_port;
    uv_work_t work;
    bool parsing;
    /* the thread's, while it parses */
    struct rules *rules; /* owned; NULL: none yet */
    char error[RULES_ERROR_MAX];
};

struct check_walk {
    struct walk walk;
    struct candidate *candidate; /* owned */
    int64_t now_s;               /* when the rules had been parsed */
    json_int_t nexthops, stopped;
};

/* ---- the walk ---- */

static void check_take(struct walk *walk, const struct walk_view *view)
{
    struct check_walk *check = LIST_ELEMENT(walk, struct check_walk, walk);
    struct reply then = {.entry = view->entry};
    const struct evidence *evidence;
    struct override override;
    enum forecast after;
    bool stops;

    override_find(&override, check->candidate->rules, &walk->engine->ruleset->options, &view->key,
                  check->now_s);
    cache_entry_apply(&then.final, &override, view->entry);
    check->nexthops++;
    if (walk_same_answer(&view->reply, &then))
        return;
    evidence = walk_evidence(walk, view->entry);
    after = forecast_final(&then.final, evidence);
    stops = forecast_stops_mail(after) &&
            !forecast_stops_mail(forecast_final(&view->reply.final, evidence));
    check->stopped += stops;
    walk_say(walk, json_pack("{s:s, s:o, s:o, s:i, s:s, s:b}", "key", view->entry->key, "now",
                             walk_answer(&view->reply), "then", walk_answer(&then), "line",
                             override.rule == NULL ? 0 : (int) override.rule->line, "forecast",
                             forecast_name(after), "stops", (int)stops));
}

static json_t *check_totals(struct walk *walk)
{
    const struct check_walk *check = LIST_ELEMENT(walk, struct check_walk, walk);

    return json_pack("{s:I, s:I, s:I}", "rules", (json_int_t)rules_count(check->candidate->rules),
                     "nexthops", check->nexthops, "would_stop", check->stopped);
}

static void candidate_free(struct candidate *candidate)
{
    rules_free(candidate->rules);
    buf_fini(&candidate->text);
    free(candidate);
}

static void check_fini(struct walk *walk)
{
    struct candidate *candidate = LIST_ELEMENT(walk, struct check_walk, walk)->candidate;

    if (candidate == NULL)
        return;
    candidate->check = NULL;
    if (candidate->parsing)
        uv_cancel(
            (uv_req_t *)&candidate->work); /* if it has not begun; on_parsed is called anyway */
    else
        candidate_free(candidate);
}

/* ---- the rules ---- */

static void parse(uv_work_t *work)
{
    struct candidate *candidate = work->data;

    if (rules_parse(&candidate->rules, buf_text(&candidate->text), candidate->text.length,
                    candidate->default_port, candidate->error) != 0)
        candidate->rules = NULL;
    buf_fini(&candidate->text);
}

static void on_parsed(uv_work_t *work, int status)
{
    struct candidate *candidate = work->data;
    struct check_walk *check = candidate->check;

    (void)status;
    candidate->parsing = false;
    if (check == NULL) {
        candidate_free(candidate);
    } else if (candidate->rules == NULL) {
        walk_refuse(&check->walk, candidate->error);
    } else {
        check->now_s = clock_wall_s();
        walk_start(&check->walk);
    }
}

/* The check whose text comes on this connection; NULL after a refusal. */
static struct check_walk *check_of(struct command *command)
{
    static const struct walk_kind kind = {
        .size = sizeof(struct check_walk),
        .take = check_take,
        .totals = check_totals,
        .fini = check_fini,
    };
    struct walk *walk = command->walk != NULL ? command->walk : walk_new(command, &kind);
    struct check_walk *check;

    if (walk == NULL)
        return NULL;
    check = LIST_ELEMENT(walk, struct check_walk, walk);
    if (check->candidate == NULL) {
        check->candidate = calloc(1, sizeof *check->candidate);
        if (check->candidate == NULL) {
            walk_refuse(walk, "no memory");
            return NULL;
        }
        check->candidate->check = check;
        buf_init(&check->candidate->text, RULES_TEXT_MAX);
    }
    return check;
}

void command_rules_check(struct command *command)
{
    const json_t *text = json_object_get(command->request, "text");
    struct check_walk *check = check_of(command);
    struct candidate *candidate;

    if (check == NULL)
        return;
    if (!json_is_string(text)) {
        walk_refuse(&check->walk, "text is missing");
        return;
    }
    candidate = check->candidate;
    buf_add(&candidate->text, json_string_value(text), json_string_length(text));
    if (candidate->text.failed) {
        walk_refuse(&check->walk, "the rules are too long, or there is no memory");
    } else if (json_is_true(json_object_get(command->request, "more"))) {
        command_finish(command, json_pack("{s:I}", "taken", (json_int_t)json_string_length(text)));
    } else {
        candidate->default_port = command->means.engine->tools.smtp_port;
        candidate->parsing = true;
        candidate->work.data = candidate;
        CHECK(uv_queue_work(command->means.walks->loop, &candidate->work, parse, on_parsed) == 0);
    }
}
