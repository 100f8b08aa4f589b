/*
 * render: what Postfix reads: one answer for each verdict, and the reason that goes with TEMP
 * (docs/postfix.md, docs/conformance.md D and hostile 7). Wildcards as hosts, and answers that are
 * too large, are in test_render_match.c.
 */
#include "tests/unit/support/render_common.h"

#include "policy/render/postfix_syntax.h"

#define LINES 8

/* ---- one policy, one answer ---- */

struct row {
    const char *name;
    enum verdict_level level;
    const struct render_capabilities *capabilities;
    enum sts_mode mode;
    const char *mx[PATTERNS];
    const char *lines[LINES];
    enum answer_status status;
    const char *text;
};

#define SECURE(caps) VERDICT_SECURE, &(caps), STS_MODE_ENFORCE
#define NOTHING                                                                                    \
    STS_MODE_ENFORCE, {NULL},                                                                      \
    {                                                                                              \
        NULL                                                                                       \
    }

static const struct row rows[] = {
    {"encrypt", VERDICT_ENCRYPT, &plain, NOTHING, ANSWER_OK, "encrypt"},
    {"dane", VERDICT_DANE, &plain, NOTHING, ANSWER_OK, "dane"},
    {"dane-only", VERDICT_DANE_ONLY, &plain, NOTHING, ANSWER_OK, "dane-only"},
    {"verify", VERDICT_VERIFY, &plain, NOTHING, ANSWER_OK, "verify servername=hostname"},
    {"no opinion", VERDICT_NO_OPINION, &plain, NOTHING, ANSWER_NOTFOUND, ""},
    {"D-1 nothing on dane-only",
     VERDICT_DANE_ONLY,
     &tlsrpt,
     STS_MODE_ENFORCE,
     {"mx.example.com"},
     {"version: STSv1"},
     ANSWER_OK,
     "dane-only"},
    {"D-1 nothing on dane",
     VERDICT_DANE,
     &tlsrpt,
     STS_MODE_ENFORCE,
     {"mx.example.com"},
     {"version: STSv1"},
     ANSWER_OK,
     "dane"},
    {"D-1 nothing on encrypt",
     VERDICT_ENCRYPT,
     &tlsrpt,
     STS_MODE_ENFORCE,
     {"mx.example.com"},
     {"version: STSv1"},
     ANSWER_OK,
     "encrypt"},
    {"D-1 nothing on NOTFOUND",
     VERDICT_NO_OPINION,
     &tlsrpt,
     STS_MODE_ENFORCE,
     {"mx.example.com"},
     {"version: STSv1"},
     ANSWER_NOTFOUND,
     ""},
    {"A-1 secure",
     SECURE(plain),
     {"m1.example.com"},
     {NULL},
     ANSWER_OK,
     "secure match=m1.example.com servername=hostname"},
    {"A-18 a wildcard is a parent domain",
     SECURE(plain),
     {"mx.example.com", "*.example.net"},
     {NULL},
     ANSWER_OK,
     "secure match=mx.example.com:.example.net servername=hostname"},
    {"duplicates, in the order of the file",
     SECURE(plain),
     {"*.b.example", "a.example.com", "*.b.example", "a.example.com"},
     {NULL},
     ANSWER_OK,
     "secure match=.b.example:a.example.com servername=hostname"},
    {"D-3 no attributes before 3.10",
     SECURE(plain),
     {"mx.example.com"},
     {"version: STSv1", "mode: enforce"},
     ANSWER_OK,
     "secure match=mx.example.com servername=hostname"},
    {"D-1 attributes of 3.10, A-18 the pattern keeps its star",
     SECURE(tlsrpt),
     {"mx.example.com", "*.example.net"},
     {"version: STSv1", "mode: enforce", "mx: mx.example.com", "mx: *.example.net",
      "max_age: 86400"},
     ANSWER_OK,
     "secure match=mx.example.com:.example.net servername=hostname policy_type=sts"
     " policy_domain=example.com mx_host_pattern=mx.example.com mx_host_pattern=*.example.net"
     " { policy_string = version: STSv1 } { policy_string = mode: enforce }"
     " { policy_string = mx: mx.example.com } { policy_string = mx: *.example.net }"
     " { policy_string = max_age: 86400 }"},
    {"A-44 what Postfix cannot be given is left out",
     SECURE(plain),
     {"198.51.100.66", "*.microsoft", "mx.example.com", "hostname"},
     {NULL},
     ANSWER_OK,
     "secure match=mx.example.com servername=hostname"},
    {"A-44 nothing else in the policy", SECURE(plain), {"hostname", "x"}, {NULL}, ANSWER_OK, NO_MX},
    {"A-44 of the attributes too, but for the lines",
     SECURE(tlsrpt),
     {"198.51.100.66", "mx.example.com"},
     {"version: STSv1", "mx: 198.51.100.66", "mx: mx.example.com"},
     ANSWER_OK,
     "secure match=mx.example.com servername=hostname policy_type=sts policy_domain=example.com"
     " mx_host_pattern=mx.example.com { policy_string = version: STSv1 }"
     " { policy_string = mx: 198.51.100.66 } { policy_string = mx: mx.example.com }"},
    {"D-2 lines that braces or controls would break out of",
     SECURE(tlsrpt),
     {"mx.example.com"},
     {"version: STSv1", "x: } servername=evil", "x: {", "x: a\rb", "x: a\nb", "x: \xc3\xbc", ""},
     ANSWER_OK,
     "secure match=mx.example.com servername=hostname policy_type=sts policy_domain=example.com"
     " mx_host_pattern=mx.example.com { policy_string = version: STSv1 }"},
    {"D-5 testing mode: no attributes",
     VERDICT_SECURE,
     &tlsrpt,
     STS_MODE_TESTING,
     {"mx.example.com"},
     {"version: STSv1"},
     ANSWER_OK,
     "secure match=mx.example.com servername=hostname"},

    /* hostile 7: the sts_policy parser refuses most of these; none passes here either */
    {"hostile 7 keyword hostname", SECURE(plain), {"hostname"}, {NULL}, ANSWER_OK, NO_MX},
    {"hostile 7 keyword nexthop",
     SECURE(plain),
     {"mx.example.com", "nexthop"},
     {NULL},
     ANSWER_OK,
     "secure match=mx.example.com servername=hostname"},
    {"hostile 7 keyword dot-nexthop", SECURE(plain), {"dot-nexthop"}, {NULL}, ANSWER_OK, NO_MX},
    {"hostile 7 blank", SECURE(plain), {"a.example protocols=SSLv2"}, {NULL}, ANSWER_OK, NO_MX},
    {"hostile 7 colon", SECURE(plain), {"a.example:hostname"}, {NULL}, ANSWER_OK, NO_MX},
    {"hostile 7 comma", SECURE(plain), {"a.example,ciphers=null"}, {NULL}, ANSWER_OK, NO_MX},
    {"hostile 7 brace",
     SECURE(tlsrpt),
     {"a.example}{"},
     {NULL},
     ANSWER_OK,
     NO_MX " policy_type=sts policy_domain=example.com mx_host_pattern=" NO_MX_NAME},
    {"hostile 7 equals sign", SECURE(plain), {"a=b.example"}, {NULL}, ANSWER_OK, NO_MX},
    {"hostile 7 line feed", SECURE(plain), {"a.example\n"}, {NULL}, ANSWER_OK, NO_MX},
    {"hostile 7 dot", SECURE(plain), {"."}, {NULL}, ANSWER_OK, NO_MX},
    {"hostile 7 star", SECURE(plain), {"*"}, {NULL}, ANSWER_OK, NO_MX},
    {"hostile 7 star of a top-level domain", SECURE(plain), {"*.com"}, {NULL}, ANSWER_OK, NO_MX},
    {"hostile 7 two stars", SECURE(plain), {"*.*.example.com"}, {NULL}, ANSWER_OK, NO_MX},
    {"hostile 7 empty", SECURE(plain), {""}, {NULL}, ANSWER_OK, NO_MX},
    {"hostile 7 address", SECURE(plain), {"192.0.2.1"}, {NULL}, ANSWER_OK, NO_MX},
    {"hostile 7 IPv6 address", SECURE(plain), {"2001:db8::1"}, {NULL}, ANSWER_OK, NO_MX},
    {"hostile 7 trailing dot", SECURE(plain), {"mx.example.com."}, {NULL}, ANSWER_OK, NO_MX},
    {"hostile 7 no mx at all", SECURE(plain), {NULL}, {NULL}, ANSWER_OK, NO_MX},
};

