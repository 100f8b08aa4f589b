/*
 * What a probe says of who it is: a name, or, where there is none, its address; and what a host
 * says to it while the name is still being looked up. RFC 5321 §4.1.1.1, §4.1.3.
 */
#include "tests/unit/support/smtp_seen.h"

#define TLS_EHLO SAY("220 go\r\n"), TLS, HEAR
#define LITERAL4 "[127.0.0.1]"
#define LITERAL6 "[IPv6:::1]"

struct row {
    const char *name, *helo_name;
    bool pending;
    const char *address; /* of the server */
    struct line script[16];
    enum starttls state;
    bool failed_here;
    const char *heard, *detail;
};

static const struct row rows[] = {
    {"a name",
     "probe.test",
     false,
     "127.0.0.1",
     {OFFER, TLS_EHLO, SAY("250 mx\r\n"), HEAR, BYE},
     STARTTLS_VERIFIED,
     false,
     EHLO STLS "<TLS>" EHLO QUIT,
     NULL},
    {"no name: its address",
     NULL,
     false,
     "127.0.0.1",
     {OFFER, TLS_EHLO, SAY("250 mx\r\n"), HEAR, BYE},
     STARTTLS_VERIFIED,
     false,
     "EHLO " LITERAL4 "\r\n" STLS "<TLS>EHLO " LITERAL4 "\r\n" QUIT,
     NULL},
    {"no name yet: its address, and what is seen counts",
     NULL,
     true,
     "127.0.0.1",
     {OFFER, TLS_EHLO, SAY("250 mx\r\n"), HEAR, BYE},
     STARTTLS_VERIFIED,
     false,
     "EHLO " LITERAL4 "\r\n" STLS "<TLS>EHLO " LITERAL4 "\r\n" QUIT,
     NULL},
    {"no name yet: STARTTLS not offered counts",
     NULL,
     true,
     "127.0.0.1",
     {HELLO, SAY("250 mx\r\n"), HEAR, BYE},
     STARTTLS_CLEAR,
     false,
     "EHLO " LITERAL4 "\r\n" QUIT,
     "STARTTLS is not offered"},
    {"no name yet: STARTTLS refused counts",
     NULL,
     true,
     "127.0.0.1",
     {OFFER, SAY("502 no\r\n"), HEAR, BYE},
     STARTTLS_REFUSED,
     false,
     "EHLO " LITERAL4 "\r\n" STLS QUIT,
     "STARTTLS: 502"},
    {"IPv6",
     NULL,
     false,
     "::1",
     {HELLO, SAY("250 mx\r\n"), HEAR, BYE},
     STARTTLS_CLEAR,
     false,
     "EHLO " LITERAL6 "\r\n" QUIT,
     "STARTTLS is not offered"},
    {"no name yet, and the address is refused",
     NULL,
     true,
     "127.0.0.1",
     {HELLO, SAY("550 who?\r\n"), HEAR, SAY("504 who?\r\n"), HEAR, BYE},
     STARTTLS_SILENT,
     true,
     "EHLO " LITERAL4 "\r\nHELO " LITERAL4 "\r\n" QUIT,
     "own name is not known yet: HELO: 504"},
    {"no name yet, and EHLO gets 421",
     NULL,
     true,
     "127.0.0.1",
     {HELLO, SAY("421 who?\r\n"), HEAR, BYE},
     STARTTLS_SILENT,
     true,
     "EHLO " LITERAL4 "\r\n" QUIT,
     "own name is not known yet: EHLO: 421"},
    {"no name yet, and only HELO is taken",
     NULL,
     true,
     "127.0.0.1",
     {HELLO, SAY("501 who?\r\n"), HEAR, SAY("250 mx\r\n"), HEAR, BYE},
     STARTTLS_SILENT,
     true,
     "EHLO " LITERAL4 "\r\nHELO " LITERAL4 "\r\n" QUIT,
     "own name is not known yet: EHLO refused"},
    {"no name yet, and EHLO in TLS is refused",
     NULL,
     true,
     "127.0.0.1",
     {OFFER, TLS_EHLO, SAY("554 who?\r\n"), HEAR, BYE},
     STARTTLS_SILENT,
     true,
     "EHLO " LITERAL4 "\r\n" STLS "<TLS>EHLO " LITERAL4 "\r\n" QUIT,
     "own name is not known yet: EHLO in TLS: 554"},
    {"there is no name, and the address is refused",
     NULL,
     false,
     "127.0.0.1",
     {HELLO, SAY("550 who?\r\n"), HEAR, SAY("504 who?\r\n"), HEAR, BYE},
     STARTTLS_ERROR,
     false,
     "EHLO " LITERAL4 "\r\nHELO " LITERAL4 "\r\n" QUIT,
     "HELO: 504"},
    {"no name yet: a greeting that refuses counts",
     NULL,
     true,
     "127.0.0.1",
     {SAY("554 no\r\n"), HEAR, BYE},
     STARTTLS_ERROR,
     false,
     QUIT,
     "greeting: 554"},
};

static bool can_bind(const char *address)
{
    struct sockaddr_in6 name = {0};
    int fd = socket(AF_INET6, SOCK_STREAM, 0), result = -1;

    if (uv_ip6_addr(address, 0, &name) != 0)
        result = 0; /* IPv4 is everywhere */
    else if (fd >= 0)
        result = bind(fd, (struct sockaddr *)&name, sizeof name);
    if (fd >= 0)
        close(fd);
    return result == 0;
}

static void is_it_judged(void **state)
{
    const struct row *row = *state;
    struct server server = {.script = row->script, .tls = ground.tls};
    struct smtp_options options;
    struct smtp_target target;
    struct ip_prefix own;
    struct address_filter filter = {.allowed = &own, .allowed_count = 1};
    struct seen seen;
    uv_loop_t loop;

    if (!can_bind(row->address)) {
        print_message("  no IPv6 here\n");
        return;
    }
    assert_true(ip_prefix_parse(&own, row->address));
    assert_int_equal(uv_loop_init(&loop), 0);
    server_open(&server, &loop, row->address, 0);
    options = options_for(&loop);
    tools.filter = &filter;
    options.helo_name = row->helo_name;
    options.helo_pending = row->pending;
    target = target_for(&server);
    assert_true(ip_parse(&target.ip, row->address));
    probe_once(&seen, &server, &loop, &options, &target);
    assert_int_equal(seen.result.state, row->state);
    assert_int_equal(seen.failed_here, row->failed_here);
    expect_detail(seen.result.detail, row->detail);
    assert_string_equal(buf_text(&server.heard), row->heard);
    buf_fini(&server.heard);
    arena_free(seen.arena);
}

int main(void)
{
    int failed;

    ground_set_up();
    ROWS_ADD(rows, is_it_judged);
    failed = rows_run("smtp_helo");
    ground_tear_down();
    return failed;
}
