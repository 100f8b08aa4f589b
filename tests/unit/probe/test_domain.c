/*
 * The join of a next-hop's lookups: what is remembered when the MX lookup failed (hostile 17), and
 * probes that several next-hops share.
 */
#include "probe/domain_uv.h"

#include "base/clock.h"
#include "tests/unit/support/dns_responder.h"
#include "tests/unit/support/rows.h"
#include "tests/unit/support/scripted_smtp.h"

#define HOUR INT64_C(3600000)
#define BODY "version: STSv1\nmode: enforce\nmx: mx.d.test\nmax_age: 604800\n"
#define SOA  "test. 60 IN SOA ns.test. x.test. 1 2 3 4 60"

struct world {
    uv_loop_t loop;
    struct responder responder;
    struct dns *dns;
    struct domain_tools tools;
    unsigned changes, saved;
};

static struct world world;

static void on_changed(void *context)
{
    ++*(unsigned *)context;
}

static void on_saved(void *context, const struct probe_saved *saved)
{
    ++*(unsigned *)context;
    assert_int_equal(saved->result.state, STARTTLS_CLEAR);
    assert_string_equal(saved->host, "mx.test");
    assert_string_equal(saved->sni, "mx.test");
    assert_int_equal(saved->tlsa, 0);
    assert_true(saved->result.probed_at > 0);
}

static void world_start(const struct responder_line *lines, size_t count)
{
    struct dns_options dns = {.timeout_ms = 2000, .tries = 1, .in_flight_max = 10};
    const struct sts_cache_options sts = {.entries_max = 9, .retry_ms = HOUR, .refresh_ms = HOUR};
    const struct smtp_tools tools = {&world.loop, ground.context, &ground.filter};
    const struct probe_cache_options probes = {.smtp = {.helo_name = "probe.test",
                                                        .connect_ms = 10000,
                                                        .greeting_ms = 10000,
                                                        .command_ms = 10000,
                                                        .total_ms = 20000},
                                               .connections_max = 10,
                                               .connections_prefix_max = 10,
                                               .entries_max = 10,
                                               .good_ms = HOUR,
                                               .retry_min_ms = HOUR,
                                               .retry_max_ms = HOUR};

    memset(&world, 0, sizeof world);
    assert_int_equal(uv_loop_init(&world.loop), 0);
    assert_true(responder_start(&world.responder, &world.loop, "127.0.0.1", NULL, 0));
    world.responder.lines = lines;
    world.responder.line_count = count;
    dns.servers[dns.server_count++] = responder_server(&world.responder);
    assert_int_equal(dns_new(&world.dns, &world.loop, &dns), 0);
    world.tools =
        (struct domain_tools){.dns = world.dns, .filter = &ground.filter, .smtp_port = 25};
    assert_int_equal(sts_new(&world.tools.sts, &world.loop, world.dns, NULL, &sts), 0);
    assert_int_equal(probe_cache_new(&world.tools.probes, &tools, &probes), 0);
    probe_cache_watch(world.tools.probes, on_saved, &world.saved);
}

static void world_end(void)
{
    responder_stop(&world.responder);
    sts_close(world.tools.sts);
    probe_cache_close(world.tools.probes);
    dns_close(world.dns);
    assert_int_equal(uv_run(&world.loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&world.loop), 0);
}

static void run_until_complete(const struct domain_lookup *lookup)
{
    while (!domain_evidence(lookup)->complete)
        uv_run(&world.loop, UV_RUN_ONCE);
}

/* ---- an MX lookup that ends it all ---- */

struct mx_case {
    const char *name;
    struct packet_spec mx;
    int64_t left_ms; /* of the remembered policy; 0: none */
    bool used_before;
    enum mx_state want_mx;
    enum sts_state want;
};

#define MX_REPLY(...)                                                                              \
    {                                                                                              \
        .name = "d.test", .type = DNS_MX, __VA_ARGS__                                              \
    }

static const struct mx_case mx_cases[] = {
    {"hostile-17 SERVFAIL, remembered", MX_REPLY(.rcode = 2), HOUR, false, MX_ERROR, STS_POLICY},
    {"hostile-17 SERVFAIL, used before", MX_REPLY(.rcode = 2), HOUR, true, MX_ERROR, STS_POLICY},
    {"SERVFAIL, past its max_age", MX_REPLY(.rcode = 2), -1, false, MX_ERROR, STS_NOT_ASKED},
    {"SERVFAIL, nothing remembered", MX_REPLY(.rcode = 2), 0, false, MX_ERROR, STS_NOT_ASKED},
    {"NXDOMAIN", MX_REPLY(.rcode = 3, .authority = {SOA}), HOUR, false, MX_NXDOMAIN, STS_NOT_ASKED},
    {"NXDOMAIN, used before", MX_REPLY(.rcode = 3, .authority = {SOA}), HOUR, true, MX_NXDOMAIN,
     STS_NOT_ASKED},
    {"null MX", MX_REPLY(.answer = {"d.test. 60 IN MX 0 ."}), HOUR, true, MX_NULL, STS_NOT_ASKED},
};

static void restore_policy(int64_t left_ms)
{
    const struct sts_saved saved = {.domain = "d.test",
                                    .id = "1",
                                    .body = BODY,
                                    .fetched_at = clock_monotonic_ms() - 1000,
                                    .valid_until = clock_monotonic_ms() + left_ms,
                                    .last_id = "1"};

    assert_true(sts_cache_load(sts_cache_of(world.tools.sts), &saved, clock_monotonic_ms()));
}

