/*
 * judged: takes verdicts, and tries other settings on them; see judged.h. Pure. A line says itself
 * what mode = enforce and another rollout would do. Other rules are tried here, by what the line
 * says of the verdict: the daemon need not know them.
 */
#include "audit/judged.h"

#include <stdlib.h>
#include <string.h>

#include "policy/rules/forecast.h"

#define ARENA_MAX     ((size_t)1024 * 1024 * 1024)
#define CHANGES_FIRST 1024 /* room for, at first */
#define COUNT(array)  ((int)(sizeof(array) / sizeof(array)[0]))
#define NOT_LOOKED_UP "(not looked up)"
#define WHY_UNKNOWN   "it was not looked up, because a rule in force decides alone"

/* What Postfix is told in one case. Borrowed from the line. */
struct outcome {
    const char *answer, *reason, *why;
    enum forecast forecast;
};

int judged_init(struct judged *judged)
{
    *judged = (struct judged){.arena = arena_new(ARENA_MAX)};
    return judged->arena == NULL ? -1 : 0;
}

void judged_fini(struct judged *judged)
{
    arena_free(judged->arena);
}

/* ---- what a line says ---- */

#define NAME(word, text) text,
static const char *const level_names[] = {VERDICT_LEVELS(NAME)};
static const char *const dane_names[] = {DANE_STATES(NAME)};
static const char *const starttls_names[] = {STARTTLS_ALL_STATES(NAME)};
static const char *const forecast_names[] = {FORECASTS(NAME)};

static const char *text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

/* The index of a member's text among names; `otherwise` when it is none of them. */
static int word_of(const json_t *object, const char *name, const char *const *names, int count,
                   int otherwise)
{
    const char *text = text_of(object, name);

    for (int i = 0; text != NULL && i < count; i++)
        if (strcmp(names[i], text) == 0)
            return i;
    return otherwise;
}

static bool read_outcome(struct outcome *out, const json_t *line, const char *name)
{
    const json_t *said = json_object_get(line, name);

    out->answer = text_of(said, "answer");
    out->reason = text_of(said, "reason");
    out->why = text_of(said, "why");
    out->forecast = (enum forecast)word_of(said, "forecast", forecast_names, COUNT(forecast_names),
                                           FORECAST_UNKNOWN);
    return out->answer != NULL && out->reason != NULL && out->why != NULL;
}

/* The verdict as far as rules ask for it; false when nothing was looked up. */
static bool read_found(struct verdict *out, const json_t *line)
{
    const json_t *found = json_object_get(line, "found");
    int level = word_of(found, "level", level_names, COUNT(level_names), -1);

    *out = (struct verdict){.reason = REASON_KEY};
    out->dane = (enum dane_state)word_of(line, "dane", dane_names, COUNT(dane_names), DANE_UNKNOWN);
    out->starttls = (enum starttls_state)word_of(line, "starttls", starttls_names,
                                                 COUNT(starttls_names), STARTTLS_ALL_UNKNOWN);
    out->remembered.refused = json_is_true(json_object_get(line, "refused"));
    if (level >= 0)
        out->level = (enum verdict_level)level;
    return level >= 0;
}

static void read_facts(struct forecast_facts *out, const json_t *line)
{
    const json_t *forecasts = json_object_get(line, "forecasts"), *name;
    size_t i;

    forecast_read(out, NULL);
    for (int level = VERDICT_ENCRYPT; level <= VERDICT_DANE_ONLY; level++)
        out->levels[level] = (enum forecast)word_of(forecasts, level_names[level], forecast_names,
                                                    COUNT(forecast_names), (int)out->levels[level]);
    json_array_foreach(json_object_get(line, "verified"), i, name)
    {
        if (json_is_string(name) && out->verified_count < EVIDENCE_MX_MAX)
            out->verified[out->verified_count++] = json_string_value(name);
    }
}

/* ---- other settings ---- */

