/* What delivery would meet, for every level and every kind of mail host. */
#include "tests/unit/support/rows.h"

#include "tests/unit/support/evidence_make.h"
#include "policy/rules/forecast.h"

#define UNKNOWN FORECAST_UNKNOWN
#define FLOWS   FORECAST_FLOWS
#define DEFERS  FORECAST_DEFERS
#define BOUNCES FORECAST_BOUNCES

static const struct row {
    const char *name, *hosts;
    char sts;
    const char *probes;
    enum forecast encrypt, verify, secure, dane_only;
} table[] = {
    {"nobody asked", "N", 'n', "?", UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN},
    {"nobody answered", "N", 'n', "S", UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN},
    {"clear", "N", 'n', "C", DEFERS, DEFERS, DEFERS, DEFERS},
    {"454", "N", 'n', "P", DEFERS, DEFERS, DEFERS, DEFERS},
    {"the handshake breaks", "N", 'n', "B", DEFERS, DEFERS, DEFERS, DEFERS},
    {"refused", "N", 'n', "R", BOUNCES, BOUNCES, BOUNCES, BOUNCES},
    {"one refuses, one verified", "NN", 'n', "R,V", BOUNCES, BOUNCES, BOUNCES, BOUNCES},
    {"TLS", "N", 'n', "T", FLOWS, DEFERS, DEFERS, DEFERS},
    {"verified", "N", 'n', "V", FLOWS, FLOWS, FLOWS, DEFERS},
    {"a second host does", "NN", 'n', "C,V", FLOWS, FLOWS, FLOWS, DEFERS},
    {"a second address does", "N", 'n', "CT", FLOWS, DEFERS, DEFERS, DEFERS},
    {"DANE", "U", 'n', "T", FLOWS, DEFERS, DEFERS, FLOWS},
    {"DANE, not probed", "U", 'n', "?", UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN},
    {"DANE, clear", "U", 'n', "C", DEFERS, DEFERS, DEFERS, DEFERS},
};

static enum forecast at(enum verdict_level level, const struct row *row)
{
    struct made made;

    make_evidence(&made, MX_LISTED, true, row->hosts, row->sts, row->probes);
    return forecast_level(level, &made.evidence);
}

static void test_row(void **state)
{
    const struct row *row = *state;

    assert_string_equal(forecast_name(at(VERDICT_ENCRYPT, row)), forecast_name(row->encrypt));
    assert_string_equal(forecast_name(at(VERDICT_VERIFY, row)), forecast_name(row->verify));
    assert_string_equal(forecast_name(at(VERDICT_SECURE, row)), forecast_name(row->secure));
    assert_string_equal(forecast_name(at(VERDICT_DANE_ONLY, row)), forecast_name(row->dane_only));
    assert_int_equal(at(VERDICT_NO_OPINION, row), FLOWS);
    assert_int_equal(at(VERDICT_DANE, row), FLOWS);
    assert_int_equal(at(VERDICT_TEMP, row), DEFERS);
}

/* A certificate that does not match its TLSA record stops mail, and one that was not compared is
 * not held against it. */
static void test_tlsa(void **state)
{
    struct made made;

    (void)state;
    make_evidence(&made, MX_LISTED, true, "U", 'n', "V");
    made.addresses[0][0].starttls.tlsa = TLSA_MATCH_MISMATCH;
    assert_int_equal(forecast_level(VERDICT_DANE_ONLY, &made.evidence), DEFERS);
    made.addresses[0][0].starttls.tlsa = TLSA_MATCH_OK;
    assert_int_equal(forecast_level(VERDICT_DANE_ONLY, &made.evidence), FLOWS);
    made.addresses[0][0].starttls.tlsa = TLSA_MATCH_NONE;
    assert_int_equal(forecast_level(VERDICT_DANE_ONLY, &made.evidence), FLOWS);
}

