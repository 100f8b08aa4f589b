/*
 * orders: see orders.h. Rules lapse by the wall clock. A timer looks at that clock when the next
 * one lapses and every minute, so that a clock that jumps is noticed; at the rules only when one
 * has lapsed, when the clock was set back, or after an hour, for what is to be warned of.
 */
#include "daemon/rules/orders.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log/log.h"

#define CLOCK_S      60
#define LOOK_S       3600
#define LAPSES_NAMED 100 /* of one look; a hundred thousand lines would hold the loop up */

struct orders {
    struct rules *rules; /* NULL: none */
    struct ruling_options options;
    unsigned generation;
    uv_timer_t timer;
    /* wall clock */
    int64_t looked_s; /* of the last look; 0: never at these rules */
    int64_t seen_s;   /* when the clock was looked at last */
    int64_t next_s;   /* when the next rule lapses; INT64_MAX: none will */
    size_t lapses;    /* that this look has found, or that are to come soon */
};

/* ---- lapsing ---- */

static void log_lapse(struct orders *orders, const struct rule *rule, const char *event,
                      int64_t now_s)
{
    if (orders->lapses++ >= LAPSES_NAMED)
        return;
    log_event(LOG_LEVEL_WARNING, event, "line", LOG_NUM(rule->line), "pattern", rule->pattern,
              "action", rule_action_name(rule->action), "in_s",
              rule->until_s > now_s ? LOG_NUM(rule->until_s - now_s) : NULL, "ticket", rule->ticket,
              NULL);
}

static void log_unnamed_lapses(const struct orders *orders)
{
    if (orders->lapses > LAPSES_NAMED)
        log_event(LOG_LEVEL_WARNING, "more-rules-lapse", "count",
                  LOG_NUM(orders->lapses - LAPSES_NAMED), "see", "mxcrypt rules", NULL);
}

static bool came(int64_t moment_s, int64_t after_s, int64_t now_s)
{
    return moment_s > after_s && moment_s <= now_s;
}

/* True when the rule has lapsed since the last look. */
static bool look_at(struct orders *orders, const struct rule *rule, int64_t now_s)
{
    if (rule->until_s == 0)
        return false;
    if (came(rule->until_s, orders->looked_s, now_s)) {
        log_lapse(orders, rule, "rule-lapsed", now_s);
        return true;
    }
    if (rule->until_s > now_s && came(rule->until_s - RULES_WARN_BEFORE_S, orders->looked_s, now_s))
        log_lapse(orders, rule, "rule-lapses-soon", now_s);
    return false;
}

static void on_clock(uv_timer_t *timer);

static void look_later(struct orders *orders, int64_t now_s)
{
    int64_t in_s = orders->next_s - now_s;

    orders->seen_s = now_s;
    uv_timer_start(&orders->timer, on_clock, (uint64_t)(in_s < CLOCK_S ? in_s : CLOCK_S) * 1000, 0);
}

static void look(struct orders *orders)
{
    int64_t now_s = clock_wall_s(), next_s = 0;
    bool lapsed = now_s < orders->seen_s; /* set back: what had lapsed may be in force again */

    orders->lapses = 0;
    for (size_t i = 0; orders->rules != NULL && i < rules_count(orders->rules); i++)
        lapsed |= look_at(orders, rules_at(orders->rules, i), now_s);
    log_unnamed_lapses(orders);
    if (orders->rules != NULL)
        next_s = rules_next_lapse(orders->rules, now_s);
    orders->next_s = next_s == 0 ? INT64_MAX : next_s;
    orders->looked_s = now_s;
    if (lapsed)
        orders->generation++;
    look_later(orders, now_s);
}

static void on_clock(uv_timer_t *timer)
{
    struct orders *orders = timer->data;
    int64_t now_s = clock_wall_s();

    if (now_s < orders->seen_s || now_s >= orders->next_s || now_s - orders->looked_s >= LOOK_S)
        look(orders);
    else
        look_later(orders, now_s);
}

/* ---- what is in force ---- */

void orders_replace(struct orders *orders, struct rules *take, const struct ruling_options *options)
{
    rules_free(orders->rules);
    orders->rules = take;
    orders->options = *options;
    orders->generation++;
    orders->looked_s = orders->seen_s = 0;
    log_event(LOG_LEVEL_INFO, "orders", "rules", LOG_NUM(take == NULL ? 0 : rules_count(take)),
              "mode", options->monitor ? "monitor" : "enforce", "rollout",
              LOG_NUM(options->rollout), NULL);
    look(orders);
}

unsigned orders_generation(const struct orders *orders)
{
    return orders == NULL ? 1 : orders->generation;
}

void orders_find(const struct orders *orders, const struct key *key, struct ruling *out)
{
    *out = (struct ruling){0};
    if (orders == NULL)
        return;
    ruling_find(out, orders->rules, &orders->options, key, clock_wall_s());
}

bool orders_has_rules(const struct orders *orders)
{
    return orders->rules != NULL && rules_count(orders->rules) > 0;
}

const struct rules *orders_rules(const struct orders *orders)
{
    return orders->rules;
}

const struct ruling_options *orders_options(const struct orders *orders)
{
    return &orders->options;
}

/* ---- the whole ---- */

int orders_new(struct orders **out, uv_loop_t *loop, const struct config *config,
               char error[CONFIG_ERROR_MAX])
{
    struct rules *rules;
    struct orders *orders;

    *out = NULL;
    if (config_read_rules(&rules, config, error) != 0)
        return -1;
    orders = calloc(1, sizeof *orders);
    if (orders == NULL) {
        rules_free(rules);
        snprintf(error, CONFIG_ERROR_MAX, "no memory");
        return -1;
    }
    uv_timer_init(loop, &orders->timer);

    orders->timer.data = orders;
    orders_replace(orders, rules, &config->ruling);
    *out = orders;
    return 0;
}

void orders_close(struct orders *orders)
{
    uv_close((uv_handle_t *)&orders->timer, NULL);
}

void orders_free(struct orders *orders)
{
    rules_free(orders->rules);
    free(orders);
}
