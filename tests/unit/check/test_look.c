/*
 * test_look: what a check sees, of a scripted resolver and a scripted mail host: hosts that close or
 * stall at each stage, or send what is too long, and lookups that fail or are never answered. The
 * clock is virtual: that all ends in time is part of each test.
 */
#include "tests/unit/support/dns_responder.h"
#include "tests/unit/support/smtp_seen.h"

#include <unistd.h>

#include "base/clock.h"
#include "check/judge.h"
#include "check/look/look_uv.h"

#define DOMAIN     "d.test"
#define LINES      64
#define COMMAND_MS 10000 /* of one reply: options_for */
#define MOMENT_MS  100
#define DNS_MS     5000
#define DIGEST     "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static struct world {
    uv_loop_t loop;
    struct arena *arena;
    struct responder resolver;
    struct responder_line lines[LINES];
    struct server mail;
    struct prober_options options;
    struct verdict_options verdict;
    struct prober *prober;
    struct check_look *look;
    struct check_request request;
    struct check_report report;
    const struct check_facts *facts;
    unsigned calls;
    int64_t began_ms, took_ms;
    char anchors[32];
    char owner[64]; /* of the TLSA records */
} world;

/* ---- scripts ---- */

static struct responder_line *line(const char *name, uint16_t type)
{
    struct responder_line *out = &world.lines[world.resolver.line_count++];

    assert_true(world.resolver.line_count <= LINES);
    *out = (struct responder_line){.reply = {.name = name, .type = type, .flags = PACKET_AD}};
    return out;
}

static struct responder_line *give(const char *name, uint16_t type, const char *record)
{
    struct responder_line *out = line(name, type);

    out->reply.answer[0] = record;
    return out;
}

/* The line of that question, which is there. */
static struct responder_line *line_of(const char *name, uint16_t type)
{
    for (size_t i = 0; i < world.resolver.line_count; i++)
        if (world.lines[i].reply.type == type && strcmp(world.lines[i].reply.name, name) == 0)
            return &world.lines[i];
    fail_msg("%s has no line of type %u", name, type);
    return NULL;
}

/* One mail host with one address, and nothing else. */
static void give_domain(void)
{
    give(DOMAIN, DNS_MX, DOMAIN ". 300 IN MX 10 " MX ".");
    give(MX, DNS_A, MX ". 300 IN A 127.0.0.1");
    line(MX, DNS_AAAA);
    line(world.owner, DNS_TLSA);
    give("1.0.0.127.in-addr.arpa", DNS_PTR, "1.0.0.127.in-addr.arpa. 300 IN PTR " MX ".");
    line("_mta-sts." DOMAIN, DNS_TXT);
    line("mta-sts." DOMAIN, DNS_A);
    line("mta-sts." DOMAIN, DNS_AAAA);
    line("_smtp._tls." DOMAIN, DNS_TXT);
}

/* ---- the world ---- */

static void write_anchors(void)
{
    FILE *file;
    int fd;

    strcpy(world.anchors, "/tmp/mxc_look_XXXXXX");
    fd = mkstemp(world.anchors);
    assert_true(fd >= 0);
    file = fdopen(fd, "w");
    assert_non_null(file);
    assert_int_equal(PEM_write_X509(file, ground.root.x509), 1);
    assert_int_equal(fclose(file), 0);
}

static void begin(const struct line *script)
{
    const char *why = NULL;

    alarm(60);
    memset(&world, 0, sizeof world);
    world.arena = arena_new((size_t)64 << 20);
    write_anchors();
    assert_int_equal(uv_loop_init(&world.loop), 0);
    assert_true(responder_start(&world.resolver, &world.loop, "127.0.0.1", world.lines, 0));
    world.mail = (struct server){.script = script, .tls = ground.tls};
    server_open(&world.mail, &world.loop, "127.0.0.1", 0);
    world.options.dns = (struct dns_options){.servers = {responder_server(&world.resolver)},
                                             .server_count = 1,
                                             .timeout_ms = DNS_MS,
                                             .tries = 1,
                                             .in_flight_max = 100};
    world.options.filter = ground.filter;
    world.options.probes.smtp = options_for(&world.loop);
    world.options.ca_file = world.anchors;
    world.options.dane = world.options.probe = true;
    world.options.smtp_port = world.mail.port;
    world.verdict = (struct verdict_options){.dane = true};
    assert_int_equal(prober_new(&world.prober, &world.loop, &world.options, &why), 0);
    snprintf(world.owner, sizeof world.owner, "_%u._tcp." MX, world.mail.port);
    world.request = (struct check_request){.prober = world.prober,
                                           .options = &world.options,
                                           .verdict = &world.verdict,
                                           .domain = DOMAIN,
                                           .arena = world.arena,
                                           .validating = true,
                                           .helo_name = "probe.test"};
    give_domain();
}

