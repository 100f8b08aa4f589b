/*
 * What is remembered of MTA-STS, kept elsewhere and given back: docs/conformance.md,
 * A-40, hostile 38, 39.
 */
#include <stdio.h>

#include "probe/sts/sts_cache.h"
#include "probe/sts/sts_parse.h"
#include "tests/unit/support/rows.h"
#include "tests/unit/support/sts_known.h"

#define MINUTE INT64_C(60000)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define WEEK   (7 * DAY)
#define RETRY  (5 * MINUTE)
#define NOW    (100 * DAY)
#define D      "d.test"
#define BODY   "version: STSv1\nmode: enforce\nmx: mx.d.test\nmax_age: 604800\n"
#define NONE   "version: STSv1\nmode: none\nmax_age: 604800\n"

struct fixture {
    struct sts_cache *memory;
    struct arena *arena;
};

static struct fixture *fixture_new(size_t entries_max)
{
    static struct fixture fixture;
    const struct sts_cache_options options = {entries_max, SIZE_MAX, RETRY, DAY};

    fixture.memory = sts_cache_new(&options);
    fixture.arena = arena_new(4 << 20);
    return &fixture;
}

static void fixture_free(struct fixture *f)
{
    sts_cache_free(f->memory);
    arena_free(f->arena);
}

static void store(struct fixture *f, const char *id, const char *body, int64_t now)
{
    const char *why;
    const struct sts_policy *policy = sts_parse_policy(f->arena, body, strlen(body), &why);

    assert_non_null(policy);
    sts_cache_store(f->memory, D, id, policy, now);
}

static bool valid(struct fixture *f, const char *domain, int64_t now)
{
    struct sts_evidence out;

    return sts_cache_policy(f->memory, f->arena, domain, now, &out);
}

static struct sts_evidence remembered(struct fixture *f, int64_t now)
{
    struct sts_evidence out = {0};

    assert_true(sts_cache_policy(f->memory, f->arena, D, now, &out));
    return out;
}

/* What sts_cache_get gives of a policy fetched an hour ago, without failures. */
static struct sts_saved sample(void)
{
    return (struct sts_saved){.domain = D,
                              .id = "1",
                              .mode = STS_MODE_ENFORCE,
                              .body = BODY,
                              .fetched_at = NOW - HOUR,
                              .valid_until = NOW - HOUR + WEEK,
                              .last_id = "1"};
}

static struct sts_saved failed(struct sts_saved saved)
{
    saved.last_id = "2";
    saved.failures = 3;
    saved.failure = STS_BAD_POLICY;
    saved.retry_at = NOW + HOUR;
    saved.why = "no mx";
    return saved;
}

/* policy, failure and back-off survive. */
static void kept_and_restored_whole(void **state)
{
    struct fixture *f = fixture_new(10);
    struct sts_saved saved;
    struct sts_evidence out;
    struct sts_cache *first = f->memory;

    (void)state;
    assert_false(sts_known(f->memory, f->arena, D, &saved));
    store(f, "1", BODY, NOW);
    sts_cache_fail(f->memory, D, "2", STS_FETCH_FAILED, "HTTP status 500", NOW + 1);
    assert_true(sts_known(f->memory, f->arena, D, &saved));
    sts_cache_free(first);
    f->memory = sts_cache_new(&(struct sts_cache_options){10, SIZE_MAX, RETRY, DAY});
    assert_string_equal(saved.body, BODY);
    assert_int_equal(saved.mode, STS_MODE_ENFORCE);
    assert_true(sts_cache_load(f->memory, &saved, NOW + 2));
    out = remembered(f, NOW + 2);
    assert_int_equal(out.policy->mode, STS_MODE_ENFORCE);
    assert_string_equal(out.policy->mx[0], "mx.d.test");
    assert_string_equal(out.id, "1");
    assert_string_equal(out.why, "HTTP status 500");
    assert_int_equal(out.fetched_at, NOW);
    assert_int_equal(out.valid_until, NOW + WEEK);
    assert_int_equal(out.refresh_at, NOW + DAY);
    assert_int_equal(out.retry_at, NOW + 1 + RETRY);
    assert_false(sts_cache_fetch_due(f->memory, D, "2", NOW + RETRY));
    assert_true(sts_cache_fetch_due(f->memory, D, "2", NOW + 1 + RETRY));
    assert_false(valid(f, D, NOW + WEEK));
    sts_cache_forget(f->memory, D);
    assert_false(sts_known(f->memory, f->arena, D, &saved));
    fixture_free(f);
}

