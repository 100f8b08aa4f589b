/*
 * MTA-STS lookups against a scripted resolver and a policy host, in one loop: CONFORMANCE A-1 to
 * hostile 10, 17, 18, 41. When a fetch is due is test_sts_memory's.
 */
#include "probe/sts_uv.h"

#include "tests/unit/dns_responder.h"
#include "tests/unit/https_client.h"

#define DAY        INT64_C(86400000)
#define TXT(text)  "_mta-sts.d.test. 300 IN TXT \"" text "\""
#define RECORD(id) TXT("v=STSv1; id=" id ";")
#define SOA        "d.test. 60 IN SOA ns.d.test. x.d.test. 1 2 3 4 60"
#define NAME       "_mta-sts.d.test"
#define A_HOST                                                                                     \
    {                                                                                              \
        .reply = {.name = HOST, .type = DNS_A, .answer = {HOST ". 300 IN A 127.0.0.1"} }           \
    }
#define NO_AAAA                                                                                    \
    {                                                                                              \
        .reply = {.name = HOST, .type = DNS_AAAA, .authority = {SOA} }                             \
    }
#define RECORDS(...)                                                                               \
    {                                                                                              \
        .reply = {.name = NAME, .type = DNS_TXT, .answer = {__VA_ARGS__} }                         \
    }
#define RCODE(code)                                                                                \
    {                                                                                              \
        .reply = {.name = NAME, .type = DNS_TXT, .rcode = code, .authority = {SOA} }               \
    }
#define PLAIN(body) "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n" body
#define FILE_OF(mode, age)                                                                         \
    PLAIN("version: STSv1\nmode: " mode "\nmx: mx.d.test\nmx: *.e.test\nmax_age: " age "\n")

struct world {
    uv_loop_t loop;
    struct responder responder;
    struct dns *dns;
    struct https *https;
    struct sts *sts;
    struct arena *arena;
    unsigned budget, calls;
    struct sts_evidence out;
};

static void world_start(struct world *world, int64_t retry_ms, int64_t refresh_ms)
{
    struct dns_options dns = {.timeout_ms = 2000, .tries = 1, .in_flight_max = 10};
    struct sts_options sts = {.retry_ms = retry_ms, .refresh_ms = refresh_ms};

    memset(world, 0, sizeof *world);
    world->https = client_new(&world->loop, DEADLINE, 10);
    assert_true(responder_start(&world->responder, &world->loop, "127.0.0.1", NULL, 0));
    dns.servers[dns.server_count++] = responder_server(&world->responder);
    assert_int_equal(dns_new(&world->dns, &world->loop, &dns), 0);
    sts.dns = world->dns;
    sts.https = world->https;
    sts.loop = &world->loop;
    assert_int_equal(sts_new(&world->sts, &sts), 0);
    world->arena = arena_new(16u << 20);
    world->budget = 100;
}

static void world_end(struct world *world)
{
    responder_stop(&world->responder);
    sts_close(world->sts);
    dns_close(world->dns);
    client_end(world->https, &world->loop);
    arena_free(world->arena);
}

static void looked_up(void *context)
{
    struct world *world = context;

    world->calls++;
}

static struct sts_lookup *begin(struct world *world, const struct responder_line *lines,
                                size_t count, const char *response)
{
    struct sts_lookup *lookup;

    world->responder.lines = lines;
    world->responder.line_count = count;
    world->responder.count = 0;
    world->calls = 0;
    memset(world->responder.dropped, 0, sizeof world->responder.dropped);
    memset(&world->out, 0, sizeof world->out);
    server_says(&server, response);
    assert_int_equal(sts_start(&lookup, world->sts, world->arena, "d.test", &world->budget,
                               &world->out, looked_up, world),
                     0);
    assert_int_equal(world->calls, 0);
    return lookup;
}

/* One lookup; returns the number of requests at the policy host. */
static int look_up(struct world *world, const struct responder_line *lines, size_t count,
                   const char *response)
{
    int before = atomic_load(&server.requests);

    begin(world, lines, count, response);
    while (world->calls == 0)
        uv_run(&world->loop, UV_RUN_ONCE);
    assert_int_equal(world->calls, 1);
    return atomic_load(&server.requests) - before;
}

/* The same with one TXT line and a policy host that exists. */
static int look_up_txt(struct world *world, const struct responder_line *txt, const char *response)
{
    const struct responder_line lines[] = {*txt, A_HOST, NO_AAAA};

    return look_up(world, lines, COUNT(lines), response);
}

static int look_up_id(struct world *world, const char *record, const char *response)
{
    const struct responder_line txt = RECORDS(record);

    return look_up_txt(world, &txt, response);
}

static void expect_state(const char *row, const struct world *world, enum sts_state state,
                         const char *why)
{
    const struct sts_evidence *out = &world->out;

    if (out->state != state || (why == NULL) != (out->why == NULL) ||
        (why != NULL && strstr(out->why, why) == NULL))
        fail_msg("%s: state %d, why %s", row, out->state, out->why);
    if ((out->policy != NULL) != (state == STS_POLICY))
        fail_msg("%s: policy %p", row, (const void *)out->policy);
}

struct row {
    const char *name;
    struct responder_line txt;
    const char *response;
    enum sts_state state;
    const char *id, *why;
    int fetches;
};

#define GOOD_FILE FILE_OF("enforce", "86400")
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
    assert_int_equal(world.out.retry_at, 0);
    assert_int_equal(world.budget, 97);
    assert_string_equal(server.sni, HOST);
    assert_true(sts_remembered(world.sts, world.arena, "d.test", &remembered));
    assert_string_equal(remembered.id, "20160831");
    assert_false(sts_remembered(world.sts, world.arena, "sub.d.test", &remembered));
    sts_get_stats(world.sts, &stats);
    assert_int_equal(stats.fetches, 1);
    assert_int_equal(stats.fetch_failures, 0);
    assert_int_equal(stats.entries, 1);
    sts_forget(world.sts, "d.test");
    assert_false(sts_remembered(world.sts, world.arena, "d.test", &remembered));
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

/* A-33, hostile 17: whatever fails, the remembered policy stays, and the reason stands beside it.
 */
static void a_remembered_policy_stays(void **state)
{
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
        assert_false(sts_remembered(world.sts, world.arena, "d.test", &remembered));
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
        cmocka_unit_test(the_id_decides_about_a_fetch),
        cmocka_unit_test(a_remembered_policy_stays),
        cmocka_unit_test(a_failed_fetch_is_not_repeated),
        cmocka_unit_test(changing_ids_are_limited),
        cmocka_unit_test(max_age_zero_is_for_once),
        cmocka_unit_test(a_policy_is_refreshed),
        cmocka_unit_test(the_policy_host_is_looked_up),
        cmocka_unit_test(the_budget_ends_a_lookup),
        cmocka_unit_test(a_cancelled_lookup_never_calls),
        cmocka_unit_test(closing_ends_every_lookup),
        cmocka_unit_test(a_full_arena_is_survived),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
