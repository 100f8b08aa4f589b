/* judge: TLSA records, what they match, and what comes at the next change; signatures, TTLs, name
 * servers. */
#include "tests/unit/check/judge_rows.h"

#include "check/issuers.h"

#define H1    "mx1.example.org"
#define H2    "mx2.example.org"
#define BOTH1 H1 " [9.9.9.1] [2620:fe::1]"

/* ---- whether they count ---- */

SPOIL(nothing)
{
    (void)made;
}
SPOIL(lookup_fails)
{
    made->host[0].tlsa.answer = (struct dns_answer){.outcome = DNS_FAILED, .why = "SERVFAIL"};
    made->hosts[0].record_count = 0;
}
SPOIL(lookup_fails_unsigned)
{
    lookup_fails(made);
    made->host[0].evidence.address_secure = false;
}
SPOIL(lookup_failed_here)
{
    made->hosts[0].tlsa.failed_here = true;
    made->hosts[0].record_count = 0;
}
SPOIL(mx_unsigned)
{
    made->evidence.mx_secure = false;
    made->mx.answer.secure = false;
}
SPOIL(address_unsigned)
{
    made->host[0].evidence.address_secure = false;
    made->host[0].a.answer.secure = made->host[0].aaaa.answer.secure = false;
}
SPOIL(host_unsigned)
{
    address_unsigned(made);
    made->host[0].tlsa.answer.secure = false;
}
SPOIL(all_unsigned)
{
    mx_unsigned(made);
    for (size_t i = 0; i < 2; i++) {
        made->host[i].evidence.address_secure = false;
        made->host[i].tlsa.answer.secure = false;
    }
}
SPOIL(mismatch_unsigned)
{
    host_unsigned(made);
    for (size_t i = 0; i < MADE_ADDRESSES; i++)
        made->hosts[0].addresses[i].attempts[0].tlsa = TLSA_MATCH_MISMATCH;
}
SPOIL(not_validating)
{
    made->facts.validating = false;
    all_unsigned(made);
}
SPOIL(partial)
{
    made->host[1].tlsa.answer.outcome = DNS_NXDOMAIN;
    made->hosts[1].record_count = 0;
}
SPOIL(partial_and_dead)
{
    partial(made);
    made->host[1].a.answer.outcome = made->host[1].aaaa.answer.outcome = DNS_NODATA;
    made->hosts[1].address_count = 0;
}

/* ---- records ---- */

static void one_more(struct made *made, const unsigned form[3])
{
    made_record(&made->host[0], 2, form, '7');
    made->hosts[0].record_count = 3;
}

SPOIL(pkix_too)
{
    one_more(made, FORM(1, 1, 1));
}
SPOIL(only_pkix)
{
    made_record(&made->host[0], 0, FORM(0, 0, 1), '1');
    made_record(&made->host[0], 1, FORM(1, 1, 1), '2');
}
/* The second record has two octets. */
SPOIL(stump)
{
    made->hosts[0].stump_count = 1;
}
SPOIL(only_a_stump)
{
    made->hosts[0].stump_count = 1;
    made->hosts[0].record_count = 0;
}
SPOIL(unusable)
{
    one_more(made, FORM(3, 1, 9));
    made->host[0].records[2].usable = false;
}
SPOIL(without_data)
{
    one_more(made, FORM(3, 1, 1));
    made->host[0].records[2].usable = false;
    made->host[0].records[2].length = 0;
}
SPOIL(form)
{
    one_more(made, FORM(3, 1, 2));
}
SPOIL(ta_certificate)
{
    one_more(made, FORM(2, 0, 1));
}

/* ---- matching ---- */

/* No record matches what that attempt shows. */
static void miss(struct made *made, size_t address, enum check_offer offer, char digit)
{
    struct check_attempt *attempt = &made->hosts[0].addresses[address].attempts[offer];

    made_tls(&made->host[0], H1, address, offer, digit);
    attempt->tlsa = TLSA_MATCH_MISMATCH;
    made->host[0].matched[address][offer][0] = false;
}

