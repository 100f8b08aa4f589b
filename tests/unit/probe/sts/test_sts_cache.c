/* What is remembered of MTA-STS, with the clock in our hands: docs/conformance.md to
 * A-38, hostile 17, 18, 28, 41. */
#include "probe/sts/sts_cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "probe/sts/sts_parse.h"

#define MINUTE    INT64_C(60000)
#define HOUR      (60 * MINUTE)
#define DAY       (24 * HOUR)
#define WEEK_S    604800
#define RETRY     (5 * MINUTE)
#define UNLIMITED SIZE_MAX
#define D         "d.test"

static const char *const modes[] = {
    [STS_MODE_NONE] = "none", [STS_MODE_TESTING] = "testing", [STS_MODE_ENFORCE] = "enforce"};

struct fixture {
    struct sts_cache *memory;
    struct arena *arena;
};

static struct fixture *fixture_new(size_t entries_max, size_t octets_max)
{
    static struct fixture fixture;
    struct sts_cache_options options = {entries_max, octets_max, RETRY, DAY};

    fixture.memory = sts_cache_new(&options);
    fixture.arena = arena_new(1 << 20);
    assert_non_null(fixture.memory);
    return &fixture;
}

static void fixture_free(struct fixture *fixture)
{
    sts_cache_free(fixture->memory);
    arena_free(fixture->arena);
}

static const char *body_of(struct arena *arena, enum sts_mode mode, uint32_t max_age,
                           const char *more)
{
    return arena_printf(arena,
                        "version: STSv1\nmode: %s\nmx: mx.d.test\nmx: *.e.test\nmax_age: %u\n%s",
                        modes[mode], max_age, more);
}

static const struct sts_policy *policy_of(struct arena *arena, enum sts_mode mode, uint32_t max_age,
                                          const char *more)
{
    const char *body = body_of(arena, mode, max_age, more), *why;
    const struct sts_policy *policy = sts_parse_policy(arena, body, strlen(body), &why);

    assert_non_null(policy);
    return policy;
}

static void store(struct fixture *f, const char *domain, const char *id, enum sts_mode mode,
                  uint32_t max_age, int64_t now)
{
    struct arena *arena = arena_new(1 << 20);

    sts_cache_store(f->memory, domain, id, policy_of(arena, mode, max_age, ""), now);
    arena_free(arena);
}

static void miss(struct fixture *f, const char *id, int64_t now)
{
    sts_cache_fail(f->memory, D, id, STS_FETCH_FAILED, "HTTP status 500", now);
}

static bool due(struct fixture *f, const char *id, int64_t now)
{
    return sts_cache_fetch_due(f->memory, D, id, now);
}

static bool valid(struct fixture *f, const char *domain, int64_t now)
{
    struct sts_evidence evidence;

    return sts_cache_policy(f->memory, f->arena, domain, now, &evidence);
}

static void nothing_known_is_fetched(void **state)
{
    struct fixture *f = fixture_new(100, UNLIMITED);

    (void)state;
    assert_true(due(f, "1", 0));
    assert_false(due(f, NULL, 0));
    assert_false(valid(f, D, 0));
    fixture_free(f);
}

static void a_policy_is_given_back_whole(void **state)
{
    struct fixture *f = fixture_new(100, UNLIMITED);
    struct sts_evidence out = {.ttl = 77};

    (void)state;
    store(f, D, "1", STS_MODE_ENFORCE, WEEK_S, 1000);
    assert_true(sts_cache_policy(f->memory, f->arena, D, 2000, &out));
    assert_int_equal(out.state, STS_POLICY);
    assert_string_equal(out.id, "1");
    assert_null(out.why);
    assert_int_equal(out.ttl, 77);
    assert_int_equal(out.fetched_at, 1000);
    assert_int_equal(out.valid_until, 1000 + INT64_C(1000) * WEEK_S);
    assert_int_equal(out.retry_at, 0);
    assert_int_equal(out.policy->mode, STS_MODE_ENFORCE);
    assert_int_equal(out.policy->mx_count, 2);
    assert_string_equal(out.policy->mx[1], "*.e.test");
    assert_int_equal(out.refresh_at, 1000 + DAY);
    assert_int_equal(out.policy->line_count, 5);
    assert_string_equal(out.policy->lines[3], "mx: *.e.test");
    sts_cache_forget(f->memory, D);
    assert_string_equal(out.policy->mx[0], "mx.d.test");
    assert_false(valid(f, D, 2000));
    assert_int_equal(sts_cache_octets(f->memory), 0);
    fixture_free(f);
}

