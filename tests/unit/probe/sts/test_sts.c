/*
 * One MTA-STS lookup: docs/conformance.md, hostile 10. What is
 * remembered between lookups is test_sts_remember's.
 */
#include "probe/sts/sts_uv.h"

#include "probe/dns/dns_query_uv.h"
#include "tests/unit/support/sts_world.h"

struct row {
    const char *name;
    struct responder_line txt;
    const char *response;
    enum sts_state state;
    const char *id, *why;
    int fetches;
};

#define STS_ROW(name, txt)                                                                         \
    {                                                                                              \
        name, txt, GOOD_FILE, STS_POLICY, "1", NULL, 1                                             \
    }

static const struct row rows[] = {
    {"A-1 enforce", RECORDS(RECORD("1")), GOOD_FILE, STS_POLICY, "1", NULL, 1},
    {"A-2 NXDOMAIN", RCODE(3), GOOD_FILE, STS_NO_RECORD, "", NULL, 0},
    {"A-2 NODATA", RCODE(0), GOOD_FILE, STS_NO_RECORD, "", NULL, 0},
    {"A-3 two records", RECORDS(RECORD("1"), RECORD("2")), GOOD_FILE, STS_NO_RECORD, "",
     "2 records at _mta-sts.d.test begin with v=STSv1;", 0},
    {"A-4 SPF beside it", RECORDS(TXT("v=spf1 -all"), RECORD("1"), TXT("")), GOOD_FILE, STS_POLICY,
     "1", NULL, 1},
    {"A-5 another version", RECORDS(RECORD("1"), TXT("v=STSv12;id=2")), GOOD_FILE, STS_POLICY, "1",
     NULL, 1},
    {"A-6 id before v", RECORDS(TXT("id=x; v=STSv1;")), GOOD_FILE, STS_NO_RECORD, "", NULL, 0},
    {"A-7 two strings", RECORDS("_mta-sts.d.test. 300 IN TXT \"v=STSv1;\" \"id=1\""), GOOD_FILE,
     STS_POLICY, "1", NULL, 1},
    {"A-8 CNAME",
     RECORDS("_mta-sts.d.test. 300 IN CNAME a.e.test.", "a.e.test. 300 IN CNAME b.e.test.",
             "b.e.test. 300 IN TXT \"v=STSv1; id=1;\""),
     GOOD_FILE, STS_POLICY, "1", NULL, 1},
    {"A-9 bad id", RECORDS(TXT("v=STSv1; id=a-b;")), GOOD_FILE, STS_BAD_RECORD, "",
     "the record at _mta-sts.d.test is wrong: ", 0},
    {"A-9 bad record beside a good one", RECORDS(TXT("v=STSv1; id=a-b;"), RECORD("1")), GOOD_FILE,
     STS_NO_RECORD, "", "2 records", 0},
    {"A-12 bad policy", RECORDS(RECORD("1")), PLAIN("version: STSv1\n"), STS_BAD_POLICY, "1",
     "the policy of mta-sts.d.test is wrong: no mode", 1},
    {"A-12 empty policy", RECORDS(RECORD("1")), PLAIN(""), STS_BAD_POLICY, "1", "no version", 1},
    {"A-15 none", RECORDS(RECORD("1")), FILE_OF("none", "86400"), STS_POLICY, "1", NULL, 1},
    {"A-16 testing", RECORDS(RECORD("1")), FILE_OF("testing", "86400"), STS_POLICY, "1", NULL, 1},
    {"A-24 redirect", RECORDS(RECORD("1")), "HTTP/1.1 301 x\r\nLocation: https://e.test/\r\n\r\n",
     STS_FETCH_FAILED, "1", "HTTP status 301, redirect to https://e.test/ not followed", 1},
    {"A-25 404", RECORDS(RECORD("1")), "HTTP/1.1 404 x\r\n\r\n", STS_FETCH_FAILED, "1",
     "HTTP status 404", 1},
    {"SERVFAIL", RCODE(2), GOOD_FILE, STS_DNS_ERROR, "", "TXT lookup of _mta-sts.d.test: SERVFAIL",
     0},
    {"REFUSED", RCODE(5), GOOD_FILE, STS_DNS_ERROR, "", "TXT lookup of _mta-sts.d.test: ", 0},
};

