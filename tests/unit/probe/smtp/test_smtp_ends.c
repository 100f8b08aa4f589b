/*
 * One probe of one address: what is told, skipped, refused, late or cancelled. Every case ends
 * with an empty loop.
 */
#include "probe/smtp/smtp_uv.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <openssl/err.h>

#include "tests/unit/support/smtp_seen.h"

static const struct line all_well[] = {
    OFFER, SAY("220 go\r\n"), TLS, HEAR, SAY("250-mx\r\n250 REQUIRETLS\r\n"), HEAR, BYE};

struct stage {
    uv_loop_t loop;
    struct server server;
    struct smtp_options options;
    struct smtp_target target;
    struct seen seen;
};

static void stage_open(struct stage *stage, const struct line *script, SSL_CTX *tls)
{
    memset(stage, 0, sizeof *stage);
    assert_int_equal(uv_loop_init(&stage->loop), 0);
    stage->server.script = script;
    stage->server.tls = tls;
    server_open(&stage->server, &stage->loop, "127.0.0.1", 0);
    stage->options = options_for(&stage->loop);
    stage->target = target_for(&stage->server);
}

static void stage_probe(struct stage *stage)
{
    probe_once(&stage->seen, &stage->server, &stage->loop, &stage->options, &stage->target);
}

static void stage_close(struct stage *stage)
{
    buf_fini(&stage->server.heard);
    arena_free(stage->seen.arena);
    ERR_clear_error();
}

static void H_3_requiretls_only_in_tls(void **state)
{
    struct stage stage;

    (void)state;
    stage_open(&stage, all_well, ground.tls);
    stage.target.sni = "base.example.test";
    stage_probe(&stage);
    assert_true(stage.seen.result.requiretls);
    assert_string_equal(stage.server.sni, "base.example.test"); /* B-38 */
    assert_string_equal(stage.seen.result.protocol, "TLSv1.3");
    assert_string_equal(stage.seen.result.subject, MX);
    assert_true(stage.seen.result.not_after > 0);
    assert_int_equal(stage.seen.result.probed_at, 0);
    stage_close(&stage);
}

static void source_address(void **state)
{
    struct stage stage;

    (void)state;
    stage_open(&stage, all_well, ground.tls);
    assert_true(ip_parse(&stage.options.bind, "127.0.0.9"));
    assert_true(ip_parse(&stage.options.bind6, "2001:db8::9")); /* of the other family */
    stage_probe(&stage);
    assert_string_equal(stage.server.client, "127.0.0.9");
    assert_int_equal(stage.seen.result.state, STARTTLS_VERIFIED);
    stage_close(&stage);
}

/* Not ours: no packet, and nothing is said of the host. */
static void source_address_of_another_host(void **state)
{
    struct stage stage;

    (void)state;
    stage_open(&stage, all_well, ground.tls);
    assert_true(ip_parse(&stage.options.bind, "192.0.2.1"));
    stage_probe(&stage);
    assert_true(stage.seen.failed_here);
    assert_int_equal(stage.seen.failure, SMTP_FAILURE_LOCAL);
    assert_int_equal(stage.server.accepted, 0);
    expect_detail(stage.seen.result.detail,
                  "not probed, this side failed: probe-bind-address: address not available");
    stage_close(&stage);
}

static void B_39_mismatch_is_told(void **state)
{
    uint8_t *data = calloc(1, 32);
    struct tlsa *tlsa = calloc(1, sizeof *tlsa);
    char *host = strdup(MX);
    struct stage stage;

    (void)state;
    *tlsa = (struct tlsa){3, 1, 1, true, 32, data};
    stage_open(&stage, all_well, ground.tls);
    stage.target.host = host;
    stage.target.tlsa = tlsa;
    stage.target.tlsa_count = 1;
    stage.target.tlsa_names[0] = host;
    stage.seen.arena = arena_new(65536);
    stage.seen.server = &stage.server;
    assert_int_equal(
        smtp_start(&stage.seen.probe, &tools, &stage.options, &stage.target, on_done, &stage.seen),
        0);
    assert_int_equal(uv_run(&stage.loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&stage.loop), 0);
    assert_int_equal(stage.seen.result.tlsa, TLSA_MATCH_MISMATCH);
    assert_int_equal(stage.seen.result.state, STARTTLS_TLS);
    expect_detail(stage.seen.result.detail, "TLSA: no record matches");
    free(data);
    free(tlsa);
    free(host);
    stage_close(&stage);
}

static void expect_skipped(const struct address_filter *by, const char *words)
{
    struct stage stage;

    stage_open(&stage, all_well, ground.tls);
    tools.filter = by;
    stage_probe(&stage);
    assert_int_equal(stage.seen.result.state, STARTTLS_SKIPPED);
    expect_detail(stage.seen.result.detail, words);
    assert_int_equal(stage.server.accepted, 0);
    stage_close(&stage);
}

static void hostile_11_skipped_without_a_packet(void **state)
{
    static const char *const names[] = {".example.test"};
    struct address_filter none = {0}, excluded = ground.filter, named = ground.filter;

    (void)state;
    excluded.excluded = &ground.loopback;
    excluded.excluded_count = 1;
    named.excluded_names = names;
    named.excluded_name_count = 1;
    expect_skipped(&none, "not a global address");
    expect_skipped(&excluded, "excluded by probe-exclude");
    expect_skipped(&named, "excluded by probe-exclude");
}