/* max_age counts from the fetch; at its end the policy is gone and fetched again. */
static void a_policy_ends_with_its_max_age(void **state)
{
    struct fixture *f = fixture_new(100, UNLIMITED);

    (void)state;
    store(f, D, "1", STS_MODE_ENFORCE, 3600, 0);
    assert_true(valid(f, D, HOUR - 1));
    assert_false(due(f, "1", HOUR / 8 * 7 - 1));
    assert_true(due(f, "1", HOUR / 8 * 7));
    assert_true(due(f, NULL, HOUR / 8 * 7));
    assert_false(valid(f, D, HOUR));
    assert_true(due(f, "1", HOUR));
    assert_false(due(f, NULL, HOUR));
    fixture_free(f);
}

/* the same id is fetched again once a day, looked for a little earlier, also when only the
 * TXT lookup fails. */
static void the_same_id_is_refreshed(void **state)
{
    struct fixture *f = fixture_new(100, UNLIMITED);

    (void)state;
    store(f, D, "1", STS_MODE_ENFORCE, WEEK_S, 0);
    assert_false(due(f, "1", DAY / 8 * 7 - 1));
    assert_false(due(f, NULL, DAY / 8 * 7 - 1));
    assert_true(due(f, "1", DAY / 8 * 7));
    assert_true(due(f, NULL, DAY / 8 * 7));
    miss(f, "1", DAY);
    assert_true(valid(f, D, DAY));
    assert_false(due(f, "1", DAY + RETRY - 1));
    assert_false(due(f, NULL, DAY + RETRY - 1));
    assert_true(due(f, "1", DAY + RETRY));
    fixture_free(f);
}

/* the same id waits for its back-off, a new one does not. */
static void a_failure_backs_off(void **state)
{
    struct fixture *f = fixture_new(100, UNLIMITED);
    struct sts_saved known;
    int64_t now = 0, wait = RETRY;

    (void)state;
    for (int i = 0; i < 12; i++) {
        miss(f, "1", now);
        assert_false(due(f, "1", now + wait - 1));
        assert_true(due(f, "1", now + wait));
        assert_true(due(f, "2", now));
        now += wait;
        wait = wait * 2 < DAY ? wait * 2 : DAY;
    }
    assert_int_equal(wait, DAY);
    miss(f, "1", now);
    assert_true(sts_cache_get(f->memory, D, &known));
    assert_int_equal(known.failure, STS_FETCH_FAILED);
    assert_string_equal(known.why, "HTTP status 500");
    assert_string_equal(known.last_id, "1");
    assert_int_equal(known.retry_at, now + DAY);
    assert_int_equal(sts_cache_retry_at(f->memory, D, now), now + DAY);
    miss(f, "2", now);
    assert_false(due(f, "2", now + RETRY - 1));
    assert_true(due(f, "2", now + RETRY));
    fixture_free(f);
}

