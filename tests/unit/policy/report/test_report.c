/* What an operator is told: right, specific, and never an absence that nobody looked for. */
#include "tests/unit/support/rows.h"

#include <stdlib.h>

#include "tests/unit/support/evidence_make.h"
#include "policy/report/report.h"
#include "tests/unit/support/report_found.h"

#define SAYS 4

struct row {
    const char *name;
    enum mx_state mx;
    bool secure;
    const char *hosts;
    char sts;
    const char *probes;
    void (*change)(struct made *made, struct verdict_options *options);
    const char *answer;
    const char *reason;
    const char *says[SAYS];     /* each in some sentence of `why` */
    const char *not_said[SAYS]; /* none in any sentence of `why` or `change` */
    const char *advises[SAYS];  /* each in some sentence of `change` */
};

#define CHANGE(name, statement)                                                                    \
    static void name(struct made *made, struct verdict_options *options)                           \
    {                                                                                              \
        (void)made;                                                                                \
        (void)options;                                                                             \
        statement;                                                                                 \
    }

CHANGE(nothing, (void)0)
CHANGE(open_lookup, made->evidence.complete = false)
CHANGE(without_dane, options->dane = false)
CHANGE(without_probe, options->probe = false)
CHANGE(level_encrypt, options->verify = false)
CHANGE(testing, options->testing_enforced = true)
CHANGE(partial_only, options->partial_dane = PARTIAL_DANE_ONLY)
CHANGE(partial_dane, options->partial_dane = PARTIAL_DANE_OPPORTUNISTIC)
CHANGE(mx_cut, made->evidence.mx_truncated = true)
CHANGE(tlsa_cut, made->hosts[0].tlsa_truncated = true)
CHANGE(tlsa_short, made->hosts[0].tlsa_short = true)
CHANGE(usage_0, made->tlsa[0].usage = 0)
CHANGE(digest_31, made->tlsa[0].length = 31)
CHANGE(why_mx, made->evidence.mx_why = "SERVFAIL (EDE 6: DNSSEC Bogus)")
CHANGE(why_host, made->hosts[0].why = "TLSA lookup _25._tcp.mx0.example.com: timeout")
CHANGE(why_gone, made->hosts[0].why = "mx0.example.com does not exist")
CHANGE(why_sts, made->evidence.sts.why = "HTTP status 500";
       made->evidence.sts.retry_at = MAKE_NOW + 600000)
CHANGE(no_pattern, made->policy.mx_count = 0)
CHANGE(uncover, made->patterns[0] = "mail.example.org")
CHANGE(all_without, made->hosts[0].address_secure = true)
CHANGE(mismatch, made->addresses[0][0].starttls.tlsa = TLSA_MATCH_MISMATCH)
CHANGE(mismatch_one, mismatch(made, options); made->addresses[0][1].starttls.tlsa = TLSA_MATCH_OK)
CHANGE(expired, made->addresses[0][0].starttls.detail = "certificate has expired")
CHANGE(forbidden, made->addresses[0][0].starttls.detail = "not a global unicast address")
CHANGE(foreign, made->addresses[0][0].starttls.detail = "500 \xc3\xbc\033[31m")

