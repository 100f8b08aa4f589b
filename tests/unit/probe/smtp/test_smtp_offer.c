/* Probes of one's own hosts: MAIL without TLS, and handshakes that offer less or more than Postfix
 * does. One connection each, whatever comes of it. */
#include "tests/unit/support/smtp_seen.h"

#define MAIL "MAIL FROM:<>\r\n"
#define RSET "RSET\r\n"

struct mail_row {
    const char *name;
    struct line script[14];
    enum starttls state;
    int mail_code;
    const char *heard;
    uint64_t ms; /* deadlines; 0: long */
};

static const struct mail_row mail_rows[] = {
    {"TLS is demanded",
     {OFFER, SAY("530 5.7.0 Must issue a STARTTLS command first\r\n"), HEAR, BYE},
     STARTTLS_CLEAR,
     530,
     EHLO MAIL QUIT,
     0},
    {"mail is taken in clear",
     {OFFER, SAY("250 ok\r\n"), HEAR, SAY("250 ok\r\n"), HEAR, BYE},
     STARTTLS_CLEAR,
     250,
     EHLO MAIL RSET QUIT,
     0},
    {"the null sender is refused for now",
     {OFFER, SAY("451 later\r\n"), HEAR, BYE},
     STARTTLS_CLEAR,
     451,
     EHLO MAIL QUIT,
     0},
    {"without STARTTLS it is asked all the same",
     {HELLO, SAY("250 mx\r\n"), HEAR, SAY("250 ok\r\n"), HEAR, SAY("250 ok\r\n"), HEAR, BYE},
     STARTTLS_CLEAR,
     250,
     EHLO MAIL RSET QUIT,
     0},
    {"no answer to MAIL", {OFFER, STALL}, STARTTLS_ERROR, 0, EHLO MAIL, 50},
    {"lost after MAIL", {OFFER, HANG_UP}, STARTTLS_ERROR, 0, EHLO MAIL, 0},
    {"lost after RSET",
     {OFFER, SAY("250 ok\r\n"), HEAR, HANG_UP},
     STARTTLS_CLEAR,
     250,
     EHLO MAIL RSET,
     0},
    {"more than a reply to MAIL",
     {OFFER, SAY("250 ok\r\n250 ok\r\n"), HEAR, BYE},
     STARTTLS_ERROR,
     0,
     EHLO MAIL,
     0},
};

static void mail_without_tls(void **state)
{
    const struct mail_row *row = *state;
    struct smtp_options options;
    struct smtp_target target;
    struct server server;
    struct seen seen;
    uv_loop_t loop;

    uv_loop_init(&loop);
    server = (struct server){.script = row->script};
    server_open(&server, &loop, "127.0.0.1", 0);
    options = options_for(&loop);
    options.try_mail = true;
    if (row->ms != 0)
        options.command_ms = row->ms;
    target = target_for(&server);
    probe_once(&seen, &server, &loop, &options, &target);
    assert_int_equal(seen.result.state, row->state);
    assert_int_equal(seen.mail_code, row->mail_code);
    assert_int_equal(seen.connections, 1);
    assert_string_equal(buf_text(&server.heard), row->heard);
    buf_fini(&server.heard);
    arena_free(seen.arena);
}

/* The server has an ECDSA certificate and takes any version. */
struct offer_row {
    const char *name;
    enum tls_offer offer;
    enum starttls state;
    const char *protocol; /* NULL: not looked at */
};

static const struct offer_row offer_rows[] = {
    {"what is demanded", TLS_OFFER_DEMANDED, STARTTLS_TLS, "TLSv1.3"},
    {"TLS 1.0 and 1.1 only", TLS_OFFER_OLD, STARTTLS_TLS, "TLSv1.1"},
    {"weak ciphers only", TLS_OFFER_WEAK, STARTTLS_BROKEN, NULL},
    {"RSA only", TLS_OFFER_RSA, STARTTLS_BROKEN, NULL},
    {"ECDSA only", TLS_OFFER_ECDSA, STARTTLS_TLS, "TLSv1.3"},
};

static void offers_are_made_once(void **state)
{
    static const struct line script[] = {
        OFFER, SAY("220 go\r\n"), TLS, HEAR, SAY("250 mx\r\n"), HEAR, BYE};
    const struct offer_row *row = *state;
    struct smtp_options options;
    struct smtp_target target;
    struct server server;
    struct seen seen;
    uv_loop_t loop;

    uv_loop_init(&loop);
    server = (struct server){.script = script, .tls = ground.tls};
    server_open(&server, &loop, "127.0.0.1", 0);
    options = options_for(&loop);
    options.keep_chain = true;
    options.offer = row->offer;
    target = target_for(&server);
    probe_once(&seen, &server, &loop, &options, &target);
    assert_int_equal(seen.result.state, row->state);
    assert_int_equal(seen.connections, 1);
    if (row->state == STARTTLS_TLS)
        assert_string_equal(server.sni, MX);
    assert_int_equal(seen.shown, row->state == STARTTLS_TLS ? 1 : SIZE_MAX);
    if (row->protocol != NULL)
        assert_string_equal(seen.result.protocol, row->protocol);
    buf_fini(&server.heard);
    arena_free(seen.arena);
}

int main(void)
{
    int failed;

    ground_set_up();
    ROWS_ADD(mail_rows, mail_without_tls);
    ROWS_ADD(offer_rows, offers_are_made_once);
    failed = rows_run("smtp_offer");
    ground_tear_down();
    return failed;
}
