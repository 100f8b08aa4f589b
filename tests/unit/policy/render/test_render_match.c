/*
 * render: when match= does not hold the patterns of the policy as they stand: wildcards as the MX
 * hosts they cover, and what goes first when an answer is too large (docs/conformance.md D-4).
 */
#include "tests/unit/support/render_common.h"

#include <stdlib.h>

static const struct render_capabilities tcp = {.encoded = true,
                                               .text_max = RENDER_TCP_TABLE_MAX - 4};

/* ---- wildcards as the MX hosts they cover ---- */

struct covered {
    const char *name;
    const struct render_capabilities *capabilities;
    const char *mx[PATTERNS];
    const char *hosts[4];
    const char *text;
};

#define MATCH(names) "secure match=" names " servername=hostname"

static const struct covered covered_rows[] = {
    {"the hosts one label below",
     &plain,
     {"*.example.net"},
     {"a.example.net", "b.example.net"},
     MATCH("a.example.net:b.example.net")},
    {"deeper hosts and the domain itself are not covered",
     &plain,
     {"*.example.net"},
     {"x.a.example.net", "example.net", "a.example.net"},
     MATCH("a.example.net")},
    {"none is covered", &plain, {"*.example.net"}, {"x.a.example.net"}, NO_MX},
    {"exact names stay, present or not",
     &plain,
     {"mx.example.com", "*.example.net"},
     {"a.example.net", "mx.example.com"},
     MATCH("mx.example.com:a.example.net")},
    {"each name once",
     &plain,
     {"a.example.net", "*.example.net", "*.example.net"},
     {"a.example.net"},
     MATCH("a.example.net")},
    {"A-44 below a top-level domain",
     &plain,
     {"*.microsoft"},
     {"mx.microsoft"},
     MATCH("mx.microsoft")},
    {"a host with an underscore leaves the suffix",
     &plain,
     {"*.example.net"},
     {"mx_1.example.net"},
     MATCH(".example.net")},
    {"an MX set that is not known leaves the suffix",
     &plain,
     {"*.example.net"},
     {NULL},
     MATCH(".example.net")},
    {"tcp_table", &tcp, {"*.example.net"}, {"a.example.net"}, MATCH("a.example.net")},
    {"mx_host_pattern is exact, match= keeps the suffix",
     &tlsrpt,
     {"*.example.net"},
     {"a.example.net"},
     "secure match=.example.net servername=hostname policy_type=sts policy_domain=example.com"
     " mx_host_pattern=*.example.net"},
};

/* Hosts that were not looked at may be covered too. */
static void an_mx_set_that_was_cut_names_no_hosts(void **state)
{
    static const struct render_capabilities any = {.text_max = RENDER_SOCKETMAP_MAX - 3};
    struct verdict verdict = {
        .level = VERDICT_SECURE, .reason = REASON_STS_ENFORCE, .wildcard_hosts = true};
    struct made made;
    struct buf out;

    (void)state;
    make_evidence(&made, MX_LISTED, false, "N", 'E', "");
    made.hosts[0].name = "a.example.net";
    made.evidence.mx_truncated = true;
    buf_init(&out, RENDER_SOCKETMAP_MAX);
    assert_int_equal(render_verdict(&out, &verdict, &made.evidence, &any), ANSWER_OK);
    assert_string_equal(buf_text(&out),
                        "secure match=mx0.example.com:.example.net servername=hostname");
    buf_fini(&out);
}

static void test_covered(void **state)
{
    const struct covered *row = *state;
    struct verdict verdict = {
        .level = VERDICT_SECURE, .reason = REASON_STS_ENFORCE, .wildcard_hosts = true};
    size_t hosts = count_of(row->hosts, COUNT(row->hosts));
    struct made made;
    struct buf out;

    make_evidence(&made, MX_LISTED, false, &"NNNN"[COUNT(row->hosts) - hosts], 'E', "");
    for (size_t i = 0; i < hosts; i++)
        made.hosts[i].name = row->hosts[i];
    made.policy.mx = (const char **)row->mx;
    made.policy.mx_count = count_of(row->mx, PATTERNS);
    made.policy.line_count = 0;
    buf_init(&out, RENDER_SOCKETMAP_MAX);
    assert_int_equal(render_verdict(&out, &verdict, &made.evidence, row->capabilities), ANSWER_OK);
    assert_string_equal(buf_text(&out), row->text);
    buf_fini(&out);
}