static void set_policy(struct made *made, const struct row *row)
{
    made->policy = (struct sts_policy){
        .mode = row->mode,
        .mx_count = count_of(row->mx, PATTERNS),
        .mx = (const char **)row->mx,
        .line_count = count_of(row->lines, LINES),
        .lines = (const char **)row->lines,
    };
}

static void test_row(void **state)
{
    const struct row *row = *state;
    struct verdict verdict = {.level = row->level, .reason = REASON_STS_ENFORCE};
    struct made made;
    struct buf out;

    make_evidence(&made, MX_LISTED, false, "N", 'E', "");
    set_policy(&made, row);
    buf_init(&out, RENDER_SOCKETMAP_MAX);
    buf_adds(&out, "OK ");
    assert_int_equal(render_verdict(&out, &verdict, &made.evidence, row->capabilities),
                     row->status);
    assert_memory_equal(out.data, "OK ", 3);
    buf_consume(&out, 3);
    if (row->text != NULL)
        assert_string_equal(buf_text(&out), row->text);
    else
        assert_reason_fit(&out);
    buf_fini(&out);
}

static void test_secure_without_a_policy(void **state)
{
    struct verdict verdict = {.level = VERDICT_SECURE, .reason = REASON_STS_ENFORCE};
    struct made made;
    struct buf out;

    (void)state;
    make_evidence(&made, MX_LISTED, false, "N", 'n', "");
    buf_init(&out, RENDER_SOCKETMAP_MAX);
    assert_int_equal(render_verdict(&out, &verdict, &made.evidence, &plain), ANSWER_TEMP);
    assert_int_equal(render_verdict(&out, &verdict, NULL, &plain), ANSWER_TEMP);
    buf_fini(&out);
}