/* A row is read as a whole, so it is laid out by hand. */
/* clang-format off */
static const struct row rows[] = {
    {"B-1 FULL", MX_LISTED, true, "U", 'n', "", nothing, "OK dane-only", "dane-full",
     {"MX records of example.com are signed", "Usable TLSA records, signed with DNSSEC: mx0"},
     {"Warning", "MTA-STS"}, {"Nothing is stronger"}},
    {"A-39 FULL beside MTA-STS", MX_LISTED, true, "U", 'E', "", nothing, "OK dane-only",
     "dane-full", {"DANE goes before it"}, {NULL}, {NULL}},
    {"B-14 FULL, one host dead", MX_LISTED, true, "DU", 'n', "", why_gone, "OK dane-only",
     "dane-full", {"no address is known: mx0.example.com (mx0.example.com does not exist)"},
     {NULL}, {NULL}},
    {"B-15 FULL, one in error", MX_LISTED, true, "EU", 'n', "", why_host, "OK dane-only",
     "dane-full", {"because the TLSA lookup failed; Postfix skips", "timeout"}, {NULL}, {NULL}},
    {"hostile 42 TLSA that never match", MX_LISTED, true, "U", 'n', "T", mismatch, "OK dane-only",
     "dane-full",
     {"Warning: mail will be deferred: no TLSA record matches the certificate at mx0.example.com "
     "[192.0.2.1]."}, {NULL}, {"Domain owner: TLSA records that match"}},
    {"hostile 42 TLSA that match elsewhere", MX_LISTED, true, "U", 'n', "TT", mismatch_one,
     "OK dane-only", "dane-full",
     {"Warning: no mail gets through where no TLSA record matches the certificate: mx0.example.com "
     "[192.0.2.1]."}, {"will be deferred"}, {NULL}},
    {"DANE without STARTTLS", MX_LISTED, true, "U", 'n', "C", nothing, "OK dane-only", "dane-full",
     {"Warning: mail will be deferred where TLS is demanded", "is not offered"}, {NULL}, {NULL}},
    {"F-10 truncated", MX_LISTED, true, "U", 'n', "", mx_cut, "OK dane", "dane-truncated",
     {"more than 50 mail hosts", "dane-only is not given"}, {NULL}, {"at most 50 mail hosts"}},
    {"hostile 21 truncated TLSA", MX_LISTED, true, "U", 'n', "", tlsa_cut, "OK dane",
     "dane-truncated", {"Too many TLSA records to look at them all: mx0"}, {NULL},
     {"at most 100"}},
    {"B-13 MIXED", MX_LISTED, true, "UN", 'n', "", nothing, "OK dane", "dane-mixed",
     {"Usable TLSA records: mx0", "addresses are not signed with DNSSEC, so TLSA does not count: "
     "mx1"}, {"No TLSA records"}, {"TLSA records at mx1.example.com", "partial-dane"}},
    {"B-13 MIXED, enforce", MX_LISTED, true, "UN", 'E', "", nothing, "OK dane-only",
     "dane-mixed-sts", {"only hosts with usable TLSA are used"}, {"would make it dane-only"},
     {"mx1.example.com would let mail go there too"}},
    {"B-13 partial-dane = dane-only", MX_LISTED, true, "UN", 'n', "", partial_only, "OK dane-only",
     "dane-mixed", {"partial-dane = dane-only: hosts without"}, {NULL}, {NULL}},
    {"B-13 partial-dane = dane", MX_LISTED, true, "UN", 'E', "", partial_dane, "OK dane",
     "dane-mixed", {"partial-dane = dane: hosts without"}, {NULL}, {NULL}},
    {"B-2 UNSIGNED", MX_LISTED, false, "U", 'n', "", nothing, "OK dane", "dane-unsigned",
     {"MX records of example.com are not signed", "smtp_tls_dane_insecure_mx_policy"}, {NULL},
     {"DNSSEC for example.com would make it dane-only", "MTA-STS policy in enforce mode"}},
    {"B-9 usage 0", MX_LISTED, true, "B", 'n', "", usage_0, "OK encrypt", "dane-unusable",
     {"TLSA records at mx0.example.com", "0 1 1: certificate usages 0 and 1 are not for SMTP"},
     {NULL}, {"3 1 1"}},
    {"B-11 a digest of 31 octets", MX_LISTED, true, "B", 'n', "", digest_31, "OK encrypt",
     "dane-unusable", {"3 1 1: a SHA-256 digest of the wrong length"}, {NULL}, {NULL}},
    {"UNUSABLE and 5xx", MX_LISTED, true, "B", 'n', "R", usage_0, "OK encrypt", "dane-unusable",
     {"Warning: mail may bounce"}, {NULL}, {NULL}},
    {"B-5 ERROR", MX_LISTED, true, "E", 'n', "", why_host, "OK dane", "dane-error",
     {"The TLSA lookup failed: mx0.example.com (TLSA lookup _25._tcp.mx0.example.com: timeout)",
     "not an absence"}, {"No TLSA records"}, {"delv _25._tcp.mx0.example.com TLSA"}},
    {"B-5 ERROR, enforce", MX_LISTED, true, "E", 'E', "", why_host,
     "TEMP TLSA lookup _25._tcp.mx0.example.com: timeout; MTA-STS of example.com is enforced, so "
     "mail waits", "dane-error-sts", {"timeout", "so mail waits", "keeps the mail in its queue"},
     {NULL}, {"delv"}},
    {"B-15 all lost", MX_LISTED, true, "L", 'n', "", why_gone, "OK dane", "dane-error",
     {"The address lookup failed: mx0"}, {NULL}, {"answer for the address of mx0"}},
    {"C-2 short TLSA", MX_LISTED, true, "U", 'n', "", tlsa_short, "OK encrypt", "dane-short-tlsa",
     {"3 octets, without data: mx0"}, {NULL}, {"must be removed from mx0"}},

    {"A-1 enforce", MX_LISTED, true, "N", 'E', "V", nothing,
     "OK secure match=mx0.example.com:.example.net servername=hostname", "sts-enforce",
     {"MTA-STS policy in enforce mode for these hosts: mx0.example.com, *.example.net",
     "max_age ends in 1 day", "valid for a host of the policy"}, {"Warning", "Not covered",
     "No TLSA records"}, {NULL}},
    {"A-33 a remembered policy", MX_LISTED, false, "N", 'E', "", why_sts,
     "OK secure match=mx0.example.com:.example.net servername=hostname", "sts-enforce",
     {"attempt to renew it failed (HTTP status 500)"}, {NULL}, {NULL}},
    {"A-16 testing enforced", MX_LISTED, false, "N", 'T', "", testing,
     "OK secure match=mx0.example.com:.example.net servername=hostname", "sts-testing-enforced",
     {"testing = enforce", "in testing mode"}, {NULL}, {"testing = none"}},
    {"A-17 max_age 0", MX_LISTED, false, "N", 'Z', "", nothing,
     "OK secure match=mx0.example.com:.example.net servername=hostname", "sts-enforce",
     {"good for this answer only"}, {NULL}, {NULL}},
    {"hostile 43 a policy that covers no MX", MX_LISTED, false, "N", 'E', "", uncover,
     "OK secure match=mail.example.org:.example.net servername=hostname", "sts-enforce",
     {"Warning: mail will be deferred: the policy covers none of the current mail hosts "
     "(mx0.example.com)"}, {NULL}, {"for mx0.example.com to get mail"}},
    {"hostile 43 a policy that covers one of two", MX_LISTED, false, "NN", 'E', "", nothing,
     "OK secure match=mx0.example.com:.example.net servername=hostname", "sts-enforce",
     {"Not covered by the policy", "mx1.example.com"}, {"Warning"}, {"mx line"}},
    {"A-44 a policy without a pattern for Postfix", MX_LISTED, false, "N", 'E', "", no_pattern,
     "OK secure match=no-mx-matches-the-mta-sts-policy.invalid servername=hostname", "sts-enforce",
     {"the policy covers none of the current mail hosts"}, {NULL}, {NULL}},
    {"secure where the certificate is bad", MX_LISTED, false, "N", 'E', "T", expired,
     "OK secure match=mx0.example.com:.example.net servername=hostname", "sts-enforce",
     {"Warning: mail may be deferred", "certificate has expired"}, {NULL}, {NULL}},
    {"secure although TLSA exist", MX_LISTED, false, "U", 'E', "", nothing,
     "OK secure match=mx0.example.com:.example.net servername=hostname", "sts-enforce",
     {"There are usable TLSA records (mx0.example.com), but the MX records"}, {NULL},
     {"DNSSEC for example.com would make it dane-only"}},

    {"G-1 verified", MX_LISTED, true, "N", 'n', "V", all_without, "OK verify servername=hostname",
     "starttls-verified",
     {"STARTTLS works with a certificate valid for the host at every address that answered: "
     "mx0.example.com [192.0.2.1].", "No TLSA records: mx0",
     "there is no record at _mta-sts.example.com"},
     {"not signed"}, {"One address that answers without TLS would end it"}},
    {"G-1 verified, probe-level = encrypt", MX_LISTED, false, "N", 'n', "V", level_encrypt,
     "OK encrypt", "starttls-verified", {"probe-level = encrypt"}, {NULL},
     {"probe-level = verify"}},
    {"G-1 TLS", MX_LISTED, false, "N", 'f', "T", expired, "OK encrypt", "starttls-tls",
     {"needs a certificate valid for the host: mx0.example.com [192.0.2.1]: certificate has expired",
     "could not be fetched"}, {NULL}, {"certificate valid for the host would make it verify",
     "policy can be fetched, it counts"}},
    {"G-13 PARTLY names the hosts", MX_LISTED, false, "NN", 'n', "V,C", nothing, "NOTFOUND",
     "starttls-partly", {"does not work at: mx1.example.com [192.0.2.11]: STARTTLS is not offered",
     "works at: mx0.example.com [192.0.2.1]."}, {NULL}, {"STARTTLS must work at mx1.example.com"}},
    {"G-13 silence is told", MX_LISTED, false, "N", 'n', "TS", nothing, "OK encrypt",
     "starttls-tls", {"no usable answer came: mx0.example.com [192.0.2.2]: did not answer"},
     {NULL}, {NULL}},
    {"G-2 CLEAR", MX_LISTED, false, "N", 'n', "C", nothing, "NOTFOUND", "starttls-clear",
     {"at no address that answered: mx0.example.com [192.0.2.1]", "level of its main.cf"}, {NULL},
     {NULL}},
    {"G-4 REFUSED", MX_LISTED, false, "N", 'n', "R", nothing, "NOTFOUND", "starttls-refused",
     {"refused with 5xx: mx0.example.com [192.0.2.1]", "bounce"}, {NULL}, {NULL}},
    {"nobody answers", MX_LISTED, false, "N", 'n', "S", nothing, "NOTFOUND", "starttls-unknown",
     {"No usable answer: mx0.example.com [192.0.2.1]"}, {NULL}, {"connect to port 25"}},
    {"hostile 11 nobody is asked", MX_LISTED, false, "N", 'n', "K", forbidden, "NOTFOUND",
     "starttls-unknown", {"Not connected to: mx0.example.com [192.0.2.1]: not a global"}, {NULL},
     {"allow-address"}},
    {"probe = no", MX_LISTED, false, "N", 'n', "?", without_probe, "NOTFOUND", "starttls-unknown",
     {"probe = no"}, {NULL}, {"probe = yes"}},
    {"dane = no does not speak of missing TLSA", MX_LISTED, true, "N", 'n', "C", without_dane,
     "NOTFOUND", "starttls-clear", {"dane = no"}, {"No TLSA records", "not signed"},
     {"smtp_dns_support_level"}},
    {"A-16 testing", MX_LISTED, false, "N", 'T', "C", nothing, "NOTFOUND", "starttls-clear",
     {"in testing mode is not enforced"}, {NULL}, {"testing = enforce", "mode enforce"}},
    {"A-15 mode none", MX_LISTED, false, "N", '0', "C", nothing, "NOTFOUND", "starttls-clear",
     {"mode none: it asks for nothing"}, {"for these hosts"}, {NULL}},
    {"A-34 past its max_age", MX_LISTED, false, "N", 'X', "C", nothing, "NOTFOUND",
     "starttls-clear", {"past its max_age"}, {"for these hosts"}, {NULL}},
    {"A-9 a bad record", MX_LISTED, false, "N", 'r', "C", why_sts, "NOTFOUND", "starttls-clear",
     {"_mta-sts.example.com has a syntax error (HTTP status 500)"}, {NULL},
     {"MTA-STS record is corrected", "fetched again in 10 minutes"}},
    {"A-12 a bad policy", MX_LISTED, false, "N", 'b', "C", nothing, "NOTFOUND", "starttls-clear",
     {"The MTA-STS policy of example.com has a syntax error, so there is none"}, {NULL},
     {"MTA-STS policy is corrected, it counts"}},
    {"the TXT lookup failed", MX_LISTED, false, "N", 'd', "C", nothing, "NOTFOUND",
     "starttls-clear", {"lookup of _mta-sts.example.com failed"}, {"No MTA-STS"}, {NULL}},

    {"E-1 null MX", MX_NULL, false, "", '-', "", nothing, "NOTFOUND", "null-mx",
     {"null MX (RFC 7505)"}, {"MTA-STS"}, {"in place of the null MX"}},
    {"B-20 NXDOMAIN", MX_NXDOMAIN, false, "", '-', "", nothing, "NOTFOUND", "nxdomain",
     {"example.com does not exist"}, {NULL}, {"check the spelling"}},
    {"F-8 no address", MX_LISTED, false, "D", 'n', "", why_gone, "NOTFOUND", "no-mx-host",
     {"No mail host has an address: mx0.example.com (mx0.example.com does not exist)"}, {NULL},
     {"an address is needed for mx0"}},
    {"F-8 no host name", MX_UNUSABLE, false, "", 'n', "", nothing, "NOTFOUND", "no-mx-host",
     {"none that holds a valid host name"}, {NULL}, {"with valid host names"}},
    {"B-17 MX error", MX_ERROR, false, "", '-', "", why_mx,
     "TEMP MX lookup of example.com failed: SERVFAIL (EDE 6: DNSSEC Bogus); mail waits for the DNS",
     "mx-error", {"The MX lookup of example.com failed: SERVFAIL (EDE 6: DNSSEC Bogus)"}, {NULL},
     {"delv example.com MX"}},
    {"implicit MX", MX_IMPLICIT, false, "U", 'n', "", nothing, "OK dane-only", "dane-full",
     {"has no MX record and is its own mail host"}, {"not signed"}, {NULL}},
    {"A-31 [host]", MX_SELF, false, "N", '-', "V", nothing, "OK verify servername=hostname",
     "starttls-verified", {"MTA-STS was not looked up"}, {NULL}, {NULL}},

    {"open: the MX", MX_UNKNOWN, false, "", '?', "", open_lookup,
     "TEMP MX lookup of example.com has not been answered yet; try again shortly", "pending",
     {"MX lookup of example.com has not been answered"}, {NULL}, {"ask again"}},
    {"open: a host", MX_LISTED, true, "U?", '?', "", open_lookup,
     "TEMP DNS of mail host mx1.example.com of example.com has not answered yet; try again shortly",
     "pending", {"has not answered yet for: mx1"}, {NULL}, {NULL}},
    {"open: probes", MX_LISTED, false, "N", 'n', "?", open_lookup, "NOTFOUND", "deadline",
     {"The probes have not ended: mx0.example.com [192.0.2.1]"}, {NULL}, {"answer-deadline"}},
    {"hostile 45 foreign octets", MX_LISTED, false, "N", 'n', "C", foreign, "NOTFOUND",
     "starttls-clear", {"500 ???[31m"}, {NULL}, {NULL}},
};
/* clang-format on */