/* `secure` by a policy is good only at the hosts that the policy names. */
static void test_policy(void **state)
{
    struct made made;

    (void)state;
    make_evidence(&made, MX_LISTED, true, "NN", 'E', "V,V");
    assert_int_equal(forecast_level(VERDICT_SECURE, &made.evidence), FLOWS);
    made.patterns[0] = "other.example";
    made.patterns[1] = "other.example";
    assert_int_equal(forecast_level(VERDICT_SECURE, &made.evidence), DEFERS);
    assert_int_equal(forecast_level(VERDICT_VERIFY, &made.evidence), FLOWS);
}

/* ---- under a rule ---- */

static const struct rule_row {
    const char *name, *probes, *policy;
    enum verdict_level level;
    enum forecast want;
} rule_table[] = {
    {"encrypt", "T", "encrypt", VERDICT_ENCRYPT, FLOWS},
    {"verify", "T", "verify servername=hostname", VERDICT_VERIFY, DEFERS},
    {"dane-only", "V", "dane-only", VERDICT_DANE_ONLY, DEFERS},
    {"may", "C", "may", VERDICT_NO_OPINION, FLOWS},
    {"may, STARTTLS refused", "R", "may", VERDICT_NO_OPINION, FLOWS},
    {"none", "V", "none", VERDICT_NO_OPINION, FLOWS},
    {"secure without match=", "V", "secure", VERDICT_SECURE, FLOWS},
    {"the name", "V", "secure match=mx0.example", VERDICT_SECURE, FLOWS},
    {"the name, in capitals", "V", "secure match=MX0.Example", VERDICT_SECURE, FLOWS},
    {"the end of the name", "V", "secure match=.example", VERDICT_SECURE, FLOWS},
    {"the second of a list", "V", "secure match=a.b:mx0.example", VERDICT_SECURE, FLOWS},
    {"the last of a list", "V", "secure match=a.b:.c:.example servername=hostname", VERDICT_SECURE,
     FLOWS},
    {"a second match=", "V", "secure match=a.b match=mx0.example", VERDICT_SECURE, FLOWS},
    {"after a comma", "V", "secure match=a.b,match=mx0.example", VERDICT_SECURE, FLOWS},
    {"verify with match=", "V", "verify match=mx0.example", VERDICT_VERIFY, FLOWS},
    {"another name", "V", "secure match=other.example", VERDICT_SECURE, UNKNOWN},
    {"a parent without its dot", "V", "secure match=example", VERDICT_SECURE, UNKNOWN},
    {"a longer name", "V", "secure match=xmx0.example", VERDICT_SECURE, UNKNOWN},
    {"a shorter name", "V", "secure match=mx0.exampl", VERDICT_SECURE, UNKNOWN},
    {"the whole name as an end", "V", "secure match=.mx0.example", VERDICT_SECURE, UNKNOWN},
    {"its own trust anchor", "V", "secure match=mx0.example tafile=/etc/a.pem", VERDICT_SECURE,
     UNKNOWN},
    {"a trust anchor alone", "T", "verify tafile=/etc/a.pem", VERDICT_VERIFY, UNKNOWN},
    {"a trust anchor, clear", "C", "verify tafile=/etc/a.pem", VERDICT_VERIFY, DEFERS},
    {"the name, not verified", "T", "secure match=mx0.example", VERDICT_SECURE, UNKNOWN},
    {"the name, clear", "C", "secure match=mx0.example", VERDICT_SECURE, DEFERS},
    {"the name, refused", "R", "secure match=mx0.example", VERDICT_SECURE, BOUNCES},
    {"the name, nobody answered", "S", "secure match=mx0.example", VERDICT_SECURE, UNKNOWN},
    {"a fingerprint", "V", "fingerprint match=00:11", VERDICT_NO_OPINION, UNKNOWN},
    {"a fingerprint, clear", "C", "fingerprint match=00:11", VERDICT_NO_OPINION, DEFERS},
};

