/*
 * survey_uv: see survey_uv.h. Three parts, which the edge of survey/unit keeps apart:
 *
 *   feed_uv     what is to be looked up next: from the results file, by the manners
 *   workers     look it up (survey/look)
 *   take_result writes what came
 *
 * Phases follow each other: domains, hosts, addresses, verdicts. What failed in the DNS is looked up
 * once more, gently, before it counts, and while the resolver does not answer nothing is looked up
 * (survey/outage_uv.c). Memory holds only units that wait or are under way, IN_FLIGHT_MAX of a
 * worker and what the manners take, and the results of one turn of the loop.
 */
#include "survey/survey_uv.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "probe/prober_uv.h"
#include "survey/decider_uv.h"
#include "survey/judge.h"
#include "survey/outcome.h"
#include "survey/survey_internal_uv.h"

#define IN_FLIGHT_MAX  512   /* domains or hosts of one worker */
#define COMMIT_RESULTS 20000 /* a batch of writes: so many results, or a second */
#define TICK_MS        1000

/* ---- failing ---- */

void survey_fail(struct survey *survey, const char *words)
{
    if (!survey->failed)
        snprintf(survey->why, RESULTS_ERROR_MAX, "%s", words);
    survey->failed = true;
    uv_stop(&survey->loop);
}

void survey_fail_file(struct survey *survey)
{
    survey_fail(survey, results_error(survey->results));
    results_rollback(survey->results);
    survey->uncommitted = 0;
}

/* ---- progress ---- */

static void tell_progress(struct survey *survey)
{
    survey->progress.phase_ms = clock_monotonic_ms() - survey->phase_began_ms;
    survey->progress.no_resolver = survey->outage != NULL && outage_ms(survey->outage) > 0;
    if (survey->options->progress != NULL)
        survey->options->progress(survey->options->context, &survey->progress);
}

/* ---- what came ---- */

static void commit(struct survey *survey)
{
    if (survey->uncommitted > 0 && !results_commit(survey->results))
        survey_fail_file(survey);
    survey->uncommitted = 0;
}

static void take_result(struct survey *survey, const struct unit_result *result)
{
    const char *failure = outcome_failure(result);

    if (result->domain == NULL && result->host == NULL && result->address == NULL) {
        survey_fail(survey, "no memory for a lookup");
        return;
    }
    if (failure != NULL)
        failures_count(&survey->progress.failures, failure);
    survey->progress.phase_done++;
    if (!result->unit.again)
        survey->progress.done[result->unit.kind]++;
    survey->uncommitted++;
    if (!results_put(survey->results, result) ||
        (result->unit.kind == UNIT_ADDRESS &&
         !judge_address(survey->results, prober_tls(survey->prober), result->unit.id, result)))
        survey_fail_file(survey);
    survey->left_out |= result->unit.kind == UNIT_ADDRESS; /* another name may be wanted there */
    if (survey->uncommitted >= COMMIT_RESULTS || survey->options->each)
        commit(survey);
}

void survey_skip_address(struct survey *survey, const struct unit *unit, const char *failure,
                         const char *detail)
{
    struct address_seen seen = {.result = {.state = STARTTLS_SKIPPED, .detail = detail},
                                .failure = failure};
    const struct unit_result result = {
        .unit = *unit, .looked_at = clock_wall_s(), .address = &seen};

    take_result(survey, &result);
}

/* A lookup that failed in the DNS may have failed because too much was asked at once: it is left for
 * another pass, a gentle one. */
static bool is_for_later(struct survey *survey, const struct unit_result *result)
{
    if (result->unit.kind == UNIT_ADDRESS || survey->last_pass)
        return false;
    outage_note(survey->outage, result->try_again);
    survey->left_out |= result->try_again;
    return result->try_again;
}

/* ---- a resolver that does not answer ---- */

static void on_counts(void *context, const struct unit_result *result)
{
    struct survey *survey = context;

    if (!survey->failed)
        take_result(survey, result);
}

static void on_over(void *context, bool lost)
{
    struct survey *survey = context;

    survey->left_out |= lost;
    feed_run(survey);
}

static bool start_outage(struct survey *survey)
{
    const struct outage_options options = {.dns = prober_tools(survey->prober)->dns,
                                           .secure = results_run(survey->results)->dnssec,
                                           .counts = on_counts,
                                           .over = on_over,
                                           .context = survey};

    survey->outage = outage_new(&survey->loop, &options);
    if (survey->outage == NULL)
        survey_fail(survey, "no memory");
    return survey->outage != NULL;
}

/* ---- a turn of the loop ---- */