static void a_fresh_lookup_tells_what_is_there(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct world world;
        int fetches;

        world_start(&world, 1, DAY);
        fetches = look_up_txt(&world, &rows[i].txt, rows[i].response);
        expect_state(rows[i].name, &world, rows[i].state, rows[i].why);
        if (fetches != rows[i].fetches || strcmp(world.out.id, rows[i].id) != 0)
            fail_msg("%s: %d fetches, id %s", rows[i].name, fetches, world.out.id);
        world_end(&world);
    }
}

static void a_policy_is_filled_whole(void **state)
{
    struct world world;
    struct sts_evidence remembered = {0};
    struct sts_stats stats;

    (void)state;
    world_start(&world, DAY, DAY);
    look_up_id(&world, RECORD("20160831"), FILE_OF("enforce", "604800"));
    expect_state("A-1", &world, STS_POLICY, NULL);
    assert_int_equal(world.out.ttl, 300);
    assert_int_equal(world.out.policy->mode, STS_MODE_ENFORCE);
    assert_int_equal(world.out.policy->max_age, 604800);
    assert_string_equal(world.out.policy->mx[1], "*.e.test");
    assert_int_equal(world.out.policy->line_count, 5);
    assert_int_equal(world.out.valid_until - world.out.fetched_at, INT64_C(604800000));
    assert_int_equal(world.out.refresh_at - world.out.fetched_at, DAY);
    assert_int_equal(world.out.retry_at, 0);
    assert_int_equal(world.budget, 97);
    assert_string_equal(server.sni, HOST);
    assert_true(sts_cache_policy(sts_cache_of(world.sts), world.arena, "d.test",
                                 clock_monotonic_ms(), &remembered));
    assert_string_equal(remembered.id, "20160831");
    assert_false(sts_cache_policy(sts_cache_of(world.sts), world.arena, "sub.d.test",
                                  clock_monotonic_ms(), &remembered));
    sts_get_stats(world.sts, &stats);
    assert_int_equal(stats.fetches, 1);
    assert_int_equal(stats.fetch_failures, 0);
    assert_int_equal(stats.entries, 1);
    sts_cache_forget(sts_cache_of(world.sts), "d.test");
    assert_false(sts_cache_policy(sts_cache_of(world.sts), world.arena, "d.test",
                                  clock_monotonic_ms(), &remembered));
    world_end(&world);
}

/* only names below the domain that was asked are asked for. */
static void only_the_domain_itself_is_asked(void **state)
{
    struct world world;

    (void)state;
    world_start(&world, DAY, DAY);
    look_up_id(&world, RECORD("1"), GOOD_FILE);
    assert_int_equal(world.responder.count, 3);
    assert_string_equal(world.responder.asked[0], "TXT _mta-sts.d.test");
    assert_string_equal(world.responder.asked[1], "A mta-sts.d.test");
    assert_string_equal(world.responder.asked[2], "AAAA mta-sts.d.test");
    world_end(&world);
}

struct host_row {
    const char *name;
    struct responder_line a, aaaa;
    enum sts_state state;
    const char *why;
};

#define HOST_A(...)                                                                                \
    {                                                                                              \
        .reply = {.name = HOST, .type = DNS_A, .answer = {__VA_ARGS__} }                           \
    }
#define HOST_RCODE(kind, code)                                                                     \
    {                                                                                              \
        .reply = {.name = HOST, .type = kind, .rcode = code, .authority = {SOA} }                  \
    }