SPOIL(mismatch)
{
    for (size_t i = 0; i < MADE_ADDRESSES; i++) {
        miss(made, i, CHECK_OFFER_DEFAULT, '5');
        miss(made, i, CHECK_OFFER_ECDSA, '5');
    }
}
SPOIL(mismatch_at_one)
{
    miss(made, 1, CHECK_OFFER_DEFAULT, '5');
    miss(made, 1, CHECK_OFFER_ECDSA, '5');
}
SPOIL(mismatch_of_two_kinds)
{
    mismatch(made);
    miss(made, 0, CHECK_OFFER_RSA, '4');
    miss(made, 1, CHECK_OFFER_RSA, '4');
}
/* 3 0 1 of the certificate before: what is wrong is that it was renewed, not the form besides. */
SPOIL(renewed_pin)
{
    mismatch(made);
    made_record(&made->host[0], 0, FORM(3, 0, 1), '1');
    made->hosts[0].record_count = 1;
}
/* Of 3 1 1 and 3 1 2 senders look at 3 1 2 alone. */
SPOIL(outranked)
{
    one_more(made, FORM(3, 1, 2));
    for (size_t i = 0; i < MADE_ADDRESSES; i++)
        for (size_t offer = 0; offer < CHECK_OFFER_COUNT; offer++)
            made->hosts[0].addresses[i].attempts[offer].tlsa = TLSA_MATCH_MISMATCH;
}
SPOIL(second_certificate)
{
    miss(made, 0, CHECK_OFFER_RSA, '4');
    miss(made, 1, CHECK_OFFER_RSA, '4');
}
/* One record, which names an issuer, and matches nothing. */
static void anchor(struct made *made, char digit)
{
    mismatch(made);
    made_record(&made->host[0], 0, FORM(2, 1, 1), digit);
    made->hosts[0].record_count = 1;
}
SPOIL(anchor_missing)
{
    anchor(made, '7');
}
SPOIL(anchor_cert_missing)
{
    anchor(made, '7');
    made->host[0].records[0].selector = 0;
}
SPOIL(anchor_other_name)
{
    anchor(made, 'c');
    for (size_t i = 0; i < MADE_ADDRESSES; i++) {
        made->hosts[0].addresses[i].attempts[CHECK_OFFER_DEFAULT].name_ok = false;
        made->hosts[0].addresses[i].attempts[CHECK_OFFER_ECDSA].name_ok = false;
    }
}
SPOIL(anchor_other_name_alone)
{
    made->evidence.sts = (struct sts_evidence){.state = STS_NO_RECORD};
    anchor_other_name(made);
}
SPOIL(anchor_expired)
{
    made->evidence.sts = (struct sts_evidence){.state = STS_NO_RECORD};
    anchor(made, 'c');
    for (size_t i = 0; i < MADE_ADDRESSES; i++)
        for (size_t o = 0; o < CHECK_OFFER_COUNT; o++)
            made->host[0].certificates[i][o][0].not_after = MADE_NOW - 1;
}
SPOIL(anchor_matches)
{
    made_record(&made->host[0], 0, FORM(2, 1, 1), 'c');
    made->hosts[0].record_count = 1;
}
SPOIL(key_and_anchor)
{
    made_record(&made->host[0], 1, FORM(2, 1, 1), 'c');
    for (size_t i = 0; i < MADE_ADDRESSES; i++)
        made->host[0].matched[i][CHECK_OFFER_DEFAULT][1] = true;
}
SPOIL(starttls_is_missing)
{
    for (size_t i = 0; i < MADE_ADDRESSES; i++)
        for (size_t o = 0; o < CHECK_OFFER_COUNT; o++)
            made->hosts[0].addresses[i].attempts[o] =
                (struct check_attempt){.made = o == 0, .state = STARTTLS_CLEAR};
}

/* ---- rollover ---- */