static void on_facts(void *context, const struct check_facts *facts)
{
    assert_ptr_equal(context, &world);
    world.facts = facts;
    world.calls++;
    world.took_ms = clock_monotonic_ms() - world.began_ms;
}

static void start(void)
{
    world.began_ms = clock_monotonic_ms();
    assert_int_equal(check_look_start(&world.look, &world.loop, &world.request, on_facts, &world),
                     0);
}

static void look(void)
{
    start();
    while (world.calls == 0)
        uv_run(&world.loop, UV_RUN_ONCE);
    assert_false(arena_failed(world.arena));
}

/* The loop must run dry. */
static void end(void)
{
    check_look_free(world.look);
    prober_close(world.prober);
    responder_stop(&world.resolver);
    server_close(&world.mail);
    assert_int_equal(uv_run(&world.loop, UV_RUN_DEFAULT), 0);
    prober_free(world.prober);
    assert_int_equal(uv_loop_close(&world.loop), 0);
    buf_fini(&world.mail.heard);
    arena_free(world.arena);
    unlink(world.anchors);
    assert_true(world.calls <= 1);
}

static const struct check_attempt *attempt(enum check_offer offer)
{
    assert_int_equal(world.facts->host_count, 1);
    assert_int_equal(world.facts->hosts[0].address_count, 1);
    return &world.facts->hosts[0].addresses[0].attempts[offer];
}

static bool is_found(enum check_code code, enum check_severity severity)
{
    for (size_t i = 0; i < world.report.count; i++)
        if (world.report.findings[i].code == code && world.report.findings[i].severity == severity)
            return true;
    return false;
}

static void judge(void)
{
    world.report.arena = world.arena;
    check_judge(&world.report, world.facts);
}

/* ---- mail hosts ---- */

struct row {
    const char *name;
    struct line script[16];
    enum starttls state;
    const char *detail;
    enum check_code code;
    unsigned deadlines; /* that pass: one after the other */
};

static char long_line[65536 + 1], long_reply[65536 + 8];

#define SHAKEN OFFER, SAY("220 go\r\n"), TLS

