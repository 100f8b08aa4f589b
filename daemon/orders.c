/*
 * orders: see orders.h. Rules lapse by the wall clock: a timer looks for what has lapsed since it
 * looked last, at the next lapse and at least every hour, so that a clock that jumps is noticed.
 */
#include "daemon/orders.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"

#define LOOK_S 3600

struct orders {
    struct rules *rules; /* NULL: none */
    struct ruling_options options;
    unsigned generation;
    uv_timer_t timer;
    int64_t looked_s; /* wall clock of the last look; 0: never at these rules */
};

/* ---- lapsing ---- */

static void log_lapse(const struct rule *rule, const char *event, int64_t now_s)
{
    log_event(LOG_LEVEL_WARNING, event, "line", LOG_NUM(rule->line), "pattern", rule->pattern,
              "action", rule_action_name(rule->action), "in_s",
              rule->until_s > now_s ? LOG_NUM(rule->until_s - now_s) : NULL, "ticket", rule->ticket,
              NULL);
}

static bool came(int64_t moment_s, int64_t after_s, int64_t now_s)
{
    return moment_s > after_s && moment_s <= now_s;
}

/* True when a rule has lapsed since the last look. */
static bool look_at(const struct rule *rule, int64_t looked_s, int64_t now_s)
{
    if (rule->until_s == 0)
        return false;
    if (came(rule->until_s, looked_s, now_s)) {
        log_lapse(rule, "rule-lapsed", now_s);
        return true;
    }
    if (rule->until_s > now_s && came(rule->until_s - RULES_WARN_BEFORE_S, looked_s, now_s))
        log_lapse(rule, "rule-lapses-soon", now_s);
    return false;
}

static void on_look(uv_timer_t *timer);

static void look_later(struct orders *orders, int64_t now_s)
{
    int64_t next = orders->rules == NULL ? 0 : rules_next_lapse(orders->rules, now_s);
    int64_t in_s = next == 0 || next - now_s > LOOK_S ? LOOK_S : next - now_s;

    uv_timer_start(&orders->timer, on_look, (uint64_t)in_s * 1000, 0);
}

static void look(struct orders *orders)
{
    int64_t now_s = clock_wall_s();
    bool lapsed = now_s < orders->looked_s; /* set back: what had lapsed may be in force again */

    for (size_t i = 0; orders->rules != NULL && i < rules_count(orders->rules); i++)
        lapsed |= look_at(rules_at(orders->rules, i), orders->looked_s, now_s);
    orders->looked_s = now_s;
    if (lapsed)
        orders->generation++;
    look_later(orders, now_s);
}

static void on_look(uv_timer_t *timer)
{
    look(timer->data);
}

/* ---- what is in force ---- */

void orders_replace(struct orders *orders, struct rules *take, const struct ruling_options *options)
{
    rules_free(orders->rules);
    orders->rules = take;
    orders->options = *options;
    orders->generation++;
    orders->looked_s = 0;
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
    if (config_read_rules(&rules, config, NULL, error) != 0)
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