SPOIL(alone)
{
    made->hosts[0].record_count = 1;
}
SPOIL(two_live)
{
    for (size_t i = 0; i < MADE_ADDRESSES; i++) {
        made_tls(&made->host[0], H1, i, CHECK_OFFER_RSA, '4');
        made->host[0].matched[i][CHECK_OFFER_RSA][0] = false;
        made->host[0].matched[i][CHECK_OFFER_RSA][1] = true;
    }
}
SPOIL(pinned)
{
    made_record(&made->host[0], 0, FORM(3, 0, 1), '2');
    made->hosts[0].record_count = 1;
}
SPOIL(pinned_and_next)
{
    made_record(&made->host[0], 0, FORM(3, 0, 1), '2');
}
SPOIL(pinned_and_key)
{
    made_record(&made->host[0], 1, FORM(3, 0, 1), '2');
    for (size_t i = 0; i < MADE_ADDRESSES; i++)
        made->host[0].matched[i][CHECK_OFFER_DEFAULT][1] = true;
}

/* A record that names Let's Encrypt's R3. */
static void retire(struct made *made, size_t record)
{
    const char *digest = "8d02536c887482bc34ff54e41d2ba659bf85b341a0a20afadb5813dcfbcf286d";

    made_record(&made->host[0], record, FORM(2, 1, 1), '1');
    for (size_t i = 0; i < 32; i++)
        assert_int_equal(sscanf(digest + 2 * i, "%2hhx", &made->host[0].data[record][i]), 1);
}
SPOIL(retired_too)
{
    retire(made, 1);
}
SPOIL(retired_alone)
{
    mismatch(made);
    retire(made, 0);
    made->hosts[0].record_count = 1;
}
SPOIL(retired_and_live)
{
    retire(made, 0);
    made->hosts[0].record_count = 1;
}

static const struct judge_row dane_rows[] = {
    {"sound", nothing, ""},
    {"the lookup fails", lookup_fails, "critical tlsa-lookup-failed " H1},
    {"the lookup of a host that is not signed fails", lookup_fails_unsigned, ""},
    {"the lookup failed here", lookup_failed_here, "unknown not-found-out " H1},
    {"MX not signed", mx_unsigned, "warning dane-mx-unsigned"},
    {"addresses not signed", address_unsigned, "warning dane-address-unsigned " H1},
    {"a host's zone not signed", host_unsigned, "warning tlsa-unsigned " H1},
    {"nothing signed", all_unsigned, "warning tlsa-unsigned " H1 "\nwarning tlsa-unsigned " H2},
    {"a mismatch that nobody sees", mismatch_unsigned, "warning tlsa-unsigned " H1},
    {"the resolver does not validate", not_validating, "unknown not-found-out"},
    {"one host without", partial, "warning dane-partial " H2},
    {"a dead host without", partial_and_dead, "warning host-without-address " H2},
    {"usage 1 too", pkix_too, "warning tlsa-pkix-usage " H1},
    {"usages 0 and 1 only", only_pkix, "warning tlsa-pkix-usage " H1},
    {"matching type 9", unusable, "warning tlsa-unusable " H1},
    {"without data", without_data, "warning tlsa-unusable " H1},
    {"3 1 2", form, "notice tlsa-not-recommended " H1},
    {"2 0 1", ta_certificate, ""},
    {"nothing matches", mismatch, "critical tlsa-mismatch " BOTH1},
    {"a record of two octets beside good ones", stump, "warning tlsa-unusable " H1},
    {"a record of two octets alone", only_a_stump, "warning tlsa-unusable " H1},
    {"a pinned certificate was renewed", renewed_pin, "critical tlsa-mismatch " BOTH1},
    {"nothing matches at one address", mismatch_at_one,
     "critical tlsa-mismatch " H1 " [2620:fe::1]"},
    {"nothing matches, of RSA nor of ECDSA", mismatch_of_two_kinds,
     "critical tlsa-mismatch " BOTH1},
    {"SHA-512 does not match, SHA-256 would", outranked, "critical tlsa-mismatch " BOTH1},
    {"RSA does not match", second_certificate, "critical tlsa-second-certificate " BOTH1},
    {"the anchor is not sent", anchor_missing, "critical tlsa-ta-not-sent " BOTH1},
    {"the anchor is not sent, 2 0 1", anchor_cert_missing, "critical tlsa-ta-not-sent " BOTH1},
    {"the anchor is sent, the name is another", anchor_other_name,
     "critical sts-mx-certificate " BOTH1},
    {"the anchor is sent, the name is another, no policy", anchor_other_name_alone,
     "critical certificate-name " BOTH1},
    {"the anchor is sent, the certificate has expired", anchor_expired,
     "critical certificate-expired " BOTH1},
    {"an anchor alone", anchor_matches, ""},
    {"key and anchor", key_and_anchor, ""},
    {"no STARTTLS", starttls_is_missing, "critical starttls-missing " BOTH1},
    {"one record", alone, "notice rollover-not-ready " H1},
    {"RSA and ECDSA, none for the next", two_live, "notice rollover-not-ready " H1},
    {"3 0 1", pinned, "warning rollover-certificate-pinned " H1},
    {"3 0 1, and the next key", pinned_and_next, "notice tlsa-not-recommended " H1},
    {"3 0 1 and 3 1 1", pinned_and_key,
     "notice rollover-not-ready " H1 "\nnotice tlsa-not-recommended " H1},
    {"an issuer that has retired", retired_too, "warning rollover-issuer-retired " H1},
    {"an issuer that has retired, alone", retired_alone, "critical rollover-issuer-retired " H1},
    {"the last certificate of an issuer that has retired", retired_and_live,
     "warning rollover-issuer-retired " H1},
};