/* One more; false without memory. */
static bool add_change(struct judged *judged, struct judged_what_if *what_if,
                       const struct judged_change *change)
{
    size_t size = what_if->size == 0 ? CHANGES_FIRST : what_if->size * 2;
    struct judged_change *more;

    if (what_if->count == what_if->size) {
        more = arena_array(judged->arena, size, sizeof *more);
        if (more == NULL)
            return false;
        if (what_if->count > 0)
            memcpy(more, what_if->changes, what_if->count * sizeof *more);
        what_if->changes = more;
        what_if->size = size;
    }
    what_if->changes[what_if->count++] = *change;
    return true;
}

/* What a domain would be told by another setting; false without memory. */
static bool note_outcome(struct judged *judged, const struct tally *tally, uint32_t domain,
                         struct judged_what_if *what_if, const struct outcome *now,
                         const struct outcome *then)
{
    struct judged_change change = {.domain = domain,
                                   .messages = tally->domains[domain].messages,
                                   .now = judged->domains[domain].answer};

    if (strcmp(now->answer, then->answer) == 0)
        return true;
    change.then = arena_strdup(judged->arena, then->answer);
    change.why = arena_strdup(judged->arena, then->why);
    change.forecast = forecast_name(then->forecast);
    change.stops = forecast_stops_mail(then->forecast) && !forecast_stops_mail(now->forecast);
    if (change.then == NULL || change.why == NULL || !add_change(judged, what_if, &change))
        return false;
    what_if->messages_changed += change.messages;
    what_if->messages_stopped += change.stops ? change.messages : 0;
    return true;
}

/* The answer of a final one whose text is not that of the line. */
static const char *final_text(struct arena *arena, const struct final_answer *final)
{
    switch (final->kind) {
    case FINAL_POLICY:
        return arena_printf(arena, "OK %s", final->text);
    case FINAL_TEMP:
        return arena_printf(arena, "TEMP %s", final->text);
    default:
        return "NOTFOUND";
    }
}

/* What the rules that are tried would tell; false without memory. */
static bool try_rules(struct judged *judged, const char *name, const json_t *line,
                      struct outcome *out)
{
    const struct judged_options *options = &judged->options;
    const struct override_options enforced = {.rollout = options->in_force.rollout};
    struct forecast_facts facts;
    struct final_answer final;
    struct override override;
    struct verdict found;
    bool looked_up = read_found(&found, line);
    struct key key;

    key_parse(&key, name, strlen(name), options->smtp_port);
    override_find(&override, options->rules, &enforced, &key, options->now_s);
    if (!looked_up && override_wants_lookup(&override)) {
        *out = (struct outcome){NOT_LOOKED_UP, "", WHY_UNKNOWN, FORECAST_UNKNOWN};
        return true;
    }
    override_apply(&final, &override, &found);
    if (final.kind == FINAL_FOUND)
        return read_outcome(out, line, "found");
    read_facts(&facts, line);
    *out = (struct outcome){final_text(judged->arena, &final), final_reason_code(final.reason),
                            final_reason_text(final.reason), forecast_by_facts(&final, &facts)};
    return out->answer != NULL;
}

/* ---- one domain ---- */

/* What the line says now; false when it makes no sense, or without memory. */
static bool take_present(struct judged *judged, uint32_t domain, const json_t *line,
                         struct outcome *now)
{
    struct judged_domain *out = &judged->domains[domain];
    struct outcome found;
    struct verdict verdict;

    if (!read_outcome(now, line, "told"))
        return false;
    if (!read_found(&verdict, line) || !read_outcome(&found, line, "found")) {
        found = *now;
        verdict.level =
            (enum verdict_level)word_of(json_object_get(line, "told"), "level", level_names,
                                        COUNT(level_names), VERDICT_NO_OPINION);
    }
    out->found = verdict.level;
    out->withheld = json_is_true(json_object_get(line, "withheld"));
    out->reason = arena_strdup(judged->arena, found.reason);
    out->why = arena_strdup(judged->arena, now->why);
    out->answer = arena_strdup(judged->arena, now->answer);
    return out->reason != NULL && out->why != NULL && out->answer != NULL;
}