/* a failed fetch of a new id leaves the old policy, with the reason beside it. */
static void a_failure_keeps_the_policy(void **state)
{
    struct fixture *f = fixture_new(100, UNLIMITED);
    struct sts_evidence out = {0};
    struct sts_saved known;

    (void)state;
    store(f, D, "1", STS_MODE_ENFORCE, WEEK_S, 0);
    assert_true(due(f, "2", HOUR));
    miss(f, "2", HOUR);
    assert_true(sts_cache_policy(f->memory, f->arena, D, HOUR, &out));
    assert_string_equal(out.id, "1");
    assert_string_equal(out.why, "HTTP status 500");
    assert_int_equal(out.retry_at, HOUR + RETRY);
    assert_false(due(f, "2", HOUR + RETRY - 1));
    assert_false(due(f, "1", HOUR + RETRY - 1));
    store(f, D, "2", STS_MODE_ENFORCE, WEEK_S, HOUR + RETRY);
    assert_true(sts_cache_policy(f->memory, f->arena, D, HOUR + RETRY, &out));
    assert_string_equal(out.id, "2");
    assert_null(out.why);
    assert_true(sts_cache_get(f->memory, D, &known));
    assert_int_equal(known.failures, 0);
    assert_int_equal(known.failure, STS_UNKNOWN);
    assert_null(known.why);
    fixture_free(f);
}

/* whatever goes wrong, as often as it may, the policy lives until its max_age, and no longer
 * (A-34). */
static void failures_never_end_a_policy(void **state)
{
    static const enum sts_state states[] = {STS_FETCH_FAILED, STS_BAD_POLICY};
    struct fixture *f = fixture_new(100, UNLIMITED);
    char id[16];

    (void)state;
    store(f, D, "1", STS_MODE_ENFORCE, WEEK_S, 0);
    for (int64_t now = 0; now < 7 * DAY; now += HOUR) {
        snprintf(id, sizeof id, "%u", (unsigned)(now / HOUR / 3));
        sts_cache_fail(f->memory, D, id, states[now / HOUR % 2], "x", now);
        assert_true(valid(f, D, now));
        assert_false(sts_cache_fetch_due(f->memory, D, id, now + RETRY - 1));
    }
    assert_true(valid(f, D, 7 * DAY - 1));
    assert_false(valid(f, D, 7 * DAY));
    sts_cache_forget(f->memory, D);
    assert_int_equal(sts_cache_octets(f->memory), 0);
    fixture_free(f);
}

/* the record has a new id while the host still gives the old file: the refresh sees the new
 * one, or the next id does. */
static void an_old_body_does_not_stick(void **state)
{
    struct fixture *f = fixture_new(100, UNLIMITED);
    struct sts_evidence out = {0};

    (void)state;
    store(f, D, "1", STS_MODE_ENFORCE, WEEK_S, 0);
    assert_true(due(f, "2", HOUR));
    store(f, D, "2", STS_MODE_ENFORCE, WEEK_S, HOUR);
    assert_false(due(f, "2", HOUR + DAY / 8 * 7 - 1));
    assert_true(due(f, "3", HOUR + MINUTE));
    assert_true(due(f, "2", HOUR + DAY / 8 * 7));
    store(f, D, "2", STS_MODE_NONE, WEEK_S, 2 * DAY);
    assert_true(sts_cache_policy(f->memory, f->arena, D, 2 * DAY, &out));
    assert_int_equal(out.policy->mode, STS_MODE_NONE);
    assert_int_equal(out.refresh_at, 3 * DAY);
    fixture_free(f);
}

/* what counts at a glance, for the log of a failed refresh. */
static void a_glance_tells_what_is_left(void **state)
{
    struct fixture *f = fixture_new(100, UNLIMITED);
    struct sts_saved known;

    (void)state;
    assert_false(sts_cache_get(f->memory, D, &known));
    store(f, D, "1", STS_MODE_TESTING, 3600, 0);
    miss(f, "2", MINUTE);
    assert_true(sts_cache_get(f->memory, D, &known));
    assert_string_equal(known.id, "1");
    assert_string_equal(known.last_id, "2");
    assert_int_equal(known.mode, STS_MODE_TESTING);
    assert_int_equal(known.valid_until, HOUR);
    fixture_free(f);
}

