/*
 * MTA-STS lookups one after the other: what is remembered between them: docs/conformance.md A-17,
 * hostile 17, 18, 41. When a fetch is due is test_sts_cache's.
 */
#include "probe/sts/sts_uv.h"

#include "base/log/log.h"
#include "tests/unit/support/sts_known.h"
#include "tests/unit/support/sts_world.h"

/* The same id is not fetched again, a new one at once, mode none ends a policy. */
static void the_id_decides_about_a_fetch(void **state)
{
    struct world world;

    (void)state;
    world_start(&world, DAY, DAY);
    assert_int_equal(look_up_id(&world, RECORD("1"), GOOD_FILE), 1);
    assert_int_equal(look_up_id(&world, RECORD("1"), FILE_OF("none", "1")), 0);
    expect_state("same id", &world, STS_POLICY, NULL);
    assert_int_equal(look_up_id(&world, RECORD("2"), FILE_OF("testing", "86400")), 1);
    expect_state("new id", &world, STS_POLICY, NULL);
    assert_int_equal(world.out.policy->mode, STS_MODE_TESTING);
    assert_string_equal(world.out.id, "2");
    assert_int_equal(look_up_id(&world, RECORD("3"), FILE_OF("none", "86400")), 1);
    assert_int_equal(world.out.policy->mode, STS_MODE_NONE);
    assert_int_equal(look_up_id(&world, RECORD("3"), GOOD_FILE), 0);
    assert_int_equal(world.out.policy->mode, STS_MODE_NONE);
    world_end(&world);
}

/* What may go wrong after a policy with id 1 was fetched. */
static const struct {
    const char *name;
    struct responder_line txt;
    const char *response, *why;
    int fetches;
} failures[] = {
    {"NXDOMAIN", RCODE(3), GOOD_FILE, "the record is gone", 0},
    {"NODATA", RCODE(0), GOOD_FILE, "the record is gone", 0},
    {"SERVFAIL", RCODE(2), GOOD_FILE, "SERVFAIL", 0},
    {"two records", RECORDS(RECORD("1"), RECORD("2")), GOOD_FILE, "2 records", 0},
    {"bad record", RECORDS(TXT("v=STSv1; id=;")), GOOD_FILE, "is wrong", 0},
    {"HTTP 500", RECORDS(RECORD("2")), "HTTP/1.1 500 x\r\n\r\n", "HTTP status 500", 1},
    {"bad policy", RECORDS(RECORD("2")), PLAIN("version: STSv2\n"), "is not STSv1", 1},
    {"empty answer", RECORDS(RECORD("2")), "", "mta-sts.d.test", 1},
};

/* A-33, hostile 17: whatever fails, the remembered policy stays, and the reason stands beside it.
 */
static void a_remembered_policy_stays(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(failures); i++) {
        struct world world;
        int64_t valid_until;

        world_start(&world, DAY, DAY);
        look_up_id(&world, RECORD("1"), GOOD_FILE);
        valid_until = world.out.valid_until;
        assert_int_equal(look_up_txt(&world, &failures[i].txt, failures[i].response),
                         failures[i].fetches);
        expect_state(failures[i].name, &world, STS_POLICY, failures[i].why);
        assert_string_equal(world.out.id, "1");
        assert_int_equal(world.out.policy->mode, STS_MODE_ENFORCE);
        assert_int_equal(world.out.valid_until, valid_until);
        assert_int_equal(look_up_txt(&world, &failures[i].txt, failures[i].response), 0);
        expect_state(failures[i].name, &world, STS_POLICY, failures[i].why);
        world_end(&world);
    }
}

/* past its max_age nothing of it counts, whatever fails. */
static void an_ended_policy_does_not_count(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(failures); i++) {
        struct sts_saved saved = {.domain = "d.test",
                                  .id = "1",
                                  .body = "version: STSv1\nmode: enforce\nmx: a.test\nmax_age: 9\n",
                                  .last_id = "1"};
        struct sts_evidence remembered;
        struct world world;

        world_start(&world, DAY, DAY);
        saved.fetched_at = clock_monotonic_ms() - 1;
        saved.valid_until = clock_monotonic_ms() + 200;
        assert_true(sts_cache_load(sts_cache_of(world.sts), &saved, clock_monotonic_ms()));
        assert_true(sts_cache_policy(sts_cache_of(world.sts), world.arena, "d.test",
                                     clock_monotonic_ms(), &remembered));
        virtual_clock_pass(200);
        assert_int_equal(look_up_txt(&world, &failures[i].txt, failures[i].response),
                         failures[i].fetches);
        assert_null(world.out.policy);
        assert_true(world.out.state != STS_POLICY);
        world_end(&world);
    }
}

