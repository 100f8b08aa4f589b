/*
 * A probe that needs a second connection: what the first one met, and what that makes of the
 * result. Every case ends with an empty loop.
 */
#include "probe/smtp/smtp_uv.h"

#include <openssl/err.h>

#include "tests/unit/support/smtp_seen.h"

#define SERVED  OFFER, SAY("220 go\r\n"), TLS, HEAR, SAY("250 mx\r\n"), HEAR, BYE
#define SHAKING OFFER, SAY("220 go\r\n"), TLS
#define WITHOUT "works only without SNI (TLS handshake: "

/* The TLSA records that the host has. */
enum records { NONE, USABLE, UNUSABLE };

static SSL_CTX *tls_old, *tls_new, *tls_weak, *tls_none;

struct again {
    const char *name;
    struct line first[14], second[14];
    int alert; /* for an SNI; 0: none */
    enum records records;
    enum starttls want;
    unsigned connections;
    const char *detail;
    enum smtp_failure failure;
    SSL_CTX **tls;                   /* NULL: ground's */
    const char *protocols, *ciphers; /* demanded; NULL: the default */
};

static const struct again rows[] = {
    {"G-19 unrecognized_name",
     {SERVED},
     {SERVED},
     SSL_AD_UNRECOGNIZED_NAME,
     NONE,
     STARTTLS_TLS,
     2,
     WITHOUT "tlsv1 unrecognized name)",
     SMTP_FAILURE_COUNT,
     NULL,
     NULL,
     NULL},
    {"G-19 handshake_failure",
     {SERVED},
     {SERVED},
     SSL_AD_HANDSHAKE_FAILURE,
     NONE,
     STARTTLS_TLS,
     2,
     "alert handshake failure)",
     SMTP_FAILURE_COUNT,
     NULL,
     NULL,
     NULL},
    {"G-19 internal_error",
     {SERVED},
     {SERVED},
     SSL_AD_INTERNAL_ERROR,
     NONE,
     STARTTLS_TLS,
     2,
     WITHOUT "tlsv1 alert internal error)",
     SMTP_FAILURE_COUNT,
     NULL,
     NULL,
     NULL},
    {"G-19 access_denied",
     {SERVED},
     {SERVED},
     SSL_AD_ACCESS_DENIED,
     NONE,
     STARTTLS_TLS,
     2,
     WITHOUT "tlsv1 alert access denied)",
     SMTP_FAILURE_COUNT,
     NULL,
     NULL,
     NULL},
    {"G-19 closed",
     {OFFER, SAY("220 go\r\n"), ANY, HANG_UP},
     {SERVED},
     0,
     NONE,
     STARTTLS_TLS,
     2,
     WITHOUT,
     SMTP_FAILURE_COUNT,
     NULL,
     NULL,
     NULL},
    {"G-19 protocol_version: no matter of the name",
     {SHAKING},
     {SERVED},
     SSL_AD_PROTOCOL_VERSION,
     NONE,
     STARTTLS_BROKEN,
     1,
     "TLS handshake: tlsv1 alert protocol version",
     SMTP_FAILURE_HANDSHAKE,
     NULL,
     NULL,
     NULL},
    {"G-19 no TLS behind 220: no matter of the name",
     {OFFER, SAY("220 go\r\n"), ANY, SAY("500 what is this?\r\n")},
     {SERVED},
     0,
     NONE,
     STARTTLS_BROKEN,
     1,
     "TLS handshake: wrong version number",
     SMTP_FAILURE_HANDSHAKE,
     NULL,
     NULL,
     NULL},
    {"G-19 silence: no matter of the name",
     {OFFER, SAY("220 go\r\n"), STALL},
     {SERVED},
     0,
     NONE,
     STARTTLS_BROKEN,
     1,
     "TLS handshake: no answer in time",
     SMTP_FAILURE_HANDSHAKE_TIMEOUT,
     NULL,
     NULL,
     NULL},
    {"G-19 with usable TLSA records the SNI is sent by Postfix too",
     {SERVED},
     {SERVED},
     SSL_AD_UNRECOGNIZED_NAME,
     USABLE,
     STARTTLS_BROKEN,
     1,
     "TLS handshake: tlsv1 unrecognized name",
     SMTP_FAILURE_HANDSHAKE,
     NULL,
     NULL,
     NULL},
    {"G-19 with unusable TLSA records it is not",
     {SERVED},
     {SERVED},
     SSL_AD_UNRECOGNIZED_NAME,
     UNUSABLE,
     STARTTLS_TLS,
     2,
     WITHOUT "tlsv1 unrecognized name)",
     SMTP_FAILURE_COUNT,
     NULL,
     NULL,
     NULL},
    {"G-19 closed both times",
     {OFFER, SAY("220 go\r\n"), ANY, HANG_UP},
     {OFFER, SAY("220 go\r\n"), ANY, HANG_UP},
     0,
     NONE,
     STARTTLS_BROKEN,
     2,
     "TLS handshake: ",
     SMTP_FAILURE_HANDSHAKE,
     NULL,
     NULL,
     NULL},
    {"G-19 then greeted with 421: the first result stands",
     {SERVED},
     {SAY("421 too many\r\n"), HANG_UP},
     SSL_AD_UNRECOGNIZED_NAME,
     NONE,
     STARTTLS_BROKEN,
     2,
     "TLS handshake: tlsv1 unrecognized name",
     SMTP_FAILURE_HANDSHAKE,
     NULL,
     NULL,
     NULL},
    {"G-19 then EHLO in TLS fails: the first result stands",
     {SERVED},
     {SHAKING, HEAR, SAY("554 no\r\n"), HEAR, BYE},
     SSL_AD_UNRECOGNIZED_NAME,
     NONE,
     STARTTLS_BROKEN,
     2,
     "TLS handshake: tlsv1 unrecognized name",
     SMTP_FAILURE_HANDSHAKE,
     NULL,
     NULL,
     NULL},
    {"G-19 G-17 closed after the handshake: no matter of the name",
     {SHAKING, HANG_UP},
     {SERVED},
     0,
     NONE,
     STARTTLS_BROKEN,
     1,
     "EHLO in TLS: ",
     SMTP_FAILURE_EHLO_IN_TLS,
     NULL,
     NULL,
     NULL},
    {"G-18 TLS 1.1 where 1.2 is demanded",
     {SERVED},
     {SERVED},
     0,
     NONE,
     STARTTLS_BROKEN,
     2,
     "does TLS only with TLSv1.1 and ECDHE-ECDSA-AES256-SHA, which tls-protocols does not allow",
     SMTP_FAILURE_HANDSHAKE,
     &tls_old,
     ">=TLSv1.2",
     NULL},
    {"G-18 TLS 1.1 by default",
     {SERVED},
     {SERVED},
     0,
     NONE,
     STARTTLS_TLS,
     1,
     "TLSv1.1 as negotiated is too weak for a verified connection",
     SMTP_FAILURE_COUNT,
     &tls_old,
     NULL,
     NULL},
    {"G-18 TLS 1.1 where 1.2 is demanded, with TLSA",
     {SERVED},
     {SERVED},
     0,
     USABLE,
     STARTTLS_BROKEN,
     2,
     "does TLS only with TLSv1.1 and ECDHE-ECDSA-AES256-SHA, which tls-protocols does not allow",
     SMTP_FAILURE_HANDSHAKE,
     &tls_old,
     ">=TLSv1.2",
     NULL},
    {"G-18 TLS 1.3 where 1.2 is the last",
     {SERVED},
     {SERVED},
     0,
     NONE,
     STARTTLS_BROKEN,
     2,
     "does TLS only with TLSv1.3 and TLS_AES_256_GCM_SHA384, which tls-protocols does not allow",
     SMTP_FAILURE_HANDSHAKE,
     &tls_new,
     "<=TLSv1.2",
     NULL},
    {"G-18 a cipher that is excluded",
     {SERVED},
     {SERVED},
     0,
     NONE,
     STARTTLS_BROKEN,
     3,
     "does TLS only with TLSv1.2 and ECDHE-ECDSA-AES128-SHA, which tls-ciphers does not allow",
     SMTP_FAILURE_HANDSHAKE,
     &tls_weak,
     NULL,
     "medium !AES128"},
    {"G-18 a cipher that is excluded, with TLSA",
     {SERVED},
     {SERVED},
     0,
     USABLE,
     STARTTLS_BROKEN,
     2,
     "does TLS only with TLSv1.2 and ECDHE-ECDSA-AES128-SHA, which tls-ciphers does not allow",
     SMTP_FAILURE_HANDSHAKE,
     &tls_weak,
     NULL,
     "medium !AES128"},
    {"G-18 a cipher that is allowed",
     {SERVED},
     {SERVED},
     0,
     NONE,
     STARTTLS_VERIFIED,
     1,
     NULL,
     SMTP_FAILURE_COUNT,
     &tls_weak,
     ">=TLSv1.2",
     "high"},
    {"G-18 no cipher at all: refused both times and offered all",
     {SHAKING},
     {SHAKING},
     0,
     NONE,
     STARTTLS_BROKEN,
     3,
     "alert handshake failure",
     SMTP_FAILURE_HANDSHAKE,
     &tls_none,
     ">=TLSv1.2",
     NULL},
};