/* ---- a policy list's hosts ---- */

struct listed {
    const char *name;
    const struct render_capabilities *capabilities;
    const char *mx; /* each with a NUL */
    size_t mx_count;
    const char *hosts[4];
    const char *text;
};

#define NO_LIST_MX MATCH("no-mx-matches-the-policy-list.invalid")

static const struct listed listed_rows[] = {
    {"hosts stay, present or not",
     &plain,
     "mx1.example\0mx2.example",
     2,
     {"mx1.example"},
     MATCH("mx1.example:mx2.example")},
    {"a suffix as the hosts one label below",
     &plain,
     "*.example.net",
     1,
     {"a.example.net", "x.b.example.net", "example.net"},
     MATCH("a.example.net")},
    {"a suffix that covers no host", &plain, "*.example.net", 1, {"x.a.example.net"}, NO_LIST_MX},
    {"no attributes: the domain itself asks for nothing",
     &tlsrpt,
     "mx.example",
     1,
     {"mx.example"},
     MATCH("mx.example")},
    {"tcp_table", &tcp, "mx.example", 1, {"mx.example"}, MATCH("mx.example")},
};

/* Beside an MTA-STS policy, whose patterns must not get in; and whatever sts-wildcards says. */
static void test_listed(void **state)
{
    const struct listed *row = *state;
    struct verdict verdict = {.level = VERDICT_SECURE, .reason = REASON_LIST};
    size_t hosts = count_of(row->hosts, COUNT(row->hosts));
    struct made made;
    struct buf out;

    make_evidence(&made, MX_LISTED, false, &"NNNN"[COUNT(row->hosts) - hosts], '0', "");
    for (size_t i = 0; i < hosts; i++)
        made.hosts[i].name = row->hosts[i];
    made.evidence.list = (struct list_evidence){LIST_ENFORCE, row->mx, row->mx_count, "list", 1};
    buf_init(&out, RENDER_SOCKETMAP_MAX);
    assert_int_equal(render_verdict(&out, &verdict, &made.evidence, row->capabilities), ANSWER_OK);
    assert_string_equal(buf_text(&out), row->text);
    buf_fini(&out);
}

/* ---- sizes: D-4 ---- */

#define MANY 1000

struct large {
    struct made made;
    struct sts_policy policy;
    const char *mx[MANY];
    char names[MANY][300];
};

/* `count` patterns of `length` octets; the first covers the only MX host. */
static struct large *large_new(size_t count, size_t length)
{
    struct large *large = calloc(1, sizeof *large);

    make_evidence(&large->made, MX_LISTED, false, "N", 'E', "");
    for (size_t i = 0; i < count; i++) {
        int used = snprintf(large->names[i], sizeof large->names[i], "m%zu", i);

        while ((size_t)used < length - 8) {
            large->names[i][used] = used % 60 == 59 ? '.' : 'x';
            used++;
        }
        snprintf(large->names[i] + used, 9, ".example");
        large->mx[i] = large->names[i];
    }
    large->mx[0] = "*.example.com";
    large->policy = large->made.policy;
    large->policy.mx = large->mx;
    large->policy.mx_count = count;
    large->made.evidence.sts.policy = &large->policy;
    return large;
}

static enum answer_status render_large(const struct large *large, struct buf *out,
                                       const struct render_capabilities *capabilities)
{
    struct verdict verdict = {.level = VERDICT_SECURE, .reason = REASON_STS_ENFORCE};

    buf_clear(out);
    return render_verdict(out, &verdict, &large->made.evidence, capabilities);
}

static void test_d_4_attributes_go_first(void **state)
{
    struct large *large = large_new(700, 60);
    struct buf out;

    (void)state;
    buf_init(&out, RENDER_SOCKETMAP_MAX);
    assert_int_equal(render_large(large, &out, &tlsrpt), ANSWER_OK);
    assert_non_null(strstr(out.data, "policy_type=sts"));
    free(large);
    large = large_new(1000, 60);
    assert_int_equal(render_large(large, &out, &tlsrpt), ANSWER_OK);
    assert_null(strstr(out.data, "policy_type"));
    assert_non_null(strstr(out.data, large->mx[999]));
    free(large);
    buf_fini(&out);
}