/* the same id waits for its back-off and tells why; a new id is fetched at once. */
static void a_failed_fetch_is_not_repeated(void **state)
{
    struct world world;

    (void)state;
    world_start(&world, DAY, DAY);
    assert_int_equal(look_up_id(&world, RECORD("1"), "HTTP/1.1 500 x\r\n\r\n"), 1);
    expect_state("first", &world, STS_FETCH_FAILED, "HTTP status 500");
    assert_true(world.out.retry_at > 0);
    assert_int_equal(look_up_id(&world, RECORD("1"), GOOD_FILE), 0);
    expect_state("again", &world, STS_FETCH_FAILED, "HTTP status 500");
    assert_int_equal(look_up_id(&world, RECORD("2"), PLAIN("")), 1);
    expect_state("new id", &world, STS_BAD_POLICY, "no version");
    assert_int_equal(look_up_id(&world, RECORD("2"), GOOD_FILE), 0);
    expect_state("new id again", &world, STS_BAD_POLICY, "no version");
    assert_int_equal(look_up_id(&world, RECORD("3"), GOOD_FILE), 1);
    expect_state("third id", &world, STS_POLICY, NULL);
    world_end(&world);
}

/* hostile 18, 41: a new id with every query. */
static void changing_ids_are_limited(void **state)
{
    struct world world;
    int fetches = 0;

    (void)state;
    world_start(&world, DAY, DAY);
    for (int i = 0; i < 10; i++) {
        char record[80];

        snprintf(record, sizeof record, TXT("v=STSv1; id=%d;"), i);
        fetches += look_up_id(&world, record, FILE_OF("enforce", "0"));
    }
    assert_int_equal(fetches, 4);
    expect_state("max_age 0", &world, STS_FETCH_FAILED, "changes too often");
    assert_true(world.out.retry_at > 0);
    world_end(&world);
}

/* max_age 0 is good for the lookup that fetched it. */
static void max_age_zero_is_for_once(void **state)
{
    struct world world;
    struct sts_evidence remembered;

    (void)state;
    world_start(&world, DAY, DAY);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(look_up_id(&world, RECORD("1"), FILE_OF("enforce", "0")), 1);
        expect_state("A-17", &world, STS_POLICY, NULL);
        assert_int_equal(world.out.valid_until, world.out.fetched_at);
        assert_false(sts_cache_policy(sts_cache_of(world.sts), world.arena, "d.test",
                                      clock_monotonic_ms(), &remembered));
    }
    assert_int_equal(look_up_id(&world, RECORD("1"), "HTTP/1.1 500 x\r\n\r\n"), 1);
    expect_state("A-34", &world, STS_FETCH_FAILED, "HTTP status 500");
    world_end(&world);
}

/* past its refresh time a policy is fetched with the same id, and when only DNS fails. */
static void a_policy_is_refreshed(void **state)
{
    static const struct responder_line servfail = RCODE(2), gone = RCODE(3);
    struct world world;

    (void)state;
    world_start(&world, DAY, 0);
    assert_int_equal(look_up_id(&world, RECORD("1"), GOOD_FILE), 1);
    assert_int_equal(look_up_id(&world, RECORD("1"), FILE_OF("testing", "86400")), 1);
    assert_int_equal(world.out.policy->mode, STS_MODE_TESTING);
    assert_int_equal(look_up_txt(&world, &gone, GOOD_FILE), 0);
    assert_int_equal(look_up_txt(&world, &servfail, GOOD_FILE), 1);
    expect_state("A-37", &world, STS_POLICY, NULL);
    assert_int_equal(world.out.policy->mode, STS_MODE_ENFORCE);
    assert_string_equal(world.out.id, "1");
    assert_int_equal(look_up_txt(&world, &servfail, "HTTP/1.1 500 x\r\n\r\n"), 1);
    expect_state("A-37 failing", &world, STS_POLICY, "HTTP status 500");
    assert_int_equal(look_up_txt(&world, &servfail, GOOD_FILE), 0);
    expect_state("A-37 backing off", &world, STS_POLICY, "SERVFAIL");
    world_end(&world);
}

/* ---- who is told ---- */

struct told {
    unsigned times;
    char domains[200];
    bool known; /* by the cache, when told last */
    struct sts_saved saved;
    struct world *world;
};

static void tell(void *context, const char *domain)
{
    struct told *told = context;
    size_t used = strlen(told->domains);

    told->times++;
    snprintf(told->domains + used, sizeof told->domains - used, "%s ", domain);
    told->known =
        sts_known(sts_cache_of(told->world->sts), told->world->arena, domain, &told->saved);
}