static const struct host_row host_rows[] = {
    {"does not exist", HOST_RCODE(DNS_A, 3), HOST_RCODE(DNS_AAAA, 3), STS_FETCH_FAILED,
     HOST " does not exist"},
    {"no address", HOST_RCODE(DNS_A, 0), HOST_RCODE(DNS_AAAA, 0), STS_FETCH_FAILED,
     HOST " has no address"},
    {"SERVFAIL", HOST_RCODE(DNS_A, 2), HOST_RCODE(DNS_AAAA, 0), STS_FETCH_FAILED,
     "address lookup of " HOST ": SERVFAIL"},
    {"AAAA SERVFAIL", HOST_RCODE(DNS_A, 0), HOST_RCODE(DNS_AAAA, 2), STS_FETCH_FAILED,
     "address lookup of " HOST ": SERVFAIL"},
    {"one family is enough", A_HOST, HOST_RCODE(DNS_AAAA, 2), STS_POLICY, NULL},
    {"hostile 10 loopback elsewhere", HOST_A(HOST ". 300 IN A 127.9.9.9"), NO_AAAA,
     STS_FETCH_FAILED, "no public address (127.9.9.9)"},
    {"hostile 10 private", HOST_A(HOST ". 300 IN A 10.0.0.1"), NO_AAAA, STS_FETCH_FAILED,
     "no public address (10.0.0.1)"},
    {"one of two", HOST_A(HOST ". 300 IN A 10.0.0.1", HOST ". 300 IN A 127.0.0.1"), NO_AAAA,
     STS_POLICY, NULL},
    {"CNAME of the policy host",
     HOST_A(HOST ". 300 IN CNAME www.e.test.", "www.e.test. 300 IN A 127.0.0.1"), NO_AAAA,
     STS_POLICY, NULL},
};

static void the_policy_host_is_looked_up(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(host_rows); i++) {
        const struct host_row *row = &host_rows[i];
        const struct responder_line lines[] = {RECORDS(RECORD("1")), row->a, row->aaaa};
        struct world world;
        int fetches;

        world_start(&world, DAY, DAY);
        fetches = look_up(&world, lines, COUNT(lines), GOOD_FILE);
        expect_state(row->name, &world, row->state, row->why);
        assert_int_equal(fetches, row->state == STS_POLICY);
        if (row->state == STS_POLICY)
            assert_string_equal(server.sni, HOST);
        assert_int_equal(world.out.retry_at > 0, row->state != STS_POLICY);
        world_end(&world);
    }
}