static const struct again *playing;
static rlim_t descriptors; /* that a handshake leaves us; 0: as many as there were */

static rlim_t descriptors_hard(void)
{
    struct rlimit limit;

    getrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_max;
}

static int refuse_name(SSL *ssl, int *alert, void *context)
{
    (void)context;
    if (playing->alert == 0 || SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) == NULL)
        return SSL_TLSEXT_ERR_OK;
    if (descriptors > 0)
        setrlimit(RLIMIT_NOFILE, &(struct rlimit){descriptors, descriptors_hard()});
    *alert = playing->alert;
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static void next_script(struct server *server)
{
    server->script = playing->second;
}

static struct tls_context *demanding_context(void)
{
    struct tls_context *context = cert_context(&ground.root);
    const char *protocols = playing->protocols == NULL ? ">=TLSv1" : playing->protocols;
    const char *ciphers = playing->ciphers == NULL ? "medium" : playing->ciphers;
    char list[TLS_CIPHERS_MAX];
    struct tls_settings settings = {.cipher_list = list};

    assert_null(tls_versions_parse(&settings.versions, protocols));
    assert_null(tls_ciphers_parse(list, ciphers));
    assert_true(tls_context_demand(context, &settings));
    return context;
}

static bool says(const struct again *row, const char *words)
{
    return row->detail != NULL && strncmp(row->detail, words, strlen(words)) == 0;
}