static bool said(const json_t *sentences, const char *text)
{
    const json_t *sentence;
    size_t i;

    json_array_foreach(sentences, i, sentence)
    {
        if (strstr(json_string_value(sentence), text) != NULL)
            return true;
    }
    return false;
}

static void assert_said(const json_t *sentences, const char *const texts[SAYS], bool want)
{
    for (size_t i = 0; i < SAYS && texts[i] != NULL; i++)
        if (said(sentences, texts[i]) != want) {
            char *all = json_dumps(sentences, JSON_INDENT(2));

            print_error("%s: %s\n%s\n", want ? "not said" : "said", texts[i], all);
            free(all);
            fail();
        }
}

static json_t *explain(const char *text, struct made *made, const struct verdict_options *options)
{
    struct verdict verdict;
    struct key key;

    key_parse(&key, text, strlen(text), 25);
    verdict_decide(&verdict, &made->evidence, NULL, options, MAKE_NOW);
    return report_found(&key, &verdict, &made->evidence, MAKE_NOW);
}

static const char *text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

static void test_row(void **state)
{
    const struct row *row = *state;
    struct verdict_options options = make_options();
    struct made made;
    json_t *report;

    make_evidence(&made, row->mx, row->secure, row->hosts, row->sts, row->probes);
    made.evidence.complete = true;
    row->change(&made, &options);
    report = explain(row->mx == MX_SELF ? "[mx0.example.com]" : "example.com", &made, &options);
    assert_non_null(report);
    assert_string_equal(text_of(report, "answer"), row->answer);
    assert_string_equal(text_of(report, "reason"), row->reason);
    assert_memory_equal(row->answer, text_of(report, "status"), strlen(text_of(report, "status")));
    assert_said(json_object_get(report, "why"), row->says, true);
    assert_said(json_object_get(report, "why"), row->not_said, false);
    assert_said(json_object_get(report, "change"), row->not_said, false);
    assert_said(json_object_get(report, "change"), row->advises, true);
    json_decref(report);
}