/* ---- reasons ---- */

static void render_temp(struct buf *out, enum verdict_reason reason,
                        const struct evidence *evidence)
{
    struct verdict verdict = {.level = VERDICT_TEMP, .reason = reason, .probed = VERDICT_ENCRYPT};

    buf_clear(out);
    assert_int_equal(render_verdict(out, &verdict, evidence, &plain), ANSWER_TEMP);
    assert_reason_fit(out);
}

static void test_b_17_mx_error_names_domain_and_cause(void **state)
{
    struct made made;
    struct buf out;

    (void)state;
    buf_init(&out, 1000);
    make_evidence(&made, MX_ERROR, false, "", 'n', "");
    made.evidence.mx_why = "SERVFAIL from 127.0.0.1";
    render_temp(&out, REASON_MX_ERROR, &made.evidence);
    assert_string_equal(out.data, "MX lookup of example.com failed: SERVFAIL from 127.0.0.1;"
                                  " mail waits for the DNS");
    made.evidence.mx_why = NULL;
    render_temp(&out, REASON_MX_ERROR, &made.evidence);
    assert_non_null(strstr(out.data, "no answer"));
    buf_fini(&out);
}

static void test_b_5_dane_error_names_host_and_cause(void **state)
{
    struct made made;
    struct buf out;

    (void)state;
    buf_init(&out, 1000);
    make_evidence(&made, MX_LISTED, true, "NLE", 'E', "");
    made.hosts[1].why = "A lookup mx1.example.com: SERVFAIL";
    made.hosts[2].why = "TLSA lookup _25._tcp.mx2.example.com: timeout";
    render_temp(&out, REASON_DANE_ERROR_STS, &made.evidence);
    assert_string_equal(out.data, "TLSA lookup _25._tcp.mx2.example.com: timeout;"
                                  " MTA-STS of example.com is enforced, so mail waits");
    render_temp(&out, REASON_DANE_ERROR_LIST, &made.evidence);
    assert_string_equal(out.data, "TLSA lookup _25._tcp.mx2.example.com: timeout;"
                                  " example.com is on a policy list, so mail waits");
    made.hosts[2].why = NULL;
    render_temp(&out, REASON_DANE_ERROR_STS, &made.evidence);
    assert_non_null(strstr(out.data, "TLSA lookup for mx2.example.com failed"));
    made.hosts[2].dane = HOST_DANE_DEAD;
    render_temp(&out, REASON_DANE_ERROR_STS, &made.evidence);
    assert_non_null(strstr(out.data, "A lookup mx1.example.com: SERVFAIL"));
    render_temp(&out, REASON_DANE_ERROR, &made.evidence);
    assert_string_equal(out.data, "A lookup mx1.example.com: SERVFAIL;"
                                  " the hosts of example.com did TLS before, so mail waits");
    buf_fini(&out);
}

