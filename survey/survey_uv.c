/*
 * survey_uv: see survey_uv.h. Three parts, which the edge of survey/unit keeps apart:
 *
 *   feed_*      what is to be looked up next: from the results file, by the manners
 *   workers     look it up (survey/look)
 *   on_result   writes what came
 *
 * Phases follow each other: domains, hosts, addresses, verdicts. A phase reads its units in the
 * order of their ids until none is left, in several passes where units had to be left out. What
 * failed in the DNS is looked up once more, gently, before it counts, and while the resolver does
 * not answer nothing is (survey/outage_uv.c). Memory holds only units that
 * wait or are under way: IN_FLIGHT_MAX of a worker, and what the manners take.
 */
#include "survey/survey_uv.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/check.h"
#include "base/clock.h"
#include "probe/prober_uv.h"
#include "survey/decider_uv.h"
#include "survey/judge.h"
#include "survey/look/worker_uv.h"
#include "survey/outage_uv.h"
#include "survey/outcome.h"
#include "survey/pace.h"
#include "survey/shard.h"

#define IN_FLIGHT_MAX  512   /* domains or hosts of one worker */
#define BATCH_MAX      64    /* units that are read at once */
#define COMMIT_RESULTS 20000 /* a batch of writes: so many results, or a second */
#define TICK_MS        1000
#define PASS_MS        250 /* between passes over what is left */
#define FIRST_ID       INT64_MIN

#define PREFIX_REFUSES       "prefix-refuses"
#define PREFIX_REFUSES_WORDS "left alone: its network refuses our connections"

struct worker_slot {
    struct worker *worker;
    unsigned busy; /* units that it has */
    struct survey *survey;
};

struct survey {
    uv_loop_t loop;
    struct results *results;
    const struct survey_options *options;
    struct prober *prober; /* for the trust anchors */
    struct manners *manners;
    struct outage *outage;
    struct worker_slot slots[SURVEY_JOBS_MAX];
    unsigned slot_count, busy;
    uv_timer_t tick, feed, turn;
    uv_signal_t interrupt, terminate;

    enum unit_kind phase;
    struct unit ahead[BATCH_MAX]; /* domains or hosts that were read, from `ahead_at` on */
    int ahead_count, ahead_at;
    struct pace pace;
    bool last_pass;     /* of lookups: what fails now counts */
    int64_t after;      /* the last unit of this pass */
    bool pass_ended;    /* nothing more in this pass */
    bool left_out;      /* units that were not taken in this pass, or asked for since */
    int64_t pass_at_ms; /* monotonic: when the next pass may begin */

    int uncommitted;
    bool stopped, failed, no_resolver;
    char *why; /* of RESULTS_ERROR_MAX */
    int64_t phase_began_ms;
    struct survey_progress progress;
};

static void feed(struct survey *survey);
static void on_feed(uv_timer_t *timer);

/* ---- failing ---- */

static void fail(struct survey *survey, const char *words)
{
    if (!survey->failed)
        snprintf(survey->why, RESULTS_ERROR_MAX, "%s", words);
    survey->failed = true;
    uv_stop(&survey->loop);
}

/* No half of a result is kept. */
static void fail_file(struct survey *survey)
{
    fail(survey, results_error(survey->results));
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
        fail_file(survey);
    survey->uncommitted = 0;
}

static void take_result(struct survey *survey, const struct unit_result *result)
{
    const char *failure = outcome_failure(result);

    if (result->domain == NULL && result->host == NULL && result->address == NULL) {
        fail(survey, "no memory for a lookup");
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
        fail_file(survey);
    survey->left_out |= result->unit.kind == UNIT_ADDRESS; /* another name may be wanted there */
    if (survey->uncommitted >= COMMIT_RESULTS)
        commit(survey);
}

/* An address without a connection: nobody is asked, so nothing is freed. */
static void skip_address(struct survey *survey, const struct unit *unit, const char *failure,
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
    feed(survey);
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
        fail(survey, "no memory");
    return survey->outage != NULL;
}

static void on_result(void *context, struct unit_result *result)
{
    struct worker_slot *slot = context;
    struct survey *survey = slot->survey;

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
        } else {
            take_result(survey, result);
        }
    }
    unit_result_free(result);
    if (!survey->failed)
        feed(survey);
}

/* ---- what is next ---- */

static struct worker_slot *least_busy(struct survey *survey)
{
    struct worker_slot *best = &survey->slots[0];

    for (unsigned i = 1; i < survey->slot_count; i++)
        if (survey->slots[i].busy < best->busy)
            best = &survey->slots[i];
    return best;
}

static void submit(struct survey *survey, const struct unit *unit)
{
    struct worker_slot *slot = least_busy(survey);

    if (!worker_submit(slot->worker, unit)) {
        fail(survey, "no memory");
        return;
    }
    slot->busy++;
    survey->busy++;
}