static const struct row rows[] = {
    {"it closes at once",
     {HANG_UP},
     STARTTLS_SILENT,
     "greeting: connection closed",
     CHECK_FOUND_SMTP_SILENT,
     0},
    {"it says nothing",
     {STALL},
     STARTTLS_SILENT,
     "greeting: no answer in time",
     CHECK_FOUND_SMTP_SILENT,
     1},
    {"a greeting, octet by octet, that ends",
     {DRIP("220 mx\r\n"), HANG_UP},
     STARTTLS_SILENT,
     "EHLO: connection closed",
     CHECK_FOUND_SMTP_SILENT,
     1},
    {"a greeting of 64 KiB",
     {SAY(long_reply), STALL},
     STARTTLS_ERROR,
     "greeting: reply line too long",
     CHECK_FOUND_SMTP_ERROR,
     0},
    {"64 KiB that are no reply",
     {SAY(long_line), STALL},
     STARTTLS_ERROR,
     "greeting: reply line too long",
     CHECK_FOUND_SMTP_ERROR,
     0},
    {"it closes after the greeting",
     {SAY("220 mx\r\n"), HANG_UP},
     STARTTLS_SILENT,
     "EHLO: connection closed",
     CHECK_FOUND_SMTP_SILENT,
     0},
    {"it stalls after the greeting",
     {SAY("220 mx\r\n"), STALL},
     STARTTLS_SILENT,
     "EHLO: no answer in time",
     CHECK_FOUND_SMTP_SILENT,
     1},
    {"64 KiB in reply to EHLO",
     {HELLO, SAY(long_line), STALL},
     STARTTLS_ERROR,
     "EHLO: reply line too long",
     CHECK_FOUND_SMTP_ERROR,
     0},
    {"it closes after STARTTLS",
     {OFFER, HANG_UP},
     STARTTLS_ERROR,
     "STARTTLS: connection closed",
     CHECK_FOUND_SMTP_ERROR,
     0},
    {"it stalls after STARTTLS",
     {OFFER, STALL},
     STARTTLS_ERROR,
     "STARTTLS: no answer in time",
     CHECK_FOUND_SMTP_ERROR,
     1},
    {"64 KiB in reply to STARTTLS",
     {OFFER, SAY(long_line), STALL},
     STARTTLS_ERROR,
     "STARTTLS: reply line too long",
     CHECK_FOUND_SMTP_ERROR,
     0},
    {"it closes before the handshake",
     {OFFER, SAY("220 go\r\n"), HANG_UP},
     STARTTLS_BROKEN,
     "TLS handshake: connection closed",
     CHECK_FOUND_TLS_BROKEN,
     0},
    {"it closes in the handshake",
     {OFFER, SAY("220 go\r\n"), ANY, HANG_UP},
     STARTTLS_BROKEN,
     "TLS handshake: connection closed",
     CHECK_FOUND_TLS_BROKEN,
     0},
    {"it stalls in the handshake",
     {OFFER, SAY("220 go\r\n"), ANY, STALL},
     STARTTLS_BROKEN,
     "TLS handshake: no answer in time",
     CHECK_FOUND_TLS_BROKEN,
     2},
    {"64 KiB instead of a handshake",
     {OFFER, SAY("220 go\r\n"), SAY(long_line), STALL},
     STARTTLS_ERROR,
     "plaintext after STARTTLS",
     CHECK_FOUND_SMTP_ERROR,
     0},
    {"it closes in TLS",
     {SHAKEN, HANG_UP},
     STARTTLS_BROKEN,
     "EHLO in TLS: connection closed",
     CHECK_FOUND_TLS_BROKEN,
     0},
    {"it stalls in TLS",
     {SHAKEN, STALL},
     STARTTLS_BROKEN,
     "EHLO in TLS: no answer in time",
     CHECK_FOUND_TLS_BROKEN,
     2},
    {"64 KiB in TLS",
     {SHAKEN, HEAR, SAY(long_line), STALL},
     STARTTLS_ERROR,
     "EHLO in TLS: reply line too long",
     CHECK_FOUND_SMTP_ERROR,
     0},
    {"the greeting is 421",
     {SAY("421 busy\r\n"), HANG_UP},
     STARTTLS_ERROR,
     "greeting: 421 busy",
     CHECK_FOUND_SMTP_ERROR,
     0},
    {"a reply with control characters",
     {SAY("554 \033[31m<script>\t\177\r\n"), HANG_UP},
     STARTTLS_ERROR,
     "greeting: 554 \\x1b[31m<script>\\x09\\x7f",
     CHECK_FOUND_SMTP_ERROR,
     0},
};

static void test_row(void **state)
{
    const struct row *row = *state;
    const struct check_attempt *first;

    begin(row->script);
    look();
    first = attempt(CHECK_OFFER_DEFAULT);
    assert_true(first->made && !first->failed_here);
    assert_int_equal(first->state, row->state);
    assert_string_equal(first->detail, row->detail);
    judge();
    assert_true(is_found(row->code, CHECK_CRITICAL)); /* it is the only address */
    assert_true(world.took_ms <= row->deadlines * COMMAND_MS + MOMENT_MS);
    end();
}

/* ---- lookups ---- */

struct lookup_row {
    const char *name, *question;
    uint16_t type;
    enum check_code code;
    enum check_severity severity;
};