/* Probes as the row says; *server counts. */
static void play(const struct again *row, bool keep_chain, bool skip_offer_all, struct seen *seen,
                 struct server *server)
{
    static const uint8_t digest[32];
    const struct tlsa tlsa = {3, 1, 1, true, sizeof digest, digest};
    struct smtp_options options;
    struct smtp_target target;
    struct tlsa record = tlsa;
    uv_loop_t loop;

    playing = row;
    *server = (struct server){.tls = ground.tls, .on_accept = next_script, .script = row->first};
    if (playing->tls != NULL)
        server->tls = *playing->tls;
    record.usable = playing->records == USABLE;
    assert_int_equal(uv_loop_init(&loop), 0);
    server_open(server, &loop, "127.0.0.1", 0);
    options = options_for(&loop);
    options.keep_chain = keep_chain;
    options.skip_offer_all = skip_offer_all;
    tools.tls = demanding_context();
    if (playing->failure == SMTP_FAILURE_HANDSHAKE_TIMEOUT)
        options.command_ms = 300;
    target = target_for(server);
    target.tlsa = &record;
    target.tlsa_count = playing->records == NONE ? 0 : 1;
    probe_once(seen, server, &loop, &options, &target);
    tls_context_free(tools.tls);
    assert_int_equal(server->open_max, 1);
    assert_int_equal(seen->connections, server->accepted);
    assert_false(seen->failed_here);
    buf_fini(&server->heard);
    ERR_clear_error();
}

static void run_again(void **state)
{
    struct server server;
    struct seen seen;

    play(*state, false, false, &seen, &server);
    expect_detail(seen.result.detail, playing->detail);
    assert_int_equal(seen.result.state, playing->want);
    assert_int_equal(seen.failure, playing->failure);
    assert_int_equal(server.accepted, playing->connections);
    assert_int_equal(seen.result.tlsa, TLSA_MATCH_NONE);
    assert_int_equal(seen.nameless, playing->want == STARTTLS_TLS && server.accepted == 2);
    assert_null(seen.greeting);
    assert_true(seen.shown == SIZE_MAX);
    if (playing->alert != 0 && playing->want == STARTTLS_TLS)
        assert_string_equal(server.sni, "");
    arena_free(seen.arena);
}

/* What a survey asks for: what was shown is kept and not judged, and the connection for words alone
 * is left out. All else is as it was. */