static void test_d_4_then_patterns_without_mx(void **state)
{
    struct large *large = large_new(1000, 200);
    struct buf out;

    (void)state;
    buf_init(&out, RENDER_SOCKETMAP_MAX);
    assert_int_equal(render_large(large, &out, &tlsrpt), ANSWER_OK);
    assert_string_equal(out.data, "secure match=.example.com servername=hostname");
    /* no MX host that a pattern covers: nothing is left to match, so mail waits */
    large->mx[0] = "other.example.org";
    assert_int_equal(render_large(large, &out, &tlsrpt), ANSWER_TEMP);
    assert_non_null(strstr(out.data, "does not fit"));
    assert_reason_fit(&out);
    free(large);
    buf_fini(&out);
}

/* The longest text that fits, one octet less, one more: counted as it goes over the wire. */
static void test_d_4_to_the_octet(void **state)
{
    static const char text[] = "secure match=.example.com servername=hostname";
    struct large *large = large_new(1, 20);
    struct buf out;

    (void)state;
    buf_init(&out, RENDER_SOCKETMAP_MAX);
    for (int encoded = 0; encoded < 2; encoded++) {
        /* two blanks, three octets each once encoded */
        size_t wire = sizeof text - 1 + (encoded ? 4 : 0);

        for (size_t max = wire - 1; max <= wire + 1; max++) {
            struct render_capabilities capabilities = {.encoded = encoded, .text_max = max};
            bool fits = max >= wire;

            assert_int_equal(render_large(large, &out, &capabilities),
                             fits ? ANSWER_OK : ANSWER_TEMP);
            if (fits)
                assert_string_equal(out.data, text);
        }
    }
    free(large);
    buf_fini(&out);
}

static void test_d_4_tcp_table(void **state)
{
    struct large *large = large_new(100, 60);
    struct render_capabilities capabilities = tcp;
    struct buf out;

    (void)state;
    buf_init(&out, RENDER_SOCKETMAP_MAX);
    assert_int_equal(render_large(large, &out, &tcp), ANSWER_OK);
    assert_string_equal(out.data, "secure match=.example.com servername=hostname");
    free(large);
    large = large_new(50, 60);
    capabilities.tlsrpt = true;
    assert_int_equal(render_large(large, &out, &capabilities), ANSWER_OK);
    assert_null(strstr(out.data, "policy_type"));
    assert_non_null(strstr(out.data, large->mx[49]));
    free(large);
    buf_fini(&out);
}

static void test_d_4_limit_of_the_buffer(void **state)
{
    struct large *large = large_new(100, 60);
    struct verdict verdict = {.level = VERDICT_ENCRYPT, .reason = REASON_TLS};
    struct buf out;

    (void)state;
    buf_init(&out, 300);
    assert_int_equal(render_large(large, &out, &plain), ANSWER_OK);
    assert_string_equal(out.data, "secure match=.example.com servername=hostname");
    assert_false(out.failed);
    buf_fini(&out);
    buf_init(&out, 3);
    assert_int_equal(render_verdict(&out, &verdict, &large->made.evidence, &plain), ANSWER_TEMP);
    buf_fini(&out);
    free(large);
}

int main(void)
{
    ROWS_ADD(covered_rows, test_covered);
    ROWS_ADD(listed_rows, test_listed);
    ROWS_ADD_TEST(an_mx_set_that_was_cut_names_no_hosts);
    rows_add_one("D-4 attributes go first", test_d_4_attributes_go_first, NULL);
    rows_add_one("D-4 then patterns without MX", test_d_4_then_patterns_without_mx, NULL);
    rows_add_one("D-4 to the octet, plain and encoded", test_d_4_to_the_octet, NULL);
    rows_add_one("D-4 tcp_table", test_d_4_tcp_table, NULL);
    rows_add_one("D-4 a buffer that is too small", test_d_4_limit_of_the_buffer, NULL);
    return rows_run("render_match");
}
