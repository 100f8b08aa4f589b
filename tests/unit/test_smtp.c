/*
 * One probe of one address, against scripted servers in the same loop. Every case ends with an
 * empty loop.
 */
#include "probe/smtp_uv.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <openssl/err.h>

#include "tests/unit/rows.h"
#include "tests/unit/scripted_smtp.h"

#define MX "mx.example.test"

static struct tls_context *context;
static struct cert root, leaf, stranger;
static SSL_CTX *tls_good, *tls_stranger, *tls_none;
static struct ip_prefix loopback;
static struct address_filter filter = {.allowed = &loopback, .allowed_count = 1};

/* ---- one probe ---- */

struct seen {
    unsigned calls;
    struct starttls_result result;
    struct arena *arena;
    bool failed_here;
    struct smtp_probe *probe;
    struct server *server;
};

static void keep(struct starttls_result *out, struct arena *arena, const struct starttls_result *in)
{
    *out = *in;
    out->detail = arena_strdup(arena, in->detail);
    out->protocol = arena_strdup(arena, in->protocol);
    out->subject = arena_strdup(arena, in->subject);
}

static void on_done(void *data, const struct starttls_result *result)
{
    struct seen *seen = data;

    seen->calls++;
    keep(&seen->result, seen->arena, result);
    seen->failed_here = smtp_failed_here(seen->probe);
    server_close(seen->server);
}

static struct smtp_options options_for(uv_loop_t *loop)
{
    return (struct smtp_options){
        .loop = loop,
        .tls = context,
        .filter = &filter,
        .helo_name = "probe.test",
        .connect_ms = 10000,
        .greeting_ms = 10000,
        .command_ms = 10000,
        .total_ms = 20000,
    };
}

static struct smtp_target target_for(const struct server *server)
{
    struct smtp_target target = {.port = server->port, .host = MX, .sni = MX};

    assert_true(ip_parse(&target.ip, "127.0.0.1"));
    return target;
}

