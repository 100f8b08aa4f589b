/*
 * One probe of one address, as dialogues with scripted servers in the same loop. Every case ends
 * with an empty loop.
 */
#include "probe/smtp/smtp_uv.h"

#include <openssl/err.h>

#include "tests/unit/support/smtp_seen.h"

static SSL_CTX *tls_stranger, *tls_none, *tls_asks, *tls_asks_12;

struct dialogue {
    const char *name;
    struct line script[14];
    SSL_CTX **tls; /* once it is made; NULL: none */
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
     &ground.tls,
     STARTTLS_VERIFIED,
     250,
     NULL,
     EHLO STLS "<TLS>" EHLO QUIT,
     0},
    {"G-1 TLS with a strange certificate",
     {OFFER, SAY("220 go\r\n"), TLS, HEAR, SAY("250 mx\r\n"), HEAR, BYE},
     &tls_stranger,
     STARTTLS_TLS,
     250,
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
     "alert handshake failure",
     EHLO STLS EHLO STLS, /* the second time without SNI */
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
     EHLO STLS EHLO STLS, /* the second time without SNI */
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
     &ground.tls,
     STARTTLS_ERROR,
     220,
     "plaintext after STARTTLS",
     EHLO STLS,
     0},
    {"G-8 half a line after STARTTLS",
     {OFFER, SAY("220 go\r\nx"), TLS},
     &ground.tls,
     STARTTLS_ERROR,
     220,
     "plaintext after STARTTLS",
     EHLO STLS,
     0},
    {"G-9 what EHLO said in the clear is forgotten",
     {HELLO, SAY("250-mx\r\n250-REQUIRETLS\r\n250 STARTTLS\r\n"), HEAR, SAY("220 go\r\n"), TLS,
      HEAR, SAY("250-mx\r\n250 HELP\r\n"), HEAR, BYE},
     &ground.tls,
     STARTTLS_VERIFIED,
     250,
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
    {"G-17 closed after the handshake",
     {OFFER, SAY("220 go\r\n"), TLS, HANG_UP},
     &ground.tls,
     STARTTLS_BROKEN,
     0,
     "EHLO in TLS: ",
     EHLO STLS "<TLS>",
     0},
    {"G-17 closed at EHLO in TLS",
     {OFFER, SAY("220 go\r\n"), TLS, HEAR, HANG_UP},
     &ground.tls,
     STARTTLS_BROKEN,
     0,
     "EHLO in TLS: connection closed",
     EHLO STLS "<TLS>" EHLO,
     0},
    {"G-17 closed within the reply to EHLO in TLS",
     {OFFER, SAY("220 go\r\n"), TLS, HEAR, SAY("250-mx\r\n250-SIZE"), HANG_UP},
     &ground.tls,
     STARTTLS_BROKEN,
     0,
     "EHLO in TLS: connection closed",
     EHLO STLS "<TLS>" EHLO,
     0},
    {"G-17 close_notify at EHLO in TLS",
     {OFFER, SAY("220 go\r\n"), TLS, HEAR, NOTIFY},
     &ground.tls,
     STARTTLS_BROKEN,
     0,
     "EHLO in TLS: closed by the server",
     EHLO STLS "<TLS>" EHLO,
     0},
    {"G-17 silent after the handshake",
     {OFFER, SAY("220 go\r\n"), TLS, STALL},
     &ground.tls,
     STARTTLS_BROKEN,
     0,
     "EHLO in TLS: no answer in time",
     EHLO STLS "<TLS>",
     500},
    {"G-17 TLS 1.3 asks for a client certificate",
     {OFFER, SAY("220 go\r\n"), TLS},
     &tls_asks,
     STARTTLS_BROKEN,
     0,
     "EHLO in TLS: tlsv13 alert certificate required",
     EHLO STLS,
     0},
    {"G-17 TLS 1.2 asks for a client certificate",
     {OFFER, SAY("220 go\r\n"), TLS},
     &tls_asks_12,
     STARTTLS_BROKEN,
     0,
     "alert handshake failure",
     EHLO STLS EHLO STLS, /* the second time without SNI */
     0},
    {"G-17 EHLO in TLS 554",
     {OFFER, SAY("220 go\r\n"), TLS, HEAR, SAY("554 no\r\n"), HEAR, BYE},
     &ground.tls,
     STARTTLS_ERROR,
     554,
     "EHLO in TLS: 554 no",
     EHLO STLS "<TLS>" EHLO QUIT,
     0},
    {"G-17 EHLO in TLS 421",
     {OFFER, SAY("220 go\r\n"), TLS, HEAR, SAY("421 busy\r\n"), HEAR, BYE},
     &ground.tls,
     STARTTLS_ERROR,
     421,
     "EHLO in TLS: 421 busy",
     EHLO STLS "<TLS>" EHLO QUIT,
     0},
    {"G-17 EHLO in TLS 450",
     {OFFER, SAY("220 go\r\n"), TLS, HEAR, SAY("450 later\r\n"), HEAR, BYE},
     &ground.tls,
     STARTTLS_ERROR,
     450,
     "EHLO in TLS: 450 later",
     EHLO STLS "<TLS>" EHLO QUIT,
     0},
    {"G-17 EHLO in TLS 502: nobody says HELO",
     {OFFER, SAY("220 go\r\n"), TLS, HEAR, SAY("502 what\r\n"), HEAR, BYE},
     &ground.tls,
     STARTTLS_ERROR,
     502,
     "EHLO in TLS: 502 what",
     EHLO STLS "<TLS>" EHLO QUIT,
     0},
    {"G-17 no SMTP in TLS",
     {OFFER, SAY("220 go\r\n"), TLS, HEAR, SAY("what is this?\r\n")},
     &ground.tls,
     STARTTLS_ERROR,
     0,
     "EHLO in TLS: not an SMTP reply",
     EHLO STLS "<TLS>" EHLO,
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

/* The kinds that are counted, by the beginning of a dialogue's name; the others have not failed. */
static const struct {
    const char *name;
    enum smtp_failure failure;
} failures[] = {
    {"G-3 EHLO 500, HELO 550", SMTP_FAILURE_EHLO},
    {"G-4 STARTTLS 454", SMTP_FAILURE_STARTTLS_4XX},
    {"G-4 STARTTLS 501", SMTP_FAILURE_STARTTLS_5XX},
    {"G-4 STARTTLS 354", SMTP_FAILURE_STARTTLS},
    {"G-4 closed at STARTTLS", SMTP_FAILURE_STARTTLS},
    {"G-5 silent after 220", SMTP_FAILURE_HANDSHAKE_TIMEOUT},
    {"G-5", SMTP_FAILURE_HANDSHAKE},
    {"G-6 letter case", SMTP_FAILURE_STARTTLS_4XX},
    {"G-7", SMTP_FAILURE_PROTOCOL},
    {"G-8", SMTP_FAILURE_PROTOCOL},
    {"G-11 greeting", SMTP_FAILURE_GREETING_REFUSED},
    {"G-11 EHLO", SMTP_FAILURE_EHLO},
    {"G-15", SMTP_FAILURE_GREETING_TIMEOUT},
    {"G-17 TLS 1.2 asks", SMTP_FAILURE_HANDSHAKE},
    {"G-17 no SMTP", SMTP_FAILURE_PROTOCOL},
    {"G-17", SMTP_FAILURE_EHLO_IN_TLS},
    {"closed without a greeting", SMTP_FAILURE_GREETING_LOST},
    {"closed at EHLO", SMTP_FAILURE_EHLO},
    {"silent at EHLO", SMTP_FAILURE_EHLO},
    {"hostile-11", SMTP_FAILURE_GREETING_REFUSED},
    {"hostile-12 endless", SMTP_FAILURE_GREETING_TIMEOUT},
    {"hostile-12", SMTP_FAILURE_PROTOCOL},
    {"hostile-13", SMTP_FAILURE_PROTOCOL},
    {"hostile-14", SMTP_FAILURE_STARTTLS_4XX},
};

static enum smtp_failure wanted_failure(const struct dialogue *row)
{
    bool works = row->want == STARTTLS_CLEAR || row->want >= STARTTLS_TLS;

    for (size_t i = 0; i < sizeof failures / sizeof failures[0] && !works; i++)
        if (strncmp(row->name, failures[i].name, strlen(failures[i].name)) == 0)
            return failures[i].failure;
    return SMTP_FAILURE_COUNT;
}

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
    assert_int_equal(seen.failure, wanted_failure(row));
    if (row->heard != NULL)
        assert_string_equal(buf_text(&server.heard), row->heard);
    assert_null(strstr(buf_text(&server.heard), "MAIL"));
    assert_false(seen.failed_here);
    assert_false(seen.result.requiretls);
    buf_fini(&server.heard);
    arena_free(seen.arena);
    ERR_clear_error();
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

/* Refuses a client without a certificate. */
static SSL_CTX *server_that_asks(int version)
{
    SSL_CTX *ctx = cert_server(&ground.leaf, NULL);

    SSL_CTX_set_max_proto_version(ctx, version);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    return ctx;
}

int main(void)
{
    static const struct cert_name names[] = {{GEN_DNS, MX, 0}, {0, NULL, 0}};
    struct cert stranger;
    int failed;

    ground_set_up();
    stranger = cert_make(&(struct cert_spec){.cn = MX, .names = names});
    tls_stranger = cert_server(&stranger, NULL);
    tls_none = cert_server(NULL, NULL);
    tls_asks = server_that_asks(TLS1_3_VERSION);
    tls_asks_12 = server_that_asks(TLS1_2_VERSION);
    make_texts();
    ROWS_ADD(dialogues, run_dialogue);
    failed = rows_run("smtp");
    SSL_CTX_free(tls_stranger);
    SSL_CTX_free(tls_none);
    SSL_CTX_free(tls_asks);
    SSL_CTX_free(tls_asks_12);
    cert_free(&stranger);
    ground_tear_down();
    return failed;
}