static void refused_is_silent(void **state)
{
    struct stage stage;

    (void)state;
    stage_open(&stage, all_well, ground.tls);
    server_close(&stage.server);
    uv_run(&stage.loop, UV_RUN_NOWAIT);
    stage_probe(&stage);
    assert_int_equal(stage.seen.result.state, STARTTLS_SILENT);
    expect_detail(stage.seen.result.detail, "cannot connect: connection refused");
    assert_false(stage.seen.failed_here);
    stage_close(&stage);
}

static int pretended; /* what SO_ERROR says; 0: the truth */

/* In place of libc's, for libuv: nobody sends us ICMP here. */
int getsockopt(int fd, int level, int name, void *value, socklen_t *length)
{
    if (pretended != 0 && level == SOL_SOCKET && name == SO_ERROR) {
        *(int *)value = pretended;
        return 0;
    }
    return (int)syscall(SYS_getsockopt, fd, level, name, value, length);
}

/* EACCES is also what becomes of an ICMPv6 "administratively prohibited". */
static void a_prohibition_on_the_way_is_silence(void **state)
{
    struct stage stage;

    (void)state;
    stage_open(&stage, all_well, ground.tls);
    pretended = EACCES;
    stage_probe(&stage);
    pretended = 0;
    assert_int_equal(stage.seen.result.state, STARTTLS_SILENT);
    expect_detail(stage.seen.result.detail, "cannot connect: host is unreachable");
    assert_false(stage.seen.failed_here);
    assert_int_equal(stage.seen.failure, SMTP_FAILURE_CONNECT);
    stage_close(&stage);
}

/* A full queue of a listener that never accepts: SYNs are dropped. */
static void connect_deadline(void **state)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof name;
    int fds[6];
    struct stage stage;

    (void)state;
    fds[0] = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fds[0], (struct sockaddr *)&name, length), 0);
    assert_int_equal(listen(fds[0], 0), 0);
    assert_int_equal(getsockname(fds[0], (struct sockaddr *)&name, &length), 0);
    for (int i = 1; i < 6; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM, 0);
        fcntl(fds[i], F_SETFL, O_NONBLOCK);
        connect(fds[i], (struct sockaddr *)&name, length);
    }
    stage_open(&stage, all_well, ground.tls);
    stage.target.port = ntohs(name.sin_port);
    stage.options.connect_ms = 30;
    stage_probe(&stage);
    assert_int_equal(stage.seen.result.state, STARTTLS_SILENT);
    expect_detail(stage.seen.result.detail, "cannot connect: no answer in time");
    stage_close(&stage);
    for (int i = 0; i < 6; i++)
        close(fds[i]);
}

static char endless[400];

/* An absolute deadline over all states. */
static void hostile_12_total_deadline(void **state)
{
    static const struct line slow[] = {DRIP("220 mx\r\n"), HEAR, DRIP(endless)};
    struct stage stage;

    (void)state;
    memset(endless, 'x', sizeof endless - 1);
    memcpy(endless, "250-", 4);
    stage_open(&stage, slow, NULL);
    stage.options.greeting_ms = stage.options.command_ms = 10000;
    stage.options.total_ms = 60;
    stage_probe(&stage);
    expect_detail(stage.seen.result.detail, "no answer in time");
    stage_close(&stage);
}

static void hostile_40_no_descriptor(void **state)
{
    struct rlimit before;
    struct stage stage;

    (void)state;
    stage_open(&stage, all_well, ground.tls);
    descriptors_out(&before);
    stage_probe(&stage);
    descriptors_back(&before);
    assert_int_equal(stage.seen.result.state, STARTTLS_SILENT);
    expect_detail(stage.seen.result.detail, "this side failed: too many open files");
    assert_true(stage.seen.failed_here);
    stage_close(&stage);
}

/* Cancelled after every number of turns of the loop: no callback, and the loop ends empty. */
static void cancel_at_any_time(void **state)
{
    bool ended = false;

    (void)state;
    for (int turns = 0; !ended; turns++) {
        struct stage stage;

        stage_open(&stage, all_well, ground.tls);
        stage.seen.arena = arena_new(65536);
        stage.seen.server = &stage.server;
        assert_int_equal(smtp_start(&stage.seen.probe, &tools, &stage.options, &stage.target,
                                    on_done, &stage.seen),
                         0);
        for (int i = 0; i < turns && stage.seen.calls == 0; i++)
            uv_run(&stage.loop, UV_RUN_ONCE);
        ended = stage.seen.calls == 1;
        if (!ended)
            smtp_cancel(stage.seen.probe);
        server_close(&stage.server);
        assert_int_equal(uv_run(&stage.loop, UV_RUN_DEFAULT), 0);
        assert_int_equal(stage.seen.calls, ended ? 1 : 0);
        assert_int_equal(uv_loop_close(&stage.loop), 0);
        stage_close(&stage);
        assert_true(turns < 1000);
    }
}

int main(void)
{
    int failed;

    ground_set_up();
    ROWS_ADD_TEST(H_3_requiretls_only_in_tls);
    ROWS_ADD_TEST(source_address);
    ROWS_ADD_TEST(source_address_of_another_host);
    ROWS_ADD_TEST(B_39_mismatch_is_told);
    ROWS_ADD_TEST(hostile_11_skipped_without_a_packet);
    ROWS_ADD_TEST(refused_is_silent);
    ROWS_ADD_TEST(a_prohibition_on_the_way_is_silence);
    ROWS_ADD_TEST(connect_deadline);
    ROWS_ADD_TEST(hostile_12_total_deadline);
    ROWS_ADD_TEST(hostile_40_no_descriptor);
    ROWS_ADD_TEST(cancel_at_any_time);
    failed = rows_run("smtp_ends");
    ground_tear_down();
    return failed;
}
