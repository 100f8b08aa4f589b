/*
 * report_verdict: a verdict in one line of JSON, for those who ask for very many; see report.h.
 *
 *   {"key": as asked for,
 *    "found": ANSWER, or null when a rule decides alone and nothing was looked up,
 *    "told": ANSWER, "withheld": BOOL,
 *    "enforced": ANSWER under mode = enforce, "rollout": ANSWER under that and another rollout,
 *    "dane": STATE, "starttls": STATE, "refused": BOOL, by which other rules can be tried,
 *    "forecasts": {LEVEL: FORECAST}, "verified": [mail hosts whose certificate is valid],
 *    "list_decides": BOOL, a policy list that has the key decides, as DANE and MTA-STS say nothing,
 *    "list_enforced": ANSWER if a policy list that has the key in testing mode enforced it; only
 *    where that list would decide}
 *
 * ANSWER is {"answer": "OK encrypt", "level", "reason", "why": a sentence, "forecast"}.
 */
#include "policy/report/report.h"
#include "policy/rules/forecast.h"

enum answer_status report_answer(struct buf *text, const struct final_answer *final,
                                 const struct verdict *verdict, const struct evidence *evidence)
{
    static const struct render_capabilities plain = {.text_max = RENDER_SOCKETMAP_MAX - 3};
    static const enum answer_status statuses[] = {
        [FINAL_POLICY] = ANSWER_OK, [FINAL_NOTFOUND] = ANSWER_NOTFOUND, [FINAL_TEMP] = ANSWER_TEMP};

    if (final->kind == FINAL_FOUND)
        return render_verdict(text, verdict, evidence, &plain);
    if (final->text != NULL)
        buf_add(text, final->text, final->length);
    return statuses[final->kind];
}

const char *report_reason_code(const struct final_answer *final, enum verdict_reason found)
{
    return final->kind == FINAL_FOUND ? verdict_reason_code(found)
                                      : final_reason_code(final->reason);
}

const char *report_reason_text(const struct final_answer *final, enum verdict_reason found)
{
    return final->kind == FINAL_FOUND ? verdict_reason_text(found)
                                      : final_reason_text(final->reason);
}

/* ---- one line ---- */

/* What is known of the key of a line. */
struct line_facts {
    const struct key *key;
    const struct verdict *verdict;
    const struct evidence *evidence;
    const struct report_settings *settings;
    struct forecast_facts forecasts;
    json_t *found; /* owned: the answer as found, which most others are too */
};

static json_t *make_answer(const struct line_facts *facts, const struct final_answer *final)
{
    enum answer_status status;
    json_t *line = NULL;
    struct buf text;

    buf_init(&text, RENDER_SOCKETMAP_MAX);
    status = report_answer(&text, final, facts->verdict, facts->evidence);
    if (!text.failed)
        line = json_pack("{s:o, s:s, s:s, s:s, s:s}", "answer",
                         text.length > REPORT_SHOWN_MAX
                             ? json_string(REPORT_UNSHOWN)
                             : json_sprintf("%s%s%s", answer_status_name(status),
                                            text.length > 0 ? " " : "", buf_text(&text)),
                         "level", final_level_name(final), "reason",
                         report_reason_code(final, facts->verdict->reason), "why",
                         report_reason_text(final, facts->verdict->reason), "forecast",
                         forecast_name(forecast_by_facts(final, &facts->forecasts)));
    buf_fini(&text);
    return line;
}

static json_t *answer_line(struct line_facts *facts, const struct final_answer *final)
{
    if (final->kind != FINAL_FOUND)
        return make_answer(facts, final);
    if (facts->found == NULL)
        facts->found = make_answer(facts, final);
    return json_incref(facts->found);
}

/* The answer in mode = enforce. */
static json_t *enforced_line(struct line_facts *facts, unsigned rollout)
{
    const struct override_options options = {.monitor = false, .rollout = rollout};
    struct final_answer final;
    struct override override;

    override_find(&override, facts->settings->rules, &options, facts->key, facts->settings->now_s);
    override_apply(&final, &override, facts->verdict);
    return answer_line(facts, &final);
}

static json_t *found_line(struct line_facts *facts, const struct override *override)
{
    const struct final_answer found = {.kind = FINAL_FOUND, .level = facts->verdict->level};

    if (facts->evidence == NULL && !override_wants_lookup(override))
        return json_null();
    return answer_line(facts, &found);
}

/* The answer if the list that has the key in testing mode enforced it. */
static json_t *listed_line(const struct line_facts *facts, const struct override *override)
{
    struct verdict enforced = *facts->verdict;
    struct line_facts listed = *facts;
    struct final_answer final;

    verdict_by_list(&enforced, facts->evidence);
    listed.verdict = &enforced;
    override_apply(&final, override, &enforced);
    return make_answer(&listed, &final);
}

static json_t *forecasts_line(const struct forecast_facts *forecasts)
{
    return json_pack("{s:s, s:s, s:s, s:s}", "encrypt",
                     forecast_name(forecasts->levels[VERDICT_ENCRYPT]), "verify",
                     forecast_name(forecasts->levels[VERDICT_VERIFY]), "secure",
                     forecast_name(forecasts->levels[VERDICT_SECURE]), "dane-only",
                     forecast_name(forecasts->levels[VERDICT_DANE_ONLY]));
}

static json_t *verified_line(const struct forecast_facts *forecasts)
{
    json_t *names = json_array();

    for (size_t i = 0; i < forecasts->verified_count; i++)
        if (json_array_append_new(names, json_string(forecasts->verified[i])) != 0) {
            json_decref(names);
            return NULL;
        }
    return names;
}

json_t *report_verdict(const char *asked, const struct key *key, const struct verdict *verdict,
                       const struct evidence *evidence, const struct report_settings *settings)
{
    struct line_facts facts = {
        .key = key, .verdict = verdict, .evidence = evidence, .settings = settings};
    struct final_answer final;
    struct override override;
    bool lacks = false;
    json_t *line;

    forecast_read(&facts.forecasts, evidence);
    override_find(&override, settings->rules, &settings->options, key, settings->now_s);
    override_apply(&final, &override, verdict);
    line = json_pack(
        "{s:s, s:o, s:o, s:b, s:o, s:s, s:s, s:b, s:o, s:o, s:b}", "key", asked, "found",
        found_line(&facts, &override), "told", answer_line(&facts, &final), "withheld",
        (int) final.withheld, "enforced", enforced_line(&facts, settings->options.rollout), "dane",
        dane_state_name(verdict->dane), "starttls", starttls_state_name(verdict->starttls),
        "refused", (int)(verdict->remembered.refused != 0), "forecasts",
        forecasts_line(&facts.forecasts), "verified", verified_line(&facts.forecasts),
        "list_decides", (int)verdict->list_decides);
    if (line != NULL && settings->rollout >= 0)
        lacks |= json_object_set_new(line, "rollout",
                                     enforced_line(&facts, (unsigned)settings->rollout)) != 0;
    if (line != NULL && evidence != NULL && evidence->list.mode == LIST_TESTING &&
        verdict->list_decides)
        lacks |= json_object_set_new(line, "list_enforced", listed_line(&facts, &override)) != 0;
    json_decref(facts.found);
    if (!lacks)
        return line;
    json_decref(line);
    return NULL;
}