/* ---- signatures ---- */

static void sign(struct made_rrset *rrset, int64_t since, int64_t until)
{
    rrset->answer.signed_since = (uint32_t)(MADE_NOW + since);
    rrset->answer.signed_until = (uint32_t)(MADE_NOW + until);
}

SPOIL(zone_ends)
{
    sign(&made->mx, -12 * MADE_DAY, 2 * MADE_DAY);
    sign(&made->host[0].a, -12 * MADE_DAY, 2 * MADE_DAY - 5);
    sign(&made->host[1].tlsa, -12 * MADE_DAY, 2 * MADE_DAY);
}
SPOIL(two_zones_end)
{
    made->zones[1] = (struct check_zone){.name = "mx2.example.org"};
    made->facts.zone_count = 2;
    sign(&made->mx, -12 * MADE_DAY, 2 * MADE_DAY);
    sign(&made->host[1].tlsa, -12 * MADE_DAY, MADE_DAY / 2);
}
SPOIL(absence_ends)
{
    partial_and_dead(made);
    sign(&made->host[1].tlsa, -12 * MADE_DAY, 2 * MADE_DAY);
}
SPOIL(ends_unsecured)
{
    zone_ends(made);
    made->mx.answer.secure = made->host[0].a.answer.secure = made->host[1].tlsa.answer.secure =
        true;
    made->mx.answer.is_signed = made->host[0].a.answer.is_signed =
        made->host[1].tlsa.answer.is_signed = false;
}

/* ---- TTLs and name servers ---- */

SPOIL(long_tlsa)
{
    made->host[0].tlsa.answer.ttl = 86401;
}
SPOIL(day_long_tlsa)
{
    made->host[0].tlsa.answer.ttl = 86400;
}
SPOIL(long_host)
{
    made->host[0].a.answer.ttl = made->host[0].aaaa.answer.ttl = 604801;
}
SPOIL(long_mx)
{
    made->mx.answer.ttl = 604801;
}
SPOIL(lags)
{
    made->servers[1].agreement = CHECK_OTHER;
    made->servers[1].serial = 2026112700;
    made->servers[1].rrset = "TLSA _25._tcp.mx1.example.org";
}
SPOIL(server_silent)
{
    made->servers[1].agreement = CHECK_SILENT;
    made->servers[1].why = "timeout";
}
SPOIL(servers_without_route)
{
    assert_true(ip_parse(&made->servers[1].ip, "2620:fe::53"));
    made->servers[1].agreement = CHECK_SILENT;
    made->servers[1].why = "2620:fe::53: network is unreachable";
}
SPOIL(no_server_answers)
{
    server_silent(made);
    made->servers[0] = made->servers[1];
}
static void lose_server(struct made *made, const char *name, bool too_many)
{
    made->lost[0] =
        (struct check_lost){name, "its addresses cannot be looked up: SERVFAIL", too_many};
    made->zones[0].lost = made->lost;
    made->zones[0].lost_count = 1;
}
SPOIL(server_lost)
{
    lose_server(made, "ns3.example.org", false);
}
SPOIL(one_address_lost)
{
    lose_server(made, "ns2.example.org", false);
}
SPOIL(too_many_servers)
{
    lose_server(made, "ns14.example.org", true);
}
SPOIL(no_ipv6_here)
{
    servers_without_route(made);
    for (size_t i = 0; i < 2; i++)
        made->hosts[i].address_count = 1;
}
SPOIL(server_not_asked)
{
    made->servers[1].agreement = CHECK_NOT_ASKED;
}

