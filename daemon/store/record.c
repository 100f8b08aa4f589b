/*
 * record: see record.h. record_fields.c handles the fields; this file handles whole records.
 *
 * A record is moved from one clock to the other as a whole, so its intervals stay the same. Only
 * then are the few limits applied that a clock jump may have broken. Times may become negative on a
 * daemon's clock that began after them (the machine was rebooted): what counts is how long ago
 * something was fetched or seen, and how far away an end is. Zero means "never" everywhere, so
 * nothing becomes zero. Only a probe's times do not fall below 1: they end up in evidence, and are
 * compared with it.
 */
#include "daemon/store/record.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemon/store/record_fields.h"

#define DAY_MS INT64_C(86400000)

/* The time by which the record counts its lifetimes. */
static int64_t start_of(const struct record *record)
{
    const struct record_field *field = record_fields[record->kind];

    while (!(field->flags & FIELD_START))
        field++;
    return *RECORD_FIELD(record, field, const int64_t);
}

void record_lapse(struct record *record, int64_t now)
{
    const struct record_field *field;

    for (field = record_fields[record->kind]; field->name != NULL; field++) {
        int64_t *at = RECORD_FIELD(record, field, int64_t);

        if (field->flags & FIELD_LAPSE_NOW && *at > now)
            *at = now;
        if (field->flags & FIELD_LAPSE_ZERO && field->type == FIELD_CLAIM)
            *RECORD_FIELD(record, field, bool) = false;
        else if (field->flags & FIELD_LAPSE_ZERO)
            *at = 0;
    }
}

/* ---- copies ---- */

static size_t text_octets(const struct record *record, const struct record_field *field)
{
    const char *text =
        field->type <= FIELD_BODY ? *RECORD_FIELD(record, field, const char *const) : NULL;

    return text == NULL ? 0 : strlen(text) + 1;
}

size_t record_octets(const struct record *record)
{
    size_t octets = record->kind == RECORD_ANSWER ? record->answer.evidence_length : 0;
    const struct record_field *field;

    for (field = record_fields[record->kind]; field->name != NULL; field++)
        octets += text_octets(record, field);
    return octets;
}

void record_place(struct record *out, void *room, const struct record *record)
{
    const struct record_field *field;
    char *next = room;

    *out = *record;
    for (field = record_fields[record->kind]; field->name != NULL; field++) {
        size_t octets = text_octets(record, field);

        if (octets == 0)
            continue;
        memcpy(next, *RECORD_FIELD(record, field, const char *const), octets);
        *RECORD_FIELD(out, field, const char *) = next;
        next += octets;
    }
    if (out->kind == RECORD_ANSWER && out->answer.evidence_length > 0)
        out->answer.evidence = memcpy(next, out->answer.evidence, out->answer.evidence_length);
}

struct record *record_copy(struct arena *arena, const struct record *record)
{
    struct record *copy = arena_alloc(arena, sizeof *copy);
    void *room = arena_alloc(arena, record_octets(record));

    if (copy == NULL || room == NULL)
        return NULL;
    record_place(copy, room, record);
    return copy;
}

bool record_identity(char out[RECORD_IDENTITY_MAX], const struct record *record)
{
    int length;

    if (record->kind == RECORD_PROBE)
        return probe_identity(out, &record->probe);
    /* the first field */
    length = snprintf(out, RECORD_IDENTITY_MAX, "%s",
                      *RECORD_FIELD(record, record_fields[record->kind], const char *const));
    return length > 0 && length < RECORD_IDENTITY_MAX;
}

/* ---- what can be ---- */

/* How long after its start the end of a record may lie. */
static const int64_t lives[RECORD_KINDS] = {
    [RECORD_ANSWER] = RECORD_LIFE_MAX,
    [RECORD_POLICY] = INT64_C(1000) * STS_MAX_AGE_MAX,
    [RECORD_PROBE] = RECORD_LIFE_MAX,
};