/* ---- the tree ---- */

static void fill(struct made *made)
{
    static const uint8_t digest[32] = {0xab, 0xcd};
    struct starttls_result *result;

    make_evidence(made, MX_LISTED, true, "UN", 'E', "T,S");
    made->evidence.expanded = "other.example.com";
    made->tlsa[0].data = digest;
    made->hosts[0].expanded = "real.example.com";
    made->hosts[1].why = "nothing";
    made->hosts[1].ttl = UINT32_MAX;
    result = &made->addresses[0][0].starttls;
    *result = (struct starttls_result){
        .state = STARTTLS_TLS,
        .name_ok = true,
        .tlsa = TLSA_MATCH_OK,
        .requiretls = true,
        .code = 220,
        .probed_at = MAKE_NOW - 5000,
        .valid_until = MAKE_NOW + 60000,
        .protocol = "TLSv1.3",
        .cipher = "TLS_AES_256_GCM_SHA384",
        .subject = "mx0.example.com",
        .detail = "certificate has expired",
        .not_after = 1700000000,
    };
    made->addresses[0][0].secure = true;
    made->evidence.sts.why = "why";
    made->evidence.sts.retry_at = MAKE_NOW + 300000;
    made->evidence.complete = true;
}

static void test_tree_holds_everything(void **state)
{
    static const char want[] =
        "{\"domain\":\"example.com\",\"port\":25,\"expanded\":\"other.example.com\",\"complete\":"
        "true,\"mx\":{\"state\":\"listed\",\"secure\":true,\"truncated\":false,\"ttl\":3600,"
        "\"why\":null},\"dane\":\"mixed\",\"mta_sts\":{\"state\":\"policy\",\"mode\":\"enforce\","
        "\"in_force\":true,\"id\":\"20240101\",\"max_age\":86400,\"mx\":[\"mx0.example.com\","
        "\"*.example.net\"],\"mx_left_out\":[],\"lines\":[\"version: STSv1\",\"mode: enforce\","
        "\"mx: mx0.example.com\",\"mx: "
        "*.example.net\"],\"fetched_s_ago\":0,\"ends_in_s\":86400,\"remembered_for_s\":86400,"
        "\"retry_in_s\":300,\"ttl\":3600,\"why\":\"why\"},\"starttls\":\"tls\",\"hosts\":["
        "{\"name\":\"mx0.example.com\",\"preference\":10,\"expanded\":\"real.example.com\","
        "\"dane\":\"usable\",\"address_secure\":true,\"addresses_known\":true,\"tlsa_base\":"
        "\"mx0.example.com\",\"tlsa_short\":false,\"tlsa_truncated\":false,\"mta_sts_match\":true,"
        "\"ttl\":3600,\"why\":null,\"tlsa\":[{\"usage\":3,\"selector\":1,\"mtype\":1,\"usable\":"
        "true,\"length\":32,\"data\":"
        "\"abcd000000000000000000000000000000000000000000000000000000000000\"}],\"addresses\":[{"
        "\"address\":\"192.0.2.1\",\"secure\":true,\"starttls\":\"tls\",\"tls\":\"TLSv1.3\","
        "\"cipher\":\"TLS_AES_256_GCM_SHA384\",\"chain\":\"not trusted\",\"name_ok\":true,"
        "\"subject\":\"mx0.example.com\",\"not_after\":1700000000,\"tlsa\":\"match\","
        "\"requiretls\":true,\"distrusted\":false,\"detail\":\"certificate has "
        "expired\",\"code\":220,"
        "\"probed_s_ago\":5,\"next_probe_in_s\":60}]},{\"name\":\"mx1.example.com\","
        "\"preference\":20,\"expanded\":null,\"dane\":\"none\",\"address_secure\":false,"
        "\"addresses_known\":true,\"tlsa_base\":null,\"tlsa_short\":false,\"tlsa_truncated\":false,"
        "\"mta_sts_match\":false,\"ttl\":null,\"why\":\"nothing\",\"tlsa\":[],\"addresses\":[{"
        "\"address\":\"192.0.2.11\",\"secure\":false,\"starttls\":\"silent\",\"tls\":null,"
        "\"cipher\":null,\"chain\":null,\"name_ok\":null,\"subject\":null,\"not_after\":null,"
        "\"tlsa\":\"none\",\"requiretls\":false,\"distrusted\":false,\"detail\":null,\"code\":0,"
        "\"probed_s_ago\":null,"
        "\"next_probe_in_s\":null}]}]}";
    struct verdict_options options = make_options();
    struct made made;
    json_t *report;
    char *got;

    (void)state;
    fill(&made);
    report = explain("Example.com", &made, &options);
    got = json_dumps(json_object_get(report, "evidence"), JSON_COMPACT);
    assert_string_equal(got, want);
    assert_string_equal(text_of(report, "key"), "example.com");
    assert_string_equal(text_of(report, "status"), "OK");
    assert_string_equal(text_of(report, "level"), "dane-only");
    assert_int_equal(json_integer_value(json_object_get(report, "valid_for_s")), 300);
    free(got);
    json_decref(report);
}