/* what ended a policy is kept too, or the one before would be back after a restart. */
static void an_end_is_kept(void **state)
{
    struct fixture *f = fixture_new(10);
    struct sts_saved saved;

    (void)state;
    store(f, "1", BODY, NOW);
    store(f, "2", "version: STSv1\nmode: enforce\nmx: a.test\nmax_age: 0\n", NOW + 1);
    assert_true(sts_known(f->memory, f->arena, D, &saved));
    assert_null(saved.body);
    assert_string_equal(saved.id, "");
    store(f, "3", BODY, NOW + 2);
    store(f, "4", NONE, NOW + 3);
    assert_true(sts_known(f->memory, f->arena, D, &saved));
    assert_string_equal(saved.body, NONE);
    assert_int_equal(saved.mode, STS_MODE_NONE);
    fixture_free(f);
}

/* A file of the largest size, without an end to its last line, comes back as it was. */
static void the_largest_policy_is_kept(void **state)
{
    static char body[STS_BODY_MAX + 1];
    struct fixture *f = fixture_new(10);
    struct sts_saved saved;

    (void)state;
    memset(body, 'x', STS_BODY_MAX);
    memcpy(body, BODY "x: ", strlen(BODY "x: "));
    store(f, "1", body, NOW);
    assert_true(sts_known(f->memory, f->arena, D, &saved));
    assert_int_equal(strlen(saved.body), STS_BODY_MAX);
    sts_cache_forget(f->memory, D);
    assert_true(sts_cache_load(f->memory, &saved, NOW));
    assert_int_equal(remembered(f, NOW).policy->line_count, 5);
    fixture_free(f);
}

struct against_case {
    const char *name;
    int64_t known_at; /* a policy "known" fetched then, mode none; 0: none is known */
    bool known_failed;
    int64_t kept_at;
    const char *id; /* that counts afterwards; NULL: no policy */
    unsigned failures;
};

/* Restored with three failures, against a known one with one. */
static const struct against_case against_cases[] = {
    {"nothing known", 0, false, NOW - HOUR, "1", 3},
    {"one fetched earlier", NOW - DAY, false, NOW - HOUR, "1", 3},
    {"one fetched earlier, failing", NOW - DAY, true, NOW - HOUR, "1", 3},
    {"the same", NOW - HOUR, false, NOW - HOUR, "known", 0},
    {"one fetched later", NOW - HOUR, false, NOW - HOUR - 1, "known", 0},
    {"only a failure", 0, true, NOW - HOUR, "1", 1},
    {"only a failure, fetched before the machine began", 0, true, -HOUR, "1", 1},
};

static void run_against_case(void **state)
{
    const struct against_case *row = *state;
    struct fixture *f = fixture_new(10);
    struct sts_saved saved = failed(sample()), got;

    if (row->known_at != 0)
        store(f, "known", NONE, row->known_at);
    if (row->known_failed)
        sts_cache_fail(f->memory, D, "failed", STS_FETCH_FAILED, "x", NOW - MINUTE);
    saved.fetched_at = row->kept_at;
    saved.body =
        row->kept_at < 0 ? "version: STSv1\nmode: enforce\nmx: a.test\nmax_age: 31557600\n" : BODY;
    saved.valid_until = NOW + DAY;
    assert_true(sts_cache_load(f->memory, &saved, NOW));
    assert_string_equal(remembered(f, NOW).id, row->id);
    assert_true(sts_known(f->memory, f->arena, D, &got));
    assert_int_equal(got.failures, row->failures);
    assert_string_equal(got.last_id, row->failures == 3   ? "2"
                                     : row->failures == 1 ? "failed"
                                                          : "known");
    fixture_free(f);
}

struct clamp_case {
    const char *name;
    int64_t fetched_at, valid_until;
    int64_t want_from, want_until; /* 0: no policy */
};

static const struct clamp_case clamp_cases[] = {
    {"as it was", NOW - HOUR, NOW - HOUR + WEEK, NOW - HOUR, NOW - HOUR + WEEK},
    {"cut short by the clock", NOW - HOUR, NOW + 1, NOW - HOUR, NOW + 1},
    {"longer than max_age", NOW - HOUR, INT64_MAX, NOW - HOUR, NOW - HOUR + WEEK},
    {"hostile-39 fetched in the future", INT64_MAX, INT64_MAX, NOW, NOW + WEEK},
    {"A-34 ended", NOW - HOUR, NOW, 0, 0},
    {"A-34 past its max_age", NOW - WEEK, INT64_MAX, 0, 0},
    {"from the other end of time", INT64_MIN, INT64_MAX, 0, 0},
};

static void run_clamp_case(void **state)
{
    const struct clamp_case *row = *state;
    struct fixture *f = fixture_new(10);
    struct sts_saved saved = sample();
    struct sts_evidence out;

    saved.fetched_at = row->fetched_at;
    saved.valid_until = row->valid_until;
    assert_true(sts_cache_load(f->memory, &saved, NOW));
    if (row->want_until == 0) {
        assert_false(valid(f, D, NOW));
        assert_int_equal(sts_cache_entries(f->memory), 0);
        fixture_free(f);
        return;
    }
    out = remembered(f, NOW);
    assert_int_equal(out.fetched_at, row->want_from);
    assert_int_equal(out.valid_until, row->want_until);
    fixture_free(f);
}

