/*
 * commands_report: `report`: what would change today if everything were enforced; and `rules`: what
 * each rule in force does today. See command.h.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "daemon/control/walk.h"
#include "policy/report/report.h"
#include "policy/rules/forecast.h"

#define TOLD_MAX (32 * 1024 * 1024) /* octets of answers kept for the list of rules */

/* ---- report ---- */

struct report_walk {
    struct walk walk;
    bool wants_changes;
    json_int_t nexthops, withheld, unsure, changed;
    json_int_t listed, watched; /* answered by a policy list; one in testing mode would answer */
    struct {
        json_int_t found, reply;
    } levels[VERDICT_TEMP + 1];
};

/* How mail would go if a policy list in testing mode were enforced; FLOWS where there is none. */
static enum forecast list_forecast(struct report_walk *report, const struct verdict *found,
                                   const struct evidence *evidence)
{
    struct verdict enforced = *found;

    report->listed += found->list_decides && found->listed == LIST_ENFORCE;
    if (!found->list_decides || found->listed != LIST_TESTING)
        return FORECAST_FLOWS;
    report->watched++;
    if (evidence == NULL)
        return FORECAST_UNKNOWN;
    verdict_by_list(&enforced, evidence);
    return forecast_level(enforced.level, evidence);
}

static void report_take(struct walk *walk, const struct walk_view *view)
{
    struct report_walk *report = LIST_ELEMENT(walk, struct report_walk, walk);
    const struct verdict found = cache_entry_verdict(view->entry);
    struct reply enforced = {.entry = view->entry};
    const struct final_answer *final = &enforced.final;
    const struct evidence *evidence = walk_evidence(walk, view->entry);
    enum forecast forecast, by_list;
    bool changes;

    override_apply_enforced(&enforced.final, &view->override, &found);
    forecast = forecast_final(final, evidence);
    by_list = list_forecast(report, &found, evidence);
    changes = !walk_same_answer(&view->reply, &enforced);
    report->nexthops++;
    report->withheld += view->reply.final.withheld;
    report->levels[found.level].found++;
    report->levels[view->reply.final.level].reply++;
    report->unsure += forecast == FORECAST_UNKNOWN;
    report->changed += changes;
    if (!forecast_stops_mail(forecast) && !forecast_stops_mail(by_list) &&
        !(changes && report->wants_changes))
        return;
    walk_say(walk, json_pack("{s:s, s:o, s:o, s:s, s:s, s:s, s:s, s:s, s:b}", "key",
                             view->entry->key, "told", walk_answer(&view->reply), "enforced",
                             walk_answer(&enforced), "level", final_level_name(final), "reason",
                             report_reason_code(final, found.reason), "why",
                             report_reason_text(final, found.reason), "forecast",
                             forecast_name(forecast), "list_forecast", forecast_name(by_list),
                             "withheld", (int)view->reply.final.withheld));
}

static json_t *report_totals(struct walk *walk)
{
    const struct report_walk *report = LIST_ELEMENT(walk, struct report_walk, walk);
    const struct override_options *options = &walk->engine->ruleset->options;
    json_t *verdicts = json_object();

    for (int level = 0; level <= VERDICT_TEMP; level++)
        json_object_set_new(verdicts, verdict_level_name((enum verdict_level)level),
                            json_pack("{s:I, s:I}", "found", report->levels[level].found, "told",
                                      report->levels[level].reply));
    return json_pack("{s:s, s:i, s:I, s:I, s:I, s:o, s:I, s:I, s:I}", "mode",
                     options->monitor ? "monitor" : "enforce", "rollout", (int)options->rollout,
                     "nexthops", report->nexthops, "withheld", report->withheld, "unsure",
                     report->unsure, "verdicts", verdicts, "would_change", report->changed,
                     "listed", report->listed, "listed_testing", report->watched);
}

void command_report(struct command *command)
{
    static const struct walk_kind kind = {
        .size = sizeof(struct report_walk), .take = report_take, .totals = report_totals};
    struct walk *walk = walk_new(command, &kind);

    if (walk == NULL)
        return;
    LIST_ELEMENT(walk, struct report_walk, walk)->wants_changes =
        json_is_true(json_object_get(command->request, "changes"));
    walk_start(walk);
}

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
    int64_t now_s;
    struct deeds *deeds;   /* by rule; owned */
    struct arena *answers; /* `told`; owned */
};

static void rules_take(struct walk *walk, const struct walk_view *view)
{
    struct rules_walk *own = LIST_ELEMENT(walk, struct rules_walk, walk);
    const struct reply found = {view->entry, {.kind = FINAL_FOUND}};
    struct deeds *deeds;
    json_t *answer;

    if (view->override.rule == NULL)
        return;
    deeds = &own->deeds[rules_index(own->rules, view->override.rule)];
    deeds->nexthops++;
    deeds->withheld += view->reply.final.withheld;
    deeds->changed += !walk_same_answer(&view->reply, &found);
    if (deeds->nexthops > 1)
        return;
    answer = walk_answer(&view->reply);
    deeds->reply = arena_strdup(own->answers, json_string_value(answer));
    json_decref(answer);
    if (deeds->reply == NULL)
        deeds->reply = REPORT_UNSHOWN;
}

static bool rules_list(struct walk *walk)
{
    struct rules_walk *own = LIST_ELEMENT(walk, struct rules_walk, walk);
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
    json_object_set_new(line, "lapsed",
                        json_boolean(rule->until_s != 0 && rule->until_s <= own->now_s));
    json_object_set_new(line, "today",
                        json_pack("{s:i, s:i, s:i}", "nexthops", (int)deeds->nexthops, "changed",
                                  (int)deeds->changed, "withheld", (int)deeds->withheld));
    if (reply != NULL)
        json_object_set_new(line, "told", json_string(reply));
    walk_say(walk, line);
    return true;
}

static void rules_fini(struct walk *walk)
{
    struct rules_walk *own = LIST_ELEMENT(walk, struct rules_walk, walk);

    free(own->deeds);
    arena_free(own->answers);
}

void command_rules(struct command *command)
{
    static const struct walk_kind kind = {
        .size = sizeof(struct rules_walk),
        .take = rules_take,
        .list = rules_list,
        .fini = rules_fini,
    };
    const struct rules *rules = command->means.engine->ruleset->rules;
    struct walk *walk = walk_new(command, &kind);
    struct rules_walk *own;

    if (walk == NULL)
        return;
    own = LIST_ELEMENT(walk, struct rules_walk, walk);
    own->rules = rules;
    own->now_s = clock_wall_s();
    own->count = rules == NULL ? 0 : rules_count(rules);
    own->deeds = calloc(own->count + 1, sizeof *own->deeds);
    own->answers = arena_new(TOLD_MAX);
    walk->all_met = own->count == 0; /* nobody to meet */
    walk->failed |= own->deeds == NULL || own->answers == NULL;
    walk_start(walk);
}
