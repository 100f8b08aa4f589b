/*
 * commands_rules: `rules`, what each rule in force does today, and `rules-check`, what other rules
 * would do; see commands.h.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "daemon/rules/candidate.h"
#include "daemon/control/commands.h"
#include "daemon/control/walk.h"
#include "policy/rules/forecast.h"
#include "policy/report/report.h"

#define RULE_OCTETS   200 /* of a line beside its texts */
#define CHANGE_OCTETS 120
#define TOLD_MAX      (32 * 1024 * 1024) /* octets of answers kept for the list of rules */

/* ---- rules ---- */

/* What one rule does. */
struct deeds {
    uint32_t nexthops, changed, withheld;
    const char *reply; /* what the first next-hop is told */
};

struct rules_walk {
    struct walk walk;
    const struct rules *rules; /* those in force: gone when they are replaced */
    size_t count, listed;
    struct deeds *deeds;   /* by rule; owned */
    struct arena *answers; /* `told`; owned */
};

static const char *keep_answer(struct rules_walk *own, const struct reply *reply)
{
    json_t *answer = walk_answer(reply);
    const char *copy = arena_strdup(own->answers, json_string_value(answer));

    json_decref(answer);
    return copy == NULL ? WALK_UNSHOWN : copy;
}

static void rules_take(struct walk *walk, const struct walk_view *view)
{
    struct rules_walk *own = LIST_ELEMENT(walk, struct rules_walk, walk);
    const struct reply found = {view->entry, {.kind = FINAL_FOUND}};
    struct deeds *deeds;

    if (view->override.rule == NULL)
        return;
    deeds = &own->deeds[rules_index(own->rules, view->override.rule)];
    deeds->nexthops++;
    deeds->withheld += view->reply.final.withheld;
    deeds->changed += !walk_same_answer(&view->reply, &found);
    if (deeds->nexthops == 1)
        deeds->reply = keep_answer(own, &view->reply);
}

static size_t octets_of(const struct rule *rule, const char *reply)
{
    return RULE_OCTETS + strlen(rule->pattern) + rule->policy_length +
           (rule->ticket == NULL ? 0 : strlen(rule->ticket)) + (reply == NULL ? 0 : strlen(reply));
}

static bool rules_list(struct walk *walk)
{
    struct rules_walk *own = LIST_ELEMENT(walk, struct rules_walk, walk);
    int64_t now_s = clock_wall_s();
    const struct rule *rule;
    const struct deeds *deeds;
    const char *reply;
    json_t *line;

    if (own->listed == own->count)
        return false;
    rule = rules_at(own->rules, own->listed);
    deeds = &own->deeds[own->listed++];
    reply = deeds->nexthops == 1 ? deeds->reply : NULL;
    line = report_rule(rule);
    json_object_set_new(line, "lapsed", json_boolean(rule->until_s != 0 && rule->until_s <= now_s));
    json_object_set_new(line, "today",
                        json_pack("{s:i, s:i, s:i}", "nexthops", (int)deeds->nexthops, "changed",
                                  (int)deeds->changed, "withheld", (int)deeds->withheld));
    if (reply != NULL)
        json_object_set_new(line, "told", json_string(reply));
    walk_say(walk, line, octets_of(rule, reply));
    return true;
}

static json_t *rules_totals(struct walk *walk)
{
    (void)walk;
    return json_object();
}

static void rules_fini(struct walk *walk)
{
    struct rules_walk *own = LIST_ELEMENT(walk, struct rules_walk, walk);

    free(own->deeds);
    arena_free(own->answers);
}

static const struct walk_kind rules_kind = {
    .size = sizeof(struct rules_walk),
    .take = rules_take,
    .list = rules_list,
    .totals = rules_totals,
    .fini = rules_fini,
};

void command_rules(struct command *command)
{
    const struct rules *rules = ruleset_rules(engine_ruleset(command->engine));
    struct walk *walk = walk_new(command, &rules_kind);
    struct rules_walk *own;

    if (walk == NULL)
        return;
    own = LIST_ELEMENT(walk, struct rules_walk, walk);
    own->rules = rules;
    own->count = rules == NULL ? 0 : rules_count(rules);
    own->deeds = calloc(own->count + 1, sizeof *own->deeds);
    own->answers = arena_new(TOLD_MAX);
    walk->all_met = own->count == 0; /* nobody to meet */
    walk->failed |= own->deeds == NULL || own->answers == NULL;
    walk_start(walk);
}