/* An ended policy is no policy, but its failures still count; beside anything known they do not. */
static void an_ended_policy_counts_for_its_back_off(void **state)
{
    struct fixture *f = fixture_new(10);
    struct sts_saved saved = failed(sample()), got;

    (void)state;
    saved.valid_until = NOW - 1;
    assert_true(sts_cache_load(f->memory, &saved, NOW));
    assert_false(valid(f, D, NOW - DAY));
    assert_true(sts_cache_get(f->memory, D, &got));
    assert_int_equal(got.failure, STS_BAD_POLICY);
    assert_string_equal(got.why, "no mx");
    assert_int_equal(got.retry_at, NOW + HOUR);
    assert_false(sts_cache_fetch_due(f->memory, D, "2", NOW));
    sts_cache_forget(f->memory, D);
    store(f, "1", BODY, NOW - DAY);
    assert_true(sts_cache_load(f->memory, &saved, NOW));
    saved.body = NULL;
    assert_true(sts_cache_load(f->memory, &saved, NOW));
    assert_true(valid(f, D, NOW));
    assert_true(sts_cache_get(f->memory, D, &got));
    assert_int_equal(got.failures, 0);
    fixture_free(f);
}

static void a_back_off_is_a_day_at_most(void **state)
{
    struct fixture *f = fixture_new(10);
    struct sts_saved saved = failed(sample());

    (void)state;
    saved.retry_at = INT64_MAX;
    saved.failures = 4000000000u;
    assert_true(sts_cache_load(f->memory, &saved, NOW));
    assert_true(sts_cache_fetch_due(f->memory, D, "2", NOW + DAY));
    sts_cache_fail(f->memory, D, "2", STS_FETCH_FAILED, "x", NOW);
    assert_true(sts_cache_fetch_due(f->memory, D, "2", NOW + DAY));
    fixture_free(f);
}

/* The limits hold, and enforced policies go last, as with those that are fetched. */
static void restored_entries_are_bounded(void **state)
{
    struct fixture *f = fixture_new(3);
    struct sts_saved saved = sample();
    char domain[32];

    (void)state;
    for (int i = 0; i < 10; i++) {
        snprintf(domain, sizeof domain, "d%d.test", i);
        saved.domain = domain;
        saved.body = i == 0 ? BODY : NONE;
        assert_true(sts_cache_load(f->memory, &saved, NOW));
        assert_true(sts_cache_entries(f->memory) <= 3);
    }
    assert_true(valid(f, "d0.test", NOW));
    fixture_free(f);
}

static void what_nobody_keeps_is_refused(void **state)
{
    struct fixture *f = fixture_new(100);

    (void)state;
#define REFUSED(change)                                                                            \
    do {                                                                                           \
        struct sts_saved saved = failed(sample());                                                 \
        saved.change;                                                                              \
        if (sts_cache_load(f->memory, &saved, NOW))                                                \
            fail_msg("taken: %s", #change);                                                        \
    } while (0)
    REFUSED(domain = NULL);
    REFUSED(domain = "");
    REFUSED(domain = "D.test");
    REFUSED(domain = "d.test.");
    REFUSED(domain = "d\n.test");
    REFUSED(domain = "192.0.2.1");
    REFUSED(id = NULL);
    REFUSED(id = "");
    REFUSED(id = "a-b");
    REFUSED(id = "123456789012345678901234567890123");
    REFUSED(last_id = NULL);
    REFUSED(last_id = "");
    REFUSED(last_id = "\033");
    REFUSED(last_id = "123456789012345678901234567890123");
    REFUSED(why = "two\nlines");
    REFUSED(why = "\x80");
    REFUSED(failure = STS_POLICY);
    REFUSED(failure = STS_UNKNOWN);
    REFUSED(fetched_at = 0);
    REFUSED(body = "");
    REFUSED(body = "version: STSv1\n");
    REFUSED(body = "version: STSv1\nmode: enforce\nmx: a{b}.test\nmax_age: 1\n");
    REFUSED(body = BODY "a\033b: c\n");
    assert_int_equal(sts_cache_entries(f->memory), 0);
    fixture_free(f);
}

int main(void)
{
    ROWS_ADD_TEST(kept_and_restored_whole);
    ROWS_ADD_TEST(an_end_is_kept);
    ROWS_ADD_TEST(the_largest_policy_is_kept);
    ROWS_ADD(against_cases, run_against_case);
    ROWS_ADD(clamp_cases, run_clamp_case);
    ROWS_ADD_TEST(an_ended_policy_counts_for_its_back_off);
    ROWS_ADD_TEST(a_back_off_is_a_day_at_most);
    ROWS_ADD_TEST(restored_entries_are_bounded);
    ROWS_ADD_TEST(what_nobody_keeps_is_refused);
    return rows_run("sts_kept");
}
