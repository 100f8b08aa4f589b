/* judge: certificates, for senders that look at DANE, at MTA-STS, and at neither. */
#include "tests/unit/check/judge_rows.h"

#define H1    "mx1.example.org"
#define H2    "mx2.example.org"
#define BOTH1 H1 " [9.9.9.1] [2620:fe::1]"

/* ---- three kinds of domains ---- */

static void no_dane(struct made *made)
{
    for (size_t i = 0; i < MADE_HOSTS; i++) {
        made->host[i].tlsa.answer.outcome = DNS_NODATA;
        made->hosts[i].record_count = 0;
        for (size_t k = 0; k < MADE_ADDRESSES; k++)
            for (size_t o = 0; o < CHECK_OFFER_COUNT; o++) {
                made->hosts[i].addresses[k].attempts[o].tlsa = TLSA_MATCH_NONE;
                made->hosts[i].addresses[k].attempts[o].tlsa_matched = NULL;
            }
    }
}

static void no_sts(struct made *made)
{
    made->evidence.sts = (struct sts_evidence){.state = STS_NO_RECORD};
    made->sts_record.answer.outcome = DNS_NXDOMAIN;
}

static void testing(struct made *made)
{
    made->policy.mode = STS_MODE_TESTING;
}

/* ---- what is shown ---- */

/* Every certificate chain that host 1 shows. */
static void each(struct made *made, void (*change)(struct check_attempt *attempt))
{
    for (size_t i = 0; i < MADE_ADDRESSES; i++)
        for (size_t o = 0; o < CHECK_OFFER_COUNT; o++)
            if (made->hosts[0].addresses[i].attempts[o].certificate_count > 0)
                change(&made->hosts[0].addresses[i].attempts[o]);
}

static void self_signed(struct check_attempt *attempt)
{
    attempt->certificate_count = 1;
    attempt->certificates[0].self_signed = true;
    attempt->certificates[0].issuer_name = H1;
    attempt->name_ok = false; /* what follows is not told */
    attempt->shown.finding =
        (struct tls_finding){true, TLS_FAULT_SELF_SIGNED, false, "certificate is self-signed"};
}

static void trusted_by_itself(struct check_attempt *attempt)
{
    self_signed(attempt);
    attempt->name_ok = true;
    attempt->shown.finding = (struct tls_finding){true, TLS_FAULT_NONE, false, NULL};
}

static void self_signed_and_expired(struct check_attempt *attempt)
{
    self_signed(attempt);
    attempt->certificates[0].not_after = MADE_NOW - 1;
    attempt->shown.finding = (struct tls_finding){true, TLS_FAULT_EXPIRED, false, "has expired"};
}

static void untrusted(struct check_attempt *attempt)
{
    attempt->shown.finding =
        (struct tls_finding){true, TLS_FAULT_UNKNOWN_ISSUER, false, "unknown issuer"};
}

static void leaf_alone(struct check_attempt *attempt)
{
    untrusted(attempt);
    attempt->certificate_count = 1;
}

static void wrong_intermediate(struct check_attempt *attempt)
{
    untrusted(attempt);
    attempt->certificates[1].subject = "G2";
}

static void other_name(struct check_attempt *attempt)
{
    attempt->name_ok = false;
    attempt->certificates[0].names = "www.example.org example.org";
}

static void costly(struct check_attempt *attempt)
{
    attempt->shown.finding = (struct tls_finding){true, TLS_FAULT_COSTLY, false, "costly"};
}

static void no_certificate(struct check_attempt *attempt)
{
    attempt->certificate_count = 0;
    attempt->name_ok = false;
    attempt->tlsa = TLSA_MATCH_NONE;
    attempt->shown.finding = (struct tls_finding){true, TLS_FAULT_ANONYMOUS, false, NULL};
}

static void expired(struct check_attempt *attempt)
{
    attempt->certificates[0].not_after = MADE_NOW - 1;
    attempt->shown.finding = (struct tls_finding){true, TLS_FAULT_EXPIRED, true, "has expired"};
}

static void not_yet(struct check_attempt *attempt)
{
    attempt->certificates[0].not_before = MADE_NOW + 3600;
    attempt->shown.finding = (struct tls_finding){true, TLS_FAULT_NOT_YET_VALID, true, "not yet"};
}