/* ---- rules check ---- */

struct check_walk {
    struct walk walk;
    struct candidate *candidate; /* owned; while its text comes and is read */
    struct rules *rules;         /* owned; from then on */
    int64_t now_s;               /* when it was read */
    json_int_t nexthops, stopped;
};

/* The next-hop's answer changes. */
static void say_change(struct check_walk *check, const struct walk_view *view,
                       const struct override *override, const struct reply *then)
{
    const struct evidence *evidence = walk_evidence(&check->walk, view->entry);
    enum forecast after = forecast_final(&then->final, evidence);
    bool stops = forecast_stops_mail(after) &&
                 !forecast_stops_mail(forecast_final(&view->reply.final, evidence));
    json_t *line = json_pack("{s:s, s:o, s:o, s:i, s:s, s:b}", "key", view->entry->key, "now",
                             walk_answer(&view->reply), "then", walk_answer(then), "line",
                             override->rule == NULL ? 0 : (int) override->rule->line, "forecast",
                             forecast_name(after), "stops", (int)stops);

    check->stopped += stops;
    walk_say(&check->walk, line,
             CHANGE_OCTETS + view->entry->key_length + walk_answer_octets(&view->reply) +
                 walk_answer_octets(then));
}

static void check_take(struct walk *walk, const struct walk_view *view)
{
    struct check_walk *check = LIST_ELEMENT(walk, struct check_walk, walk);
    const struct override_options *options = ruleset_options(engine_ruleset(walk->engine));
    struct reply then = {.entry = view->entry};
    struct override override;

    override_find(&override, check->rules, options, &view->key, check->now_s);
    override_apply(&then.final, &override, &view->entry->verdict);
    check->nexthops++;
    if (!walk_same_answer(&view->reply, &then))
        say_change(check, view, &override, &then);
}

static json_t *check_totals(struct walk *walk)
{
    const struct check_walk *check = LIST_ELEMENT(walk, struct check_walk, walk);

    return json_pack("{s:I, s:I, s:I}", "rules", (json_int_t)rules_count(check->rules), "nexthops",
                     check->nexthops, "would_stop", check->stopped);
}

static void check_fini(struct walk *walk)
{
    struct check_walk *check = LIST_ELEMENT(walk, struct check_walk, walk);

    candidate_free(check->candidate);
    rules_free(check->rules);
}

static const struct walk_kind check_kind = {
    .size = sizeof(struct check_walk),
    .take = check_take,
    .totals = check_totals,
    .fini = check_fini,
};

static void on_candidate(void *context, struct rules *take, const char *error)
{
    struct check_walk *check = context;

    if (take == NULL) {
        walk_refuse(&check->walk, error);
        return;
    }
    candidate_free(check->candidate);
    check->candidate = NULL;
    check->rules = take;
    check->now_s = clock_wall_s();
    walk_start(&check->walk);
}

/* The check whose text comes on this connection; NULL after a refusal. */
static struct check_walk *check_of(struct command *command)
{
    struct walk *walk = command->walk != NULL ? command->walk : walk_new(command, &check_kind);
    struct check_walk *check;

    if (walk == NULL)
        return NULL;
    check = LIST_ELEMENT(walk, struct check_walk, walk);
    if (check->candidate == NULL)
        check->candidate = candidate_new();
    if (check->candidate != NULL)
        return check;
    walk_refuse(walk, "no memory");
    return NULL;
}

void command_rules_check(struct command *command)
{
    const json_t *text = json_object_get(command->request, "text");
    struct check_walk *check = check_of(command);

    if (check == NULL)
        return;
    if (!json_is_string(text))
        walk_refuse(&check->walk, "text is missing");
    else if (!candidate_add(check->candidate, json_string_value(text), json_string_length(text)))
        walk_refuse(&check->walk, "the rules are too long, or there is no memory");
    else if (json_is_true(json_object_get(command->request, "more")))
        command_finish(command, json_pack("{s:I}", "taken", (json_int_t)json_string_length(text)));
    else
        candidate_read(check->candidate, walks_loop(command->walks),
                       engine_tools(command->engine)->smtp_port, on_candidate, check);
}
