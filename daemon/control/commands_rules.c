/* commands_rules: `rules`: what each rule in force does today; see commands.h. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "daemon/control/commands.h"
#include "daemon/control/walk.h"
#include "policy/report/report.h"

#define RULE_OCTETS 200                /* of a line beside its texts */
#define TOLD_MAX    (32 * 1024 * 1024) /* octets of answers kept for the list of rules */

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
