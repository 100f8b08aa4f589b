/* The worker: units in, results out, and its end at any moment. */
#include "survey/look/worker_uv.h"

#include "tests/unit/survey/look/survey_ground.h"

#define LINE(name_, type_, ...)                                                                    \
    {                                                                                              \
        .reply = {.name = name_, .type = type_, .flags = PACKET_AD, .answer = {__VA_ARGS__} }      \
    }
#define SOA "d.test. 60 IN SOA ns.d.test. x.d.test. 1 2 3 4 60"
#define NODATA(n, t)                                                                               \
    {                                                                                              \
        .reply = {.name = n, .type = t, .authority = {SOA} }                                       \
    }
#define RCODE(n, t, code)                                                                          \
    {                                                                                              \
        .reply = {.name = n, .type = t, .rcode = code, .authority = {SOA} }                        \
    }
#define POLICY                                                                                     \
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n"                                          \
    "version: STSv1\nmode: enforce\nmx: mx.d.test\nmax_age: 86400\n"
#define DIGEST "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct line tls_script[] = {SAY("220 mx.d.test ESMTP Postfix (Debian)\r\n"),
                                         HEAR,
                                         SAY("250-mx\r\n250 STARTTLS\r\n"),
                                         HEAR,
                                         SAY("220 go\r\n"),
                                         SHAKE,
                                         HEAR,
                                         SAY("250-mx\r\n250 REQUIRETLS\r\n"),
                                         HEAR,
                                         SAY("221 bye\r\n"),
                                         HANG_UP};

static struct unit domain_unit(const char *name)
{
    struct unit unit = {.kind = UNIT_DOMAIN, .id = 7};

    snprintf(unit.name, sizeof unit.name, "%s", name);
    return unit;
}

static struct unit address_unit(void)
{
    struct unit unit = {.kind = UNIT_ADDRESS, .id = 9, .name = MX, .host = MX};

    assert_true(ip_parse(&unit.ip, "127.0.0.1"));
    return unit;
}

/* ---- domains ---- */

static void domain_with_everything(void **state)
{
    const struct responder_line lines[] = {
        LINE("d.test", DNS_MX, "d.test. 300 IN MX 20 mx2.d.test.",
             "d.test. 300 IN MX 10 mx.d.test."),
        LINE("_mta-sts.d.test", DNS_TXT, "_mta-sts.d.test. 300 IN TXT \"v=STSv1; id=1;\""),
        LINE("mta-sts.d.test", DNS_A, "mta-sts.d.test. 300 IN A 127.0.0.1"),
        NODATA("mta-sts.d.test", DNS_AAAA),
        LINE("_smtp._tls.d.test", DNS_TXT,
             "_smtp._tls.d.test. 300 IN TXT \"v=TLSRPTv1; rua=mailto:a@d.test\"")};
    const struct unit unit = domain_unit("d.test");
    const struct unit_result *result;
    struct survey_ground here;

    (void)state;
    survey_open(&here, lines, COUNT(lines), NULL);
    server_says(&policy_host, POLICY);
    result = survey_look(&here, &unit);
    assert_int_equal(result->unit.id, 7);
    assert_false(result->failed_here);
    assert_true(result->looked_at > 0);
    assert_null(result->host);
    assert_null(result->address);
    assert_int_equal(result->domain->evidence.mx, MX_LISTED);
    assert_true(result->domain->evidence.mx_secure);
    assert_int_equal(result->domain->evidence.mx_ttl, 300);
    assert_int_equal(result->domain->evidence.host_count, 2);
    assert_string_equal(result->domain->evidence.hosts[0].name, "mx.d.test");
    assert_null(result->domain->mx_failure);
    assert_int_equal(result->domain->evidence.sts.state, STS_POLICY);
    assert_string_equal(result->domain->evidence.sts.policy->mx[0], "mx.d.test");
    assert_null(result->domain->evidence.sts.failure);
    assert_int_equal(result->domain->tlsrpt.state, TLSRPT_VALID);
    assert_string_equal(result->domain->tlsrpt.rua, "mailto:a@d.test");
    survey_close(&here);
}