/* Reads units of this pass; their number. */
static int read_units(struct survey *survey, struct unit units[BATCH_MAX], int max)
{
    int count = results_next(survey->results, survey->phase, survey->after, units, max);

    if (count < 0)
        fail_file(survey);
    if (count < max)
        survey->pass_ended = true;
    return count < 0 ? 0 : count;
}

/* The next domain or host of this pass; NULL: there is none. */
static struct unit *next_lookup(struct survey *survey)
{
    if (survey->ahead_at == survey->ahead_count && !survey->pass_ended) {
        survey->ahead_count = read_units(survey, survey->ahead, BATCH_MAX);
        survey->ahead_at = 0;
        if (survey->ahead_count > 0)
            survey->after = survey->ahead[survey->ahead_count - 1].id;
    }
    return survey->ahead_at < survey->ahead_count ? &survey->ahead[survey->ahead_at++] : NULL;
}

static void feed_lookups(struct survey *survey)
{
    struct unit *unit;

    while (!survey->failed && !outage_waits(survey->outage) &&
           pace_room(&survey->pace, survey->busy) > 0 && (unit = next_lookup(survey)) != NULL) {
        unit->turn = pace_began(&survey->pace);
        submit(survey, unit);
    }
}

static void on_turn(uv_timer_t *timer)
{
    struct survey *survey = timer->data;

    pace_turn(&survey->pace);
    feed(survey);
}

/* Offers one address; false when the manners have no room for any. */
static bool offer(struct survey *survey, const struct unit *unit)
{
    if (!shard_owns(results_run(survey->results), &unit->ip))
        return true;
    if (unit->opted_out) {
        skip_address(survey, unit, NULL, "a mail host there is opted out");
        return true;
    }
    switch (manners_offer(survey->manners, unit)) {
    case MANNERS_FULL:
        return false;
    case MANNERS_LEFT:
        skip_address(survey, unit, PREFIX_REFUSES, PREFIX_REFUSES_WORDS);
        break;
    case MANNERS_BUSY:
        survey->left_out = true;
        break;
    case MANNERS_NO_MEMORY:
        fail(survey, "no memory");
        break;
    case MANNERS_TAKEN:
    case MANNERS_KNOWN:
        break;
    }
    return true;
}

static void read_addresses(struct survey *survey)
{
    struct unit units[BATCH_MAX];
    bool room = true;

    while (room && !survey->failed && !survey->pass_ended &&
           manners_waiting(survey->manners) < MANNERS_WAITING_MAX) {
        int count = read_units(survey, units, BATCH_MAX);

        for (int i = 0; i < count && room && !survey->failed; i++) {
            room = offer(survey, &units[i]);
            if (room)
                survey->after = units[i].id;
        }
        if (!room)
            survey->pass_ended = false;
    }
}

/* Skips those whose prefix has been given up since they were taken. */
static void skip_left(struct survey *survey)
{
    struct unit unit;

    while (!survey->failed && manners_take_left(survey->manners, &unit))
        skip_address(survey, &unit, PREFIX_REFUSES, PREFIX_REFUSES_WORDS);
}

/* Gives *wait_ms: when to look again, unless something ends before. */
static void feed_addresses(struct survey *survey, int64_t *wait_ms)
{
    const struct unit *unit;

    skip_left(survey);
    read_addresses(survey);
    while (!survey->failed &&
           (unit = manners_next(survey->manners, clock_monotonic_ms(), wait_ms)) != NULL)
        submit(survey, unit);
}

static void begin_pass(struct survey *survey)
{
    survey->after = FIRST_ID;
    survey->pass_ended = survey->left_out = false;
    survey->ahead_count = survey->ahead_at = 0;
}

/* Begins another pass over the addresses that were left out, unless enough waits or it is too early.
 * Nothing need be under way then: *wait_ms says when to look again. */
static void pass_again(struct survey *survey, int64_t *wait_ms)
{
    int64_t now = clock_monotonic_ms();

    if (!survey->pass_ended || !survey->left_out ||
        manners_waiting(survey->manners) > MANNERS_WAITING_MAX / 4)
        return;
    if (now < survey->pass_at_ms) {
        *wait_ms = survey->pass_at_ms - now;
        return;
    }
    begin_pass(survey);
    survey->pass_at_ms = now + PASS_MS;
    *wait_ms = 0;
}

/* Begins the last pass over domains or hosts, when all others have come. */
static void pass_gently(struct survey *survey)
{
    if (!survey->pass_ended || !survey->left_out || survey->busy > 0 ||
        outage_doubts(survey->outage))
        return;
    begin_pass(survey);
    survey->last_pass = true;
    pace_init(&survey->pace, PACE_WINDOW_GENTLE);
}