bool judged_take(struct judged *judged, const struct tally *tally, uint32_t domain,
                 const json_t *line)
{
    struct judged_what_if *what_if = judged->what_ifs;
    struct outcome now, then;

    if (!take_present(judged, domain, line, &now))
        return false;
    if (!read_outcome(&then, line, "enforced") ||
        !note_outcome(judged, tally, domain, what_if++, &now, &then))
        return false;
    if (judged->options.rollout >= 0 &&
        (!read_outcome(&then, line, "rollout") ||
         !note_outcome(judged, tally, domain, what_if++, &now, &then)))
        return false;
    if (judged->options.rules != NULL &&
        (!try_rules(judged, tally->domains[domain].name, line, &then) ||
         !note_outcome(judged, tally, domain, what_if, &now, &then)))
        return false;
    what_if = &judged->what_ifs[judged->what_if_count]; /* judged_end counts it */
    if (read_outcome(&then, line, "list_enforced") &&
        !note_outcome(judged, tally, domain, what_if, &now, &then))
        return false;
    judged->domains[domain].known = true;
    return true;
}

/* ---- all of them ---- */

size_t judged_choose(uint32_t *out, const struct tally *tally, judged_wanted *wanted,
                     const void *context)
{
    size_t found =
        tally_top(tally, out, tally->domain_count, tally->domain_count, tally_by_messages);
    size_t count = 0;

    for (size_t i = 0; i < found && count < JUDGED_DOMAINS_MAX; i++)
        if (out[i] != TALLY_OTHERS && wanted(context, out[i]))
            out[count++] = out[i];
    return count;
}

/* Names what is tried, in the order of judged_take. */
static void name_settings(struct judged *judged)
{
    const struct judged_options *options = &judged->options;
    const char *mode = options->in_force.monitor ? "mode = enforce, " : "";
    struct judged_what_if *what_if = judged->what_ifs;

    (what_if++)->setting = "mode = enforce";
    if (options->rollout >= 0)
        (what_if++)->setting =
            arena_printf(judged->arena, "%srollout = %d", mode, options->rollout);
    if (options->rules != NULL)
        (what_if++)->setting = arena_printf(judged->arena, "%srules %s", mode, options->rules_name);
    judged->what_if_count = (size_t)(what_if - judged->what_ifs);
    what_if->setting = "policy lists in testing mode enforced";
}

int judged_begin(struct judged *judged, const struct tally *tally, const char *source,
                 const struct judged_options *options)
{
    judged->options = *options;
    judged->source = source;
    judged->domains = arena_array(judged->arena, tally->domain_count + 1, sizeof *judged->domains);
    name_settings(judged);
    judged->asked = !arena_failed(judged->arena);
    return judged->asked ? 0 : -1;
}

/* Those that stop mail first; most messages first; then in the order of the tally. */
static int stopping_first(const void *a, const void *b)
{
    const struct judged_change *one = a, *other = b;

    if (one->stops != other->stops)
        return one->stops ? -1 : 1;
    if (one->messages != other->messages)
        return one->messages < other->messages ? 1 : -1;
    return one->domain < other->domain ? -1 : one->domain > other->domain;
}

void judged_end(struct judged *judged, const struct tally *tally)
{
    for (uint32_t i = 0; i < tally->domain_count; i++) {
        const struct judged_domain *domain = &judged->domains[i];
        uint32_t messages = tally->domains[i].messages;

        if (domain->known) {
            judged->messages_by_level[domain->found] += messages;
            judged->domains_by_level[domain->found]++;
        } else {
            judged->messages_unjudged += messages;
            judged->domains_unjudged += i != TALLY_OTHERS;
        }
    }
    if (judged->what_ifs[judged->what_if_count].count > 0)
        judged->what_if_count++;
    for (size_t i = 0; i < judged->what_if_count; i++)
        if (judged->what_ifs[i].count > 0)
            qsort(judged->what_ifs[i].changes, judged->what_ifs[i].count,
                  sizeof *judged->what_ifs[i].changes, stopping_first);
}