/* For counters: what kind of failure it was. */
static void failures_have_a_kind(void **state)
{
    static const struct {
        struct responder_line txt, a;
        const char *response, *want;
    } kinds[] = {
        {RECORDS(RECORD("1")), A_HOST, GOOD_FILE, NULL},
        {RCODE(3), A_HOST, GOOD_FILE, NULL},
        {RCODE(2), A_HOST, GOOD_FILE, "servfail"},
        {RECORDS(RECORD("1")), HOST_RCODE(DNS_A, 3), GOOD_FILE, "dns"},
        {RECORDS(RECORD("1")), A_HOST, PLAIN("x"), "policy"},
        {RECORDS(RECORD("1")), A_HOST, "HTTP/1.1 500 x\r\n\r\n", "status"},
        {RECORDS(RECORD("1")), A_HOST, "HTTP/1.1 200 x\r\n\r\n", "response"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(kinds); i++) {
        const struct responder_line lines[] = {kinds[i].txt, kinds[i].a, NO_AAAA};
        struct world world;

        world_start(&world, DAY, DAY);
        look_up(&world, lines, COUNT(lines), kinds[i].response);
        if (kinds[i].want == NULL)
            assert_null(world.out.failure);
        else
            assert_string_equal(world.out.failure, kinds[i].want);
        world_end(&world);
    }
}

static void a_full_queue_is_said(void **state)
{
    struct world world;

    (void)state;
    world_start(&world, DAY, DAY);
    world.dns->stats.queued = DNS_QUEUE_MAX;
    look_up_id(&world, RECORD("1"), GOOD_FILE);
    expect_state("full", &world, STS_DNS_ERROR, "too many DNS lookups are waiting");
    world.dns->stats.queued = 0;
    world_end(&world);
}

/* Our own limits are no fault of the domain: nothing is remembered against it. */
static void the_budget_ends_a_lookup(void **state)
{
    (void)state;
    for (unsigned budget = 0; budget <= 3; budget++) {
        struct world world;

        world_start(&world, DAY, DAY);
        world.budget = budget;
        look_up_id(&world, RECORD("1"), GOOD_FILE);
        if (budget == 0)
            expect_state("no TXT", &world, STS_DNS_ERROR, "too many DNS queries");
        else if (budget == 1)
            expect_state("no A", &world, STS_FETCH_FAILED, "too many DNS queries");
        else
            expect_state("one family or both", &world, STS_POLICY, NULL);
        assert_int_equal(world.out.retry_at, 0);
        assert_int_equal(world.budget, 0);
        world_end(&world);
    }
}

/* No callback after a cancel, at whatever moment; the loop is empty afterwards. */
static void a_cancelled_lookup_never_calls(void **state)
{
    static const struct responder_line lines[] = {RECORDS(RECORD("1")), A_HOST, NO_AAAA};

    (void)state;
    for (unsigned turns = 0; turns < 14; turns++) {
        struct world world;
        struct sts_lookup *lookup;

        world_start(&world, DAY, DAY);
        lookup = begin(&world, lines, COUNT(lines), GOOD_FILE);
        for (unsigned i = 0; i < turns && world.calls == 0; i++)
            uv_run(&world.loop, UV_RUN_ONCE);
        if (world.calls == 0) {
            sts_cancel(lookup);
            for (unsigned i = 0; i < 10; i++)
                uv_run(&world.loop, UV_RUN_NOWAIT);
            assert_int_equal(world.calls, 0);
            assert_int_equal(world.out.state, STS_UNKNOWN);
        }
        world_end(&world);
    }
}

static void closing_ends_every_lookup(void **state)
{
    static const struct responder_line lines[] = {RECORDS(RECORD("1")), A_HOST, NO_AAAA};

    (void)state;
    for (unsigned turns = 0; turns < 8; turns++) {
        struct world world;

        world_start(&world, DAY, DAY);
        begin(&world, lines, COUNT(lines), GOOD_FILE);
        begin(&world, lines, COUNT(lines), GOOD_FILE);
        for (unsigned i = 0; i < turns; i++)
            uv_run(&world.loop, UV_RUN_NOWAIT);
        world.calls = 0;
        world_end(&world);
        assert_int_equal(world.calls, 0);
    }
}

/* An arena that is full makes no false policy and no crash. */
static void a_full_arena_is_survived(void **state)
{
    (void)state;
    for (size_t limit = 64; limit < 4096; limit += 64) {
        struct world world;

        world_start(&world, DAY, DAY);
        arena_free(world.arena);
        world.arena = arena_new(limit);
        if (arena_strdup(world.arena, "d.test") != NULL) {
            look_up_id(&world, RECORD("1"), GOOD_FILE);
            assert_true(world.out.state != STS_POLICY || !arena_failed(world.arena));
        }
        world_end(&world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fresh_lookup_tells_what_is_there),
        cmocka_unit_test(a_policy_is_filled_whole),
        cmocka_unit_test(only_the_domain_itself_is_asked),
        cmocka_unit_test(the_policy_host_is_looked_up),
        cmocka_unit_test(failures_have_a_kind),
        cmocka_unit_test(a_full_queue_is_said),
        cmocka_unit_test(the_budget_ends_a_lookup),
        cmocka_unit_test(a_cancelled_lookup_never_calls),
        cmocka_unit_test(closing_ends_every_lookup),
        cmocka_unit_test(a_full_arena_is_survived),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