static void test_one_host(void **state)
{
    struct made made;
    json_t *host;

    (void)state;
    fill(&made);
    host = report_host(&made.hosts[0], MAKE_NOW);
    assert_string_equal(text_of(host, "name"), "mx0.example.com");
    assert_true(json_is_null(json_object_get(host, "mta_sts_match")));
    assert_int_equal(json_array_size(json_object_get(host, "addresses")), 1);
    json_decref(host);
}

static void test_long_tlsa_data_is_cut(void **state)
{
    static const uint8_t data[513];
    struct made made;
    json_t *host, *tlsa;

    (void)state;
    for (uint16_t length = 511; length <= 513; length++) {
        fill(&made);
        made.tlsa[0].data = data;
        made.tlsa[0].length = length;
        host = report_host(&made.hosts[0], MAKE_NOW);
        tlsa = json_array_get(json_object_get(host, "tlsa"), 0);
        assert_int_equal(json_string_length(json_object_get(tlsa, "data")),
                         2 * (length < 512 ? length : 512));
        assert_int_equal(json_integer_value(json_object_get(tlsa, "length")), length);
        json_decref(host);
    }
}

/* ---- lists ---- */

static void test_long_lists_are_counted(void **state)
{
    struct verdict_options options = make_options();
    struct mx_host hosts[8];
    struct made made;
    json_t *report;

    (void)state;
    make_evidence(&made, MX_LISTED, true, "U", 'n', "");
    for (size_t i = 0; i < COUNT(hosts); i++)
        hosts[i] = made.hosts[0];
    made.evidence.hosts = hosts;
    made.evidence.complete = true;
    for (made.evidence.host_count = 4; made.evidence.host_count <= 6; made.evidence.host_count++) {
        report = explain("example.com", &made, &options);
        assert_int_equal(said(json_object_get(report, "why"), "mx0.example.com and 1 more."),
                         made.evidence.host_count == 6);
        json_decref(report);
    }
}