static void expect_detail(const char *detail, const char *words)
{
    if (words == NULL) {
        assert_null(detail);
        return;
    }
    assert_non_null(detail);
    if (strstr(detail, words) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", detail, words);
    for (const char *p = detail; *p != '\0'; p++)
        assert_in_range(*p, 0x20, 0x7e);
}

/* Probes `server` once and leaves the loop empty. The result is the arena's of `seen`. */
static void probe_once(struct seen *seen, struct server *server, uv_loop_t *loop,
                       const struct smtp_options *options, const struct smtp_target *target)
{
    memset(seen, 0, sizeof *seen);
    seen->arena = arena_new(65536);
    seen->server = server;
    assert_int_equal(smtp_start(&seen->probe, options, target, on_done, seen), 0);
    assert_int_equal(seen->calls, 0);
    assert_int_equal(uv_run(loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(seen->calls, 1);
    assert_int_equal(server->open, 0);
    assert_int_equal(uv_loop_close(loop), 0);
}

/* ---- dialogues ---- */

#define SAY(text)                                                                                  \
    {                                                                                              \
        ACT_SAY, text                                                                              \
    }
#define DRIP(text)                                                                                 \
    {                                                                                              \
        ACT_DRIP, text                                                                             \
    }
#define HEAR                                                                                       \
    {                                                                                              \
        ACT_HEAR, NULL                                                                             \
    }
#define ANY                                                                                        \
    {                                                                                              \
        ACT_ANY, NULL                                                                              \
    }
#define TLS                                                                                        \
    {                                                                                              \
        ACT_TLS, NULL                                                                              \
    }
#define STALL                                                                                      \
    {                                                                                              \
        ACT_STALL, NULL                                                                            \
    }
#define HANG_UP                                                                                    \
    {                                                                                              \
        ACT_HANG_UP, NULL                                                                          \
    }
#define HELLO SAY("220 mx ESMTP\r\n"), HEAR
#define OFFER HELLO, SAY("250-mx\r\n250-PIPELINING\r\n250 STARTTLS\r\n"), HEAR

#define EHLO "EHLO probe.test\r\n"
#define HELO "HELO probe.test\r\n"
#define STLS "STARTTLS\r\n"
#define QUIT "QUIT\r\n"
#define BYE  SAY("221 bye\r\n"), HANG_UP

struct dialogue {
    const char *name;
    struct line script[14];
    SSL_CTX **tls;
    enum starttls want;
    int code;
    const char *detail;
    const char *heard; /* everything the client said */
    uint64_t ms;       /* deadlines; 0: long */
};

static char long_line[5001], many_lines[3000], long_reply[20000], endless[400];

static const struct dialogue dialogues[] = {
    {"G-1 verified",
     {OFFER, SAY("220 go\r\n"), TLS, HEAR, SAY("250 mx\r\n"), HEAR, BYE},
     &tls_good,
     STARTTLS_VERIFIED,
     220,
     NULL,
     EHLO STLS "<TLS>" EHLO QUIT,
     0},
    {"G-1 TLS with a strange certificate",
     {OFFER, SAY("220 go\r\n"), TLS, HEAR, SAY("250 mx\r\n"), HEAR, BYE},
     &tls_stranger,
     STARTTLS_TLS,
     220,
     "certificate is self-signed",
     EHLO STLS "<TLS>" EHLO QUIT,
     0},
    {"G-2 not offered",
     {HELLO, SAY("250-mx\r\n250 PIPELINING\r\n"), HEAR, BYE},
     NULL,
     STARTTLS_CLEAR,
     250,
     "STARTTLS is not offered",
     EHLO QUIT,
     0},
    {"G-3 EHLO 500, HELO 250",
     {HELLO, SAY("500 what\r\n"), HEAR, SAY("250 mx\r\n"), HEAR, BYE},
     NULL,
     STARTTLS_CLEAR,
     250,
     "knows no EHLO",
     EHLO HELO QUIT,
     0},
    {"G-3 EHLO 502, HELO 250",
     {HELLO, SAY("502 what\r\n"), HEAR, SAY("250 mx\r\n"), HEAR, BYE},
     NULL,
     STARTTLS_CLEAR,
     250,
     "knows no EHLO",
     EHLO HELO QUIT,
     0},
    {"G-3 EHLO 500, HELO 550",
     {HELLO, SAY("500 what\r\n"), HEAR, SAY("550 no\r\n"), HEAR, BYE},
     NULL,
     STARTTLS_ERROR,
     550,
     "HELO: 550 no",
     EHLO HELO QUIT,
     0},
    {"G-4 STARTTLS 454",
     {OFFER, SAY("454 later\r\n"), HEAR, BYE},
     NULL,
     STARTTLS_TEMPFAIL,
     454,
     "STARTTLS: 454 later",
     EHLO STLS QUIT,
     0},
    {"G-4 STARTTLS 501",
     {OFFER, SAY("501 never\r\n"), HEAR, BYE},
     NULL,
     STARTTLS_REFUSED,
     501,
     "STARTTLS: 501 never",
     EHLO STLS QUIT,
     0},
    {"G-4 STARTTLS 354",
     {OFFER, SAY("354 odd\r\n"), HEAR, BYE},
     NULL,
     STARTTLS_ERROR,
     354,
     "STARTTLS: 354 odd",
     EHLO STLS QUIT,
     0},
    {"G-4 closed at STARTTLS",
     {OFFER, HANG_UP},
     NULL,
     STARTTLS_ERROR,
     0,
     "STARTTLS: ",
     EHLO STLS,
     0},
    {"G-5 no certificate at the server",
     {OFFER, SAY("220 go\r\n"), TLS},
     &tls_none,
     STARTTLS_BROKEN,
     0,
     "TLS handshake: sslv3 alert handshake failure",
     EHLO STLS,
     0},
    {"G-5 no TLS behind 220",
     {OFFER, SAY("220 go\r\n"), ANY, SAY("500 what is this?\r\n")},
     NULL,
     STARTTLS_BROKEN,
     0,
     "TLS handshake: wrong version number",
     NULL,
     0},
    {"G-5 closed after 220",
     {OFFER, SAY("220 go\r\n"), ANY, HANG_UP},
     NULL,
     STARTTLS_BROKEN,
     0,
     "TLS handshake: ",
     EHLO STLS,
     0},
    {"G-5 silent after 220",
     {OFFER, SAY("220 go\r\n"), STALL},
     NULL,
     STARTTLS_BROKEN,
     0,
     "TLS handshake: no answer in time",
     EHLO STLS,
     300},
    {"G-6 letter case and blank",
     {HELLO, SAY("250-mx\r\n250-starttls \r\n250 x\r\n"), HEAR, SAY("454 no\r\n"), HEAR, BYE},
     NULL,
     STARTTLS_TEMPFAIL,
     454,
     "454",
     EHLO STLS QUIT,
     0},
    {"G-6 another word",
     {HELLO, SAY("250-mx\r\n250 STARTTLSX\r\n"), HEAR, BYE},
     NULL,
     STARTTLS_CLEAR,
     250,
     "not offered",
     EHLO QUIT,
     0},
    {"G-7 codes differ",
     {HELLO, SAY("250-mx\r\n220 STARTTLS\r\n")},
     NULL,
     STARTTLS_ERROR,
     0,
     "EHLO: reply codes differ",
     EHLO,
     0},
    {"G-8 plaintext after STARTTLS",
     {OFFER, SAY("220 go\r\n250 injected\r\n"), TLS},
     &tls_good,
     STARTTLS_ERROR,
     220,
     "plaintext after STARTTLS",
     EHLO STLS,
     0},
    {"G-8 half a line after STARTTLS",
     {OFFER, SAY("220 go\r\nx"), TLS},
     &tls_good,
     STARTTLS_ERROR,
     220,
     "plaintext after STARTTLS",
     EHLO STLS,
     0},
    {"G-9 what EHLO said in the clear is forgotten",
     {HELLO, SAY("250-mx\r\n250-REQUIRETLS\r\n250 STARTTLS\r\n"), HEAR, SAY("220 go\r\n"), TLS,
      HEAR, SAY("250-mx\r\n250 HELP\r\n"), HEAR, BYE},
     &tls_good,
     STARTTLS_VERIFIED,
     220,
     NULL,
     EHLO STLS "<TLS>" EHLO QUIT,
     0},
    {"G-11 greeting 554",
     {SAY("554 no service\r\n"), HEAR, BYE},
     NULL,
     STARTTLS_ERROR,
     554,
     "greeting: 554 no service",
     QUIT,
     0},
    {"G-11 greeting 421",
     {SAY("421 busy\r\n"), HANG_UP},
     NULL,
     STARTTLS_ERROR,
     421,
     "greeting: 421 busy",
     NULL,
     0},
    {"G-11 EHLO 421",
     {HELLO, SAY("421 busy\r\n"), HEAR, BYE},
     NULL,
     STARTTLS_ERROR,
     421,
     "EHLO: 421 busy",
     EHLO QUIT,
     0},
    {"G-12 octet by octet, several lines",
     {DRIP("220-hello\r\n220 mx\r\n"), HEAR, SAY("250 mx\r\n"), HEAR, BYE},
     NULL,
     STARTTLS_CLEAR,
     250,
     "not offered",
     EHLO QUIT,
     0},
    {"G-15 no greeting", {STALL}, NULL, STARTTLS_SILENT, 0, "greeting: no answer in time", "", 50},
    {"closed without a greeting",
     {HANG_UP},
     NULL,
     STARTTLS_SILENT,
     0,
     "greeting: connection closed",
     "",
     0},
    {"closed at EHLO",
     {HELLO, HANG_UP},
     NULL,
     STARTTLS_SILENT,
     0,
     "EHLO: connection closed",
     EHLO,
     0},
    {"silent at EHLO",
     {HELLO, STALL},
     NULL,
     STARTTLS_SILENT,
     0,
     "EHLO: no answer in time",
     EHLO,
     300},
    {"G-10 no answer to QUIT",
     {HELLO, SAY("250 mx\r\n")},
     NULL,
     STARTTLS_CLEAR,
     250,
     "not offered",
     EHLO QUIT,
     300},
    {"closed after the handshake",
     {OFFER, SAY("220 go\r\n"), TLS, HANG_UP},
     &tls_good,
     STARTTLS_VERIFIED,
     220,
     NULL,
     EHLO STLS "<TLS>",
     0},
    {"silent after the handshake",
     {OFFER, SAY("220 go\r\n"), TLS, STALL},
     &tls_good,
     STARTTLS_VERIFIED,
     220,
     NULL,
     EHLO STLS "<TLS>",
     500},
    {"EHLO fails in TLS",
     {OFFER, SAY("220 go\r\n"), TLS, HEAR, SAY("554 no\r\n"), HEAR, BYE},
     &tls_good,
     STARTTLS_VERIFIED,
     220,
     NULL,
     EHLO STLS "<TLS>" EHLO QUIT,
     0},
    {"hostile-11 45 banner escaped",
     {SAY("554 \033[2J%s\007\r\n"), HEAR, BYE},
     NULL,
     STARTTLS_ERROR,
     554,
     "greeting: 554 \\x1b[2J%s\\x07",
     QUIT,
     0},
    {"hostile-12 endless drip",
     {DRIP(endless)},
     NULL,
     STARTTLS_SILENT,
     0,
     "no answer in time",
     "",
     50},
    {"hostile-12 line too long",
     {SAY(long_line)},
     NULL,
     STARTTLS_ERROR,
     0,
     "greeting: reply line too long",
     "",
     0},
    {"hostile-13 too many lines",
     {HELLO, SAY(many_lines)},
     NULL,
     STARTTLS_ERROR,
     0,
     "EHLO: reply of too many lines",
     EHLO,
     0},
    {"hostile-13 reply too long",
     {HELLO, SAY(long_reply)},
     NULL,
     STARTTLS_ERROR,
     0,
     "EHLO: reply too long",
     EHLO,
     0},
    {"hostile-13 binary",
     {SAY("\001\002\377\n")},
     NULL,
     STARTTLS_ERROR,
     0,
     "not an SMTP reply",
     "",
     0},
    {"hostile-13 STARTTLS in the greeting",
     {SAY("220-mx\r\n220-STARTTLS\r\n220 x\r\n"), HEAR, SAY("250 mx\r\n"), HEAR, BYE},
     NULL,
     STARTTLS_CLEAR,
     250,
     "not offered",
     EHLO QUIT,
     0},
    {"hostile-13 replies ahead of the greeting",
     {SAY("220 mx\r\n250-mx\r\n250 STARTTLS\r\n")},
     NULL,
     STARTTLS_ERROR,
     220,
     "greeting: the server sent more",
     "",
     0},
    {"hostile-13 replies ahead of STARTTLS",
     {HELLO, SAY("250-mx\r\n250 STARTTLS\r\n220 go\r\n")},
     NULL,
     STARTTLS_ERROR,
     250,
     "EHLO: the server sent more",
     EHLO,
     0},
    {"hostile-14 454 for all",
     {OFFER, SAY("454 stripped\r\n"), HEAR, BYE},
     NULL,
     STARTTLS_TEMPFAIL,
     454,
     "454",
     EHLO STLS QUIT,
     0},
};

static void run_dialogue(void **state)
{
    const struct dialogue *row = *state;
    struct server server = {.script = row->script, .tls = row->tls == NULL ? NULL : *row->tls};
    struct smtp_options options;
    struct smtp_target target;
    struct seen seen;
    uv_loop_t loop;

    assert_int_equal(uv_loop_init(&loop), 0);
    server_open(&server, &loop, "127.0.0.1", 0);
    options = options_for(&loop);
    if (row->ms != 0)
        options.greeting_ms = options.command_ms = row->ms;
    target = target_for(&server);
    probe_once(&seen, &server, &loop, &options, &target);
    expect_detail(seen.result.detail, row->detail);
    assert_int_equal(seen.result.state, row->want);
    assert_int_equal(seen.result.code, row->code);
    if (row->heard != NULL)
        assert_string_equal(buf_text(&server.heard), row->heard);
    assert_null(strstr(buf_text(&server.heard), "MAIL"));
    assert_false(seen.failed_here);
    assert_false(seen.result.requiretls);
    buf_fini(&server.heard);
    arena_free(seen.arena);
    ERR_clear_error();
}

/* ---- what no script tells ---- */

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
    stage_open(&stage, all_well, tls_good);
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

/* The target is copied: what it pointed to may go after smtp_start. */
static void B_39_target_is_copied(void **state)
{
    uint8_t *data = calloc(1, 32);
    struct tlsa *tlsa = calloc(1, sizeof *tlsa);
    char *host = strdup(MX);
    struct stage stage;

    (void)state;
    *tlsa = (struct tlsa){3, 1, 1, true, 32, data};
    stage_open(&stage, all_well, tls_good);
    stage.target.host = host;
    stage.target.tlsa = tlsa;
    stage.target.tlsa_count = 1;
    stage.target.tlsa_names[0] = host;
    stage.seen.arena = arena_new(65536);
    stage.seen.server = &stage.server;
    assert_int_equal(
        smtp_start(&stage.seen.probe, &stage.options, &stage.target, on_done, &stage.seen), 0);
    free(data);
    free(tlsa);
    free(host);
    assert_int_equal(uv_run(&stage.loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&stage.loop), 0);
    assert_int_equal(stage.seen.result.tlsa, TLSA_MATCH_MISMATCH);
    assert_int_equal(stage.seen.result.state, STARTTLS_TLS);
    expect_detail(stage.seen.result.detail, "TLSA: no record matches");
    stage_close(&stage);
}

static void expect_skipped(const struct address_filter *by, const char *words)
{
    struct stage stage;

    stage_open(&stage, all_well, tls_good);
    stage.options.filter = by;
    stage_probe(&stage);
    assert_int_equal(stage.seen.result.state, STARTTLS_SKIPPED);
    expect_detail(stage.seen.result.detail, words);
    assert_int_equal(stage.server.accepted, 0);
    stage_close(&stage);
}

static void hostile_11_skipped_without_a_packet(void **state)
{
    static const char *const names[] = {".example.test"};
    struct address_filter none = {0}, excluded = filter, named = filter;

    (void)state;
    excluded.excluded = &loopback;
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
    stage_open(&stage, all_well, tls_good);
    server_close(&stage.server);
    uv_run(&stage.loop, UV_RUN_NOWAIT);
    stage_probe(&stage);
    assert_int_equal(stage.seen.result.state, STARTTLS_SILENT);
    expect_detail(stage.seen.result.detail, "cannot connect: connection refused");
    assert_false(stage.seen.failed_here);
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
    stage_open(&stage, all_well, tls_good);
    stage.target.port = ntohs(name.sin_port);
    stage.options.connect_ms = 30;
    stage_probe(&stage);
    assert_int_equal(stage.seen.result.state, STARTTLS_SILENT);
    expect_detail(stage.seen.result.detail, "cannot connect: no answer in time");
    stage_close(&stage);
    for (int i = 0; i < 6; i++)
        close(fds[i]);
}

/* hostile-12: an absolute deadline over all states. */
static void hostile_12_total_deadline(void **state)
{
    static const struct line slow[] = {DRIP("220 mx\r\n"), HEAR, DRIP(endless)};
    struct stage stage;

    (void)state;
    stage_open(&stage, slow, NULL);
    stage.options.greeting_ms = stage.options.command_ms = 10000;
    stage.options.total_ms = 60;
    stage_probe(&stage);
    expect_detail(stage.seen.result.detail, "no answer in time");
    stage_close(&stage);
}

static void hostile_40_no_descriptor(void **state)
{
    struct rlimit limit, none;
    struct stage stage;
    int lowest;

    (void)state;
    stage_open(&stage, all_well, tls_good);
    lowest = dup(0);
    close(lowest);
    getrlimit(RLIMIT_NOFILE, &limit);
    none = limit;
    none.rlim_cur = (rlim_t)lowest;
    setrlimit(RLIMIT_NOFILE, &none);
    stage_probe(&stage);
    setrlimit(RLIMIT_NOFILE, &limit);
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

        stage_open(&stage, all_well, tls_good);
        stage.seen.arena = arena_new(65536);
        stage.seen.server = &stage.server;
        assert_int_equal(
            smtp_start(&stage.seen.probe, &stage.options, &stage.target, on_done, &stage.seen), 0);
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

static void make_texts(void)
{
    memset(long_line, '2', sizeof long_line - 1);
    memset(endless, 'x', sizeof endless - 1);
    memcpy(endless, "220-", 4);
    for (int i = 0; i < 101; i++)
        strcat(many_lines, i == 100 ? "250 x\r\n" : "250-x\r\n");
    for (int i = 0; i < 20; i++) {
        char *at = long_reply + strlen(long_reply);

        memset(at, 'y', 900);
        memcpy(at, i == 19 ? "250 " : "250-", 4);
        memcpy(at + 898, "\r\n", 3);
    }
}

int main(void)
{
    static const struct cert_name names[] = {{GEN_DNS, MX, 0}, {0, NULL, 0}};
    char ca[] = "/tmp/mxcrypt-test-ca-XXXXXX";
    const char *why = NULL;
    int fd = mkstemp(ca), failed;

    signal(SIGPIPE, SIG_IGN);
    root = cert_make(&(struct cert_spec){.cn = "Root", .ca = true});
    leaf = cert_make(&(struct cert_spec){.cn = MX, .names = names, .issuer = &root});
    stranger = cert_make(&(struct cert_spec){.cn = MX, .names = names});
    tls_good = cert_server(&leaf, NULL);
    tls_stranger = cert_server(&stranger, NULL);
    tls_none = cert_server(NULL, NULL);
    cert_write(&root, ca);
    CHECK(tls_context_new(&context, ca, NULL, &why) == 0);
    close(fd);
    unlink(ca);
    CHECK(ip_prefix_parse(&loopback, "127.0.0.0/8"));
    make_texts();
    ROWS_ADD(dialogues, run_dialogue);
    ROWS_ADD_TEST(H_3_requiretls_only_in_tls);
    ROWS_ADD_TEST(B_39_target_is_copied);
    ROWS_ADD_TEST(hostile_11_skipped_without_a_packet);
    ROWS_ADD_TEST(refused_is_silent);
    ROWS_ADD_TEST(connect_deadline);
    ROWS_ADD_TEST(hostile_12_total_deadline);
    ROWS_ADD_TEST(hostile_40_no_descriptor);
    ROWS_ADD_TEST(cancel_at_any_time);
    failed = rows_run("smtp");
    tls_context_free(context);
    SSL_CTX_free(tls_good);
    SSL_CTX_free(tls_stranger);
    SSL_CTX_free(tls_none);
    cert_free(&root);
    cert_free(&leaf);
    cert_free(&stranger);
    return failed;
}