static void test_a_long_name_leaves_the_cause(void **state)
{
    static char why[400];
    struct made made;
    struct buf out;

    (void)state;
    buf_init(&out, 1000);
    make_evidence(&made, MX_LISTED, true, "E", 'E', "");
    memset(why, 'n', 300);
    strcpy(why + 300, ": SERVFAIL (EDE 6: DNSSEC Bogus)");
    made.hosts[0].why = why;
    render_temp(&out, REASON_DANE_ERROR_STS, &made.evidence);
    assert_non_null(strstr(out.data, "nnn: SERVFAIL (EDE 6: DNSSEC Bogus); MTA-STS of"));
    buf_fini(&out);
}

static void test_pending_names_what_is_awaited(void **state)
{
    struct made made;
    struct buf out;

    (void)state;
    buf_init(&out, 1000);
    make_evidence(&made, MX_LISTED, true, "U?", 'E', "");
    render_temp(&out, REASON_PENDING, &made.evidence);
    assert_non_null(strstr(out.data, "mx1.example.com of example.com"));
    make_evidence(&made, MX_UNKNOWN, false, "", '?', "");
    render_temp(&out, REASON_PENDING, &made.evidence);
    assert_non_null(strstr(out.data, "MX lookup of example.com"));
    buf_fini(&out);
}

static void test_hostile_45_reasons_are_escaped_and_short(void **state)
{
    static char name[254], why[2000];
    struct made made;
    struct buf out;

    (void)state;
    memset(name, 'a', sizeof name - 1);
    memset(why, '\033', sizeof why - 1);
    buf_init(&out, 1000);
    make_evidence(&made, MX_LISTED, true, "E", 'E', "");
    made.evidence.domain = name;
    made.evidence.mx_why = why;
    made.hosts[0].name = name;
    made.hosts[0].why = "a\nTEMP %s%n";
    for (int reason = 0; reason < REASON_COUNT; reason++) {
        render_temp(&out, (enum verdict_reason)reason, &made.evidence);
        render_temp(&out, (enum verdict_reason)reason, NULL);
    }
    render_temp(&out, REASON_DANE_ERROR_STS, &made.evidence);
    assert_non_null(strstr(out.data, "a\\x0aTEMP %s%n"));
    buf_fini(&out);
}

static void test_reasons_fit_where_little_does(void **state)
{
    struct render_capabilities narrow = {.encoded = true, .text_max = 20};
    struct verdict verdict = {.level = VERDICT_TEMP, .reason = REASON_OVERLOAD};
    struct buf out;

    (void)state;
    buf_init(&out, 1000);
    assert_int_equal(render_verdict(&out, &verdict, NULL, &narrow), ANSWER_TEMP);
    assert_true(out.length > 0 && out.length <= 20);
    buf_fini(&out);
}

/* ---- invariant 5: whatever is decided, Postfix takes it ---- */

static void test_every_answer_is_valid(void **state)
{
    struct made made;
    struct buf out;
    const char *why;

    (void)state;
    buf_init(&out, RENDER_SOCKETMAP_MAX);
    make_evidence(&made, MX_LISTED, true, "U", 'E', "");
    for (int level = VERDICT_NO_OPINION; level <= VERDICT_TEMP; level++)
        for (int recent = 0; recent < 2; recent++) {
            struct verdict verdict = {.level = (enum verdict_level)level};
            enum answer_status status;

            buf_clear(&out);
            status = render_verdict(&out, &verdict, &made.evidence, recent ? &tlsrpt : &plain);
            assert_int_equal(status == ANSWER_OK,
                             level != VERDICT_NO_OPINION && level != VERDICT_TEMP);
            if (status == ANSWER_OK)
                assert_true(postfix_syntax_ok(out.data, out.length,
                                              recent ? POSTFIX_3_10 : POSTFIX_3_4, &why));
        }
    buf_fini(&out);
}

int main(void)
{
    ROWS_ADD(rows, test_row);
    ROWS_ADD_TEST(test_secure_without_a_policy);
    rows_add_one("B-17 MX error: domain and cause", test_b_17_mx_error_names_domain_and_cause,
                 NULL);
    rows_add_one("B-5 TLSA error: host and cause", test_b_5_dane_error_names_host_and_cause, NULL);
    ROWS_ADD_TEST(test_a_long_name_leaves_the_cause);
    ROWS_ADD_TEST(test_pending_names_what_is_awaited);
    rows_add_one("hostile 45 reasons are escaped and short",
                 test_hostile_45_reasons_are_escaped_and_short, NULL);
    ROWS_ADD_TEST(test_reasons_fit_where_little_does);
    ROWS_ADD_TEST(test_every_answer_is_valid);
    return rows_run("render");
}
