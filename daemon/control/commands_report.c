/* commands_report: `report`: what would change today if everything were enforced; see
 * commands.h. */
#include "daemon/control/commands.h"
#include "daemon/control/walk.h"
#include "policy/rules/forecast.h"

#define LINE_OCTETS 250 /* of a line beside its texts */

struct report_walk {
    struct walk walk;
    bool wants_changes;
    json_int_t nexthops, withheld, unsure, changed;
    struct {
        json_int_t found, reply;
    } levels[VERDICT_TEMP + 1];
};

static void say_nexthop(struct walk *walk, const struct walk_view *view,
                        const struct reply *enforced, enum forecast forecast)
{
    const struct final_answer *final = &enforced->final;
    enum verdict_reason found = view->entry->verdict.reason;
    bool as_found = final->kind == FINAL_FOUND;
    json_t *line =
        json_pack("{s:s, s:o, s:o, s:s, s:s, s:s, s:s, s:b}", "key", view->entry->key, "told",
                  walk_answer(&view->reply), "enforced", walk_answer(enforced), "level",
                  final_level_name(final), "reason",
                  as_found ? verdict_reason_code(found) : final_reason_code(final->reason), "why",
                  as_found ? verdict_reason_text(found) : final_reason_text(final->reason),
                  "forecast", forecast_name(forecast), "withheld", (int)view->reply.final.withheld);

    walk_say(walk, line,
             LINE_OCTETS + view->entry->key_length + walk_answer_octets(&view->reply) +
                 walk_answer_octets(enforced));
}

static void report_take(struct walk *walk, const struct walk_view *view)
{
    struct report_walk *report = LIST_ELEMENT(walk, struct report_walk, walk);
    const struct verdict found = cache_entry_verdict(view->entry);
    struct reply enforced = {.entry = view->entry};
    enum forecast forecast;
    bool changes;

    override_apply_enforced(&enforced.final, &view->override, &found);
    forecast = forecast_final(&enforced.final, walk_evidence(walk, view->entry));
    changes = !walk_same_answer(&view->reply, &enforced);
    report->nexthops++;
    report->withheld += view->reply.final.withheld;
    report->levels[found.level].found++;
    report->levels[view->reply.final.level].reply++;
    report->unsure += forecast == FORECAST_UNKNOWN;
    report->changed += changes;
    if (forecast_stops_mail(forecast) || (changes && report->wants_changes))
        say_nexthop(walk, view, &enforced, forecast);
}

static json_t *report_totals(struct walk *walk)
{
    const struct report_walk *report = LIST_ELEMENT(walk, struct report_walk, walk);
    const struct override_options *options = ruleset_options(engine_ruleset(walk->engine));
    json_t *verdicts = json_object();

    for (int level = 0; level <= VERDICT_TEMP; level++)
        json_object_set_new(verdicts, verdict_level_name((enum verdict_level)level),
                            json_pack("{s:I, s:I}", "found", report->levels[level].found, "told",
                                      report->levels[level].reply));
    return json_pack("{s:s, s:i, s:I, s:I, s:I, s:o, s:I}", "mode",
                     options->monitor ? "monitor" : "enforce", "rollout", (int)options->rollout,
                     "nexthops", report->nexthops, "withheld", report->withheld, "unsure",
                     report->unsure, "verdicts", verdicts, "would_change", report->changed);
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