/* A second look at the same domain asks for everything again: nothing is remembered. */
static void domain_twice(void **state)
{
    const struct responder_line lines[] = {
        LINE("d.test", DNS_MX, "d.test. 300 IN MX 10 mx.d.test."),
        LINE("_mta-sts.d.test", DNS_TXT, "_mta-sts.d.test. 300 IN TXT \"v=STSv1; id=1;\""),
        LINE("mta-sts.d.test", DNS_A, "mta-sts.d.test. 300 IN A 127.0.0.1"),
        NODATA("mta-sts.d.test", DNS_AAAA), RCODE("_smtp._tls.d.test", DNS_TXT, 3)};
    const struct unit unit = domain_unit("d.test");
    struct survey_ground here;

    (void)state;
    survey_open(&here, lines, COUNT(lines), NULL);
    server_says(&policy_host, POLICY);
    survey_look(&here, &unit);
    server_says(&policy_host, "HTTP/1.1 404 Not Found\r\n\r\n");
    survey_look(&here, &unit);
    assert_int_equal(here.found[0]->domain->evidence.sts.state, STS_POLICY);
    assert_int_equal(here.found[0]->domain->tlsrpt.state, TLSRPT_NONE);
    assert_int_equal(here.found[1]->domain->evidence.sts.state, STS_FETCH_FAILED);
    assert_string_equal(here.found[1]->domain->evidence.sts.failure, "status");
    assert_int_equal(here.responder.count, 10);
    assert_int_equal(here.mail.accepted, 0);
    survey_close(&here);
}

struct mx_case {
    const char *name;
    struct responder_line line;
    enum mx_state mx;
    const char *failure;
    unsigned asked; /* questions in all */
};

/* Of a domain that no mail can reach nothing more is asked. */
static const struct mx_case mx_cases[] = {
    {"null MX", LINE("d.test", DNS_MX, "d.test. 300 IN MX 0 ."), MX_NULL, NULL, 1},
    {"no such domain", RCODE("d.test", DNS_MX, 3), MX_NXDOMAIN, NULL, 1},
    {"SERVFAIL", RCODE("d.test", DNS_MX, 2), MX_ERROR, "servfail", 1},
    {"REFUSED", RCODE("d.test", DNS_MX, 5), MX_ERROR, "refused", 1},
    {"implicit", NODATA("d.test", DNS_MX), MX_IMPLICIT, NULL, 3},
    {"unusable", LINE("d.test", DNS_MX, "d.test. 300 IN MX 0 a\\032b.test."), MX_UNUSABLE, NULL, 3},
};

static void run_mx_case(void **state)
{
    const struct mx_case *row = *state;
    const struct responder_line lines[] = {row->line, RCODE("_mta-sts.d.test", DNS_TXT, 3),
                                           RCODE("_smtp._tls.d.test", DNS_TXT, 2)};
    const struct unit unit = domain_unit("d.test");
    const struct domain_seen *seen;
    struct survey_ground here;

    survey_open(&here, lines, COUNT(lines), NULL);
    seen = survey_look(&here, &unit)->domain;
    assert_int_equal(seen->evidence.mx, row->mx);
    assert_int_equal(here.responder.count, row->asked);
    if (row->failure == NULL)
        assert_null(seen->mx_failure);
    else
        assert_string_equal(seen->mx_failure, row->failure);
    assert_int_equal(seen->evidence.sts.state, row->asked == 1 ? STS_NOT_ASKED : STS_NO_RECORD);
    assert_int_equal(seen->tlsrpt.state, row->asked == 1 ? TLSRPT_UNKNOWN : TLSRPT_ERROR);
    if (row->mx == MX_IMPLICIT)
        assert_string_equal(seen->evidence.hosts[0].name, "d.test");
    survey_close(&here);
}

/* ---- hosts ---- */

static void host_with_tlsa(void **state)
{
    char owner[40], tlsa[200];
    struct responder_line lines[] = {LINE(MX, DNS_A, MX ". 300 IN A 192.0.2.1"),
                                     NODATA(MX, DNS_AAAA), LINE(owner, DNS_TLSA, tlsa)};
    struct unit unit = {.kind = UNIT_HOST, .id = 8, .name = MX};
    const struct mx_host *host;
    struct survey_ground here;

    (void)state;
    survey_open(&here, lines, COUNT(lines), NULL);
    snprintf(owner, sizeof owner, "_%u._tcp." MX, here.mail.port);
    snprintf(tlsa, sizeof tlsa, "%s. 300 IN TLSA 3 1 1 " DIGEST, owner);
    host = &survey_look(&here, &unit)->host->host;
    assert_string_equal(host->name, MX);
    assert_int_equal(host->dane, HOST_DANE_USABLE);
    assert_int_equal(host->address_count, 1);
    assert_int_equal(host->tlsa_count, 1);
    assert_null(host->failure);
    survey_close(&here);
}