static void feed(struct survey *survey)
{
    int64_t pass_ms = INT64_MAX, turn_ms = INT64_MAX;

    if (survey->failed || survey->stopped)
        return;
    if (survey->phase == UNIT_ADDRESS) {
        feed_addresses(survey, &turn_ms);
        pass_again(survey, &pass_ms);
    } else {
        pass_gently(survey);
        feed_lookups(survey);
    }
    if (survey->pass_ended && !survey->left_out && survey->busy == 0 &&
        !outage_waits(survey->outage) && survey->ahead_at == survey->ahead_count &&
        manners_waiting(survey->manners) == 0)
        uv_stop(&survey->loop); /* the phase is over */
    if (turn_ms > pass_ms)
        turn_ms = pass_ms;
    if (turn_ms != INT64_MAX)
        uv_timer_start(&survey->feed, on_feed, (uint64_t)turn_ms, 0);
}

static void on_feed(uv_timer_t *timer)
{
    feed(timer->data);
}

/* ---- phases ---- */

static void on_tick(uv_timer_t *timer)
{
    struct survey *survey = timer->data;

    commit(survey);
    if (!results_in_place(survey->results))
        fail_file(survey);
    if (outage_ms(survey->outage) >= OUTAGE_MAX_MS) {
        survey->no_resolver = true;
        fail(survey, "the resolver does not answer any more");
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
            fail_file(survey);
    progress->phase = phase;
    progress->phase_done = 0;
    survey->phase_began_ms = clock_monotonic_ms();
}

static void look_up(struct survey *survey, enum unit_kind phase)
{
    survey->phase = phase;
    survey->pass_at_ms = 0;
    survey->last_pass = false;
    begin_pass(survey);
    pace_init(&survey->pace, IN_FLIGHT_MAX * survey->slot_count);
    begin_phase(survey, phase);
    if (phase != UNIT_ADDRESS)
        uv_timer_start(&survey->turn, on_turn, PACE_TURN_MS, PACE_TURN_MS);
    feed(survey);
    if (may_go_on(survey))
        uv_run(&survey->loop, UV_RUN_DEFAULT);
    uv_timer_stop(&survey->turn);
    uv_timer_stop(&survey->feed);
    commit(survey);
}

static void decide(struct survey *survey)
{
    char why[RESULTS_ERROR_MAX];
    struct decider *decider =
        decider_new(&survey->loop, survey->results, survey->options->jobs, why);

    begin_phase(survey, UNIT_KIND_COUNT);
    if (decider == NULL)
        fail(survey, why);
    while (may_go_on(survey) && decider_feed(decider, why)) {
        uv_run(&survey->loop, UV_RUN_ONCE);
        survey->uncommitted++;
    }
    if (may_go_on(survey) && why[0] != '\0')
        fail(survey, why);
    decider_close(decider);
    commit(survey);
}

static void run_phases(struct survey *survey)
{
    static const enum unit_kind phases[] = {UNIT_DOMAIN, UNIT_HOST, UNIT_ADDRESS};

    for (size_t i = 0; i < sizeof phases / sizeof phases[0] && may_go_on(survey); i++)
        if (phases[i] != UNIT_ADDRESS || survey->options->probe)
            look_up(survey, phases[i]);
    if (may_go_on(survey))
        decide(survey);
    if (may_go_on(survey) && !results_in_place(survey->results))
        fail_file(survey);
    if (may_go_on(survey) && !results_finish(survey->results, clock_wall_s()))
        fail_file(survey);
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
        fail(survey, why != NULL ? why : uv_strerror(error));
    return error == 0;
}

/* A timer or signal that does not keep the loop alive. */
static void set_up(struct survey *survey)
{
    uv_timer_init(&survey->loop, &survey->tick);
    uv_timer_init(&survey->loop, &survey->feed);
    uv_timer_init(&survey->loop, &survey->turn);
    uv_signal_init(&survey->loop, &survey->interrupt);
    uv_signal_init(&survey->loop, &survey->terminate);
    survey->tick.data = survey->feed.data = survey->turn.data = survey;
    survey->interrupt.data = survey->terminate.data = survey;
    uv_timer_start(&survey->tick, on_tick, TICK_MS, TICK_MS);
    uv_signal_start(&survey->interrupt, on_signal, SIGINT);
    uv_signal_start(&survey->terminate, on_signal, SIGTERM);
}

static void tear_down(struct survey *survey)
{
    uv_close((uv_handle_t *)&survey->tick, NULL);
    uv_close((uv_handle_t *)&survey->feed, NULL);
    uv_close((uv_handle_t *)&survey->turn, NULL);
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
    CHECK(uv_loop_init(&survey->loop) == 0);
    set_up(survey);
    survey->manners = manners_new(&options->manners);
    if (survey->manners == NULL)
        fail(survey, "no memory");
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