static const struct judge_row dns_rows[] = {
    {"signatures of a zone end", zone_ends, "warning signature-expires example.org"},
    {"signatures of two zones end", two_zones_end,
     "critical signature-expires mx2.example.org\nwarning signature-expires example.org"},
    {"signatures of an absence end", absence_ends,
     "warning host-without-address " H2 "\nwarning signature-expires example.org"},
    {"no signatures", ends_unsecured, ""},
    {"TLSA cached for more than a day", long_tlsa, "notice ttl-long " H1},
    {"TLSA cached for a day", day_long_tlsa, ""},
    {"a host cached for more than a week", long_host, "notice ttl-long " H1},
    {"MX cached for more than a week", long_mx, "notice ttl-long"},
    {"a server lags", lags, "warning name-server-lags example.org"},
    {"a server is silent", server_silent, "warning name-server-silent example.org"},
    {"a server whose addresses cannot be looked up", server_lost,
     "warning name-server-silent example.org"},
    {"a server, one of whose addresses cannot be looked up", one_address_lost, ""},
    {"more servers than are asked", too_many_servers, ""},
    {"no name server answers here", no_server_answers, "notice not-found-out"},
    {"servers without a route, and mail hosts with one", servers_without_route,
     "warning name-server-silent example.org"},
    {"no IPv6 here, and name servers with it", no_ipv6_here, ""},
    {"a server was not asked", server_not_asked, ""},
};

/* A cache holds an answer that has little time left, or much, whatever servers sign by now. */
static void cached_signatures(void **state)
{
    struct made *made = facts_make();
    struct dns_answer published = made->mx.answer;

    (void)state;
    published.signed_since = MADE_NOW - MADE_DAY;
    published.signed_until = MADE_NOW + MADE_DAY;
    sign(&made->mx, -2 * MADE_DAY, 3600);
    made->facts.mx.published = &published;
    assert_string_equal(judge_lines(&made->facts), "");
    published.signed_until = MADE_NOW + 3600;
    sign(&made->mx, -2 * MADE_DAY, 10 * MADE_DAY);
    assert_string_equal(judge_lines(&made->facts), "critical signature-expires example.org");
}

/* A signature of `life` seconds of which `left` are left. */
static void ends(int64_t life, int64_t left, const char *want)
{
    struct made *made = facts_make();

    sign(&made->mx, left - life, left);
    assert_string_equal(judge_lines(&made->facts), want);
}

#define WARNS  "warning signature-expires example.org"
#define ALARMS "critical signature-expires example.org"

static void days_to_the_end(void **state)
{
    static const int64_t day = MADE_DAY;

    (void)state;
    ends(14 * day, 3 * day + 1, "");
    ends(14 * day, 3 * day, WARNS);
    ends(14 * day, day + 1, WARNS);
    ends(14 * day, day, ALARMS);
    ends(14 * day, 0, ALARMS);
    ends(14 * day, -1, ALARMS);
    /* made as they are asked for */
    ends(2 * day, day, "");
    ends(2 * day, day / 2 + 1, "");
    ends(2 * day, day / 2, WARNS);
    ends(2 * day, day / 4, ALARMS);
    ends(7 * day, 2 * day, WARNS);
    ends(7 * day - 4, 2 * day, "");
}