static void host_that_is_lost(void **state)
{
    const struct responder_line lines[] = {RCODE(MX, DNS_A, 2), RCODE(MX, DNS_AAAA, 2)};
    const struct unit unit = {.kind = UNIT_HOST, .id = 8, .name = MX};
    const struct mx_host *host;
    struct survey_ground here;

    (void)state;
    survey_open(&here, lines, COUNT(lines), NULL);
    host = &survey_look(&here, &unit)->host->host;
    assert_int_equal(host->dane, HOST_DANE_LOST);
    assert_string_equal(host->failure, "servfail");
    survey_close(&here);
}

/* ---- addresses ---- */

static void address_with_tls(void **state)
{
    const struct unit unit = address_unit();
    const struct address_seen *seen;
    struct survey_ground here;

    (void)state;
    survey_open(&here, NULL, 0, tls_script);
    seen = survey_look(&here, &unit)->address;
    assert_int_equal(seen->result.state, STARTTLS_TLS);
    assert_true(seen->result.requiretls);
    assert_int_equal(seen->shown.count, 1);
    assert_true(seen->shown.strong);
    assert_true(seen->shown.finding.verified);
    assert_int_equal(seen->shown.finding.fault, TLS_FAULT_NONE);
    assert_string_equal(seen->greeting, "mx.d.test ESMTP Postfix (Debian)");
    assert_string_equal(seen->software, "Postfix");
    assert_null(seen->failure);
    assert_int_equal(seen->connections, 1);
    assert_string_equal(here.mail.sni, MX);
    assert_non_null(strstr(buf_text(&here.mail.heard), "EHLO survey.test\r\n"));
    assert_int_equal(here.mail.accepted, 1);
    survey_close(&here);
}

/* The words for what is wrong outlive the connection. */
static void address_with_a_fault(void **state)
{
    struct cert cert = cert_make(&(struct cert_spec){.cn = MX});
    SSL_CTX *self_signed = cert_server(&cert, NULL);
    const struct unit unit = address_unit();
    const struct address_seen *seen;
    struct survey_ground here;

    (void)state;
    survey_open(&here, NULL, 0, tls_script);
    here.mail.tls = self_signed;
    seen = survey_look(&here, &unit)->address;
    assert_int_equal(seen->result.state, STARTTLS_TLS);
    assert_int_equal(seen->shown.finding.fault, TLS_FAULT_SELF_SIGNED);
    assert_string_equal(seen->shown.finding.why, "certificate is self-signed");
    survey_close(&here);
    SSL_CTX_free(self_signed);
    cert_free(&cert);
}

static void address_opted_out(void **state)
{
    struct unit unit = address_unit();
    const struct address_seen *seen;
    struct survey_ground here;

    (void)state;
    unit.opted_out = true;
    survey_open(&here, NULL, 0, tls_script);
    seen = survey_look(&here, &unit)->address;
    assert_int_equal(seen->result.state, STARTTLS_SKIPPED);
    assert_int_equal(seen->connections, 0);
    assert_int_equal(here.mail.accepted, 0);
    survey_close(&here);
}

static void address_nobody_listens(void **state)
{
    struct unit unit = address_unit();
    const struct unit_result *result;
    struct survey_ground here;

    (void)state;
    survey_open(&here, NULL, 0, tls_script);
    assert_true(ip_parse(&unit.ip, "127.0.0.2"));
    result = survey_look(&here, &unit);
    assert_false(result->failed_here);
    assert_int_equal(result->address->result.state, STARTTLS_SILENT);
    assert_string_equal(result->address->failure, "connect-refused");
    assert_int_equal(result->address->shown.count, 0);
    assert_null(result->address->greeting);
    survey_close(&here);
}

/* Without a descriptor for a socket nothing is known of the host. */
static void address_our_own_fault(void **state)
{
    const struct unit unit = address_unit();
    const struct unit_result *result;
    struct survey_ground here;
    struct rlimit before;

    (void)state;
    survey_open(&here, NULL, 0, tls_script);
    survey_worker(&here);
    descriptors_out(&before);
    result = survey_look(&here, &unit);
    descriptors_back(&before);
    assert_true(result->failed_here);
    assert_int_equal(here.mail.accepted, 0);
    survey_close(&here);
}

