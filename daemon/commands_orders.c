/*
 * commands_orders: see commands_orders.h. `rules` and `findings` give pages, so that a long list
 * does not stop the loop; what a rule does to whom is put together by who asks.
 */
#include "daemon/commands_orders.h"

#include <string.h>

#include "base/clock.h"
#include "daemon/commands_memory.h"
#include "daemon/control.h"
#include "policy/forecast.h"
#include "policy/report.h"

#define FINDINGS_PAGE 100 /* of one answer: each has its evidence unpacked */
#define ANSWER_SHOWN  (16 * 1024)

/* ---- reload ---- */

static json_t *fixed_json(const struct reload_result *result)
{
    json_t *keys = json_array();

    for (size_t i = 0; i < result->fixed_count; i++)
        json_array_append_new(keys, json_string(result->fixed[i]));
    return keys;
}

static void on_reloaded(struct reload_waiter *waiter, const struct reload_result *result)
{
    struct command *command = LIST_ELEMENT(waiter, struct command, reload);

    if (result->error != NULL)
        command_refuse(command, result->error);
    else
        command_finish(command,
                       json_pack("{s:b, s:I, s:o}", "reloaded", 1, "rules",
                                 (json_int_t)result->rules, "needs_restart", fixed_json(result)));
}

void command_reload(struct command *command)
{
    if (command->reloader == NULL)
        command_refuse(command, "there is nothing to reload");
    else
        reload_start(command->reloader, &command->reload, on_reloaded);
}

/* ---- log level ---- */

void command_log_level(struct command *command)
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

/* ---- rules ---- */

static json_t *rule_json(const struct rule *rule, int64_t now_s)
{
    json_t *object = report_rule(rule);

    json_object_set_new(object, "lapsed",
                        json_boolean(rule->until_s != 0 && rule->until_s <= now_s));
    return object;
}

/* The place of a page: what the request's "after" says, 0 at first. */
static size_t place_of(const struct command *command)
{
    json_int_t after = json_integer_value(json_object_get(command->request, "after"));

    return after > 0 ? (size_t)after : 0;
}

void command_rules(struct command *command)
{
    const struct rules *rules = orders_rules(engine_orders(command->engine));
    size_t count = rules == NULL ? 0 : rules_count(rules), at = place_of(command);
    size_t end = at + CONTROL_PAGE < count ? at + CONTROL_PAGE : count;
    int64_t now_s = clock_wall_s();
    json_t *list = json_array(), *answer;

    for (; at < end; at++)
        json_array_append_new(list, rule_json(rules_at(rules, at), now_s));
    answer = json_pack("{s:o, s:I}", "rules", list, "generation",
                       (json_int_t)orders_generation(engine_orders(command->engine)));
    if (end < count)
        json_object_set_new(answer, "next", json_integer((json_int_t)end));
    command_finish(command, answer);
}

/* ---- findings ---- */

static json_t *answer_json(const struct report_facts *facts)
{
    struct buf text;
    json_t *json;

    buf_init(&text, ANSWER_SHOWN);
    report_answer(&text, facts);
    json = text.failed ? json_string("(too long to be shown)") : json_string(buf_text(&text));
    buf_fini(&text);
    return json;
}

static json_t *outcome_json(const struct report_facts *facts, const struct outcome *outcome)
{
    struct report_facts as = *facts;

    as.outcome = outcome;
    return json_pack("{s:s, s:s, s:o}", "level", outcome_level_name(outcome), "reason",
                     outcome->kind == OUTCOME_FOUND ? verdict_reason_code(facts->verdict->reason)
                                                    : outcome_reason_code(outcome->reason),
                     "answer", answer_json(&as));
}

static json_t *forecast_json(const struct evidence *evidence)
{
    json_t *object = json_object();

    for (int level = VERDICT_NO_OPINION; level <= VERDICT_TEMP; level++)
        json_object_set_new(
            object, verdict_level_name((enum verdict_level)level),
            json_string(forecast_name(forecast_level((enum verdict_level)level, evidence))));
    return object;
}

/* Mail hosts whose certificate was valid for their own name: what a rule's match= is held against.
 */
static json_t *verified_json(const struct evidence *evidence)
{
    json_t *names = json_array();

    for (size_t i = 0; evidence != NULL && i < evidence->host_count; i++)
        for (size_t j = 0; j < evidence->hosts[i].address_count; j++) {
            if (evidence->hosts[i].addresses[j].starttls.state != STARTTLS_VERIFIED)
                continue;
            json_array_append_new(names, json_string(evidence->hosts[i].name));
            break;
        }
    return names;
}

/* What rules have to know of a verdict to be tried on it elsewhere. */
static json_t *states_json(const struct verdict *verdict)
{
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:b}", "level", verdict_level_name(verdict->level), "reason",
        verdict_reason_code(verdict->reason), "dane", dane_state_name(verdict->dane), "starttls",
        starttls_state_name(verdict->starttls), "refused", (int)verdict->remembered.refused);
}

static json_t *finding_json(const struct command *command, const struct finding *finding,
                            int64_t now)
{
    const struct outcome as_found = {.kind = OUTCOME_FOUND, .level = finding->verdict.level};
    struct arena *arena = arena_new(FINDING_EVIDENCE_MAX);
    struct ruling ruling;
    struct outcome told, enforced;
    struct key key;
    struct report_facts facts = {&key, &finding->verdict, &ruling, &told, NULL, now};
    json_t *object;

    if (arena != NULL)
        facts.evidence = finding_evidence(finding, arena);
    key_parse(&key, finding->key, finding->key_length, engine_tools(command->engine)->smtp_port);
    orders_find(engine_orders(command->engine), &key, &ruling);
    ruling_decide(&told, &ruling, &finding->verdict);
    ruling_decide_enforced(&enforced, &ruling, &finding->verdict);
    object = json_pack("{s:s, s:o, s:b, s:i, s:o, s:o, s:o, s:o, s:o}", "key", finding->key, "told",
                       outcome_json(&facts, &told), "withheld", (int)told.withheld, "rule",
                       ruling.rule == NULL ? 0 : (int)ruling.rule->line, "found",
                       outcome_json(&facts, &as_found), "enforced", outcome_json(&facts, &enforced),
                       "states", states_json(&finding->verdict), "verified",
                       verified_json(facts.evidence), "forecast", forecast_json(facts.evidence));
    arena_free(arena);
    return object;
}

struct findings_page {
    const struct command *command;
    json_t *list;
    int64_t now;
};

static void take_finding(void *context, const struct finding *finding)
{
    struct findings_page *page = context;

    if (finding->evidence_length > 0 && finding->verdict.valid_until > page->now)
        json_array_append_new(page->list, finding_json(page->command, finding, page->now));
}

void command_findings(struct command *command)
{
    const struct ruling_options *options = orders_options(engine_orders(command->engine));
    struct findings_page page = {command, json_array(), clock_monotonic_ms()};
    json_t *next = command_page(command, page.list, FINDINGS_PAGE, take_finding, &page);

    command_finish(command, json_pack("{s:I, s:s, s:i, s:o, s:o?}", "generation",
                                      (json_int_t)orders_generation(engine_orders(command->engine)),
                                      "mode", options->monitor ? "monitor" : "enforce", "rollout",
                                      (int)options->rollout, "findings", page.list, "next", next));
}