static void write_came(struct survey *survey)
{
    struct list came;

    list_take(&came, &survey->came);
    while (!list_empty(&came)) {
        struct unit_result *result = LIST_ELEMENT(came.next, struct unit_result, link);

        list_remove(&result->link);
        if (!survey->failed)
            take_result(survey, result);
        unit_result_free(result);
    }
}

/* The workers have their next units before the results are written, so that they look them up
 * meanwhile. */
static void on_turned(uv_check_t *check)
{
    struct survey *survey = check->data;

    if (!survey->moved)
        return;
    survey->moved = false;
    feed_run(survey);
    write_came(survey);
    if (survey->busy == 0)
        feed_run(survey); /* the phase may be over now */
}

/* An address is written at once: until then another pass over the file would offer it again. */
static void on_result(void *context, struct unit_result *result)
{
    struct worker_slot *slot = context;
    struct survey *survey = slot->survey;

    survey->moved = true;
    slot->busy--;
    survey->busy--;
    pace_ended(&survey->pace, result->unit.turn, result->timed_out, clock_monotonic_ms());
    if (result->failed_here && ++result->unit.failed_here < WORKER_TRIES_MAX &&
        worker_submit(slot->worker, &result->unit)) {
        slot->busy++;
        survey->busy++;
    } else if (!survey->failed && !is_for_later(survey, result)) {
        if (result->unit.kind == UNIT_ADDRESS)
            manners_ended(survey->manners, &result->unit, outcome_end(result),
                          clock_monotonic_ms());
        if (outcome_doubtful(result)) {
            outage_hold(survey->outage, result);
            result = NULL;
        } else if (result->unit.kind == UNIT_ADDRESS) {
            take_result(survey, result);
            feed_run(survey); /* its place is free; to judge the others of this turn takes time */
        } else {
            list_append(&survey->came, &result->link);
            result = NULL;
        }
    }
    unit_result_free(result);
}

/* ---- phases ---- */

static void on_turn(uv_timer_t *timer)
{
    struct survey *survey = timer->data;

    pace_turn(&survey->pace);
    feed_run(survey);
}

static void on_tick(uv_timer_t *timer)
{
    struct survey *survey = timer->data;

    commit(survey);
    if (!results_in_place(survey->results))
        survey_fail_file(survey);
    if (outage_ms(survey->outage) >= OUTAGE_MAX_MS) {
        survey->no_resolver = true;
        survey_fail(survey, "the resolver does not answer any more");
    }
    tell_progress(survey);
}

static void on_signal(uv_signal_t *signal, int number)
{
    struct survey *survey = signal->data;

    (void)number;
    survey->stopped = true;
    uv_stop(&survey->loop);
}

static bool may_go_on(const struct survey *survey)
{
    return !survey->failed && !survey->stopped;
}

static void begin_phase(struct survey *survey, int phase)
{
    struct survey_progress *progress = &survey->progress;

    for (int kind = 0; kind < UNIT_KIND_COUNT; kind++)
        if (!results_count(survey->results, (enum unit_kind)kind, &progress->all[kind],
                           &progress->done[kind]))
            survey_fail_file(survey);
    progress->phase = phase;
    progress->phase_done = 0;
    survey->phase_began_ms = clock_monotonic_ms();
}

static void look_up(struct survey *survey, enum unit_kind phase)
{
    survey->phase = phase;
    survey->pass_at_ms = 0;
    survey->last_pass = false;
    feed_begin_pass(survey);
    pace_init(&survey->pace, IN_FLIGHT_MAX * survey->slot_count);
    begin_phase(survey, phase);
    if (phase == UNIT_ADDRESS && !results_index_addresses(survey->results))
        survey_fail_file(survey);
    if (phase != UNIT_ADDRESS)
        uv_timer_start(&survey->turn, on_turn, PACE_TURN_MS, PACE_TURN_MS);
    feed_run(survey);
    if (may_go_on(survey))
        uv_run(&survey->loop, UV_RUN_DEFAULT);
    uv_timer_stop(&survey->turn);
    uv_timer_stop(&survey->feed);
    write_came(survey);
    commit(survey);
}

static void decide(struct survey *survey)
{
    char why[RESULTS_ERROR_MAX];
    struct decider *decider =
        decider_new(&survey->loop, survey->results, survey->options->jobs, why);

    begin_phase(survey, UNIT_KIND_COUNT);
    if (!results_count_operators(survey->results))
        survey_fail_file(survey);
    if (decider == NULL)
        survey_fail(survey, why);
    while (may_go_on(survey) && decider_feed(decider, why)) {
        uv_run(&survey->loop, UV_RUN_ONCE);
        survey->uncommitted++;
    }
    if (may_go_on(survey) && why[0] != '\0')
        survey_fail(survey, why);
    decider_close(decider);
    commit(survey);
}

