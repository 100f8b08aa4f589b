/*
 * report: why Postfix gets this answer, and what would change it: right, specific, and never an
 * absence that nobody looked for.
 */
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
CHANGE(listed, made->evidence.list = ((struct list_evidence){LIST_ENFORCE, "mx0.example.com", 1,
                                                             "https://lists.example/a.json", 1}))
CHANGE(listed_elsewhere,
       made->evidence.list = ((struct list_evidence){LIST_ENFORCE, "*.example.org", 1, "/a", 1}))
CHANGE(listed_testing,
       made->evidence.list = ((struct list_evidence){LIST_TESTING, "mx0.example.com", 1, "/a", 1}))
CHANGE(listed_error, listed(made, options); why_host(made, options))
CHANGE(testing_error, listed_testing(made, options); why_host(made, options))
CHANGE(foreign, made->addresses[0][0].starttls.detail = "500 \xc3\xbc\033[31m")

/* A row is read as a whole, so it is laid out by hand. */
/* clang-format off */
static const struct row rows[] = {
    {"a policy list, and STARTTLS is missing", MX_LISTED, false, "N", 'n', "C", listed,
     "OK secure match=mx0.example.com servername=hostname", "list-enforce",
     {"The policy list https://lists.example/a.json has example.com in enforce mode, for these "
      "hosts: mx0.example.com.", "What is seen now (starttls-clear) would give notfound",
      "STARTTLS works at no address", "Warning: mail will be deferred where TLS is demanded"},
     {NULL}, {"a rule for example.com in mxcrypt-rules(5) goes before the list"}},
    {"a policy list that has other hosts", MX_LISTED, false, "N", 'n', "V", listed_elsewhere,
     "OK secure match=no-mx-matches-the-policy-list.invalid servername=hostname", "list-enforce",
     {"the policy covers none of the current mail hosts (mx0.example.com)"}, {NULL},
     {"the maker of the policy list must hear of mx0.example.com"}},
    {"a policy list in testing mode", MX_LISTED, false, "N", 'n', "C", listed_testing, "NOTFOUND",
     "starttls-clear", {"has example.com in testing mode, for these hosts: mx0.example.com. In "
     "enforce mode the answer would be secure."}, {"goes before it"}, {NULL}},
    {"a policy list, and TLSA that cannot be looked up", MX_LISTED, true, "E", 'n', "", listed_error,
     "TEMP TLSA lookup _25._tcp.mx0.example.com: timeout; example.com is on a policy list, so "
     "mail waits", "dane-error-list", {"The policy list https://lists.example/a.json has example.com in "
     "enforce mode. It must not take the place of DANE", "timeout", "keeps the mail in its queue"},
     {"DANE and MTA-STS go before"}, {"name servers must answer for TLSA"}},
    {"the same in testing mode", MX_LISTED, true, "E", 'n', "", testing_error, "OK dane", "dane-error",
     {"in testing mode. In enforce mode mail would wait"}, {"make the answer secure"}, {NULL}},
    {"a policy list beside DANE", MX_LISTED, true, "U", 'n', "", listed, "OK dane-only",
     "dane-full", {"has example.com too; DANE and MTA-STS go before it"}, {"testing"}, {NULL}},
    {"a policy list beside MTA-STS", MX_LISTED, false, "N", 'E', "V", listed,
     "OK secure match=mx0.example.com:.example.net servername=hostname", "sts-enforce",
     {"DANE and MTA-STS go before it"}, {NULL}, {NULL}},
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

static void test_row(void **state)
{
    const struct row *row = *state;
    struct verdict_options options = make_options();
    struct made made;
    json_t *report;

    make_evidence(&made, row->mx, row->secure, row->hosts, row->sts, row->probes);
    made.evidence.complete = true;
    row->change(&made, &options);
    report = report_of(row->mx == MX_SELF ? "[mx0.example.com]" : "example.com", &made, &options);
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

int main(void)
{
    ROWS_ADD(rows, test_row);
    ROWS_ADD_TEST(test_keys_without_evidence);
    return rows_run("report_why");
}