/* RFC 1982: after February 2106 the seconds begin again. */
static void seconds_begin_again(void **state)
{
    struct made *made = facts_make();

    (void)state;
    made->facts.now_s = INT64_C(4294967296) - MADE_DAY;
    made->evidence.sts = (struct sts_evidence){.state = STS_NO_RECORD};
    made->facts.probed = false;
    for (size_t i = 0; i < 2; i++)
        made->hosts[i].a.answer = made->hosts[i].aaaa.answer = made->hosts[i].tlsa.answer = NULL;
    made->facts.sts_record.answer = made->facts.tlsrpt_record.answer = NULL;
    made->facts.sts_a.answer = made->facts.sts_aaaa.answer = NULL;
    made->mx.answer.signed_since = (uint32_t)(INT64_C(4294967296) - 13 * MADE_DAY);
    made->mx.answer.signed_until = (uint32_t)(INT64_C(4294967296) + MADE_DAY);
    judge_lines(&made->facts);
    assert_int_equal(judge_finding("signature-expires")->severity, CHECK_WARNING);
}

/* ---- texts ---- */

/* The digests that are needed to see what is wrong, and the record to publish. */
static void evidence_of_a_mismatch(void **state)
{
    struct made *made = facts_make();
    const struct check_finding *finding;
    char fives[65], fix[200];

    (void)state;
    mismatch(made);
    judge_lines(&made->facts);
    finding = judge_finding("tlsa-mismatch");
    made_digest(fives, '5');
    snprintf(fix, sizeof fix, "publish _25._tcp.mx1.example.org. IN TLSA 3 1 1 %s,", fives);
    assert_string_equal(finding->evidence,
                        "shown: mx1.example.org (EC) 3 1 1 5555555555555555..., G1 (RSA) 2 1 1 "
                        "cccccccccccccccc...; published: 3 1 1 1111111111111111..., 3 1 1 "
                        "2222222222222222...");
    assert_int_equal(strncmp(finding->fix, fix, strlen(fix)), 0);
    assert_string_equal(finding->host, H1);
}

static void retired_issuers(void **state)
{
    uint8_t octets[ISSUER_DIGEST_OCTETS] = {0};
    const char *digest;
    size_t count = 0;

    (void)state;
    assert_null(issuer_retired(octets, sizeof octets));
    for (; (digest = issuer_digest(count)) != NULL; count++) {
        assert_int_equal(strlen(digest), 2 * ISSUER_DIGEST_OCTETS);
        for (size_t i = 0; i < sizeof octets; i++)
            assert_int_equal(sscanf(digest + 2 * i, "%2hhx", &octets[i]), 1);
        assert_non_null(issuer_retired(octets, sizeof octets));
        assert_null(issuer_retired(octets, sizeof octets - 1));
        for (size_t k = 0; k < count; k++)
            assert_string_not_equal(digest, issuer_digest(k));
    }
    assert_true(count >= 16);
}

static void every_code(void **state)
{
    static const char *const codes[] = {CHECK_DANE_FINDINGS(JUDGE_CODE)};
    static struct judge_row all[COUNT(dane_rows) + COUNT(dns_rows)];

    (void)state;
    memcpy(all, dane_rows, sizeof dane_rows);
    memcpy(all + COUNT(dane_rows), dns_rows, sizeof dns_rows);
    judge_covered(codes, COUNT(codes), all, COUNT(all));
}

int main(void)
{
    ROWS_ADD(dane_rows, judge_test);
    ROWS_ADD(dns_rows, judge_test);
    ROWS_ADD_TEST(days_to_the_end);
    ROWS_ADD_TEST(seconds_begin_again);
    ROWS_ADD_TEST(cached_signatures);
    ROWS_ADD_TEST(evidence_of_a_mismatch);
    ROWS_ADD_TEST(retired_issuers);
    ROWS_ADD_TEST(every_code);
    return rows_run("judge_dane");
}