static void issuer_expired(struct check_attempt *attempt)
{
    attempt->certificates[1].not_after = MADE_NOW - 1;
    attempt->shown.finding = (struct tls_finding){true, TLS_FAULT_EXPIRED, true, "G1 has expired"};
}

static void short_key(struct check_attempt *attempt)
{
    attempt->certificates[0].key_type = "RSA";
    attempt->certificates[0].key_bits = 1024;
}

static void too_short_key(struct check_attempt *attempt)
{
    short_key(attempt);
    attempt->shown.finding = (struct tls_finding){true, TLS_FAULT_WEAK, false, "EE key too small"};
}

static void sha1(struct check_attempt *attempt)
{
    attempt->certificates[0].signature = "sha1WithRSAEncryption";
}

static void sha1_root(struct check_attempt *attempt)
{
    attempt->certificates[1].signature = "sha1WithRSAEncryption";
    attempt->certificates[1].self_signed = true;
}

#define PLAIN(change)                                                                              \
    SPOIL(plain_##change)                                                                          \
    {                                                                                              \
        no_dane(made);                                                                             \
        no_sts(made);                                                                              \
        each(made, change);                                                                        \
    }
#define DANE(change)                                                                               \
    SPOIL(dane_##change)                                                                           \
    {                                                                                              \
        no_sts(made);                                                                              \
        each(made, change);                                                                        \
    }
#define STS(change)                                                                                \
    SPOIL(sts_##change)                                                                            \
    {                                                                                              \
        no_dane(made);                                                                             \
        each(made, change);                                                                        \
    }
#define TESTING(change)                                                                            \
    SPOIL(testing_##change)                                                                        \
    {                                                                                              \
        no_dane(made);                                                                             \
        testing(made);                                                                             \
        each(made, change);                                                                        \
    }
#define ALL(change) PLAIN(change) DANE(change) STS(change) TESTING(change)

ALL(self_signed)
ALL(other_name)
PLAIN(trusted_by_itself)
PLAIN(self_signed_and_expired)
PLAIN(untrusted)
DANE(untrusted)
PLAIN(leaf_alone)
DANE(leaf_alone)
STS(leaf_alone)
PLAIN(wrong_intermediate)
PLAIN(costly)
PLAIN(no_certificate)
STS(no_certificate)
DANE(no_certificate)
ALL(expired)
PLAIN(not_yet)
PLAIN(issuer_expired)
DANE(issuer_expired)
PLAIN(short_key)
STS(too_short_key)
DANE(short_key)
PLAIN(sha1)
DANE(sha1)
PLAIN(sha1_root)

/* DANE and MTA-STS together, and a policy that does not allow the host. */
SPOIL(both_self_signed)
{
    each(made, self_signed);
}
SPOIL(unmatched_self_signed)
{
    no_dane(made);
    made->patterns[0] = H2;
    each(made, self_signed);
}
SPOIL(dane_and_sts_expired)
{
    each(made, expired);
}
SPOIL(one_address_self_signed)
{
    no_dane(made);
    no_sts(made);
    self_signed(&made->hosts[0].addresses[1].attempts[CHECK_OFFER_DEFAULT]);
    self_signed(&made->hosts[0].addresses[1].attempts[CHECK_OFFER_ECDSA]);
}

/* ---- which differ ---- */

static void show(struct made *made, size_t address, enum check_offer offer, char digit)
{
    made_tls(&made->host[0], H1, address, offer, digit);
}

SPOIL(other_at_one)
{
    show(made, 1, CHECK_OFFER_DEFAULT, '3');
    show(made, 1, CHECK_OFFER_ECDSA, '3');
}
SPOIL(other_at_one_without_dane)
{
    other_at_one(made);
    no_dane(made);
}
SPOIL(two_kinds)
{
    for (size_t i = 0; i < MADE_ADDRESSES; i++)
        show(made, i, CHECK_OFFER_RSA, '4');
    show(made, 1, CHECK_OFFER_DEFAULT, '4'); /* which one comes first is chance */
}

#define NO_POLICY "\nnotice no-policy"

static const struct judge_row rows[] = {
    {"self-signed, nobody looks", plain_self_signed,
     "warning certificate-self-signed " BOTH1 NO_POLICY},
    {"self-signed, DANE", dane_self_signed, ""},
    {"self-signed, enforced", sts_self_signed, "critical sts-mx-certificate " BOTH1},
    {"self-signed, tested", testing_self_signed,
     "warning sts-mx-certificate " BOTH1 "\nnotice sts-testing"},
    {"self-signed, DANE and enforced", both_self_signed, "critical sts-mx-certificate " BOTH1},
    {"self-signed, not allowed", unmatched_self_signed,
     "critical sts-mx-unmatched " H1 "\nwarning certificate-self-signed " BOTH1},
    {"self-signed at one address", one_address_self_signed,
     "warning certificate-self-signed " H1 " [2620:fe::1]" NO_POLICY},
    {"another name, nobody looks", plain_other_name, "warning certificate-name " BOTH1 NO_POLICY},
    {"another name, DANE", dane_other_name, ""},
    {"another name, enforced", sts_other_name, "critical sts-mx-certificate " BOTH1},
    {"another name, tested", testing_other_name,
     "warning sts-mx-certificate " BOTH1 "\nnotice sts-testing"},
    {"self-signed, and a trust anchor", plain_trusted_by_itself, "notice no-policy"},
    {"self-signed, and expired", plain_self_signed_and_expired,
     "critical certificate-expired " BOTH1 "\nwarning certificate-self-signed " BOTH1 NO_POLICY},
    {"untrusted", plain_untrusted, "warning certificate-untrusted " BOTH1 NO_POLICY},
    {"untrusted, DANE", dane_untrusted, ""},
    {"no intermediate", plain_leaf_alone, "warning certificate-chain-incomplete " BOTH1 NO_POLICY},
    {"no intermediate, DANE", dane_leaf_alone, ""},
    {"no intermediate, enforced", sts_leaf_alone, "critical sts-mx-certificate " BOTH1},
    {"another intermediate", plain_wrong_intermediate,
     "warning certificate-chain-incomplete " BOTH1 NO_POLICY},
    {"too costly to verify", plain_costly, "warning certificate-untrusted " BOTH1 NO_POLICY},
    {"no certificate", plain_no_certificate, "warning certificate-untrusted " BOTH1 NO_POLICY},
    {"no certificate, enforced", sts_no_certificate, "critical sts-mx-certificate " BOTH1},
    {"no certificate, DANE", dane_no_certificate, "critical tlsa-mismatch " BOTH1},
    {"expired", plain_expired, "critical certificate-expired " BOTH1 NO_POLICY},
    {"expired, DANE by key", dane_expired, "notice certificate-expired " BOTH1},
    {"expired, enforced", sts_expired, "critical certificate-expired " BOTH1},
    {"expired, tested", testing_expired,
     "critical certificate-expired " BOTH1 "\nnotice sts-testing"},
    {"expired, DANE and enforced", dane_and_sts_expired, "critical certificate-expired " BOTH1},
    {"not valid yet", plain_not_yet, "critical certificate-expired " BOTH1 NO_POLICY},
    {"an issuer has expired", plain_issuer_expired,
     "critical certificate-expired " BOTH1 NO_POLICY},
    {"an issuer has expired, DANE by key", dane_issuer_expired, ""},
    {"a short key", plain_short_key, "warning certificate-weak-key " BOTH1 NO_POLICY},
    {"a short key, DANE", dane_short_key, "warning certificate-weak-key " BOTH1},
    {"a key too short, enforced", sts_too_short_key, "critical certificate-weak-key " BOTH1},
    {"SHA-1", plain_sha1, "warning certificate-weak-signature " BOTH1 NO_POLICY},
    {"SHA-1, DANE by key", dane_sha1, ""},
    {"SHA-1 of a root", plain_sha1_root, "notice no-policy"},
    {"another certificate at one address, each with its record", other_at_one, ""},
    {"another certificate at one address", other_at_one_without_dane,
     "notice certificate-differs " H1 " [2620:fe::1]"},
    {"RSA and ECDSA side by side", two_kinds, ""},
};

/* ---- numbers ---- */

static void expect(struct made *made, void (*kind)(struct made *made), const char *want)
{
    if (kind != NULL)
        kind(made);
    assert_string_equal(judge_lines(&made->facts), want);
}

/* A certificate of `life` seconds of which `left` are left; `want`: the severity; NULL: nothing. */
static void ends(int64_t life, int64_t left, const char *want)
{
    struct made *made = facts_make();
    char line[200] = "";

    for (size_t i = 0; i < MADE_ADDRESSES; i++)
        for (size_t o = 0; o < CHECK_OFFER_COUNT; o++) {
            made->host[0].certificates[i][o][0].not_after = MADE_NOW + left;
            made->host[0].certificates[i][o][0].not_before = MADE_NOW + left - life;
        }
    if (want != NULL)
        snprintf(line, sizeof line, "%s " BOTH1, want);
    expect(made, no_dane, line);
}

static void days_to_the_end(void **state)
{
    static const int64_t day = MADE_DAY, life = 90 * MADE_DAY;

    (void)state;
    ends(life, 30 * day + 1, NULL);
    assert_int_equal(judge_report.days_to_expiry, 30);
    ends(life, 30 * day, "notice certificate-expires");
    ends(life, 14 * day + 1, "notice certificate-expires");
    ends(life, 14 * day, "warning certificate-expires");
    ends(life, 3 * day + 1, "warning certificate-expires");
    ends(life, 3 * day, "critical certificate-expires");
    ends(life, 0, "critical certificate-expires");
    assert_int_equal(judge_report.days_to_expiry, 0);
    ends(life, -1, "critical certificate-expired");
    assert_int_equal(judge_report.days_to_expiry, -1);
    ends(life, -day, "critical certificate-expired");
    assert_int_equal(judge_report.days_to_expiry, -1);
    ends(life, -day - 1, "critical certificate-expired");
    assert_int_equal(judge_report.days_to_expiry, -2);
}

/* Those that live for days only are late by their own measure. */
static void short_lives(void **state)
{
    static const int64_t day = MADE_DAY;

    (void)state;
    ends(10 * day, 10 * day / 3 + 1, NULL);
    ends(10 * day, 10 * day / 3, "notice certificate-expires");
    ends(10 * day, 10 * day / 6, "warning certificate-expires");
    ends(10 * day, 10 * day / 12, "critical certificate-expires");
    ends(10 * day + 1, 10 * day, "warning certificate-expires");
}

static void key_sizes(void **state)
{
    static const struct {
        const char *type;
        unsigned bits;
        bool weak;
    } keys[] = {{"RSA", 2047, true},    {"RSA", 2048, false}, {"RSA-PSS", 1024, true},
                {"DSA", 1024, true},    {"EC", 223, true},    {"EC", 224, false},
                {"ED25519", 253, false}};

    (void)state;
    for (size_t i = 0; i < COUNT(keys); i++) {
        struct made *made = facts_make();

        for (size_t k = 0; k < MADE_ADDRESSES; k++)
            for (size_t o = 0; o < CHECK_OFFER_COUNT; o++) {
                made->host[0].certificates[k][o][0].key_type = keys[i].type;
                made->host[0].certificates[k][o][0].key_bits = keys[i].bits;
            }
        expect(made, NULL, keys[i].weak ? "warning certificate-weak-key " BOTH1 : "");
    }
}

static void no_certificate_no_days(void **state)
{
    struct made *made = facts_make();

    (void)state;
    made->facts.probed = false;
    judge_lines(&made->facts);
    assert_false(judge_report.expiry_known);
}

static void every_code(void **state)
{
    static const char *const codes[] = {CHECK_TLS_FINDINGS(JUDGE_CODE)};

    (void)state;
    /* those before the certificates are test_judge_mx's */
    for (size_t i = 0; i < COUNT(codes); i++)
        if (strncmp(codes[i], "certificate-", 12) == 0 &&
            strcmp(codes[i], "certificate-expires") != 0)
            judge_covered(&codes[i], 1, rows, COUNT(rows));
}

int main(void)
{
    ROWS_ADD(rows, judge_test);
    ROWS_ADD_TEST(days_to_the_end);
    ROWS_ADD_TEST(short_lives);
    ROWS_ADD_TEST(key_sizes);
    ROWS_ADD_TEST(no_certificate_no_days);
    ROWS_ADD_TEST(every_code);
    return rows_run("judge_cert");
}