static void run_mx_case(void **state)
{
    const struct mx_case *row = *state;
    const struct responder_line lines[] = {
        {.reply = row->mx},
        {.reply = {.name = "_mta-sts.d.test", .type = DNS_TXT}, .silent = true},
    };
    const struct domain_request request = {.name = "d.test", .port = 25};
    const struct sts_evidence *sts;
    struct domain_lookup *lookup;

    world_start(lines, COUNT(lines));
    if (row->left_ms != 0)
        restore_policy(row->left_ms);
    assert_int_equal(domain_start(&lookup, &world.tools, &request, on_changed, &world.changes), 0);
    if (row->used_before)
        domain_use_remembered(lookup);
    run_until_complete(lookup);
    sts = &domain_evidence(lookup)->sts;
    assert_int_equal(domain_evidence(lookup)->mx, row->want_mx);
    assert_int_equal(sts->state, row->want);
    if (row->want == STS_POLICY) {
        assert_int_equal(sts->policy->mode, STS_MODE_ENFORCE);
        assert_non_null(strstr(sts->why, "the MX lookup failed: SERVFAIL"));
        assert_true(sts->valid_until > clock_monotonic_ms());
        assert_string_equal(sts->id, "1");
    } else {
        assert_null(sts->policy);
        assert_null(sts->why);
    }
    assert_true(sts->ttl == UINT32_MAX);
    domain_free(lookup);
    world_end();
}

/* ---- probes that are shared ---- */

static const struct line no_tls[] = {{ACT_SAY, "220 mx\r\n"},  {ACT_HEAR, NULL},
                                     {ACT_SAY, "250 mx\r\n"},  {ACT_HEAR, NULL},
                                     {ACT_SAY, "221 bye\r\n"}, {ACT_HANG_UP, NULL}};

static const struct responder_line shared_lines[] = {
    {.reply = {.name = "d.test", .type = DNS_MX, .answer = {"d.test. 60 IN MX 1 mx.test."}}},
    {.reply = {.name = "e.test", .type = DNS_MX, .answer = {"e.test. 60 IN MX 1 mx.test."}}},
    {.reply = {.name = "mx.test", .type = DNS_A, .answer = {"mx.test. 60 IN A 127.0.0.1"}}},
    {.reply = {.name = "mx.test", .type = DNS_AAAA, .authority = {SOA}}},
};

static struct domain_lookup *probe_start(const char *name, uint16_t port, int64_t probed_after)
{
    const struct domain_request request = {
        .name = name, .port = port, .probed_after = probed_after};
    struct domain_lookup *lookup;

    assert_int_equal(domain_start(&lookup, &world.tools, &request, on_changed, &world.changes), 0);
    return lookup;
}

static struct starttls_result probe_end(struct domain_lookup *lookup)
{
    struct starttls_result result;

    run_until_complete(lookup);
    assert_int_equal(domain_evidence(lookup)->host_count, 1);
    assert_int_equal(domain_evidence(lookup)->hosts[0].address_count, 1);
    result = domain_evidence(lookup)->hosts[0].addresses[0].starttls;
    domain_free(lookup);
    return result;
}

/* What a held next-hop wants seen anew is seen once for all of them. */
static void held_next_hops_share_a_probe(void **state)
{
    struct server server = {.script = no_tls, .tls = ground.tls};
    struct domain_lookup *first, *second;
    struct starttls_result seen, again;
    struct probe_saved saved = {
        .host = "mx.test", .sni = "mx.test", .result = {.state = STARTTLS_TLS}};
    int64_t now = clock_monotonic_ms();

    (void)state;
    world_start(shared_lines, COUNT(shared_lines));
    server_open(&server, &world.loop, "127.0.0.1", 0);
    assert_true(ip_parse(&saved.ip, "127.0.0.1"));
    saved.port = server.port;
    saved.result.probed_at = now - 1000;
    saved.result.valid_until = now + HOUR;
    assert_true(probe_cache_load(world.tools.probes, &saved));
    seen = probe_end(probe_start("d.test", server.port, now - 1000));
    assert_int_equal(seen.state, STARTTLS_TLS);
    assert_int_equal(server.accepted, 0);
    assert_int_equal(world.saved, 0);
    first = probe_start("d.test", server.port, now);
    second = probe_start("e.test", server.port, now);
    seen = probe_end(first);
    again = probe_end(second);
    assert_int_equal(seen.state, STARTTLS_CLEAR);
    assert_true(seen.probed_at >= now);
    assert_int_equal(again.probed_at, seen.probed_at);
    again = probe_end(probe_start("e.test", server.port, now));
    assert_int_equal(again.probed_at, seen.probed_at);
    assert_int_equal(server.accepted, 1);
    assert_int_equal(world.saved, 1);
    for (struct map_walk walk = {0}; !probe_cache_walk(world.tools.probes, &walk);)
        continue;
    assert_int_equal(world.saved, 2);
    server_close(&server);
    world_end();
    buf_fini(&server.heard);
}

int main(void)
{
    int failed;

    ground_set_up();
    ROWS_ADD(mx_cases, run_mx_case);
    ROWS_ADD_TEST(held_next_hops_share_a_probe);
    failed = rows_run("domain");
    ground_tear_down();
    return failed;
}