/* Three such items fit in a list. */
static void test_what_does_not_fit_is_counted(void **state)
{
    static char name[254], why[161];
    struct verdict_options options = make_options();
    struct made made;
    json_t *report;

    (void)state;
    memset(name, 'n', sizeof name - 1);
    memset(why, 'w', sizeof why - 1);
    make_evidence(&made, MX_LISTED, true, "EEEE", 'n', "");
    for (size_t i = 0; i < 4; i++) {
        made.hosts[i].name = name;
        made.hosts[i].why = why;
    }
    made.evidence.complete = true;
    report = explain("example.com", &made, &options);
    assert_int_equal(said(json_object_get(report, "why"), "www) and 1 more."), true);
    json_decref(report);
}

static void test_the_longest_names_fit(void **state)
{
    static char name[254], detail[5000];
    struct verdict_options options = make_options();
    struct mx_host hosts[EVIDENCE_MX_MAX];
    struct made made;
    json_t *report;

    (void)state;
    memset(name, 'n', sizeof name - 1);
    memset(detail, 'd', sizeof detail - 1);
    make_evidence(&made, MX_LISTED, false, "N", 'n', "CCSK");
    for (size_t i = 0; i < 4; i++)
        made.addresses[0][i].starttls.detail = detail;
    for (size_t i = 0; i < COUNT(hosts); i++) {
        hosts[i] = made.hosts[0];
        hosts[i].name = name;
        hosts[i].dane = i % 2 ? HOST_DANE_NONE : HOST_DANE_LOST;
        hosts[i].why = detail;
    }
    made.evidence.domain = name;
    made.evidence.hosts = hosts;
    made.evidence.host_count = COUNT(hosts);
    made.evidence.sts.why = detail;
    made.evidence.complete = true;
    report = explain("example.com", &made, &options);
    assert_non_null(report);
    assert_string_equal(text_of(report, "reason"), "starttls-clear");
    json_decref(report);
}