static const struct lookup_row lookup_rows[] = {
    {"MX", DOMAIN, DNS_MX, CHECK_FOUND_MX_LOOKUP, CHECK_CRITICAL},
    {"A", MX, DNS_A, CHECK_FOUND_HOST_LOOKUP, CHECK_CRITICAL},
    {"AAAA", MX, DNS_AAAA, CHECK_FOUND_HOST_LOOKUP, CHECK_WARNING},
    {"TLSA", NULL, DNS_TLSA, CHECK_FOUND_DANE_LOOKUP, CHECK_CRITICAL},
    {"PTR", "1.0.0.127.in-addr.arpa", DNS_PTR, CHECK_FOUND_HOST_REVERSE, CHECK_NOTICE},
    {"MTA-STS", "_mta-sts." DOMAIN, DNS_TXT, CHECK_FOUND_STS_LOOKUP, CHECK_WARNING},
    {"TLSRPT", "_smtp._tls." DOMAIN, DNS_TXT, CHECK_FOUND_TLSRPT_LOOKUP, CHECK_WARNING},
};

static const struct line mail_host[] = {SHAKEN, HEAR, SAY("250 mx\r\n"), HEAR, BYE};

/* As a lookup fails with SERVFAIL, and when it is never answered; and where the resolver itself is
 * dead, which says nothing of the domain. */
static void test_lookup(void **state)
{
    const struct lookup_row *row = *state;

    for (unsigned way = 0; way < 3; way++) {
        struct responder_line *bad;

        begin(mail_host);
        bad = line_of(row->question == NULL ? world.owner : row->question, row->type);
        bad->silent = way > 0;
        bad->reply.rcode = 2;
        bad->reply.answer[0] = NULL;
        world.request.resolver_fails = way == 2;
        look();
        judge();
        assert_int_equal(is_found(row->code, row->severity), way < 2);
        assert_int_equal(is_found(CHECK_FOUND_NOT_FOUND_OUT, CHECK_UNKNOWN), way == 2);
        assert_true(world.took_ms <= (way == 0 ? 0 : DNS_MS) + MOMENT_MS);
        end();
    }
}

/* ---- limits ---- */

static size_t addresses_of(unsigned count)
{
    size_t taken;

    begin(mail_host);
    line_of(MX, DNS_A)->truncate = true;
    line_of(MX, DNS_A)->reply.answer[0] = NULL;
    line_of(MX, DNS_A)->distinct = count;
    look();
    taken = world.facts->hosts[0].address_count;
    for (size_t i = 0; i < taken; i++) /* in 192.0.0.0/24 */
        assert_non_null(world.facts->hosts[0].addresses[i].forbidden);
    assert_int_equal(world.mail.accepted, 0);
    end();
    return taken;
}

static void addresses_at_their_limit(void **state)
{
    (void)state;
    assert_int_equal(addresses_of(EVIDENCE_ADDRESSES_MAX), EVIDENCE_ADDRESSES_MAX);
    assert_int_equal(addresses_of(EVIDENCE_ADDRESSES_MAX + 1), EVIDENCE_ADDRESSES_MAX);
    assert_int_equal(addresses_of(200), EVIDENCE_ADDRESSES_MAX);
}

/* All are compared with what is shown, though a sender looks at no more than a hundred. */
static void a_thousand_tlsa_records(void **state)
{
    struct responder_line *tlsa;

    (void)state;
    begin(mail_host);
    tlsa = line_of(world.owner, DNS_TLSA);
    tlsa->truncate = true;
    tlsa->distinct = 1000;
    look();
    assert_int_equal(world.facts->hosts[0].record_count, 1000);
    assert_non_null(attempt(CHECK_OFFER_DEFAULT)->tlsa_matched);
    judge();
    assert_true(is_found(CHECK_FOUND_TLSA_MISMATCH, CHECK_CRITICAL));
    end();
}

static void records_of_too_few_octets(void **state)
{
    struct responder_line *tlsa;

    (void)state;
    begin(mail_host);
    tlsa = line_of(world.owner, DNS_TLSA);
    tlsa->reply.answer[0] = arena_printf(world.arena, "%s. 300 IN TYPE52 \\# 0", world.owner);
    tlsa->reply.answer[1] = arena_printf(world.arena, "%s. 300 IN TYPE52 \\# 2 0301", world.owner);
    tlsa->reply.answer[2] =
        arena_printf(world.arena, "%s. 300 IN TYPE52 \\# 3 030101", world.owner);
    look();
    assert_int_equal(world.facts->hosts[0].stump_count, 2);
    assert_int_equal(world.facts->hosts[0].record_count, 1);
    assert_false(world.facts->hosts[0].records[0].usable);
    judge();
    assert_true(is_found(CHECK_FOUND_TLSA_UNUSABLE, CHECK_WARNING));
    end();
}