static void test_rule_row(void **state)
{
    const struct rule_row *row = *state;
    const struct final_answer final = {.kind = FINAL_POLICY,
                                       .text = row->policy,
                                       .length = (uint32_t)strlen(row->policy),
                                       .level = row->level};
    struct made made;

    make_evidence(&made, MX_LISTED, true, "N", 'n', row->probes);
    made.hosts[0].name = "mx0.example";
    assert_string_equal(forecast_name(forecast_final(&final, &made.evidence)),
                        forecast_name(row->want));
}

/* Only the second host has a certificate for its name. */
static void test_rule_names_hosts(void **state)
{
    struct final_answer final = {.kind = FINAL_POLICY, .level = VERDICT_SECURE};
    struct made made;

    (void)state;
    make_evidence(&made, MX_LISTED, true, "NN", 'n', "T,V");
    made.hosts[0].name = "mx0.example";
    made.hosts[1].name = "mx1.example";
    final.text = "secure match=mx1.example";
    assert_int_equal(forecast_final(&final, &made.evidence), FLOWS);
    final.text = "secure match=mx0.example";
    assert_int_equal(forecast_final(&final, &made.evidence), UNKNOWN);
    assert_int_equal(forecast_final(&final, NULL), UNKNOWN);
}

/* A match= of MTA-STS is none of a rule's. */
static void test_outcomes_of_no_rule(void **state)
{
    struct final_answer final = {.kind = FINAL_FOUND, .level = VERDICT_SECURE};
    struct made made;

    (void)state;
    make_evidence(&made, MX_LISTED, true, "NN", 'E', "V,V");
    assert_int_equal(forecast_final(&final, &made.evidence), FLOWS);
    final = (struct final_answer){.kind = FINAL_NOTFOUND, .level = VERDICT_NO_OPINION};
    assert_int_equal(forecast_final(&final, &made.evidence), FLOWS);
    final = (struct final_answer){.kind = FINAL_TEMP, .level = VERDICT_TEMP, .text = "match="};
    assert_int_equal(forecast_final(&final, &made.evidence), DEFERS);
}

static void test_what_stops_mail(void **state)
{
    (void)state;
    assert_true(forecast_stops_mail(DEFERS) && forecast_stops_mail(BOUNCES));
    assert_false(forecast_stops_mail(FLOWS) || forecast_stops_mail(UNKNOWN));
}

static void test_no_evidence(void **state)
{
    (void)state;
    assert_int_equal(forecast_level(VERDICT_ENCRYPT, NULL), UNKNOWN);
    assert_int_equal(forecast_level(VERDICT_NO_OPINION, NULL), FLOWS);
    assert_int_equal(forecast_level(VERDICT_TEMP, NULL), DEFERS);
}

/* A list counts where MTA-STS asks for nothing. */
static void test_list(void **state)
{
    static const struct {
        char sts;
        const char *listed;
        enum forecast secure;
    } rows[] = {
        {'n', "mx0.example.com", FLOWS}, {'n', "*.example.com", FLOWS}, {'n', "a.b", DEFERS},
        {'0', "mx0.example.com", FLOWS}, {'0', "a.b", DEFERS},          {'E', "a.b", FLOWS},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct made made;

        make_evidence(&made, MX_LISTED, false, "N", rows[i].sts, "V");
        if (rows[i].sts == '0')
            made.policy.mx_count = 0;
        made.evidence.list =
            (struct list_evidence){LIST_ENFORCE, rows[i].listed, 1, "a list", INT64_MAX};
        assert_int_equal(forecast_level(VERDICT_SECURE, &made.evidence), rows[i].secure);
    }
}

int main(void)
{
    ROWS_ADD(table, test_row);
    ROWS_ADD(rule_table, test_rule_row);
    ROWS_ADD_TEST(test_rule_names_hosts);
    ROWS_ADD_TEST(test_outcomes_of_no_rule);
    ROWS_ADD_TEST(test_what_stops_mail);
    ROWS_ADD_TEST(test_tlsa);
    ROWS_ADD_TEST(test_policy);
    ROWS_ADD_TEST(test_list);
    ROWS_ADD_TEST(test_no_evidence);
    return rows_run("forecast");
}