/* mode none takes the place of an enforced policy at once, and is remembered. */
static void mode_none_ends_a_policy(void **state)
{
    struct fixture *f = fixture_new(100, UNLIMITED);
    struct sts_evidence out = {0};

    (void)state;
    store(f, D, "1", STS_MODE_ENFORCE, WEEK_S, 0);
    store(f, D, "2", STS_MODE_NONE, WEEK_S, HOUR);
    assert_true(sts_cache_policy(f->memory, f->arena, D, HOUR, &out));
    assert_int_equal(out.policy->mode, STS_MODE_NONE);
    assert_false(due(f, "2", 2 * HOUR));
    assert_true(due(f, "3", 2 * HOUR));
    fixture_free(f);
}

/* max_age 0 is never given back, and ends what was there before. */
static void max_age_zero_is_not_kept(void **state)
{
    struct fixture *f = fixture_new(100, UNLIMITED);

    (void)state;
    store(f, D, "1", STS_MODE_ENFORCE, WEEK_S, 0);
    store(f, D, "2", STS_MODE_ENFORCE, 0, HOUR);
    assert_false(valid(f, D, HOUR));
    assert_true(due(f, "2", HOUR));
    store(f, D, "2", STS_MODE_ENFORCE, 1, HOUR);
    assert_true(valid(f, D, HOUR + 999));
    assert_false(valid(f, D, HOUR + 1000));
    fixture_free(f);
}

/* hostile 18, 41: a new id with every query is fetched four times in five minutes, not more. */
static void ids_that_keep_changing_are_limited(void **state)
{
    struct fixture *f = fixture_new(100, UNLIMITED);
    struct sts_evidence out = {0};
    unsigned fetches = 0;
    int64_t now;

    (void)state;
    for (now = 0; now < HOUR; now += 1000) {
        char id[16];

        snprintf(id, sizeof id, "%u", (unsigned)(now / 1000));
        if (!due(f, id, now))
            continue;
        if (now == 0)
            store(f, D, id, STS_MODE_ENFORCE, WEEK_S, now);
        else
            miss(f, id, now);
        fetches++;
        assert_true(now >= RETRY || fetches <= 1 + STS_CACHE_CHANGES_MAX);
    }
    assert_true(fetches >= 12 && fetches <= 1 + STS_CACHE_CHANGES_MAX * 12);
    assert_true(sts_cache_policy(f->memory, f->arena, D, now, &out));
    assert_string_equal(out.id, "0");
    fixture_free(f);
}

static void failing_ids_that_keep_changing_are_limited(void **state)
{
    struct fixture *f = fixture_new(100, UNLIMITED);

    (void)state;
    miss(f, "1", 0);
    for (int i = 0; i < STS_CACHE_CHANGES_MAX; i++) {
        const char *id = i % 2 == 0 ? "2" : "1";

        assert_true(due(f, id, 1000 + i));
        miss(f, id, 1000 + i);
    }
    assert_false(due(f, "1", 2000));
    assert_false(due(f, "9", 1000 + RETRY - 1));
    assert_true(sts_cache_retry_at(f->memory, D, 2000) >= 1000 + RETRY);
    assert_true(due(f, "9", 1000 + RETRY));
    fixture_free(f);
}

static void name_of(char out[32], const char *prefix, unsigned number)
{
    snprintf(out, 32, "%s%u.test", prefix, number);
}

/* hostile 28: failures and policies that enforce nothing cannot push out those that do. */
static void enforced_policies_go_last(void **state)
{
    struct fixture *f = fixture_new(10, UNLIMITED);
    char name[32];

    (void)state;
    for (unsigned i = 0; i < 9; i++) {
        name_of(name, "good", i);
        store(f, name, "1", STS_MODE_ENFORCE, WEEK_S, 0);
    }
    for (unsigned i = 0; i < 1000; i++) {
        name_of(name, "bad", i);
        if (i % 2 == 0)
            sts_cache_fail(f->memory, name, "1", STS_BAD_POLICY, "no mx", 1);
        else
            store(f, name, "1", i % 4 == 1 ? STS_MODE_TESTING : STS_MODE_NONE, WEEK_S, 1);
        assert_true(sts_cache_entries(f->memory) <= 10);
    }
    for (unsigned i = 0; i < 9; i++) {
        name_of(name, "good", i);
        assert_true(valid(f, name, 1));
    }
    fixture_free(f);
}

