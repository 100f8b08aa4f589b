/* What delivery would meet, for every level and every kind of mail host. */
#include "rows.h"

#include "evidence_make.h"
#include "policy/forecast.h"

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

static void test_no_evidence(void **state)
{
    (void)state;
    assert_int_equal(forecast_level(VERDICT_ENCRYPT, NULL), UNKNOWN);
    assert_int_equal(forecast_level(VERDICT_NO_OPINION, NULL), FLOWS);
    assert_int_equal(forecast_level(VERDICT_TEMP, NULL), DEFERS);
}

int main(void)
{
    ROWS_ADD(table, test_row);
    ROWS_ADD_TEST(test_tlsa);
    ROWS_ADD_TEST(test_policy);
    ROWS_ADD_TEST(test_no_evidence);
    return rows_run("forecast");
}