/* The watcher hears of every store, failure and removal; not of a lookup that changes nothing. */
static void every_change_is_told(void **state)
{
    struct world world;
    struct told told = {.world = &world};

    (void)state;
    world_start(&world, DAY, DAY);
    sts_cache_watch(sts_cache_of(world.sts), tell, &told);
    look_up_id(&world, RECORD("1"), "HTTP/1.1 500 x\r\n\r\n");
    assert_int_equal(told.times, 1);
    assert_true(told.known && told.saved.body == NULL && told.saved.failures == 1);
    assert_string_equal(told.saved.why, "HTTP status 500");
    look_up_id(&world, RECORD("1"), GOOD_FILE);
    assert_int_equal(told.times, 1);
    look_up_id(&world, RECORD("2"), GOOD_FILE);
    assert_int_equal(told.times, 2);
    assert_true(told.known && told.saved.failures == 0 && told.saved.mode == STS_MODE_ENFORCE);
    assert_string_equal(told.saved.body, "version: STSv1\nmode: enforce\nmx: mx.d.test\n"
                                         "mx: *.e.test\nmax_age: 86400\n");
    look_up_id(&world, RECORD("2"), GOOD_FILE);
    assert_int_equal(told.times, 2);
    look_up_id(&world, RECORD("3"), PLAIN("no policy"));
    assert_int_equal(told.times, 3);
    assert_true(told.known && told.saved.body != NULL && told.saved.failure == STS_BAD_POLICY);
    told.domains[0] = '\0';
    for (struct map_walk walk = {0}; !sts_cache_walk(sts_cache_of(world.sts), &walk);)
        continue;
    assert_string_equal(told.domains, "d.test ");
    sts_cache_forget(sts_cache_of(world.sts), "d.test");
    assert_int_equal(told.times, 5);
    assert_false(told.known);
    for (struct map_walk walk = {0}; !sts_cache_walk(sts_cache_of(world.sts), &walk);)
        continue;
    assert_int_equal(told.times, 5);
    sts_cache_forget(sts_cache_of(world.sts),
                     "unknown.test"); /* it may be in the store all the same */
    assert_int_equal(told.times, 6);
    world_end(&world);
}

/* A restored policy counts as a fetched one, and restoring it is no news. */
static void a_restored_policy_counts(void **state)
{
    struct world world;
    struct told told = {.world = &world};
    struct sts_saved saved;
    int64_t valid_until;

    (void)state;
    world_start(&world, DAY, DAY);
    look_up_id(&world, RECORD("1"), GOOD_FILE);
    valid_until = world.out.valid_until;
    assert_true(sts_known(sts_cache_of(world.sts), world.arena, "d.test", &saved));
    sts_cache_forget(sts_cache_of(world.sts), "d.test");
    sts_cache_watch(sts_cache_of(world.sts), tell, &told);
    assert_true(sts_cache_load(sts_cache_of(world.sts), &saved, clock_monotonic_ms()));
    assert_int_equal(told.times, 0);
    assert_int_equal(look_up_id(&world, RECORD("1"), FILE_OF("none", "1")), 0);
    expect_state("A-40", &world, STS_POLICY, NULL);
    assert_int_equal(world.out.policy->mode, STS_MODE_ENFORCE);
    assert_int_equal(world.out.valid_until, valid_until);
    world_end(&world);
}

/* What log_failure writes to stderr; RFC 8461 §3.3 wants a failed refresh told. */
static void a_failed_refresh_is_logged(void **state)
{
    char path[] = "/tmp/mxcrypt-test-XXXXXX", text[4096];
    struct world world;
    int file, before;
    ssize_t length;

    (void)state;
    world_start(&world, DAY, DAY);
    look_up_id(&world, RECORD("1"), GOOD_FILE);
    file = mkstemp(path);
    before = dup(2);
    dup2(file, 2);
    log_set_level(LOG_LEVEL_WARNING);
    look_up_id(&world, RECORD("2"), "HTTP/1.1 500 x\r\n\r\n");
    log_set_level(LOG_LEVEL_ERROR);
    dup2(before, 2);
    close(before);
    length = pread(file, text, sizeof text - 1, 0);
    close(file);
    unlink(path);
    assert_true(length > 0);
    text[length] = '\0';
    assert_non_null(strstr(text, "event=sts-fetch-failed domain=d.test id=2 remembered=yes "
                                 "remembered_for_s=86"));
    assert_non_null(strstr(text, "level=warn"));
    world_end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_id_decides_about_a_fetch),
        cmocka_unit_test(a_remembered_policy_stays),
        cmocka_unit_test(an_ended_policy_does_not_count),
        cmocka_unit_test(a_failed_fetch_is_not_repeated),
        cmocka_unit_test(changing_ids_are_limited),
        cmocka_unit_test(max_age_zero_is_for_once),
        cmocka_unit_test(a_policy_is_refreshed),
        cmocka_unit_test(every_change_is_told),
        cmocka_unit_test(a_restored_policy_counts),
        cmocka_unit_test(a_failed_refresh_is_logged),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