static void run_kept(void **state)
{
    const struct again *row = *state;
    bool other_words = says(row, "does TLS only"), left_out = other_words || row->tls == &tls_none;
    struct server server;
    struct seen seen;

    play(row, true, true, &seen, &server);
    assert_int_equal(seen.result.state, row->want == STARTTLS_VERIFIED ? STARTTLS_TLS : row->want);
    assert_int_equal(seen.failure, row->failure);
    assert_int_equal(server.accepted, row->connections - left_out);
    assert_string_equal(seen.greeting, "mx ESMTP");
    assert_true(seen.shown == (row->want >= STARTTLS_TLS ? 1 : SIZE_MAX));
    assert_int_equal(seen.nameless, row->want == STARTTLS_TLS && server.accepted == 2);
    if (!other_words && (row->want != STARTTLS_TLS || seen.nameless))
        expect_detail(seen.result.detail, row->detail);
    arena_free(seen.arena);
}

static void serve_next(struct server *server)
{
    static const struct line served[] = {SERVED};

    server->script = served;
}

static const struct line closes[] = {OFFER, SAY("220 go\r\n"), ANY, HANG_UP};

/* A second connection that this side could not make leaves open what the host does. */
static void G_19_no_descriptor_for_the_second(void **state)
{
    struct server server = {.tls = ground.tls, .script = rows[0].first};
    struct smtp_options options;
    struct smtp_target target;
    struct rlimit before;
    struct seen seen;
    uv_loop_t loop;

    (void)state;
    assert_int_equal(uv_loop_init(&loop), 0);
    getrlimit(RLIMIT_NOFILE, &before);
    descriptors = STDERR_FILENO + 1; /* what is open is used on */
    playing = &rows[0];
    server_open(&server, &loop, "127.0.0.1", 0);
    options = options_for(&loop);
    target = target_for(&server);
    probe_once(&seen, &server, &loop, &options, &target);
    descriptors_back(&before);
    descriptors = 0;
    assert_true(seen.failed_here);
    assert_int_equal(seen.failure, SMTP_FAILURE_LOCAL);
    buf_fini(&server.heard);
    arena_free(seen.arena);
    ERR_clear_error();
}

/* Cancelled after every number of turns of the loop: no callback, and the loop ends empty. */
static void G_19_cancel_at_any_time(void **state)
{
    bool ended = false;

    (void)state;
    playing = &rows[4]; /* any name will do */
    for (int turns = 0; !ended; turns++) {
        struct server server = {.tls = ground.tls, .script = closes, .on_accept = serve_next};
        struct seen seen = {.arena = arena_new(65536), .server = &server};
        struct smtp_options options;
        struct smtp_target target;
        uv_loop_t loop;

        assert_int_equal(uv_loop_init(&loop), 0);
        server_open(&server, &loop, "127.0.0.1", 0);
        options = options_for(&loop);
        target = target_for(&server);
        assert_int_equal(smtp_start(&seen.probe, &tools, &options, &target, on_done, &seen), 0);
        for (int i = 0; i < turns && seen.calls == 0; i++)
            uv_run(&loop, UV_RUN_ONCE);
        ended = seen.calls == 1;
        if (!ended)
            smtp_cancel(seen.probe);
        server_close(&server);
        assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
        assert_int_equal(seen.calls, ended ? 1 : 0);
        assert_int_equal(uv_loop_close(&loop), 0);
        buf_fini(&server.heard);
        arena_free(seen.arena);
        ERR_clear_error();
        assert_true(turns < 1000);
    }
}

int main(void)
{
    int failed;

    ground_set_up();
    tls_old = cert_server(&ground.leaf, NULL);
    SSL_CTX_set_max_proto_version(tls_old, TLS1_1_VERSION);
    tls_new = cert_server(&ground.leaf, NULL);
    SSL_CTX_set_min_proto_version(tls_new, TLS1_3_VERSION);
    tls_weak = cert_server(&ground.leaf, NULL);
    SSL_CTX_set_max_proto_version(tls_weak, TLS1_2_VERSION);
    SSL_CTX_set_cipher_list(tls_weak, "ECDHE-ECDSA-AES128-SHA");
    tls_none = cert_server(NULL, NULL);
    SSL_CTX_set_tlsext_servername_callback(ground.tls, refuse_name);
    ROWS_ADD(rows, run_again);
    ROWS_ADD(rows, run_kept);
    ROWS_ADD_TEST(G_19_no_descriptor_for_the_second);
    ROWS_ADD_TEST(G_19_cancel_at_any_time);
    failed = rows_run("smtp_again");
    SSL_CTX_free(tls_old);
    SSL_CTX_free(tls_new);
    SSL_CTX_free(tls_weak);
    SSL_CTX_free(tls_none);
    ground_tear_down();
    return failed;
}