static bool has_part(const struct survey *survey, int part)
{
    return survey->options->part == SURVEY_WHOLE || survey->options->part == part;
}

static void run_phases(struct survey *survey)
{
    static const enum unit_kind phases[] = {UNIT_DOMAIN, UNIT_HOST, UNIT_ADDRESS};
    const bool verdicts = has_part(survey, UNIT_KIND_COUNT);

    for (size_t i = 0; i < sizeof phases / sizeof phases[0] && may_go_on(survey); i++)
        if (has_part(survey, phases[i]) && (phases[i] != UNIT_ADDRESS || survey->options->probe))
            look_up(survey, phases[i]);
    if (may_go_on(survey) && verdicts)
        decide(survey);
    if (may_go_on(survey) && !results_in_place(survey->results))
        survey_fail_file(survey);
    if (may_go_on(survey) && verdicts && !results_finish(survey->results, clock_wall_s()))
        survey_fail_file(survey);
}

/* ---- the whole ---- */

static bool start_workers(struct survey *survey)
{
    const struct survey_options *options = survey->options;
    const char *why = NULL;
    int error = prober_new(&survey->prober, &survey->loop, options->prober, &why);

    while (error == 0 && survey->slot_count < options->jobs) {
        struct worker_slot *slot = &survey->slots[survey->slot_count];

        slot->survey = survey;
        error = worker_new(&slot->worker, &survey->loop,
                           &(struct worker_options){options->prober, on_result, slot}, &why);
        if (error == 0)
            survey->slot_count++;
    }
    if (error != 0)
        survey_fail(survey, why != NULL ? why : uv_strerror(error));
    return error == 0;
}

/* A timer or signal that does not keep the loop alive. */
static void set_up(struct survey *survey)
{
    uv_timer_init(&survey->loop, &survey->tick);
    uv_timer_init(&survey->loop, &survey->feed);
    uv_timer_init(&survey->loop, &survey->turn);
    uv_check_init(&survey->loop, &survey->turned);
    uv_signal_init(&survey->loop, &survey->interrupt);
    uv_signal_init(&survey->loop, &survey->terminate);
    survey->tick.data = survey->feed.data = survey->turn.data = survey->turned.data = survey;
    survey->interrupt.data = survey->terminate.data = survey;
    uv_timer_start(&survey->tick, on_tick, TICK_MS, TICK_MS);
    uv_check_start(&survey->turned, on_turned);
    uv_signal_start(&survey->interrupt, on_signal, SIGINT);
    uv_signal_start(&survey->terminate, on_signal, SIGTERM);
}

static void tear_down(struct survey *survey)
{
    uv_close((uv_handle_t *)&survey->tick, NULL);
    uv_close((uv_handle_t *)&survey->feed, NULL);
    uv_close((uv_handle_t *)&survey->turn, NULL);
    uv_close((uv_handle_t *)&survey->turned, NULL);
    uv_close((uv_handle_t *)&survey->interrupt, NULL);
    uv_close((uv_handle_t *)&survey->terminate, NULL);
    for (unsigned i = 0; i < survey->slot_count; i++)
        worker_close(survey->slots[i].worker);
    outage_close(survey->outage);
    if (survey->prober != NULL)
        prober_close(survey->prober);
    while (uv_run(&survey->loop, UV_RUN_DEFAULT) != 0) /* it may have been stopped before it ran */
        continue;
    prober_free(survey->prober);
    manners_free(survey->manners);
    CHECK(uv_loop_close(&survey->loop) == 0);
}

enum survey_end survey_run(struct results *results, const struct survey_options *options,
                           char why[RESULTS_ERROR_MAX])
{
    struct survey *survey = calloc(1, sizeof *survey);
    enum survey_end end;

    snprintf(why, RESULTS_ERROR_MAX, "no memory");
    if (survey == NULL)
        return SURVEY_FAILED;
    survey->results = results;
    survey->options = options;
    survey->why = why;
    list_init(&survey->came);
    CHECK(uv_loop_init(&survey->loop) == 0);
    set_up(survey);
    survey->manners = manners_new(&options->manners);
    if (survey->manners == NULL)
        survey_fail(survey, "no memory");
    else if (start_workers(survey) && start_outage(survey))
        run_phases(survey);
    tell_progress(survey);
    end = survey->no_resolver ? SURVEY_NO_RESOLVER
          : survey->failed    ? SURVEY_FAILED
          : survey->stopped   ? SURVEY_STOPPED
                              : SURVEY_DONE;
    tear_down(survey);
    free(survey);
    return end;
}
