/*
 * ruleset: see ruleset.h. Rules lapse by the wall clock. A timer looks at the clock when the next
 * rule lapses, and every minute, so that a jump of the clock is noticed. It looks at the rules only
 * when one has lapsed, when the clock was set back, or after an hour, for rules that lapse soon.
 */
#include "daemon/rules/ruleset.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log/log.h"

#define CLOCK_S      60
#define LOOK_S       3600
#define LAPSES_NAMED 100 /* by one look: a hundred thousand lines would stop the loop */

/* ---- lapsing ---- */

/* True when the rule has lapsed since the last look. */
static bool look_at(struct ruleset *ruleset, const struct rule *rule, int64_t now_s)
{
    int64_t warn_s = rule->until_s - RULES_WARN_BEFORE_S;
    bool lapsed = rule->until_s > ruleset->looked_s && rule->until_s <= now_s;
    bool soon = rule->until_s > now_s && warn_s > ruleset->looked_s && warn_s <= now_s;

    if ((lapsed || soon) && ruleset->lapses++ < LAPSES_NAMED)
        log_event(LOG_LEVEL_WARNING, lapsed ? "rule-lapsed" : "rule-lapses-soon", "line",
                  LOG_NUM(rule->line), "pattern", rule->pattern, "action",
                  rule_action_name(rule->action), "in_s",
                  soon ? LOG_NUM(rule->until_s - now_s) : NULL, "ticket", rule->ticket, NULL);
    return lapsed;
}

static void look(struct ruleset *ruleset, int64_t now_s)
{
    int64_t next_s = 0;
    bool lapsed = now_s < ruleset->seen_s; /* set back: a lapsed rule may be in force again */

    ruleset->lapses = 0;
    for (size_t i = 0; ruleset->rules != NULL && i < rules_count(ruleset->rules); i++)
        lapsed |= look_at(ruleset, rules_at(ruleset->rules, i), now_s);
    if (ruleset->lapses > LAPSES_NAMED)
        log_event(LOG_LEVEL_WARNING, "more-rules-lapse", "count",
                  LOG_NUM(ruleset->lapses - LAPSES_NAMED), "see", "mxcrypt rules", NULL);
    if (ruleset->rules != NULL)
        next_s = rules_next_lapse(ruleset->rules, now_s);
    ruleset->next_s = next_s == 0 ? INT64_MAX : next_s;
    ruleset->looked_s = now_s;
    ruleset->generation += lapsed;
}

static void on_clock(uv_timer_t *timer)
{
    struct ruleset *ruleset = timer->data;
    int64_t now_s = clock_wall_s(), in_s;

    if (now_s < ruleset->seen_s || now_s >= ruleset->next_s || now_s - ruleset->looked_s >= LOOK_S)
        look(ruleset, now_s);
    ruleset->seen_s = now_s;
    in_s = ruleset->next_s - now_s;
    uv_timer_start(timer, on_clock, (uint64_t)(in_s < CLOCK_S ? in_s : CLOCK_S) * 1000, 0);
}

/* ---- the rules in force ---- */

void ruleset_replace(struct ruleset *ruleset, struct rules *take,
                     const struct override_options *options)
{
    rules_free(ruleset->rules);
    ruleset->rules = take;
    ruleset->options = *options;
    ruleset->generation++;
    ruleset->looked_s = ruleset->seen_s = 0;
    log_event(LOG_LEVEL_INFO, "orders", "rules", LOG_NUM(take == NULL ? 0 : rules_count(take)),
              "mode", options->monitor ? "monitor" : "enforce", "rollout",
              LOG_NUM(options->rollout), NULL);
    on_clock(&ruleset->timer);
}

void ruleset_find(const struct ruleset *ruleset, const struct key *key, struct override *out)
{
    *out = (struct override){0};
    if (ruleset != NULL)
        override_find(out, ruleset->rules, &ruleset->options, key, clock_wall_s());
}

/* ---- the lists in force ---- */

/* A list is for the next-hops that are mail domains. */
void ruleset_list(struct list_evidence *out, const struct ruleset *ruleset, const struct key *key)
{
    *out = (struct list_evidence){.mode = LIST_NONE};
    if (ruleset != NULL && ruleset->lists != NULL && key->kind == KEY_DOMAIN &&
        key->port == ruleset->port)
        lists_find(out, ruleset->lists, key->name);
}

void ruleset_evidence(struct evidence *out, const struct ruleset *ruleset, const struct key *key,
                      const struct evidence *evidence)
{
    *out = *evidence;
    ruleset_list(&out->list, ruleset, key);
}

void ruleset_use_lists(struct ruleset *ruleset, const struct lists *lists)
{
    ruleset->lists = lists;
    ruleset->generation++;
}

/* ---- the whole ---- */

int ruleset_new(struct ruleset **out, uv_loop_t *loop, const struct config *config,
                char error[CONFIG_ERROR_MAX])
{
    struct rules *rules;
    struct ruleset *ruleset;

    *out = NULL;
    if (config_read_rules(&rules, config, error) != 0)
        return -1;
    ruleset = calloc(1, sizeof *ruleset);
    if (ruleset == NULL) {
        rules_free(rules);
        snprintf(error, CONFIG_ERROR_MAX, "no memory");
        return -1;
    }
    uv_timer_init(loop, &ruleset->timer);
    ruleset->timer.data = ruleset;
    ruleset->port = config->prober.smtp_port;
    ruleset_replace(ruleset, rules, &config->override);
    *out = ruleset;
    return 0;
}

void ruleset_close(struct ruleset *ruleset)
{
    uv_close((uv_handle_t *)&ruleset->timer, NULL);
}

void ruleset_free(struct ruleset *ruleset)
{
    rules_free(ruleset->rules);
    free(ruleset);
}
