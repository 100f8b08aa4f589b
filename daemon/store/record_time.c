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

#include "daemon/store/record_fields.h"

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

/* Every time of the record, by `by`; those that go by the clock alone, by `by_clock`. */
static void shift_record(struct record *record, int64_t by, int64_t by_clock)
{
    const struct record_fields *fields = &record_fields[record->kind];

    for (size_t i = 0; i < fields->count; i++) {
        const struct record_field *field = &fields->fields[i];
        int64_t *at = RECORD_FIELD(record, field, int64_t);

        if (field->type == FIELD_SHIFT)
            *at += by;
        else if (field->flags & FIELD_MOVES)
            shift(at, by);
        else if (field->flags & FIELD_BY_CLOCK)
            shift(at, by_clock);
    }
}

static void bound(struct record *record, int64_t now)
{
    const struct record_fields *fields = &record_fields[record->kind];

    for (size_t i = 0; i < fields->count; i++) {
        const struct record_field *field = &fields->fields[i];
        int64_t *at = RECORD_FIELD(record, field, int64_t);

        if (field->flags & FIELD_PAST && *at > now)
            *at = now;
        if (field->flags & FIELD_NEXT_DAY && *at > now + DAY_MS)
            *at = now + DAY_MS;
        if (field->flags & FIELD_POSITIVE && *at < 0)
            *at = 1;
    }
}

void record_to_wall(struct record *record, struct record_moment moment)
{
    int64_t by = moment.wall_ms - moment.monotonic_ms;

    shift_record(record, by, by);
}

void record_to_daemon(struct record *record, struct record_moment moment)
{
    int64_t by = moment.monotonic_ms - moment.wall_ms;
    int64_t ahead = record_start(record) - moment.wall_ms;

    /* what comes from the future is taken as written now, with all that follows from it */
    shift_record(record, ahead > 0 ? by - ahead : by, by);
    bound(record, moment.monotonic_ms);
}