static void the_least_recently_used_goes_first(void **state)
{
    struct fixture *f = fixture_new(3, UNLIMITED);

    (void)state;
    store(f, "a.test", "1", STS_MODE_ENFORCE, WEEK_S, 0);
    store(f, "b.test", "1", STS_MODE_ENFORCE, WEEK_S, 0);
    store(f, "c.test", "1", STS_MODE_ENFORCE, WEEK_S, 0);
    assert_false(sts_cache_fetch_due(f->memory, "a.test", "1", 1));
    store(f, "e.test", "1", STS_MODE_ENFORCE, WEEK_S, 1);
    assert_int_equal(sts_cache_entries(f->memory), 3);
    assert_true(valid(f, "a.test", 1));
    assert_false(valid(f, "b.test", 1));
    fixture_free(f);
}

/* An enforced policy past its max_age is no better than any other entry. */
static void an_expired_policy_goes_early(void **state)
{
    struct fixture *f = fixture_new(2, UNLIMITED);

    (void)state;
    store(f, "old.test", "1", STS_MODE_ENFORCE, 1, 0);
    store(f, "testing.test", "1", STS_MODE_TESTING, WEEK_S, 0);
    store(f, "new.test", "1", STS_MODE_ENFORCE, WEEK_S, DAY);
    assert_false(valid(f, "old.test", 0));
    assert_true(valid(f, "testing.test", DAY));
    assert_true(valid(f, "new.test", DAY));
    fixture_free(f);
}

/* Policies at the limit of size, from domains that somebody has many of: hostile 28. */
static void large_policies_push_out_large_ones(void **state)
{
    static char line[40000] = "x: ";
    const struct sts_policy *large;
    struct fixture *f = fixture_new(UNLIMITED, 512 * 1024);
    char name[32];

    (void)state;
    memset(line + 3, 'x', sizeof line - 4);
    large = policy_of(f->arena, STS_MODE_ENFORCE, WEEK_S, line);
    store(f, D, "1", STS_MODE_ENFORCE, WEEK_S, 0);
    for (unsigned i = 0; i < 100; i++) {
        name_of(name, "large", i);
        sts_cache_store(f->memory, name, "1", large, 1 + i);
    }
    assert_true(sts_cache_octets(f->memory) <= 512 * 1024);
    assert_true(valid(f, name, 200));
    assert_true(valid(f, D, 200));
    fixture_free(f);
}

static void octets_are_bounded(void **state)
{
    const size_t octets_max = 64 * 1024;
    struct fixture *f = fixture_new(UNLIMITED, octets_max);
    char name[32];

    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        name_of(name, "many", i);
        store(f, name, "1", STS_MODE_ENFORCE, WEEK_S, 0);
        assert_true(sts_cache_octets(f->memory) <= octets_max);
    }
    assert_true(sts_cache_entries(f->memory) > 10);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_known_is_fetched),
        cmocka_unit_test(a_policy_is_given_back_whole),
        cmocka_unit_test(a_policy_ends_with_its_max_age),
        cmocka_unit_test(the_same_id_is_refreshed),
        cmocka_unit_test(a_failure_backs_off),
        cmocka_unit_test(a_failure_keeps_the_policy),
        cmocka_unit_test(failures_never_end_a_policy),
        cmocka_unit_test(an_old_body_does_not_stick),
        cmocka_unit_test(a_glance_tells_what_is_left),
        cmocka_unit_test(mode_none_ends_a_policy),
        cmocka_unit_test(max_age_zero_is_not_kept),
        cmocka_unit_test(ids_that_keep_changing_are_limited),
        cmocka_unit_test(failing_ids_that_keep_changing_are_limited),
        cmocka_unit_test(enforced_policies_go_last),
        cmocka_unit_test(the_least_recently_used_goes_first),
        cmocka_unit_test(an_expired_policy_goes_early),
        cmocka_unit_test(large_policies_push_out_large_ones),
        cmocka_unit_test(octets_are_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
