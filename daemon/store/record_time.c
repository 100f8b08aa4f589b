/*
 * record_time: see record_time.h. A record moves from one clock to the other as a whole: what was
 * apart stays apart. Only then are the few bounds applied that a jump could have broken.
 *
 * Times may become negative on a daemon's clock that began after them (the machine was started
 * anew): how long ago something was fetched or seen, and how far an end lies from it, counts. Zero
 * means "never" everywhere, so nothing becomes zero. Only a probe's times do not fall below 1: they
 * end up in evidence, where they are compared with it.
 */
#include "daemon/store/record_time.h"

#include <stdlib.h>

#include "base/check.h"

#define DAY_MS INT64_C(86400000)

struct record_moment record_moment_of(int64_t monotonic_ms, int64_t wall_ms,
                                      int64_t last_written_wall_ms)
{
    struct record_moment moment = {monotonic_ms, wall_ms};

    if (wall_ms < last_written_wall_ms && last_written_wall_ms - wall_ms <= RECORD_TIME_BACK_MAX)
        moment.wall_ms = last_written_wall_ms;
    return moment;
}

/* A time on the other clock; 0 stays 0, and nothing becomes it. */
static void shift(int64_t *at, int64_t by)
{
    if (*at == 0)
        return;
    *at += by;
    if (*at == 0)
        *at = -1;
}

static void at_most(int64_t *at, int64_t limit)
{
    if (*at > limit)
        *at = limit;
}

static void at_least_1(int64_t *at)
{
    if (*at < 0)
        *at = 1;
}

static void shift_record(struct record *record, int64_t by)
{
    struct answer_record *answer = &record->answer;
    struct remembered *remembered = &answer->remembered;

    switch (record->kind) {
    case RECORD_ANSWER:
        shift(&answer->decided_at, by);
        shift(&answer->valid_until, by);
        shift(&answer->reminded_at, by);
        shift(&answer->dane_until, by);
        shift(&remembered->verify.since, by);
        shift(&remembered->verify.until, by);
        shift(&remembered->encrypt.since, by);
        shift(&remembered->encrypt.until, by);
        answer->clock_shift += by;
        break;
    case RECORD_POLICY:
        shift(&record->policy.fetched_at, by);
        shift(&record->policy.valid_until, by);
        break;
    case RECORD_PROBE:
        shift(&record->probe.result.probed_at, by);
        shift(&record->probe.result.valid_until, by);
        break;
    case RECORD_EVENT:
        shift(&record->event.at, by);
        break;
    case RECORD_KINDS:
        CHECK(false);
    }
}

/* The time by which the record counts its lifetimes; NULL when it has none. */
static int64_t *start_of(struct record *record)
{
    switch (record->kind) {
    case RECORD_ANSWER:
        return &record->answer.decided_at;
    case RECORD_POLICY:
        return &record->policy.fetched_at;
    case RECORD_PROBE:
        return &record->probe.result.probed_at;
    case RECORD_EVENT:
        return &record->event.at;
    case RECORD_KINDS:
        break;
    }
    abort();
}

void record_to_wall(struct record *record, struct record_moment moment)
{
    int64_t by = moment.wall_ms - moment.monotonic_ms;

    shift_record(record, by);
    if (record->kind == RECORD_ANSWER)
        shift(&record->answer.used_at, by);
    if (record->kind == RECORD_POLICY)
        shift(&record->policy.retry_at, by);
}

void record_to_daemon(struct record *record, struct record_moment moment)
{
    int64_t by = moment.monotonic_ms - moment.wall_ms, now = moment.monotonic_ms;
    int64_t ahead = *start_of(record) - moment.wall_ms;

    /* what comes from the future is taken as written now, with all that follows from it */
    shift_record(record, ahead > 0 ? by - ahead : by);
    if (record->kind == RECORD_ANSWER) {
        shift(&record->answer.used_at, by);
        at_most(&record->answer.used_at, now);
        at_most(&record->answer.reminded_at, now);
    } else if (record->kind == RECORD_POLICY) {
        shift(&record->policy.retry_at, by);
        at_most(&record->policy.retry_at, now + DAY_MS);
    } else if (record->kind == RECORD_PROBE) {
        at_least_1(&record->probe.result.probed_at);
        at_least_1(&record->probe.result.valid_until);
    }
}
