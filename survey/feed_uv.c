/*
 * feed_uv: what of a survey is looked up next: from the results file, by the manners; see
 * survey_internal_uv.h.
 *
 * A phase reads its units in the order of their ids until none is left, in several passes where units
 * had to be left out.
 */
#include <stdio.h>

#include "base/clock.h"
#include "survey/shard.h"
#include "survey/survey_internal_uv.h"

#define PASS_MS  250 /* between passes over what is left */
#define FIRST_ID INT64_MIN

#define PREFIX_REFUSES       "prefix-refuses"
#define PREFIX_REFUSES_WORDS "left alone: its network refuses our connections"

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
        survey_fail(survey, "no memory");
        return;
    }
    slot->busy++;
    survey->busy++;
}

/* Reads units of this pass; their number. */
static int read_units(struct survey *survey, struct unit units[SURVEY_BATCH_MAX], int max)
{
    int count = results_next(survey->results, survey->phase, survey->after, units, max);

    if (count < 0)
        survey_fail_file(survey);
    if (count < max)
        survey->pass_ended = true;
    return count < 0 ? 0 : count;
}

/* The next domain or host of this pass; NULL: there is none. */
static struct unit *next_lookup(struct survey *survey)
{
    if (survey->ahead_at == survey->ahead_count && !survey->pass_ended) {
        survey->ahead_count = read_units(survey, survey->ahead, SURVEY_BATCH_MAX);
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

/* Offers one address; false when the manners have no room for any. */
static bool offer(struct survey *survey, const struct unit *unit)
{
    if (!shard_owns(results_run(survey->results), &unit->ip))
        return true;
    if (unit->opted_out) {
        survey_skip_address(survey, unit, NULL, "a mail host there is opted out");
        return true;
    }
    switch (manners_offer(survey->manners, unit)) {
    case MANNERS_FULL:
        return false;
    case MANNERS_LEFT:
        survey_skip_address(survey, unit, PREFIX_REFUSES, PREFIX_REFUSES_WORDS);
        break;
    case MANNERS_BUSY:
        survey->left_out = true;
        break;
    case MANNERS_NO_MEMORY:
        survey_fail(survey, "no memory");
        break;
    case MANNERS_TAKEN:
    case MANNERS_KNOWN:
        break;
    }
    return true;
}

static void read_addresses(struct survey *survey)
{
    struct unit units[SURVEY_BATCH_MAX];
    bool room = true;

    while (room && !survey->failed && !survey->pass_ended &&
           manners_waiting(survey->manners) < MANNERS_WAITING_MAX) {
        int count = read_units(survey, units, SURVEY_BATCH_MAX);

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
        survey_skip_address(survey, &unit, PREFIX_REFUSES, PREFIX_REFUSES_WORDS);
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

void feed_begin_pass(struct survey *survey)
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
    feed_begin_pass(survey);
    survey->pass_at_ms = now + PASS_MS;
    *wait_ms = 0;
}

/* Begins the last pass over domains or hosts, when all others have come. */
static void pass_gently(struct survey *survey)
{
    if (!survey->pass_ended || !survey->left_out || survey->busy > 0 ||
        !list_empty(&survey->came) || outage_doubts(survey->outage))
        return;
    feed_begin_pass(survey);
    survey->last_pass = true;
    pace_init(&survey->pace, PACE_WINDOW_GENTLE);
}

static void on_feed(uv_timer_t *timer)
{
    feed_run(timer->data);
}

void feed_run(struct survey *survey)
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
        list_empty(&survey->came) && manners_waiting(survey->manners) == 0)
        uv_stop(&survey->loop); /* the phase is over */
    if (turn_ms > pass_ms)
        turn_ms = pass_ms;
    if (turn_ms != INT64_MAX)
        uv_timer_start(&survey->feed, on_feed, (uint64_t)turn_ms, 0);
}
