/* record_time: clocks that jump, stop and begin anew (docs/conformance.md hostile 38, 39). */
#include "tests/unit/support/rows.h"

#include "daemon/store/record.h"

#define HOUR INT64_C(3600000)
#define DAY  (24 * HOUR)
#define YEAR (365 * DAY)
/* A moment in 2026, and the daemon's clock then. */
#define WALL INT64_C(1795000000000)
#define MONO INT64_C(500000000)

/* Written at WALL with so long to live; read when the clocks say something else. */
struct row {
    const char *name;
    int64_t life;
    int64_t last_written; /* relative to WALL; the store's last write */
    int64_t wall;         /* relative to WALL, at reading */
    int64_t mono;         /* at reading */
    int64_t left;         /* what is left to live, at reading; 0: nothing */
};

static const struct row rows[] = {
    {"nothing happened", DAY, 0, HOUR, 7, DAY - HOUR},
    {"it ended while nobody looked", DAY, 0, 2 * DAY, MONO, 0},
    {"the machine was started anew", DAY, 0, HOUR, 50, DAY - HOUR},
    {"suspended for a week", DAY, 0, 7 * DAY, MONO + 100, 0},
    {"back an hour: what had ended stays ended", HOUR, 2 * HOUR, HOUR, MONO, 0},
    {"back an hour: what lives goes on from the store's time", DAY, 2 * HOUR, HOUR, MONO,
     DAY - 2 * HOUR},
    {"back a day: the store's time counts", DAY, DAY, 0, MONO, 0},
    {"back a day and a bit: the present clock counts", 2 * DAY, DAY, -1, MONO, 2 * DAY},
    {"back to 1970: no longer than its life", DAY, 0, -WALL + HOUR, MONO, DAY},
    {"back to 1970: a year's policy no longer than that", YEAR, 0, -WALL, MONO, YEAR},
    {"back years, then right again", DAY, -20 * YEAR, HOUR, MONO, DAY - HOUR},
    {"ahead years while it was written, then right", DAY, 20 * YEAR, HOUR, MONO, DAY - HOUR},
    {"ahead years at reading", DAY, 0, 20 * YEAR, MONO, 0},
    {"written an hour in the future: as written now", DAY, -2 * HOUR, -HOUR, MONO, DAY},
    {"written years in the future: as written now", DAY, -20 * YEAR, -20 * YEAR, MONO, DAY},
    {"no write is known", DAY, -WALL, HOUR, MONO, DAY - HOUR},
};

static struct record_moment moment_of(const struct row *row)
{
    return record_moment_of(row->mono, WALL + row->wall, WALL + row->last_written);
}

static void check_end(const struct row *row, int64_t start, int64_t end)
{
    assert_true(start != 0 && end != 0);
    assert_true(start <= row->mono);
    assert_true(end - start == row->life);
    if (row->left > 0)
        assert_int_equal(end - row->mono, row->left);
    else
        assert_true(end <= row->mono);
}

static void an_answer(void **state)
{
    const struct row *row = *state;
    struct record record = {.kind = RECORD_ANSWER};
    struct answer_record *answer = &record.answer;

    answer->decided_at = answer->used_at = MONO;
    answer->valid_until = answer->dane_until = MONO + row->life;
    answer->remembered.encrypt = (struct downgrade){MONO - HOUR, MONO + row->life};
    record_to_wall(&record, record_moment_of(MONO, WALL, 0));
    assert_int_equal(answer->decided_at, WALL);
    assert_int_equal(answer->valid_until, WALL + row->life);
    assert_int_equal(answer->clock_shift, WALL - MONO);
    record_to_daemon(&record, moment_of(row));
    check_end(row, answer->decided_at, answer->valid_until);
    check_end(row, answer->decided_at, answer->dane_until);
    assert_int_equal(answer->decided_at - answer->remembered.encrypt.since, HOUR);
    assert_true(answer->remembered.encrypt.until == answer->valid_until);
    assert_true(answer->remembered.verify.since == 0 && answer->remembered.verify.until == 0);
    assert_true(answer->used_at <= row->mono && answer->used_at != 0);
    assert_int_equal(answer->reminded_at, 0);
    /* evidence's own times move as the answer's do */
    assert_int_equal(MONO + answer->clock_shift, answer->decided_at);
}

static void a_policy(void **state)
{
    const struct row *row = *state;
    struct record record = {.kind = RECORD_POLICY};

    record.policy.fetched_at = MONO;
    record.policy.valid_until = MONO + row->life;
    record.policy.retry_at = MONO + HOUR;
    record_to_wall(&record, record_moment_of(MONO, WALL, 0));
    record_to_daemon(&record, moment_of(row));
    check_end(row, record.policy.fetched_at, record.policy.valid_until);
    assert_true(record.policy.retry_at <= row->mono + DAY);
}

static void a_probe(void **state)
{
    const struct row *row = *state;
    struct record record = {.kind = RECORD_PROBE};
    struct starttls_result *result = &record.probe.result;

    result->probed_at = MONO;
    result->valid_until = MONO + row->life;
    result->not_after = 1;
    record_to_wall(&record, record_moment_of(MONO, WALL, 0));
    record_to_daemon(&record, moment_of(row));
    assert_true(result->probed_at > 0 && result->valid_until > 0);
    assert_true(result->probed_at <= row->mono);
    if (row->left > 0)
        assert_int_equal(result->valid_until - row->mono, row->left);
    else
        assert_true(result->valid_until <= row->mono);
    assert_int_equal(result->not_after, 1);
}

static void zero_stays_zero_and_nothing_becomes_it(void **state)
{
    struct record record = {.kind = RECORD_POLICY, .policy = {.fetched_at = 1000}};
    struct record event = {.kind = RECORD_EVENT, .event = {.at = 5000}};

    (void)state;
    record_to_daemon(&record, (struct record_moment){500, 1500});
    assert_int_equal(record.policy.fetched_at, -1);
    assert_int_equal(record.policy.valid_until, 0);
    assert_int_equal(record.policy.retry_at, 0);
    record_to_wall(&record, (struct record_moment){500, 1500});
    assert_int_equal(record.policy.valid_until, 0);
    record_to_daemon(&event, (struct record_moment){100, 4000}); /* from the future */
    assert_int_equal(event.event.at, 100);
}

static void max_age_0_stays_recognisable(void **state)
{
    struct record record = {.kind = RECORD_POLICY,
                            .policy = {.fetched_at = WALL, .valid_until = WALL}};

    (void)state;
    record_to_daemon(&record, (struct record_moment){50, WALL + DAY});
    assert_true(record.policy.fetched_at == record.policy.valid_until);
    assert_true(record.policy.valid_until <= 50);
}

static void used_in_the_future_is_used_now(void **state)
{
    struct record record = {.kind = RECORD_ANSWER};

    (void)state;
    record.answer.decided_at = WALL;
    record.answer.used_at = record.answer.reminded_at = WALL + YEAR;
    record_to_daemon(&record, (struct record_moment){MONO, WALL + HOUR});
    assert_int_equal(record.answer.used_at, MONO);
    assert_int_equal(record.answer.reminded_at, MONO);
    assert_int_equal(record.answer.decided_at, MONO - HOUR);
}

int main(void)
{
    ROWS_ADD(rows, an_answer);
    ROWS_ADD(rows, a_policy);
    ROWS_ADD(rows, a_probe);
    ROWS_ADD_TEST(zero_stays_zero_and_nothing_becomes_it);
    ROWS_ADD_TEST(max_age_0_stays_recognisable);
    ROWS_ADD_TEST(used_in_the_future_is_used_now);
    return rows_run("record_time");
}