/* ---- many, and the end ---- */

static void two_workers(void **state)
{
    const struct responder_line lines[] = {
        LINE("d.test", DNS_MX, "d.test. 300 IN MX 0 ."),
    };
    const struct unit unit = domain_unit("d.test");
    struct survey_ground here;

    (void)state;
    survey_open(&here, lines, COUNT(lines), NULL);
    survey_worker(&here);
    survey_worker(&here);
    for (unsigned i = 0; i < 50; i++)
        assert_true(worker_submit(here.workers[i % 2], &unit));
    survey_await(&here, 50);
    for (unsigned i = 0; i < 50; i++)
        assert_int_equal(here.found[i]->domain->evidence.mx, MX_NULL);
    assert_int_equal(here.responder.count, 50);
    survey_close(&here);
}

/* What is under way is dropped: nothing comes, and nothing is left. */
static void closed_while_looking(void **state)
{
    static const struct line silent[] = {{ACT_STALL, NULL}};
    const struct responder_line lines[] = {
        {.reply = {.name = "d.test", .type = DNS_MX}, .silent = true},
        {.reply = {.name = MX, .type = DNS_A}, .silent = true},
        {.reply = {.name = MX, .type = DNS_AAAA}, .silent = true},
        LINE("e.test", DNS_MX, "e.test. 300 IN MX 10 mx.e.test."),
        {.reply = {.name = "_mta-sts.e.test", .type = DNS_TXT}, .silent = true},
        {.reply = {.name = "_smtp._tls.e.test", .type = DNS_TXT}, .silent = true}};
    struct unit units[] = {domain_unit("d.test"),
                           domain_unit("e.test"),
                           {.kind = UNIT_HOST, .name = MX},
                           address_unit()};
    struct survey_ground here;

    (void)state;
    survey_open(&here, lines, COUNT(lines), silent);
    survey_worker(&here);
    for (size_t i = 0; i < COUNT(units); i++)
        assert_true(worker_submit(here.workers[0], &units[i]));
    while (here.responder.count < 6 || here.mail.accepted == 0)
        uv_run(&here.loop, UV_RUN_ONCE);
    survey_close(&here);
    assert_int_equal(here.count, 0);
}

/* Results that lie ready when it is closed are dropped as well. */
static void closed_at_once(void **state)
{
    const struct responder_line lines[] = {LINE("d.test", DNS_MX, "d.test. 300 IN MX 0 .")};
    const struct unit unit = domain_unit("d.test");
    struct survey_ground here;

    (void)state;
    survey_open(&here, lines, COUNT(lines), NULL);
    survey_worker(&here);
    for (unsigned i = 0; i < 20; i++)
        assert_true(worker_submit(here.workers[0], &unit));
    survey_close(&here);
    assert_int_equal(here.count, 0);
}

static void no_trust_anchors(void **state)
{
    struct survey_ground here;
    const struct worker_options options = {&here.options, take_found, &here};
    struct worker *worker = NULL;
    const char *why = NULL;

    (void)state;
    survey_open(&here, NULL, 0, NULL);
    here.options.ca_file = "/nonexistent";
    assert_int_equal(worker_new(&worker, &here.loop, &options, &why), UV_EINVAL);
    assert_non_null(why);
    survey_close(&here);
}

int main(void)
{
    int failed;

    survey_set_up();
    ROWS_ADD_TEST(domain_with_everything);
    ROWS_ADD_TEST(domain_twice);
    ROWS_ADD(mx_cases, run_mx_case);
    ROWS_ADD_TEST(host_with_tlsa);
    ROWS_ADD_TEST(host_that_is_lost);
    ROWS_ADD_TEST(address_with_tls);
    ROWS_ADD_TEST(address_with_a_fault);
    ROWS_ADD_TEST(address_opted_out);
    ROWS_ADD_TEST(address_nobody_listens);
    ROWS_ADD_TEST(address_our_own_fault);
    ROWS_ADD_TEST(two_workers);
    ROWS_ADD_TEST(closed_while_looking);
    ROWS_ADD_TEST(closed_at_once);
    ROWS_ADD_TEST(no_trust_anchors);
    failed = rows_run("worker");
    survey_tear_down();
    return failed;
}