static size_t ruas_of(const char *addresses, enum check_reach *last)
{
    size_t count;

    begin(mail_host);
    line_of("_smtp._tls." DOMAIN, DNS_TXT)->reply.answer[0] = arena_printf(
        world.arena, "_smtp._tls." DOMAIN ". 300 IN TXT \"v=TLSRPTv1; rua=%s\"", addresses);
    line(DOMAIN, DNS_A);
    line(DOMAIN, DNS_AAAA);
    look();
    count = world.facts->rua_count;
    *last = count == 0 ? CHECK_REACH_UNKNOWN : world.facts->ruas[count - 1].reach;
    end();
    return count;
}

#define RUA_7                                                                                      \
    "mailto:a@d.test,mailto:b@d.test,mailto:c@d.test,mailto:d@d.test,mailto:e@d.test,"             \
    "mailto:f@d.test,mailto:g@d.test"

static void report_addresses_at_their_limit(void **state)
{
    enum check_reach last;

    (void)state;
    assert_int_equal(ruas_of(RUA_7, &last), CHECK_RUA_MAX - 1);
    assert_int_equal(last, CHECK_REACH_YES);
    assert_int_equal(ruas_of(RUA_7 ",mailto:h@d.test", &last), CHECK_RUA_MAX);
    assert_int_equal(last, CHECK_REACH_YES);
    assert_int_equal(ruas_of(RUA_7 ",mailto:h@d.test,mailto:i@d.test", &last), CHECK_RUA_MAX);
    assert_int_equal(ruas_of("mailto:no-domain,mailto:x@-bad-.test", &last), 2);
    assert_int_equal(last, CHECK_REACH_NO);
}

/* ---- a sound host ---- */

static void what_a_good_host_shows(void **state)
{
    const struct check_attempt *first;

    (void)state;
    begin(mail_host);
    give("_x", DNS_TXT, NULL);
    line_of(world.owner, DNS_TLSA)->reply.answer[0] =
        arena_printf(world.arena, "%s. 300 IN TLSA 3 1 1 " DIGEST, world.owner);
    look();
    first = attempt(CHECK_OFFER_DEFAULT);
    assert_int_equal(first->state, STARTTLS_TLS);
    assert_int_equal(first->certificate_count, 1);
    assert_true(first->name_ok);
    assert_int_equal(first->tlsa, TLSA_MATCH_MISMATCH);
    assert_false(first->tlsa_matched[0]);
    assert_true(world.facts->hosts[0].addresses[0].reverse_confirmed);
    assert_int_equal(world.facts->evidence->hosts[0].dane, HOST_DANE_USABLE);
    assert_true(attempt(CHECK_OFFER_OLD)->made && attempt(CHECK_OFFER_WEAK)->made);
    assert_int_equal(world.facts->verdicts[CHECK_SENDER_DANE].level, VERDICT_DANE_ONLY);
    end();
}

static void it_may_end_at_any_moment(void **state)
{
    (void)state;
    for (unsigned turns = 0; turns < 80; turns++) {
        begin(mail_host);
        line_of("_mta-sts." DOMAIN, DNS_TXT)->silent = true;
        start();
        for (unsigned i = 0; i < turns && world.calls == 0; i++)
            uv_run(&world.loop, UV_RUN_NOWAIT);
        end();
    }
}

int main(void)
{
    int failed;

    memset(long_line, 'a', sizeof long_line - 1);
    memset(long_reply, 'a', sizeof long_reply - 1);
    memcpy(long_reply, "220 ", 4);
    memcpy(long_reply + sizeof long_reply - 3, "\r\n", 2);
    ground_set_up();
    ROWS_ADD(rows, test_row);
    ROWS_ADD(lookup_rows, test_lookup);
    ROWS_ADD_TEST(addresses_at_their_limit);
    ROWS_ADD_TEST(a_thousand_tlsa_records);
    ROWS_ADD_TEST(records_of_too_few_octets);
    ROWS_ADD_TEST(report_addresses_at_their_limit);
    ROWS_ADD_TEST(what_a_good_host_shows);
    ROWS_ADD_TEST(it_may_end_at_any_moment);
    failed = rows_run("look");
    ground_tear_down();
    return failed;
}