/* ---- keys that are never looked up ---- */

static void test_keys_without_evidence(void **state)
{
    static const struct {
        const char *key, *says;
    } keys[] = {
        {"[192.0.2.1]", "an address, a path, a name of one label"},
        {".example.com", "Postfix asks for .example.com"},
        {"a b", "no host name at all"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(keys); i++) {
        struct verdict verdict;
        struct key key;
        json_t *report;

        key_parse(&key, keys[i].key, strlen(keys[i].key), 25);
        verdict_without_evidence(&verdict, REASON_KEY, 0);
        report = report_found(&key, &verdict, NULL, MAKE_NOW);
        assert_string_equal(text_of(report, "answer"), "NOTFOUND");
        assert_true(json_is_null(json_object_get(report, "evidence")));
        assert_true(said(json_object_get(report, "why"), keys[i].says));
        assert_true(said(json_object_get(report, "change"), "smtp_tls_policy_maps"));
        assert_int_equal(json_integer_value(json_object_get(report, "valid_for_s")), 0);
        json_decref(report);
    }
}

static void assert_printable(const json_t *sentences)
{
    const json_t *sentence;
    size_t i;

    assert_true(json_array_size(sentences) > 0);
    json_array_foreach(sentences, i, sentence)
    {
        const char *text = json_string_value(sentence);

        for (const char *p = text; *p != '\0'; p++)
            assert_true(*p >= ' ' && *p <= '~');
        assert_null(strstr(text, "(null)"));
        assert_null(strpbrk(text, "{}"));
        assert_true(text[strlen(text) - 1] == '.');
    }
}

static void check_words(const struct verdict *verdict, const struct evidence *evidence)
{
    struct key key;
    json_t *report;

    key_parse(&key, "example.com", 11, 25);
    report = report_found(&key, verdict, evidence, MAKE_NOW);
    assert_non_null(report);
    assert_printable(json_object_get(report, "why"));
    if (evidence != NULL && json_array_size(json_object_get(report, "change")) == 0)
        fail_msg("no advice: %s", verdict_reason_code(verdict->reason));
    if (evidence != NULL)
        assert_printable(json_object_get(report, "change"));
    json_decref(report);
}

/* Every reason with every level, though few of the pairs exist: all rows of the tables are said. */
static void test_every_reason_has_words(void **state)
{
    static const enum mx_state mxs[] = {MX_LISTED, MX_LISTED,   MX_IMPLICIT,
                                        MX_SELF,   MX_UNUSABLE, MX_UNKNOWN};
    struct made made;

    (void)state;
    for (int reason = 0; reason < REASON_COUNT; reason++)
        for (int level = 0; level <= VERDICT_TEMP; level++)
            for (const char *sts = "?-nrdfbET0ZX"; *sts != '\0'; sts++) {
                size_t i = ((size_t)level + (size_t)*sts) % COUNT(mxs);
                struct verdict verdict = {.level = (enum verdict_level)level,
                                          .reason = (enum verdict_reason)reason,
                                          .without_dane = i == 0,
                                          .without_probe = i == 1};

                make_evidence(&made, mxs[i], i > 0, "UBNEDL?", *sts, "VTC,R,S,K,X,?");
                made.hosts[0].tlsa_short = true;
                made.evidence.complete = i % 2;
                check_words(&verdict, &made.evidence);
                check_words(&verdict, NULL);
            }
}

/* ---- want of memory: no report, no leak ---- */

static size_t allocations_left;

static void *allocate_some(size_t size)
{
    if (allocations_left == 0)
        return NULL;
    allocations_left--;
    return malloc(size);
}

static void test_no_memory(void **state)
{
    struct verdict_options options = make_options();
    struct made made;
    json_t *report = NULL;
    size_t most;

    (void)state;
    fill(&made);
    json_set_alloc_funcs(allocate_some, free);
    for (most = 0; report == NULL && most < 5000; most++) {
        allocations_left = most;
        report = explain("example.com", &made, &options);
    }
    assert_non_null(report);
    assert_true(most > 100);
    json_decref(report);
    json_set_alloc_funcs(malloc, free);
}

int main(void)
{
    ROWS_ADD(rows, test_row);
    ROWS_ADD_TEST(test_tree_holds_everything);
    ROWS_ADD_TEST(test_one_host);
    ROWS_ADD_TEST(test_long_tlsa_data_is_cut);
    ROWS_ADD_TEST(test_long_lists_are_counted);
    ROWS_ADD_TEST(test_what_does_not_fit_is_counted);
    ROWS_ADD_TEST(test_the_longest_names_fit);
    ROWS_ADD_TEST(test_keys_without_evidence);
    ROWS_ADD_TEST(test_every_reason_has_words);
    ROWS_ADD_TEST(test_no_memory);
    return rows_run("report");
}