static bool downgrade_valid(const struct downgrade *downgrade, int64_t decided_at)
{
    return downgrade->since <= decided_at && (downgrade->since != 0 || downgrade->until == 0);
}

static const char *wrong_answer(const struct answer_record *answer)
{
    enum verdict_level observed = answer->remembered.observed;

    if (answer->decided_at == 0)
        return "it was never decided";
    if ((observed != VERDICT_NO_OPINION && observed != VERDICT_ENCRYPT &&
         observed != VERDICT_VERIFY) ||
        !downgrade_valid(&answer->remembered.verify, answer->decided_at) ||
        !downgrade_valid(&answer->remembered.encrypt, answer->decided_at))
        return "what was proven is contradictory";
    return NULL;
}

static const char *wrong_policy(const struct sts_saved *policy)
{
    if (policy->body == NULL)
        return policy->fetched_at == 0 && policy->valid_until == 0 ? NULL
                                                                   : "times without a policy";
    return policy->fetched_at == 0 ? "a policy that was never fetched" : NULL;
}

bool record_valid(const struct record *record, const char **why)
{
    const struct record_field *field;

    *why = "an unknown kind";
    if ((unsigned)record->kind >= RECORD_KINDS)
        return false;
    *why = NULL;
    for (field = record_fields[record->kind]; field->name != NULL && *why == NULL; field++) {
        *why = record_field_wrong(record, field);
        if (*why == NULL && field->flags & FIELD_ENDS &&
            *RECORD_FIELD(record, field, const int64_t) > start_of(record) + lives[record->kind])
            *why = "it would live too long";
    }
    if (*why == NULL && record->kind == RECORD_ANSWER)
        *why = wrong_answer(&record->answer);
    else if (*why == NULL && record->kind == RECORD_POLICY)
        *why = wrong_policy(&record->policy);
    else if (*why == NULL && record->kind == RECORD_EVENT && record->event.at == 0)
        *why = "it never happened";
    return *why == NULL;
}

/* ---- clocks ---- */

struct record_moment record_moment_of(int64_t monotonic_ms, int64_t wall_ms,
                                      int64_t last_written_wall_ms)
{
    struct record_moment moment = {monotonic_ms, wall_ms};

    if (wall_ms < last_written_wall_ms && last_written_wall_ms - wall_ms <= RECORD_TIME_BACK_MAX)
        moment.wall_ms = last_written_wall_ms;
    return moment;
}

/* Every time of the record, by `by`; those that go by the clock alone, by `by_clock`. */
static void shift(struct record *record, int64_t by, int64_t by_clock)
{
    const struct record_field *field;

    for (field = record_fields[record->kind]; field->name != NULL; field++) {
        int64_t *at = RECORD_FIELD(record, field, int64_t);

        if (field->type == FIELD_SHIFT) {
            *at += by;
        } else if (field->flags & (FIELD_MOVES | FIELD_BY_CLOCK) && *at != 0) {
            *at += field->flags & FIELD_MOVES ? by : by_clock;
            *at = *at == 0 ? -1 : *at;
        }
    }
}

void record_to_wall(struct record *record, struct record_moment moment)
{
    int64_t by = moment.wall_ms - moment.monotonic_ms;

    shift(record, by, by);
}

void record_to_daemon(struct record *record, struct record_moment moment)
{
    int64_t now = moment.monotonic_ms, by = now - moment.wall_ms;
    int64_t ahead = start_of(record) - moment.wall_ms;
    const struct record_field *field;

    /* what comes from the future is taken as written now, with all that follows from it */
    shift(record, ahead > 0 ? by - ahead : by, by);
    for (field = record_fields[record->kind]; field->name != NULL; field++) {
        int64_t *at = RECORD_FIELD(record, field, int64_t);

        if (field->flags & FIELD_PAST && *at > now)
            *at = now;
        if (field->flags & FIELD_NEXT_DAY && *at > now + DAY_MS)
            *at = now + DAY_MS;
        if (field->flags & FIELD_POSITIVE && *at < 0)
            *at = 1;
    }
}
